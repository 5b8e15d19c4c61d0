"""What the jobs share: options and profiles, Ray, and one sentence for a user's mistake."""

import dataclasses
import logging
import os
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import fsspec
import tyro

from pipeline.errors import UserError
from pipeline.settings import PROFILES

Job = TypeVar("Job")


def run_job(job: Callable[[list[str]], None]) -> None:
    """Run a job on the command line's arguments; a user's mistake becomes one sentence and exit status 1."""
    try:
        job(sys.argv[1:])
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        sys.exit(130)


def parse(job: type[Job], arguments: list[str], prog: str, profiles: Mapping[str, Callable[[], Any]] = PROFILES) -> Job:
    """Parse a job's options; ``--profile`` chooses the values of the settings that the others override.

    Args:
        job: A dataclass with the fields ``profile`` and ``settings``.
        arguments: The command line's arguments.
        prog: The command, as ``--help`` shows it.
        profiles: What makes the settings, by profile.

    Raises:
        UserError: There is no such profile.
    """
    values: dict[str, Any] = {
        field.name: tyro.MISSING
        for field in dataclasses.fields(job)  # type: ignore[arg-type]
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    }
    return tyro.cli(
        job,
        prog=prog,
        args=arguments,
        default=job(**values | {"settings": _profile(arguments, profiles)}),
        config=(tyro.conf.FlagCreatePairsOff,),
    )


def _profile(arguments: list[str], profiles: Mapping[str, Callable[[], Any]]) -> Any:
    name = "demo"
    for argument, following in zip(arguments, [*arguments[1:], ""], strict=True):
        if argument == "--profile":
            name = following
        elif argument.startswith("--profile="):
            name = argument.removeprefix("--profile=")
    if name not in profiles:
        raise UserError(f"--profile {name}: there is no such profile; the profiles are {', '.join(profiles)}.")
    return profiles[name]()


def check_paths(paths: Mapping[str, str]) -> None:
    """Refuse paths that cannot work, before anything starts.

    Args:
        paths: Values by option.

    Raises:
        UserError: No library here knows the URI's protocol, or `ray job submit` started the job and a path is relative.
    """
    submitted = "RAY_JOB_CONFIG_JSON_ENV_VAR" in os.environ
    for option, path in paths.items():
        if "://" in path:
            try:
                fsspec.url_to_fs(path)
            except (ImportError, ValueError) as error:
                raise UserError(f"{option} {path}: {error}") from None
        elif submitted and not Path(path).is_absolute():
            raise UserError(
                f"{option} {path}: a submitted job runs in a copy of the working folder, so paths must be absolute, "
                "on storage that every node mounts, or URIs such as s3://bucket/folder."
            )


def check_local(option: str, path: str) -> Path:
    """Return the absolute path of what a training reads or writes.

    Raises:
        UserError: It is a URI, or relative in a submitted job.
    """
    if "://" in path:
        raise UserError(f"{option} {path}: training reads and writes mounted storage: give a path.")
    check_paths({option: path})
    return Path(absolute(path))


def absolute(path: str) -> str:
    """Make a local path mean the same in every process, wherever it was started; URIs stay as they are."""
    return path if "://" in path else str(Path(path).expanduser().absolute())


def connect_to_ray() -> None:
    """Connect to the cluster that RAY_ADDRESS names or that runs here, or start Ray; workers' prints stay in its logs.

    Raises:
        UserError: There should be a cluster, and it does not answer.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    import ray
    from ray.util.annotations import RayDeprecationWarning

    warnings.filterwarnings("ignore", category=RayDeprecationWarning)
    if not ray.is_initialized():
        try:
            ray.init(log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
            where = f"RAY_ADDRESS is {os.environ['RAY_ADDRESS']}" if "RAY_ADDRESS" in os.environ else "no RAY_ADDRESS"
            raise UserError(
                f"Ray cannot be reached or started ({where}; {type(error).__name__}): start the cluster again, submit "
                "the job with `ray job submit`, or unset RAY_ADDRESS and clear a dead cluster with `ray stop`."
            ) from None
    import ray.data

    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
