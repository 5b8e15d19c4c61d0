"""The arrows between the rooms of the project, read from its imports."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TREES = ("jobs", "tuning", "pipeline")

MAY_IMPORT = {
    "speech": set(),
    "tagging": {"speech"},
    "scoring": {"speech"},
    "corpus": {"speech", "tagging"},
    "synthetic": {"speech", "tagging"},
    "outputs": {"speech", "tagging", "scoring", "corpus"},
}
"""Rooms of pipeline, and the other rooms that each may use."""

DEMO = {"pipeline/settings.py", "tuning/settings.py", "jobs/demo.py", "jobs/demo_clips.py", "jobs/demo_training.py"}
"""What may import the demo: the profiles of that name, and the job that shows it."""


@cache
def imports() -> dict[str, list[tuple[str, bool]]]:
    """Return for each module what it imports, and whether it does so when it is imported itself."""
    files = [file for tree in TREES for file in sorted((ROOT / tree).rglob("*.py"))]
    return {name(file): list(imported(file)) for file in files}


def name(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported(file: Path) -> Iterator[tuple[str, bool]]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    inside = {id(node) for body in ast.walk(tree) if isinstance(body, FUNCTIONS) for node in ast.walk(body)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) not in inside) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file}: imports are absolute"
            for alias in node.names:
                yield of(node.module or "", alias.name), id(node) not in inside


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def of(module: str, item: str) -> str:
    """Return the module that ``from module import item`` imports."""
    path = ROOT.joinpath(*module.split("."), item)
    return f"{module}.{item}" if path.with_suffix(".py").is_file() or (path / "__init__.py").is_file() else module


def path(module: str) -> str:
    file = ROOT.joinpath(*module.split("."))
    return str((file / "__init__.py" if file.is_dir() else file.with_suffix(".py")).relative_to(ROOT))


def test_arrows_go_from_jobs_to_tuning_to_pipeline():
    for module, found in imports().items():
        above = TREES[: TREES.index(module.split(".")[0])]
        assert not [other for other, _ in found if other.split(".")[0] in (*above, "tests")], module


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_rooms_of_the_pipeline_use_only_the_rooms_below_them(room):
    for module, found in imports().items():
        if module.startswith(f"pipeline.{room}."):
            used = {other.split(".")[1] for other, _ in found if other.startswith("pipeline.") and other.count(".") > 1}
            assert used - {room} <= MAY_IMPORT[room], module


def test_what_the_rooms_stand_on_uses_no_room():
    base = ["errors", "files", "intervals", "tables", "submission", "out_folder", "run_folder"]
    for module in base:
        used = {other for other, at_once in imports()[f"pipeline.{module}"] if at_once and other.count(".") > 1}
        assert not {other for other in used if other.startswith("pipeline.")}, module


def test_only_the_stream_the_trainings_and_the_jobs_know_ray():
    for module, found in imports().items():
        if module.startswith("pipeline") and module != "pipeline.flow":
            assert not [other for other, _ in found if other.split(".")[0] == "ray"], module


def test_nothing_but_its_profiles_and_its_job_imports_the_demo():
    users = {path(module) for module, found in imports().items() if "pipeline.demo" in {other for other, _ in found}}
    assert users <= DEMO


def test_no_module_imports_itself_in_a_circle():
    arrows = {module: {other for other, at_once in found if at_once} for module, found in imports().items()}
    done: set[str] = set()

    def visit(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, " -> ".join([*way, module])
        if module not in done:
            for other in arrows[module] & arrows.keys():
                visit(other, (*way, module))
            done.add(module)

    for module in arrows:
        visit(module, ())


@pytest.mark.parametrize("job", sorted(file.name for file in (ROOT / "jobs").glob("*.py")))
def test_a_job_is_a_command_line_of_at_most_150_lines(job):
    file = ROOT / "jobs" / job
    if 'if __name__ == "__main__"' in (source := file.read_text(encoding="utf-8")):
        assert source.count("\n") <= 150
