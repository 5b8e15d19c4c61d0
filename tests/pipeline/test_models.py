"""Models are looked for before the stream starts, and a missing one is a sentence that says how to get it."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.models import groups_without_adapter, locate
from pipeline.settings import without_recognition


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path):
    import huggingface_hub.constants as hub

    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path / "hub"))


def with_model(settings, **models):
    return replace(settings, models=replace(settings.models, **models))


def test_folders_and_files_become_absolute_paths(tiny_settings, monkeypatch):
    folder = Path(tiny_settings.models.whisper)
    monkeypatch.chdir(folder.parent)
    assert locate(with_model(tiny_settings, whisper=folder.name)).models == tiny_settings.models


def test_models_that_are_not_used_are_not_looked_for(tiny_settings):
    settings = without_recognition(
        with_model(tiny_settings, whisper="/nowhere", parakeet="/nowhere", aligner="/nowhere")
    )
    found = locate(with_model(settings, adapters="none")).models
    assert (found.whisper, found.parakeet, found.aligner, found.adapters) == ("none",) * 4
    assert set(settings.pools) == {"tagger"}


def test_a_folder_with_one_nemo_file_stands_for_the_file(tiny_settings, tmp_path):
    nemo = Path(tiny_settings.models.parakeet).read_bytes()
    (tmp_path / "p.nemo").write_bytes(nemo)
    assert locate(with_model(tiny_settings, parakeet=str(tmp_path))).models.parakeet == str(tmp_path / "p.nemo")
    assert locate(with_model(tiny_settings, aligner=str(tmp_path))).models.aligner == str(tmp_path / "p.nemo")
    (tmp_path / "q.nemo").write_bytes(nemo)
    with pytest.raises(UserError, match=r"--parakeet .*2 \.nemo files"):
        locate(with_model(tiny_settings, parakeet=str(tmp_path)))


def test_a_whisper_for_the_other_library_is_refused_with_the_way_out(tiny_settings, tiny_ctranslate2):
    other = replace(tiny_settings, whisper=replace(tiny_settings.whisper, backend="faster-whisper"))
    with pytest.raises(UserError, match=r"--whisper\.backend transformers"):
        locate(other)
    with pytest.raises(UserError, match=r"--whisper\.backend faster-whisper"):
        locate(with_model(tiny_settings, whisper=str(tiny_ctranslate2)))
    assert locate(with_model(other, whisper=str(tiny_ctranslate2))).models.whisper == str(tiny_ctranslate2)


def test_a_hub_name_in_the_cache_becomes_its_snapshot(tiny_settings, tmp_path):
    repository = tmp_path / "hub" / "models--org--tiny"
    snapshot = repository / "snapshots" / ("0" * 40)
    shutil.copytree(tiny_settings.models.base_model, snapshot)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0" * 40)
    assert locate(with_model(tiny_settings, base_model="org/tiny")).models.base_model == str(snapshot)


def test_a_name_that_no_hub_can_have_is_a_sentence(tiny_settings):
    with pytest.raises(UserError, match="neither a path here nor a model on the hub"):
        locate(with_model(tiny_settings, whisper="openai/whisper large"))


@pytest.mark.parametrize("option", ["whisper", "parakeet", "base_model", "adapters"])
def test_a_missing_model_is_a_sentence_that_names_its_option(tiny_settings, option):
    with pytest.raises(UserError, match=rf"^--{option.replace('_', '-')} nowhere: there is no such folder"):
        locate(with_model(tiny_settings, **{option: "nowhere"}))


def test_a_hub_name_that_cannot_be_fetched_says_how_to_bring_it(tiny_settings):
    with pytest.raises(UserError, match=r"--whisper org/model is not on this machine.*hf download org/model"):
        locate(with_model(tiny_settings, whisper="org/model"))


def test_a_group_without_an_adapter_folder_is_named(tiny_settings, tmp_path):
    with pytest.raises(UserError, match="no adapter folder for the group names"):
        locate(with_model(tiny_settings, adapters=str(tmp_path)))
    assert locate(with_model(tiny_settings, adapters="none")).models.adapters == "none"


def test_groups_without_an_adapter_are_left_out_where_the_settings_say_so(tiny_settings, tmp_path):
    (tmp_path / "adapters").symlink_to(tiny_settings.models.adapters)
    some = tmp_path / "some"
    some.mkdir()
    for group in ("names", "times"):
        (some / group).symlink_to(tmp_path / "adapters" / group)
    skip = replace(tiny_settings, tagger=replace(tiny_settings.tagger, missing_adapters="skip"))
    located = locate(with_model(skip, adapters=str(some)))
    assert groups_without_adapter(located) == ["profession", "care", "addresses", "identifiers"]
    assert groups_without_adapter(with_model(skip, adapters="none")) == []
    assert groups_without_adapter(tiny_settings) == []
    with pytest.raises(UserError, match="no adapter folder for the group names"):
        locate(with_model(skip, adapters=str(tmp_path)))


@pytest.mark.parametrize(
    ("option", "lost", "sentence"),
    [
        (
            "whisper",
            ("*.safetensors",),
            r"--whisper .* lacks \*\.safetensors or \*\.bin: copy the model's folder whole",
        ),
        ("whisper", ("tokenizer.json",), "--whisper .* lacks tokenizer.json"),
        ("base_model", ("*",), "--base-model .* lacks config.json"),
        ("base_model", ("*.safetensors",), "--base-model .* lacks"),
        ("base_model", ("tokenizer.json",), "--base-model .* lacks tokenizer.json or tokenizer.model or vocab.json"),
        ("adapters", ("*/adapter_model.safetensors",), r"--adapters .* lacks \*\.safetensors"),
        ("adapters", ("*/adapter_config.json",), "--adapters .* lacks adapter_config.json"),
    ],
)
def test_a_folder_without_a_part_of_its_model_is_refused(tiny_settings, tmp_path, option, lost, sentence):
    folder = tmp_path / "copy"
    shutil.copytree(getattr(tiny_settings.models, option), folder)
    for pattern in lost:
        for file in folder.glob(pattern):
            file.unlink()
    with pytest.raises(UserError, match=sentence):
        locate(with_model(tiny_settings, **{option: str(folder)}))


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("whisper", "--whisper.* is a file: give the folder"),
        ("base_model", "--base-model .* is a file: give the folder"),
        ("parakeet", "--parakeet .* is not a .nemo file"),
        ("adapters", "--adapters .* is a file: give a folder"),
    ],
)
def test_a_text_file_is_no_model(tiny_settings, tmp_path, option, sentence):
    (tmp_path / "text.txt").write_text("model")
    with pytest.raises(UserError, match=sentence):
        locate(with_model(tiny_settings, **{option: str(tmp_path / "text.txt")}))


def test_a_language_that_the_model_does_not_write_is_refused_with_those_it_does(tiny_settings):
    other = replace(tiny_settings, whisper=replace(tiny_settings.whisper, language="klingon"))
    with pytest.raises(UserError, match=r"--whisper\.language klingon: .*its codes are .*en.*zh"):
        locate(other)
    for language in ("zh", "en", "identify"):
        locate(replace(tiny_settings, whisper=replace(tiny_settings.whisper, language=language)))


def test_a_bias_for_a_group_that_is_not_there_names_the_nearest(tiny_settings):
    other = replace(tiny_settings, tagger=replace(tiny_settings.tagger, opening_bias={"nomes": 1.0}))
    with pytest.raises(UserError, match=r"--tagger\.opening-bias nomes: .*the nearest is names"):
        locate(other)
