"""What the tests share: the data beside the checkout, the small models and one Ray."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from pipeline.settings import DecodingSettings, Models, Settings, TaggerSettings

os.environ.setdefault("OMP_NUM_THREADS", "1")  # on a busy machine small models take five times as long with two
gc.set_threshold(50_000)  # of the millions of objects of all libraries and models nearly none are garbage

hypothesis.settings.register_profile("seeded", derandomize=True, deadline=None)
hypothesis.settings.load_profile("seeded")

UNGUARDED = ["--whisper.compression-ratio-threshold", "1000", "--whisper.max-repeats", "1000"]
"""Options for what the tiny models write, which is repetition."""

pytest_plugins = ["tests.asr_models", "tests.tagger_models", "tests.tones"]


@pytest.fixture(scope="session")
def shared() -> Path:
    folder = Path(__file__).parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("left out: it reads real data from ../shared, which is not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def tiny_settings(tiny_whisper, tiny_parakeet, tagger_folders) -> Settings:
    """The demo profile's values on the tests' own tiny models."""
    from tests.asr_models import WHISPER_SETTINGS

    models = Models(
        whisper=str(tiny_whisper),
        parakeet=str(tiny_parakeet),
        base_model=str(tagger_folders.base),
        adapters=str(tagger_folders.adapters),
    )
    return Settings(
        models=models,
        whisper=WHISPER_SETTINGS,
        tagger=TaggerSettings(quantization="none", dtype="float32", batch_size=8, max_entities=4),
        decoding=DecodingSettings(voice_threshold=0.0),  # what they hear are tones
        routing="reference",
    )


@pytest.fixture(scope="session")
def model_options(tiny_settings) -> list[str]:
    """The same models, as options of a job."""
    models = tiny_settings.models
    options = ["--whisper", models.whisper, "--parakeet", models.parakeet]
    options += ["--base-model", models.base_model, "--adapters", models.adapters]
    return [*options, "--profile", "demo", "--tagger.max-entities", "4", "--decoding.voice-threshold", "0", *UNGUARDED]


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    """One Ray for all tests, with more logical CPUs than the machine may have."""
    import ray

    from jobs.local_ray import keep_workers
    from jobs.ray_cluster import connect_to_ray

    keep_workers()
    ray.init("local", num_cpus=4, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    connect_to_ray()
    yield
    ray.shutdown()
