"""cluster.yaml and rayjob.yaml are clusters that Ray accepts and that keep patient data in."""

import shlex
from importlib.metadata import requires
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
FILE = ROOT / "cluster.yaml"
JOB = ROOT / "rayjob.yaml"


@pytest.fixture(scope="module")
def cluster() -> dict:
    from ray.autoscaler._private.util import prepare_config, validate_config

    prepared = prepare_config(yaml.safe_load(FILE.read_text()))
    validate_config(prepared)
    return prepared


@pytest.fixture(scope="module")
def manifest() -> dict[str, list[dict]]:
    """The objects of rayjob.yaml by kind."""
    documents = list(yaml.safe_load_all(JOB.read_text()))
    return {kind: [d for d in documents if d["kind"] == kind] for kind in ("PersistentVolumeClaim", "RayJob")}


@pytest.fixture(scope="module")
def job(manifest) -> dict:
    (only,) = manifest["RayJob"]
    assert only["apiVersion"] == "ray.io/v1"
    return only["spec"]


@pytest.fixture(scope="module")
def pods(job) -> dict[str, dict]:
    groups = job["rayClusterSpec"]
    workers = {group["groupName"]: group["template"]["spec"] for group in groups["workerGroupSpecs"]}
    return {"head": groups["headGroupSpec"]["template"]["spec"]} | workers


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


def test_on_kubernetes_ray_reads_a_head_without_and_workers_with_one_gpu(job):
    """As Ray's own reader for KubeRay takes it."""
    from ray.autoscaler._private.kuberay.autoscaling_config import _derive_autoscaling_config_from_ray_cr

    metadata = {"name": "shi-speech", "namespace": "shi-speech"}
    read = _derive_autoscaling_config_from_ray_cr({"metadata": metadata, "spec": job["rayClusterSpec"]})
    nodes = read["available_node_types"]
    assert set(nodes) == {"headgroup", "gpu"} and "GPU" not in nodes["headgroup"]["resources"]
    assert nodes["gpu"]["resources"]["GPU"] == 1 and nodes["gpu"]["min_workers"] == nodes["gpu"]["max_workers"] > 0


def test_what_the_profile_asks_for_fits_the_workers_of_either_cluster(job):
    from pipeline.placement import Node, place
    from pipeline.settings import PROFILES

    (group,) = job["rayClusterSpec"]["workerGroupSpecs"]
    (container,) = group["template"]["spec"]["containers"]
    nodes = [Node(4, 0), *[Node(float(container["resources"]["limits"]["cpu"]), 1)] * group["replicas"]]
    assert len(place(PROFILES["rtx4090"].pools, nodes).bundles) == group["replicas"]


def test_both_clusters_run_the_same_image(cluster, job, pods):
    import ray

    images = {container["image"] for pod in pods.values() for container in pod["containers"]}
    assert images == {cluster["docker"]["image"]} and job["rayClusterSpec"]["rayVersion"] == ray.__version__
    assert f"ray=={ray.__version__}" in (ROOT / "requirements.txt").read_text().splitlines()


def test_every_pod_mounts_the_two_claims_that_the_manifest_makes(manifest, pods):
    made = {claim["metadata"]["name"] for claim in manifest["PersistentVolumeClaim"]}
    assert all(claim["spec"]["accessModes"] == ["ReadWriteMany"] for claim in manifest["PersistentVolumeClaim"])
    assert len({document["metadata"]["namespace"] for of_kind in manifest.values() for document in of_kind}) == 1
    for pod in pods.values():
        volumes = {volume["name"]: volume["persistentVolumeClaim"]["claimName"] for volume in pod["volumes"]}
        assert set(volumes.values()) == made
        (container,) = pod["containers"]
        mounts = {mount["mountPath"]: volumes[mount["name"]] for mount in container["volumeMounts"]}
        assert mounts == {"/data": "data", "/models": "models"}
        assert container["resources"]["requests"] == container["resources"]["limits"]


def test_the_job_is_one_that_predict_parses_on_mounted_storage(job, monkeypatch):
    from jobs.command_line import check_paths, parse
    from jobs.predict import Predict

    python, flag, module, *arguments = shlex.split(job["entrypoint"])
    assert (python, flag, module) == ("python", "-m", "jobs.predict")
    parsed = parse(Predict, arguments, "python -m jobs.predict")
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", "{}")
    check_paths({"--audio": parsed.audio, "--out": parsed.out, "--adapters": parsed.settings.models.adapters})
    assert job["shutdownAfterJobFinishes"] and job["backoffLimit"] > 0


def test_the_job_brings_this_project_and_what_it_needs(job):
    from ray.runtime_env import RuntimeEnv

    environment = yaml.safe_load(job["runtimeEnvYAML"])
    assert RuntimeEnv(**environment)["working_dir"].startswith("file:///data/")
    files = [package.rpartition("/")[2] for package in environment["uv"]["packages"]]
    assert files == ["requirements.txt", "requirements-gpu.txt"] and all((ROOT / file).is_file() for file in files)


def test_on_kubernetes_the_job_wants_a_token_and_holds_no_secret(job):
    assert job["rayClusterSpec"]["authOptions"] == {"mode": "token"}
    assert job["rayClusterSpec"]["headGroupSpec"]["serviceType"] == "ClusterIP"
    assert "secret" not in JOB.read_text().lower()


def test_a_gpu_machine_gets_the_compiler_of_nemos_loss():
    """NeMo says what it needs on CUDA 13; this project installs it, and tells which driver it takes."""
    extra = [Requirement(line) for line in requires("nemo_toolkit") or [] if 'extra == "cu13"' in line]
    theirs = next(needed for needed in extra if needed.name == "numba-cuda")
    lines = [line.partition("#")[0].strip() for line in (ROOT / "requirements-gpu.txt").read_text().splitlines()]
    ours = next(Requirement(line) for line in lines if line.startswith("numba-cuda"))
    (pinned,) = ours.specifier
    assert ours.extras == theirs.extras == {"cu13"} and pinned.operator == "=="
    for file in ("Makefile", "cluster.yaml", "rayjob.yaml"):
        assert "requirements-gpu.txt" in (ROOT / file).read_text()
    for file in ("README.md", "cluster.yaml", "rayjob.yaml"):
        assert "driver 580" in (ROOT / file).read_text()
