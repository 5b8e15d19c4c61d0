"""Connecting to Ray, or starting it, and sharing out what it has."""

import logging
import math
import os
import warnings
from dataclasses import replace

from pipeline.errors import UserError
from pipeline.settings import Pool, Settings


def connect_to_ray() -> None:
    """Connect to the cluster that RAY_ADDRESS names or that runs here, or start Ray; workers' prints stay in its logs.

    On a busy machine Ray may give up waiting for its own processes, so it is started twice at most.

    Raises:
        UserError: There should be a cluster and it does not answer, or Ray cannot be started.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    import ray
    from ray.util.annotations import RayDeprecationWarning

    warnings.filterwarnings("ignore", category=RayDeprecationWarning)
    for last_try in (False, True):
        if ray.is_initialized():
            break
        try:
            ray.init(log_to_driver=False, logging_level=logging.ERROR)
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


def _not_connected(error: Exception) -> UserError:
    if "RAY_ADDRESS" in os.environ:
        where, what = f"RAY_ADDRESS is {os.environ['RAY_ADDRESS']}", "reached"
    else:
        where, what = "no RAY_ADDRESS", "reached or started"
    return UserError(
        f"Ray cannot be {what} ({where}; {type(error).__name__}): start the cluster again, submit the job with "
        "`ray job submit`, or unset RAY_ADDRESS and clear a dead cluster with `ray stop`; on a busy machine, try again."
    )


def share_out(settings: Settings) -> Settings:
    """Give each pool its number of actors on this cluster: as many as set, else one for each GPU, else one.

    Raises:
        UserError: The cluster lacks the GPUs or CPUs that the settings ask for; the stream would wait for ever.
    """
    import ray

    have = ray.cluster_resources()

    def sized(pool: Pool) -> Pool:
        return replace(pool, actors=pool.actors or (max(int(have.get("GPU", 0)), 1) if pool.num_gpus else 1))

    settings = replace(
        settings,
        whisper=replace(settings.whisper, pool=sized(settings.whisper.pool)),
        parakeet=replace(settings.parakeet, pool=sized(settings.parakeet.pool)),
        tagger=replace(settings.tagger, pool=sized(settings.tagger.pool)),
    )
    pools = [settings.whisper.pool, settings.parakeet.pool, settings.tagger.pool]
    on_gpu = [pool for pool in pools if pool.num_gpus]
    share = max((pool.num_gpus for pool in on_gpu), default=1.0)
    # Counted as if all took the largest share: unequal ones can be packed so that the last actor finds no card.
    gpus = sum(pool.actors for pool in on_gpu) / (math.floor(1 / share + 1e-9) or 1 / share)
    cpus = sum(pool.actors * pool.num_cpus for pool in pools) + 1
    if gpus > have.get("GPU", 0):
        raise UserError(
            f"The models ask for {gpus:g} GPUs and Ray has {have.get('GPU', 0):g}: take fewer "
            "actors or smaller shares (--whisper.pool.actors, --whisper.pool.num-gpus, and the same of parakeet and "
            "tagger), or --profile demo."
        )
    if cpus > have.get("CPU", 0):
        raise UserError(
            f"The models and one decoding task ask for {cpus:g} CPUs and Ray has {have.get('CPU', 0):g}: "
            "take fewer actors or a smaller --whisper.pool.num-cpus (and the same of parakeet and tagger)."
        )
    return settings
