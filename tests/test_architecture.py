"""The layers of the project: which of its packages may import which, read from their imports."""

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
    "calibration": {"speech", "tagging", "scoring"},
    "corpus": {"speech", "tagging", "synthetic"},
    "synthetic": {"speech", "tagging"},
    "outputs": {"speech", "tagging", "scoring", "corpus", "synthetic"},
}
"""Packages of pipeline, and the other packages that each may import."""

KNOW_RAY = {"pipeline.flow", "pipeline.arrivals", "pipeline.cards", "pipeline.watch"}

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

DEMO = {"pipeline.settings", "tuning.settings", "jobs.demo_clips", "pipeline.speech.identifier"}
"""What may import the demo: the profiles of that name, the job that shows it, and the check on an English clip."""


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


def of(module: str, item: str) -> str:
    """Return the module that ``from module import item`` imports."""
    file = ROOT.joinpath(*module.split("."), item)
    return f"{module}.{item}" if file.with_suffix(".py").is_file() or (file / "__init__.py").is_file() else module


def packages(found: list[tuple[str, bool]], at_once: bool = False) -> set[str]:
    """Return the packages of pipeline among what a module imports."""
    parts = [other.split(".") for other, now in found if now or not at_once]
    return {part[1] for part in parts if part[0] == "pipeline" and len(part) > 1 and part[1] in MAY_IMPORT}


def test_arrows_go_from_jobs_to_tuning_to_pipeline():
    for module, found in imports().items():
        above = TREES[: TREES.index(module.split(".")[0])]
        assert not [other for other, _ in found if other.split(".")[0] in (*above, "tests")], module


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_packages_of_the_pipeline_use_only_those_below_them(package):
    for module, found in imports().items():
        if module.startswith(f"pipeline.{package}."):
            assert packages(found) - {package} <= MAY_IMPORT[package], module


def test_what_the_packages_stand_on_imports_none_of_them():
    for module in ("errors", "files", "intervals", "tables", "submission", "out_folder", "run_folder", "settings"):
        assert not packages(imports()[f"pipeline.{module}"], at_once=True), module


def test_only_the_stream_the_trainings_and_the_jobs_know_ray():
    for module, found in imports().items():
        if module.startswith("pipeline") and module not in KNOW_RAY:
            assert not [other for other, _ in found if other.split(".")[0] == "ray"], module


def test_nothing_but_its_profiles_and_its_job_imports_the_demo():
    users = {module for module, found in imports().items() if "pipeline.demo" in {other for other, _ in found}}
    assert users == DEMO


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
