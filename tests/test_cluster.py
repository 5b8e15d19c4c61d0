"""cluster.yaml is a cluster that Ray accepts and that keeps patient data in."""

from importlib.metadata import requires
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
FILE = ROOT / "cluster.yaml"


@pytest.fixture(scope="module")
def cluster() -> dict:
    from ray.autoscaler._private.util import prepare_config, validate_config

    prepared = prepare_config(yaml.safe_load(FILE.read_text()))
    validate_config(prepared)
    return prepared


def test_ray_takes_it_for_an_on_premise_cluster_with_every_worker_in_use(cluster):
    assert cluster["provider"]["type"] == "local"
    (node,) = cluster["available_node_types"].values()
    assert node["min_workers"] == node["max_workers"] == len(cluster["provider"]["worker_ips"])


def test_the_dashboard_is_not_open_to_the_network_and_wants_a_token(cluster):
    (start,) = [line for line in cluster["head_start_ray_commands"] if "--head" in line]
    assert "--dashboard-host=127.0.0.1" in start
    assert "--env=RAY_AUTH_MODE=token" in cluster["docker"]["run_options"]
    assert "~/.ray" in cluster["file_mounts"].values(), "every node gets the token"


def test_data_and_models_are_mounted_on_every_node(cluster):
    assert {"--volume=/data:/data", "--volume=/models:/models"} <= set(cluster["docker"]["run_options"])
    assert not any("head_run_options" in key or "worker_run_options" in key for key in cluster["docker"])


def test_its_ray_is_the_one_that_is_installed(cluster):
    import ray

    assert f"rayproject/ray:{ray.__version__}-" in cluster["docker"]["image"]


def test_a_gpu_machine_gets_the_compiler_of_nemos_loss():
    """NeMo says what it needs on CUDA 13; this project installs it, and tells which driver it takes."""
    extra = [Requirement(line) for line in requires("nemo_toolkit") or [] if 'extra == "cu13"' in line]
    theirs = next(needed for needed in extra if needed.name == "numba-cuda")
    lines = [line.partition("#")[0].strip() for line in (ROOT / "requirements-gpu.txt").read_text().splitlines()]
    ours = next(Requirement(line) for line in lines if line.startswith("numba-cuda"))
    (pinned,) = ours.specifier
    assert ours.extras == theirs.extras == {"cu13"} and pinned.operator == "=="
    for file in ("Makefile", "cluster.yaml"):
        assert "requirements-gpu.txt" in (ROOT / file).read_text()
    for file in ("README.md", "cluster.yaml"):
        assert "driver 580" in (ROOT / file).read_text()
