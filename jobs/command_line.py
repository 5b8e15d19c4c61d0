"""What the jobs share: options and profiles, paths, and one sentence for a user's mistake."""

import dataclasses
import errno
import io
import os
import signal
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, TextIO, TypeVar

import tyro

from jobs.config_file import arguments_of, options_of, read_config, write_config
from jobs.log_lines import JsonLines
from pipeline.errors import UserError, reason, stack_without_text
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


@dataclasses.dataclass(frozen=True)
class Common:
    """What every job takes."""

    share: Literal["nobody", "group"] = "nobody"
    quiet: bool = False
    log_json: bool = False
    version: bool = False
    config: Path | None = None


_COMMON_HELP = """Every job also takes
--share {nobody,group}  Who else may read what the job writes: nobody (files 0600, folders 0700), or the user's group
                        (0640, 0750). A folder that is there already keeps its mode. (default: nobody)
--config FILE           YAML file of options, by their names, which those on the command line override. A job writes its
                        own as config.yaml beside its results.
--quiet                 Print nothing but the sentence that ends a job that fails.
--log-json              Print each line as JSON with time, level and message, for programs that read logs.
--version               Print the version, and do nothing else.
"""
_FAULT = "This is a fault of the program. Messages are left out above, as they may quote a transcript."
_UMASKS = {"nobody": 0o077, "group": 0o027}
_STORAGE = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.ESTALE)


class _Terminated(KeyboardInterrupt):
    """SIGTERM, which ends a job as Ctrl-C does."""


def run_job(job: Callable[[list[str]], None], secret: Sequence[str] = ()) -> None:
    """Run a job on the command line's arguments, and write these beside its results.

    A user's mistake becomes one sentence and exit status 1. So does a fault of this program, whose traceback is printed
    too, but for its messages: they may quote a transcript.

    Args:
        job: Takes the arguments.
        secret: Names of options that are not written.
    """
    signal.signal(signal.SIGTERM, _terminate)
    arguments, refused = sys.argv[1:], io.StringIO()
    try:
        common, arguments = tyro.cli(
            Common, args=arguments, add_help=False, return_unknown_args=True, config=(tyro.conf.FlagCreatePairsOff,)
        )
        os.umask(_UMASKS[common.share])
        if common.version:
            print(_version())
            return
        with _output(common, refused):
            if common.config:
                arguments = arguments_of(read_config(common.config) | options_of(arguments))
            job(arguments)
            write_config(arguments, f"jobs.{Path(sys.argv[0]).stem}", _version(), secret)
    except UserError as error:
        _end(str(error), 1)
    except KeyboardInterrupt as interrupt:
        _end("Interrupted.", 128 + (signal.SIGTERM if isinstance(interrupt, _Terminated) else signal.SIGINT))
    except SystemExit as end:
        print(refused.getvalue(), file=sys.stderr, end="")
        if not end.code and {"-h", "--help"} & {*arguments}:
            print(_COMMON_HELP)
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _STORAGE:  # of a library that writes on its own
            _end(f"{error.filename or 'A file'} cannot be read or written: {reason(error)}.", 1)
        _end(f"{stack_without_text(error)}{_FAULT}", 1)


@contextmanager
def _output(common: Common, refused: TextIO) -> Iterator[None]:
    """Redirect what a job prints; what it says of wrong options, where it is to be quiet, goes to ``refused``."""
    if common.quiet:
        with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(refused):
            yield
    elif common.log_json:
        with (
            closing(JsonLines(sys.stdout)) as out,
            closing(JsonLines(sys.stderr)) as errors,
            redirect_stdout(out),  # type: ignore[type-var]
            redirect_stderr(errors),  # type: ignore[type-var]
        ):
            yield
    else:
        yield


def _end(message: str, status: int) -> NoReturn:
    print(message, file=JsonLines(sys.stderr, "error") if "--log-json" in sys.argv else sys.stderr)
    sys.exit(status)


def _version() -> str:
    project = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text(encoding="utf-8"))["project"]
    return f"{project['name']} {project['version']}"


def _terminate(*_: object) -> None:
    raise _Terminated


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
