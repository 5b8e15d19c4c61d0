"""How many adapters train at once is a matter of the cluster's resources."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# In a process of its own: a cluster with logical GPUs would change what other tests find.
TRAININGS = """
import json
import sys
import time
from pathlib import Path
import ray
from tuning import adapters_on_ray
from tuning.settings import AdapterSettings

def stand_in(config, tasks):
    # Waits for as many trainings as there are GPUs, and notes which ones have begun and not ended, and its own GPU.
    def wait_for_all_in(folder):
        deadline = time.monotonic() + 300
        while len(list(folder.iterdir())) < gpus and time.monotonic() < deadline:
            time.sleep(0.05)

    begun, seen, ended = (out / name for name in ("begun", "seen", "ended"))
    (begun / config["group"]).touch()
    wait_for_all_in(begun)
    at_work = sorted(file.name for file in begun.iterdir() if not (ended / file.name).exists())
    gpu_ids = ray.get_runtime_context().get_accelerator_ids()["GPU"]
    (seen / config["group"]).write_text(json.dumps([at_work, gpu_ids]))
    wait_for_all_in(seen)
    (ended / config["group"]).touch()

adapters_on_ray._train = stand_in
out, gpus = Path(sys.argv[1]), int(sys.argv[2])
for name in ("begun", "seen", "ended"):
    (out / name).mkdir(parents=True)
ray.init("local", num_cpus=4, num_gpus=gpus, include_dashboard=False, log_to_driver=False)
settings = AdapterSettings(num_gpus=1, num_cpus=1)
tasks = [adapters_on_ray.AdapterTask(out / "tagging" / group, settings, out) for group in ("care", "names")]
assert adapters_on_ray.run(tasks, out / "tune") == {}
"""


@pytest.mark.parametrize(
    ("gpus", "together", "gpu_ids"), [(2, [["care", "names"]] * 2, {"0", "1"}), (1, [["care"], ["names"]], {"0"})]
)
def test_two_adapters_train_at_once_on_two_gpus_and_queue_on_one(gpus, together, gpu_ids, tmp_path):
    command = [sys.executable, "-c", TRAININGS, str(tmp_path), str(gpus)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    seen = [json.loads((tmp_path / "seen" / group).read_text()) for group in ("care", "names")]
    assert [at_work for at_work, _ in seen] == together
    assert all(len(own) == 1 for _, own in seen) and {own[0] for _, own in seen} == gpu_ids
