"""Settings: every profile loads, and every setting is documented."""

import dataclasses
import inspect

import pytest

from pipeline import settings
from pipeline.errors import UserError
from pipeline.settings import NONE, PROFILES, Settings


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_loads(name):
    assert isinstance(PROFILES[name], Settings)


@pytest.mark.parametrize("name", PROFILES)
def test_the_models_of_a_profile_share_one_card(name):
    loaded = PROFILES[name]
    shares = [pool.num_gpus for pool in (loaded.whisper.pool, loaded.parakeet.pool, loaded.tagger.pool)]
    assert sum(shares) <= 1
    assert len(set(shares)) == 1, "unequal shares can be packed so that the last model fits no card"


def test_the_demo_needs_no_gpu_and_no_download():
    demo = PROFILES["demo"]
    assert demo.tagger.quantization == "none" and demo.whisper.dtype == "float32"
    assert all(path.startswith("/") or path == NONE for path in dataclasses.astuple(demo.models))


def test_the_reference_has_the_references_settings():
    reference = PROFILES["reference"]
    assert reference.models.whisper == "andybi7676/cool-whisper"
    assert (reference.whisper.beam_size, reference.whisper.language) == (5, "zh")
    assert reference.routing == "reference"
    assert (reference.whisper.batch_seconds, reference.parakeet.batch_seconds) == (0, 0)
    assert reference.tagger.batch_size == 64


@pytest.mark.parametrize(
    ("option", "settings_with"),
    [
        (
            "--whisper.certainty 0.4: give a number from 0.5 to 1",
            lambda: Settings(whisper=settings.WhisperSettings(certainty=0.4)),
        ),
        ("--whisper.beam-size -1: give a number", lambda: Settings(whisper=settings.WhisperSettings(beam_size=-1))),
        (
            "--whisper.expected-confidence 1.5: give a number from 0 to 1.",
            lambda: Settings(whisper=settings.WhisperSettings(expected_confidence=1.5)),
        ),
        (
            "--tagger.thresholds: a threshold is a confidence from 0 to 1",
            lambda: Settings(tagger=settings.TaggerSettings(thresholds={"DATE": 1.5})),
        ),
        (
            "--tagger.pool.actors -1: give a number from 0.",
            lambda: Settings(tagger=settings.TaggerSettings(pool=settings.Pool(actors=-1))),
        ),
        (
            "--decoding.min-duration-s 2 is above --decoding.max-duration-s 1",
            lambda: Settings(decoding=settings.DecodingSettings(min_duration_s=2.0, max_duration_s=1.0)),
        ),
        (
            "--tagger.quantization nf4 needs a GPU: give --tagger.pool.num-gpus",
            lambda: Settings(tagger=settings.TaggerSettings(quantization="nf4")),
        ),
    ],
)
def test_a_value_that_no_run_can_work_with_is_refused(option, settings_with):
    with pytest.raises(UserError, match=f"^{option}"):
        settings.check(settings_with())


@pytest.mark.parametrize("name", PROFILES)
def test_the_profiles_values_are_accepted(name):
    settings.check(PROFILES[name])


def all_settings():
    for kind in vars(settings).values():
        if inspect.isclass(kind) and dataclasses.is_dataclass(kind):
            for field in dataclasses.fields(kind):
                if field.default_factory is dataclasses.MISSING:
                    yield pytest.param(kind, field.name, id=f"{kind.__name__}.{field.name}")


@pytest.mark.parametrize(("kind", "name"), list(all_settings()))
def test_every_setting_is_documented(kind, name):
    after = inspect.getsource(kind).split(f"    {name}: ", 1)[1].split("\n", 1)[1]
    assert after.lstrip().startswith('"""')
