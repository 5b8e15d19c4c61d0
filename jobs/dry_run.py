"""What a run or a training would do, for those who ask before it does."""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from jobs.run_progress import duration
from pipeline.run_folder import Plan
from pipeline.settings import NONE, Settings

_SAMPLE = 200


def print_plan(plan: Plan, settings: Settings) -> None:
    """Print recordings, models, GPUs and free disk.

    Args:
        plan: What the run has to do.
        settings: With located models.
    """
    left = sorted(plan.left)
    work = {"recordings": f"{len(left)} of {len(plan.recordings)} to work on"}
    paths = [plan.recordings[key]["path"] for key in left if "path" in plan.recordings[key]]
    if settings.models.whisper != NONE and paths:
        work["sound"] = _sound(paths)
    shares = [f"{pool.num_gpus:g} for each actor of {name}" for name, pool in settings.pools.items() if pool.num_gpus]
    print_work(work, {name: path for name, path in asdict(settings.models).items() if path != NONE}, shares, plan.out)


def print_work(work: Mapping[str, str], models: Mapping[str, str], gpus: Sequence[str], out: str) -> None:
    """Print what there is to do, the models, GPUs and free disk.

    Args:
        work: What there is to do, each in words by its name.
        models: Located models by the names of their options.
        gpus: What is asked for of the cards, in words.
        out: The out folder, a path or URI.
    """
    rows = {**work}
    rows |= {name.replace("_", " "): f"{path} ({_size(_bytes(Path(path)))})" for name, path in models.items()}
    rows["GPUs"] = f"{', '.join(gpus)}; this machine has {_gpus()}" if gpus else "none asked for"
    if "://" not in out:
        rows["free disk"] = f"{_size(_free(Path(out)))} below {out}"
    for what, how in rows.items():
        print(f"{what:<12}{how}")
    print("Nothing was done: leave out --dry-run to do it.")


def _sound(paths: Sequence[str]) -> str:
    from pipeline.speech.reader import expected_s

    some = paths[:: -(-len(paths) // _SAMPLE)]
    seconds = sum(map(expected_s, some)) / len(some) * len(paths)
    of = "" if len(some) == len(paths) else f", from {len(some)} of them"
    return f"{duration(seconds)}, as the files say{of}"


def _gpus() -> int:
    return len([name for name in os.listdir("/dev") if name.removeprefix("nvidia").isdigit()])


def _bytes(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def _free(out: Path) -> int:
    there = out.absolute()
    while not there.exists():
        there = there.parent
    return shutil.disk_usage(there).free


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
