"""On a cluster, pools follow its nodes and cards, and a node that dies in mid-run costs no recording."""

import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from ray import cloudpickle

from pipeline import cards, flow
from pipeline.placement import Node, Placement
from pipeline.settings import DecodingSettings, Settings, TaggerSettings, without_recognition
from pipeline.speech.words import Transcript
from pipeline.stages import Loaders

ROOT = Path(__file__).parents[2]
MODELS = ("whisper", "parakeet", "tagger")


class Nothing:
    """A tagger that finds nothing, and takes a moment for it, in which cards can be lost."""

    def tag(self, transcripts):
        time.sleep(0.2)
        return [[] for _ in transcripts]


def test_where_cards_are_lost_in_mid_run_what_is_left_goes_on_with_what_is_there(ray_cluster, tmp_path, monkeypatch):
    """A CPU plays the card, and Ray is made to say that it is gone."""
    cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers do not import the tests
    lost = tmp_path / "lost"

    def nodes():
        lost.unlink()
        return [Node(4, 0)]

    monkeypatch.setattr(flow, "nodes", nodes)
    monkeypatch.setattr(cards, "placement_group_table", lambda group: {"state": "LOST" if lost.exists() else "CREATED"})
    monkeypatch.setattr(cards, "REPLACED_S", 0.0)
    monkeypatch.setattr(cards, "_LOOK_S", 0.0)
    about = dict.fromkeys(("path", "duration_s", "sample_rate", "channels", "note"))
    text = about | Transcript("Good morning", [], "given").to_row()
    recordings = {str(number): {"recording_id": str(number)} | text for number in range(24)}
    settings = without_recognition(
        Settings(decoding=DecodingSettings(recordings_at_once=1), tagger=TaggerSettings(batch_size=1))
    )
    loaders = Loaders(tagger=lambda base_model, adapters, settings: Nothing())
    placement = Placement([{"CPU": 0.5}], {"tagger": [None]})
    seen = []
    for row in flow.run(recordings, str(tmp_path / "parts"), settings, placement, loaders):
        seen.append(row)
        if len(seen) == 1:
            lost.touch()
    assert not lost.exists(), "the cards were counted again"
    assert sorted(row["recording_id"] for row in seen) == sorted(recordings)
    assert not any(row["failure"] for row in seen)


def loads(folder: Path, *options: str) -> dict[str, Counter[str]]:
    """Run the stream on nodes of its own; give the number of loads of each model by node and card."""
    command = [sys.executable, "-m", "tests.nodes", str(folder), *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Counter[str]] = {model: Counter() for model in MODELS}
    for note in folder.glob("*-on-*"):
        model, card = note.name.split("-on-")
        found[model][card] = note.read_text().count("loaded")
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("nodes", "gpus"), [(1, 2), (2, 1), (3, 1)])
def test_each_card_of_each_node_gets_one_actor_of_each_model(tmp_path, nodes, gpus):
    found = loads(tmp_path, "--nodes", str(nodes), "--gpus", str(gpus))
    assert found["whisper"] == found["parakeet"] == found["tagger"]
    assert list(found["whisper"].values()) == [1] * nodes * gpus


@pytest.mark.faults
@pytest.mark.slow
def test_a_node_that_dies_costs_no_recording_and_the_other_goes_on_alone(tmp_path):
    found = loads(tmp_path, "--nodes", "2", "--recordings", "60", "--dies-after", "8")
    assert all(len(of_model) == 2 for of_model in found.values())


@pytest.mark.faults
@pytest.mark.slow
def test_a_node_that_joins_takes_the_place_of_one_that_died(tmp_path):
    found = loads(tmp_path, "--nodes", "2", "--recordings", "60", "--dies-after", "8", "--replaced")
    assert all(len(of_model) == 3 for of_model in found.values())
