"""What the jobs share: options and profiles, paths, and one sentence for a user's mistake."""

import dataclasses
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import tyro

from pipeline.errors import UserError, reason
from pipeline.files import absolute, filesystem
from pipeline.settings import PROFILES, Models, Settings
from pipeline.settings_file import read_settings, with_mappings, without_mappings

Job = TypeVar("Job")


@dataclasses.dataclass(frozen=True)
class Profile:
    """What is parsed first: the other options' defaults depend on it."""

    profile: str = "demo"
    settings: Path | None = None


@dataclasses.dataclass(frozen=True)
class InferenceSettings(Settings):
    """The settings of inference as options; those of the models need no prefix."""

    models: Annotated[Models, tyro.conf.arg(name="")] = dataclasses.field(default_factory=Models)


_INFERENCE = {name: InferenceSettings(**vars(settings)) for name, settings in PROFILES.items()}


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


def parse(job: type[Job], arguments: list[str], prog: str, profiles: Mapping[str, Any] = _INFERENCE) -> Job:
    """Parse a job's options; ``--profile`` chooses the values of the settings that the others override.

    Of inference, ``--settings`` names a file with values that override those of the profile, if the job has the option.

    Args:
        job: A dataclass with the fields ``profile`` and ``settings``.
        arguments: The command line's arguments.
        prog: The command, as ``--help`` shows it.
        profiles: The settings by profile.

    Raises:
        UserError: There is no such profile, or the file of settings is malformed.
    """
    chosen, _ = tyro.cli(Profile, args=arguments, add_help=False, return_unknown_args=True)
    if chosen.profile not in profiles:
        raise UserError(
            f"--profile {chosen.profile}: there is no such profile; the profiles are {', '.join(profiles)}."
        )
    settings = profiles[chosen.profile]
    if chosen.settings and isinstance(settings, Settings):
        settings = read_settings(chosen.settings, settings)
    values: dict[str, Any] = {
        field.name: tyro.MISSING
        for field in dataclasses.fields(job)  # type: ignore[arg-type]
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    }
    # tyro makes an option of each key of a mapping that is not empty, and lets no other key be added.
    default = job(**values | {"profile": chosen.profile, "settings": without_mappings(settings)})
    parsed: Any = tyro.cli(job, prog=prog, args=arguments, default=default, config=(tyro.conf.FlagCreatePairsOff,))
    return dataclasses.replace(parsed, settings=with_mappings(parsed.settings, settings))


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
                filesystem(path)
            except OSError as error:
                raise UserError(f"{option} {path}: {reason(error)}.") from None
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
