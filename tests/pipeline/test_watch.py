"""Ray's metrics hold what a run has done and does: counts and seconds, and nothing of what is said."""

import json
import re
import sys
import time
import urllib.request
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import ray
import soundfile
from ray import cloudpickle

from pipeline import flow, tables, watch
from pipeline.inputs import of_paths
from pipeline.run_folder import RESULT
from pipeline.settings import Settings, TaggerSettings, without_recognition
from pipeline.speech.words import Transcript
from pipeline.stages import Loaders
from pipeline.work import Work, Worker

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers do not import the tests

GRAFANA = Path(__file__).parents[2] / "grafana.json"


class Recorded:
    """Stands in for Ray's counters and gauges: what they were told, by name and tags."""

    told: Counter[tuple[str, ...]]

    def __init__(self, name, description, tag_keys=()):
        self.name, self.tag_keys = name, tag_keys
        self.told.setdefault((name,), 0)

    def inc(self, value=1.0, tags=None):
        assert value > 0 and set(tags or ()) == set(self.tag_keys)
        self.told[self.name, *(tags or {}).values()] += value

    def set(self, value, tags):
        assert set(tags) == set(self.tag_keys)
        self.told[self.name, *tags.values()] = value


@pytest.fixture
def told(monkeypatch) -> Counter[tuple[str, ...]]:
    told = Counter()
    monkeypatch.setattr(Recorded, "told", told, raising=False)
    for kind in ("Counter", "Gauge"):
        monkeypatch.setattr(watch, kind, Recorded)
    return told


class Faulty:
    """A tagger that fails on what is secret."""

    def tag(self, transcripts):
        if any("secret" in text for text in transcripts):
            raise ValueError("the secret name is Lee")
        return [[] for _ in transcripts]


def start(folder, texts) -> flow.Run:
    """Prepare a run over given transcripts of 2.5 s each."""
    about = {"path": None, "duration_s": 2.5, "sample_rate": None, "channels": None, "note": None}
    rows = {
        str(i): {"recording_id": str(i), **about, **Transcript(text, [], "given").to_row()}
        for i, text in enumerate(texts)
    }
    settings = without_recognition(Settings(tagger=TaggerSettings(batch_size=4)))
    loaders = Loaders(tagger=lambda base_model, adapters, settings: Faulty())
    return flow.run(rows, str(folder), settings, loaders=loaders)


def test_a_run_says_what_it_does_and_what_it_has_done_without_a_word_of_the_transcripts(ray_cluster, tmp_path, told):
    run = start(tmp_path / "parts", ["Call Mr Lee"] * 6 + ["the secret name"])
    assert len(list(run)) == 7
    assert told["shi_recordings_done",] == 6 and told["shi_recordings_failed", "tagger"] == 1
    assert told["shi_audio_seconds",] == 15.0
    busy = {names: seconds for names, seconds in told.items() if names[0] == "shi_busy_seconds" and names[1:]}
    assert {stage for _, stage, _ in busy} == {"tagger", "rules"} and min(busy.values()) > 0
    assert told["shi_queue", "tagger"] == told["shi_workers", "tagger"] == 0, "nothing is left of it"
    assert not re.search("Lee|secret|name is", str(told))
    done = [(stage, of.finished, of.audio_s, of.in_hand) for stage, of in run.work().items()]
    assert done == [("tagger", 7, 17.5, 0), ("rules", 7, 17.5, 0)]
    assert run.work()["tagger"].load_s > 0


def test_a_run_goes_on_where_nobody_takes_its_reports(ray_cluster, tmp_path, monkeypatch):
    class Dead(watch.Board):
        def note(self, *_):
            ray.actor.exit_actor()

    monkeypatch.setattr(watch, "Board", Dead)
    assert len(list(start(tmp_path / "parts", ["Call Mr Lee"] * 6))) == 6


def test_queues_workers_and_busy_seconds_follow_the_reports(told):
    metrics = watch.Metrics()
    whisper = Work({"a": Worker(load_s=1.0, in_hand=4, busy_s=2.0), "b": Worker(is_loading=True)}, finished=2)
    metrics.show({"decode": Work(finished=9), "whisper": whisper}, 12)
    assert (told["shi_queue", "decode"], told["shi_queue", "whisper"], told["shi_workers", "whisper"]) == (3, 3, 1)
    whisper.workers["a"].busy_s = 5.0
    metrics.show({"whisper": whisper}, 12)
    assert told["shi_busy_seconds", "whisper", "a"] == 5.0


def test_the_dashboard_shows_every_metric_of_the_stream_and_else_only_rays(told):
    from ray.dashboard.modules.metrics.dashboards import default_dashboard_panels as rays

    watch.Metrics()
    ours = {f"ray_{name}" for (name,) in told}
    of_ray = set(re.findall(r"ray_\w+", Path(rays.__file__).read_text(encoding="utf-8")))
    panels = json.loads(GRAFANA.read_text(encoding="utf-8"))["panels"]
    expressions = " ".join(target["expr"] for panel in panels for target in panel["targets"])
    shown = {name.removesuffix("_total") for name in re.findall(r"ray_\w+", expressions)}
    assert shown - of_ray == ours
    assert len({panel["id"] for panel in panels}) == len(panels)


def scraped() -> tuple[Counter[str], str]:
    """Return the stream's counters as Prometheus gets them from this node, and all that it gets."""
    url = f"http://127.0.0.1:{ray.nodes()[0]['MetricsExportPort']}/metrics"
    text = urllib.request.urlopen(url).read().decode()
    sums = Counter()
    for name, value in re.findall(r"^ray_shi_(\w+)_total\{.*\} (\S+)$", text, re.MULTILINE):
        sums[name] += float(value)
    return sums, text


@pytest.mark.slow
def test_prometheus_gets_the_counts_of_a_run_with_models_and_no_transcript(ray_cluster, tiny_settings, tmp_path):
    generator = np.random.default_rng(0)
    for number in range(3):
        soundfile.write(tmp_path / f"{number}.wav", generator.normal(0, 0.1, 16_000), 16_000)
    (tmp_path / "bad.wav").write_text("not audio")
    recordings = of_paths({file.stem: str(file) for file in tmp_path.glob("*.wav")})
    time.sleep(15)  # Ray hands metrics on every ten seconds
    before, _ = scraped()
    list(flow.run(recordings, str(tmp_path / "parts"), tiny_settings))
    time.sleep(25)
    now, text = scraped()
    more = {name: now[name] - before[name] for name in now}
    assert (more["recordings_done"], more["recordings_failed"], more["audio_seconds"]) == (3, 1, 3.0)
    assert more["busy_seconds"] > 0
    written = tables.read(str(tmp_path / "parts"), RESULT)["text"].to_pylist()
    assert all(words not in text for words in filter(None, written)) and any(written)
