"""What this machine's GPU does with the shapes of the real models: one table, in less than ten minutes.

    make gpu-check [WHEELS=FOLDER]
    python -m tests.benchmarks.gpu_check [--json FILE] [--wheels FOLDER] [--tokenizer FOLDER] [--parts NAME ...]

Weights are random, no model is fetched. Each part runs in a process of its own; one whose library is missing says so,
and the others go on. On a machine without a GPU all parts run once with tiny shapes, which shows that they work and
says nothing about speed.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

SECONDS = {
    "machine": 40,
    "tagger-bf16": 150,
    "tagger-nf4": 130,
    "lora": 110,
    "whisper-transformers": 60,
    "whisper-ctranslate2": 60,
    "parakeet": 50,
}
"""The parts, and after how many seconds each is stopped: ten minutes in all."""


def main(arguments: list[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.gpu_check", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--json", type=Path, default=Path("runs/gpu-check.json"), help="where the figures go")
    parser.add_argument("--wheels", type=Path, help="folder of wheels of libraries that this machine lacks")
    parser.add_argument("--tokenizer", type=Path, help="folder of Llama 3's tokenizer; else one is trained on the spot")
    parser.add_argument("--parts", nargs="+", choices=SECONDS, default=list(SECONDS), help="the parts to measure")
    parser.add_argument("--part", choices=SECONDS, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.part:
        _measure(options.part, options.tokenizer, options.json)
        return
    start = time.perf_counter()
    figures: dict[str, Any] = {"date": time.strftime("%Y-%m-%d"), "parts": {}}
    with tempfile.TemporaryDirectory() as folder:
        environment = _with_wheels(options.wheels, Path(folder) / "site")
        for part in options.parts:
            print(f"{part} ...", file=sys.stderr, flush=True)
            found = _in_a_process(part, options.tokenizer, Path(folder) / f"{part}.json", environment)
            figures["parts"][part] = found
            _print(part, found)
    figures["seconds"] = round(time.perf_counter() - start)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(f"\n{figures['seconds']} s in all; the figures are in {options.json}")


def _with_wheels(wheels: Path | None, site: Path) -> dict[str, str]:
    """Install wheels into a folder of their own, before what the machine has."""
    path = os.environ.get("PYTHONPATH", "")
    if wheels is None:
        return dict(os.environ)
    files = [str(file) for file in sorted(wheels.glob("*.whl"))]
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--no-compile"]
    if not files or subprocess.run([*command, "--target", str(site), *files]).returncode:
        sys.exit(f"--wheels {wheels}: give a folder of wheels for this Python and machine.")
    return {**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{path}"}


def _in_a_process(part: str, tokenizer: Path | None, file: Path, environment: dict[str, str]) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks.gpu_check", "--part", part, "--json", str(file)]
    command += ["--tokenizer", str(tokenizer)] if tokenizer else []
    start = time.perf_counter()
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=SECONDS[part] * _patience()
        )
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        found = {"left out": lines[-1]} if done.returncode else {}
    except subprocess.TimeoutExpired:
        found = {"left out": f"not done in {SECONDS[part] * _patience()} s"}
    if file.exists():
        found = json.loads(file.read_text(encoding="utf-8")) | found
    return found | {"seconds": round(time.perf_counter() - start, 1)}


def _patience() -> int:
    """Tiny shapes on a busy CPU may take longer than real ones on a GPU: imports alone take a minute."""
    return 1 if importlib.util.find_spec("torch") and _has_cuda() else 5


def _has_cuda() -> bool:
    import torch

    return torch.cuda.is_available()


def _measure(part: str, tokenizer: Path | None, file: Path) -> None:
    """Measure one part; what is measured so far is always in the file."""

    so_far: dict[str, Any] = {}

    def note(figures: dict[str, Any]) -> None:
        so_far.update(figures)
        file.write_text(json.dumps(so_far), encoding="utf-8")

    try:
        from tests.benchmarks import gpu_parts

        gpu_parts.PARTS[part](gpu_parts.Size(real=_has_cuda(), tokenizer=tokenizer), note)
    except ImportError as error:
        cause: BaseException | None = error
        while isinstance(cause, ImportError) and not cause.name:  # Transformers hides the library that it lacks
            cause = cause.__cause__
        what = getattr(cause, "name", None) or str(error).strip().splitlines()[0]
        note({"left out": f"needs {what}, which is not installed"})


def _print(part: str, found: dict[str, Any]) -> None:
    print(f"\n{part} ({found['seconds']} s)")
    for name, value in found.items():
        if name == "rows":
            columns = list(dict.fromkeys(key for row in value for key in row))
            table = [columns, *([_text(row.get(column, "")) for column in columns] for row in value)]
            widths = [max(len(row[place]) for row in table) for place in range(len(columns))]
            for row in table:
                print("  " + "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))
        elif name != "seconds":
            print(f"  {name}: {_text(value)}")


def _text(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) and abs(value) < 1000 else f"{value}"


if __name__ == "__main__":
    main(sys.argv[1:])
