"""How many adapters train at once is a matter of the cluster's resources."""

import json
import subprocess
import sys
from pathlib import Path

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
    # Waits for as many trainings as there can be, and notes which ones have begun and not ended, and its own GPUs.
    def wait_for_all_in(folder):
        deadline = time.monotonic() + 300
        while len(list(folder.iterdir())) < together and time.monotonic() < deadline:
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
ray.init("local", num_cpus=4, num_gpus=2, include_dashboard=False, log_to_driver=False)
for together in (2, 1):
    out = Path(sys.argv[1], str(together))
    for name in ("begun", "seen", "ended"):
        (out / name).mkdir(parents=True)
    settings = AdapterSettings(num_gpus=2 / together, num_cpus=1)
    tasks = [adapters_on_ray.AdapterTask(out / "tagging" / group, settings, out) for group in ("care", "names")]
    assert adapters_on_ray.run(tasks, out / "tune") == {}
"""


def test_two_adapters_train_at_once_where_there_are_gpus_for_both_and_else_queue(tmp_path):
    subprocess.run([sys.executable, "-c", TRAININGS, str(tmp_path)], cwd=ROOT, check=True, capture_output=True)

    def seen(together: str) -> list[tuple[list[str], list[str]]]:
        return [json.loads((tmp_path / together / "seen" / group).read_text()) for group in ("care", "names")]

    assert [at_work for at_work, _ in seen("2")] == [["care", "names"]] * 2
    assert sorted(gpu_ids for _, gpu_ids in seen("2")) == [["0"], ["1"]]
    assert seen("1") == [[["care"], ["0", "1"]], [["names"], ["0", "1"]]]
