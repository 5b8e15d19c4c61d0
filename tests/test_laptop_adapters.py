"""The adapters that ship with the project, for the profile laptop."""

import json
from pathlib import Path

import pytest
from safetensors import safe_open

from pipeline.settings import PROFILES
from pipeline.tagging.entity_groups import load_entity_groups
from pipeline.tagging.tagger import Tagger
from tests.real_models import real_model

LAPTOP = PROFILES["laptop"]
FOLDER = Path(LAPTOP.models.adapters)


def test_there_is_one_for_each_entity_group_with_its_types_and_base():
    groups = {group.name: group for group in load_entity_groups()}
    assert {folder.name for folder in FOLDER.iterdir() if folder.is_dir()} == set(groups)
    for name, group in groups.items():
        said = json.loads((FOLDER / name / "tagging.json").read_text())
        assert (said["group"], list(said["types"])) == (name, list(group.types))
        assert said["base_model"] == LAPTOP.models.base_model
        config = json.loads((FOLDER / name / "adapter_config.json").read_text())
        assert config["base_model_name_or_path"] == LAPTOP.models.base_model


def test_they_are_small_and_say_what_they_were_made_of():
    assert sum(file.stat().st_size for file in FOLDER.rglob("*") if file.is_file()) <= 20_000_000
    for folder in (folder for folder in FOLDER.iterdir() if folder.is_dir()):
        with safe_open(folder / "adapter_model.safetensors", "pt") as weights:
            assert {weights.get_slice(name).get_dtype() for name in weights.keys()} == {"BF16"}  # noqa: SIM118
    card = (FOLDER / "README.md").read_text()
    assert "CC BY 4.0" in card and "SREDH" in card and "no certified de-identification" in card
    for file in FOLDER.rglob("*.*"):
        assert b"/root/" not in file.read_bytes() and b"/home/" not in file.read_bytes()


@pytest.mark.real
def test_they_find_what_is_said_in_both_languages():
    tagger = Tagger(real_model("qwen2.5"), str(FOLDER), LAPTOP.tagger)
    texts = [
        "Good morning Mrs. Wexford, I am Doctor Barnes, I saw you on Monday for ten minutes.",
        "王小明先生，你昨天下午三點來過",
    ]
    english, mandarin = ({(entity.type, entity.text) for entity in found} for found in tagger.tag(texts))
    assert {("DOCTOR", "Barnes"), ("DATE", "Monday"), ("DURATION", "ten minutes")} <= english
    assert any("王" in text for _, text in mandarin) and any(type_ in ("DATE", "TIME") for type_, _ in mandarin)
