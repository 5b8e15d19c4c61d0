"""A Ray of this process alone: it listens on the loopback only, and what it writes goes with it."""

import atexit
import fcntl
import os
import shutil
import signal
import tempfile
import time
from contextlib import suppress
from pathlib import Path

_PREFIX = "shi-ray-"
_LONGEST = 16  # characters of a folder for temporary files: the path of a socket has at most 107
_TRIES = 20
_KEPT_MS = 600_000


def is_needed() -> bool:
    """Say whether neither RAY_ADDRESS names a cluster nor `ray start` has started one on this machine."""
    if address := os.environ.get("RAY_ADDRESS"):
        return address == "local"
    temporary = os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp"
    return not Path(temporary, "ray", "ray_current_cluster").is_file()


def only_loopback() -> None:
    """Let the Ray that is started next bind all its ports to the loopback, as it does by itself on a Mac."""
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # for its processes
    from ray._private import ray_constants

    ray_constants.ENABLE_RAY_CLUSTER = False  # for this one, which may have read it


def keep_workers() -> None:
    """Let the Ray that is started next keep the processes of its tasks for as long as a job may pause.

    Tasks take half a core each, and Ray would end those of their processes that outnumber the cores after an idle
    second: the next block would wait until another has imported all anew.
    """
    os.environ.setdefault("RAY_idle_worker_killing_time_threshold_ms", str(_KEPT_MS))


def session_folder() -> str:
    """Make a folder for Ray's sockets, logs and spilled objects, which goes when this process ends.

    It is in one where processes that are started after this make temporary files, so these go too, whatever ends them.
    Folders of processes that were killed are removed now.
    """
    parent = Path(tempfile.gettempdir())
    if len(str(parent)) > _LONGEST:
        parent = Path("/tmp")
    for folder in parent.glob(f"{_PREFIX}*"):
        if _owner_ended(folder):
            shutil.rmtree(folder, ignore_errors=True)
    made = os.environ["TMPDIR"] = tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=parent)
    os.mkdir(f"{made}/r")  # Ray opens its folder to everybody, so it stands in one that is closed
    _lock(made)
    atexit.register(_end, os.getpid(), made)
    return f"{made}/r"


def _owner_ended(folder: Path) -> bool:
    """Say whether the process that made a folder is gone; one of another container has no number here, but a lock."""
    pid = folder.name.removeprefix(_PREFIX).partition("-")[0]
    if not pid.isdigit() or Path("/proc", pid).exists():
        return False
    try:
        os.close(_lock(str(folder)))
    except OSError:
        return False
    return True


def _lock(folder: str) -> int:
    """Lock a folder until the file descriptor that is returned is closed, or this process ends.

    Raises:
        OSError: Another process has locked it, or it is another user's.
    """
    opened = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(opened)
        raise
    return opened


def _end(pid: int, folder: str) -> None:
    if os.getpid() != pid:  # a fork
        return
    import ray

    for impatience in (signal.SIGINT, signal.SIGTERM):
        signal.signal(impatience, signal.SIG_IGN)
    with suppress(Exception):
        ray.shutdown()
    for _ in range(_TRIES):  # what Ray's processes write in their last moment
        shutil.rmtree(folder, ignore_errors=True)
        if not os.path.exists(folder):
            return
        time.sleep(0.1)
