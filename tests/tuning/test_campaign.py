"""How many adapters train at once is a matter of the cluster's resources."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

# In a process of its own: a cluster with logical GPUs would change what other tests find.
CAMPAIGN = """
import json
import sys
import time
from pathlib import Path
import ray
from tuning import campaign
from tuning.settings import Adapter

def wait(config, tasks):
    begun = time.time()
    time.sleep(2)
    tasks[config["group"]].work.write_text(json.dumps([begun, time.time()]))

campaign._train = wait
out = Path(sys.argv[1])
ray.init("local", num_cpus=4, num_gpus=int(sys.argv[2]), include_dashboard=False, log_to_driver=False)
knobs = Adapter(num_gpus=1, num_cpus=1)
tasks = [campaign.Task(g, {}, out, knobs, out / g, out / "adapters" / g) for g in ("names", "care")]
assert campaign.run(tasks, out / "tune") == {}
"""


def times_with(gpus: int, folder: Path) -> list[list[float]]:
    folder.mkdir()
    subprocess.run([sys.executable, "-c", CAMPAIGN, str(folder), str(gpus)], cwd=ROOT, check=True, capture_output=True)
    return sorted(json.loads((folder / group).read_text()) for group in ("names", "care"))


def test_two_adapters_train_at_once_on_two_gpus_and_queue_on_one(tmp_path):
    (_, end), (begin, _) = times_with(2, tmp_path / "two")
    assert begin < end
    (_, end), (begin, _) = times_with(1, tmp_path / "one")
    assert begin >= end
