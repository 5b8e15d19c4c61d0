"""What a run would do, for those who ask before it does."""

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
    for what, how in _rows(plan, settings):
        print(f"{what:<12}{how}")
    print("Nothing was done: leave out --dry-run to do it.")


def _rows(plan: Plan, settings: Settings) -> list[tuple[str, str]]:
    left = sorted(plan.left)
    rows = [("recordings", f"{len(left)} of {len(plan.recordings)} to work on")]
    paths = [plan.recordings[key]["path"] for key in left if "path" in plan.recordings[key]]
    if settings.models.whisper != NONE and paths:
        rows.append(("sound", _sound(paths)))
    for name, path in asdict(settings.models).items():
        if path != NONE:
            rows.append((name.replace("_", " "), f"{path} ({_size(_bytes(Path(path)))})"))
    asked = {name: pool.num_gpus for name, pool in settings.pools.items() if pool.num_gpus}
    rows.append(("GPUs", _gpus(asked)))
    if "://" not in plan.out:
        rows.append(("free disk", f"{_size(_free(Path(plan.out)))} below {plan.out}"))
    return rows


def _sound(paths: Sequence[str]) -> str:
    from pipeline.speech.reader import expected_s

    some = paths[:: -(-len(paths) // _SAMPLE)]
    seconds = sum(map(expected_s, some)) / len(some) * len(paths)
    of = "" if len(some) == len(paths) else f", from {len(some)} of them"
    return f"{duration(seconds)}, as the files say{of}"


def _gpus(asked: Mapping[str, float]) -> str:
    if not asked:
        return "none asked for"
    here = len([name for name in os.listdir("/dev") if name.removeprefix("nvidia").isdigit()])
    shares = ", ".join(f"{share:g} for each actor of {name}" for name, share in asked.items())
    return f"{shares}; this machine has {here}"


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
