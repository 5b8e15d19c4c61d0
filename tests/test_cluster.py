"""cluster.yaml is a cluster that Ray accepts and that keeps patient data in."""

from pathlib import Path

import pytest
import yaml

FILE = Path(__file__).parents[1] / "cluster.yaml"


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
