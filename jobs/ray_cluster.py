"""Connecting to Ray, or starting it, and sharing out what it has."""

import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stderr
from unittest.mock import patch

from jobs import local_ray
from pipeline.errors import UserError
from pipeline.placement import Placement, place
from pipeline.settings import Settings


def connect_to_ray() -> None:
    """Connect to the cluster that RAY_ADDRESS names or that runs here, or start Ray; workers' prints stay in its logs.

    A Ray that is started is reached from this machine alone, and its logs and sockets go when the job ends. On a busy
    machine it may give up waiting for its own processes, so it is started twice at most.

    Raises:
        UserError: There should be a cluster and it does not answer, or Ray cannot be started.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    import ray
    from ray._private import utils
    from ray.util.annotations import RayDeprecationWarning

    warnings.filterwarnings("ignore", category=RayDeprecationWarning)
    start = _start if local_ray.is_needed() else _join
    for last_try in (False, True):
        if ray.is_initialized():
            break
        try:
            with patch.object(utils, "set_sigterm_handler", _keep_handler), _no_native_noise():
                start()
        except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
            raise _not_connected(error) from None
        except Exception as error:
            ray.shutdown()
            if type(error) is not Exception:  # Ray raises a bare one where its processes did not come up in time
                raise
            if last_try:
                raise _not_connected(error) from None
    import ray.data

    logging.getLogger("ray.data").setLevel(logging.CRITICAL)


def _start() -> None:
    import ray

    local_ray.only_loopback()
    local_ray.keep_workers()
    temporary = local_ray.session_folder()
    with _signals_wait():
        ray.init(log_to_driver=False, logging_level=logging.ERROR, _temp_dir=temporary)


def _join() -> None:
    """Connect to a cluster; its workers give files the permissions that this process gives its own."""
    import ray

    umask = os.umask(0o077)
    os.umask(umask)

    def set_umask() -> None:
        os.umask(umask)

    on_workers = {"worker_process_setup_hook": set_umask}
    ray.init(log_to_driver=False, logging_level=logging.ERROR, runtime_env=on_workers)


def _keep_handler(_: object) -> None:
    """Leave SIGTERM as it is, where Ray would print the stack of its own code and abort."""


@contextmanager
def _signals_wait() -> Iterator[None]:
    """Act on Ctrl-C and SIGTERM afterwards: Ray forks, and what a signal raises in a fork's callbacks is lost.

    One that comes a second time is acted on at once.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def note(number: int, _: object) -> None:
        came.append(number)
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, note)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


@contextmanager
def _no_native_noise() -> Iterator[None]:
    """Keep what Ray's native code says of its own log level off the terminal; Python's standard error stays."""
    kept = os.dup(2)
    errors = open(kept, "w", encoding="utf-8", buffering=1)  # noqa: SIM115 a logger that Ray makes may keep it
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        with redirect_stderr(errors) if sys.stderr is sys.__stderr__ else nullcontext():
            yield
    finally:
        os.dup2(kept, 2)


def _not_connected(error: Exception) -> UserError:
    if "RAY_ADDRESS" in os.environ:
        where, what = f"RAY_ADDRESS is {os.environ['RAY_ADDRESS']}", "reached"
    else:
        where, what = "no RAY_ADDRESS", "reached or started"
    return UserError(
        f"Ray cannot be {what} ({where}; {type(error).__name__}): start the cluster again, submit the job with "
        "`ray job submit`, or unset RAY_ADDRESS and clear a dead cluster with `ray stop`; on a busy machine, try again."
    )


def share_out(settings: Settings) -> Placement:
    """Say where the actors of all models go on this cluster.

    Raises:
        UserError: The cluster lacks the GPUs or CPUs that the settings ask for; the stream would wait for ever.
    """
    from pipeline.cards import nodes

    return place(settings.pools, nodes())
