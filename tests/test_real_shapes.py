"""The shapes of the real models, with random weights, go the whole way: pytest -m slow tests/test_real_shapes.py -s.

What a trained model does is not shown here; that the code takes its size, its flags and its files is.
"""

import json
import multiprocessing
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from transformers import AutoTokenizer

from jobs import finetune_asr, predict
from pipeline import settings, tables
from pipeline.speech.routing import Router
from pipeline.speech.whisper import load_whisper
from pipeline.tagging.tagger import Tagger
from tests.asr_models import WHISPER_SETTINGS, check_transcript, convert_whisper
from tests.competition import SENTENCES
from tests.names_dataset import halves
from tests.real_shapes import made_up_sentences, write_llama, write_parakeet, write_whisper
from tuning import adapter, export
from tuning.settings import ADAPTER_PROFILES

pytestmark = pytest.mark.slow
LLAMA3 = Path.home() / ".cache" / "real-models" / "llama3"


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, int(16_000 * seconds)).astype(np.float32)


def in_a_process(work: Callable[..., Any], *arguments: Any) -> None:
    """Do work whose memory goes back to the machine when it is done."""
    process = multiprocessing.get_context("spawn").Process(target=work, args=arguments)
    process.start()
    process.join()
    assert process.exitcode == 0


@pytest.fixture(scope="module")
def recordings(tmp_path_factory) -> Path:
    """Five recordings of noise, and manifests of four of them: two to train on and two to validate."""
    folder = tmp_path_factory.mktemp("recordings")
    for number, seconds in enumerate((2.0, 3.5, 2.5, 3.0)):
        soundfile.write(folder / f"{number}.wav", noise(seconds, number), 16_000)
    for split, numbers in (("train", (0, 1)), ("valid", (2, 3))):
        lines = [
            {"audio_filepath": str(folder / f"{number}.wav"), "duration": 3.0, "text": made_up_sentences(1, number)[0]}
            for number in numbers
        ]
        (folder / f"{split}.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return folder


def test_a_parakeet_of_600_million_parameters_is_trained_validated_exported_and_transcribes(
    ray_cluster, recordings, tiny_settings, tmp_path
):
    in_a_process(write_parakeet, tmp_path / "begin.nemo")
    out, run = tmp_path / "trained", tmp_path / "run"
    given = ["--manifests", str(recordings), "--out", str(out), "--parakeet", str(tmp_path / "begin.nemo")]
    finetune_asr.main(
        [*given, "--profile", "rtx4090", "--epochs", "1", "--loaders", "0", "--batch-size", "2", "--batch-seconds", "0"]
    )
    card = json.loads((out / "card.json").read_text())
    assert card["steps"] == 1 and card["chosen"]["valid_loss"] > 0
    assert {"valid_wer", "valid_loss"} <= card["before"].keys()

    models = tiny_settings.models
    options = ["--whisper", models.whisper, "--base-model", models.base_model, "--adapters", models.adapters]
    options += ["--parakeet", str(out / "parakeet.nemo"), "--tagger.max-entities", "4"]
    predict.main(["--audio", str(recordings), "--out", str(run), *options])
    assert tables.read(str(run / "transcripts"), tables.TRANSCRIPTS).num_rows == 4
    timed = json.loads((run / "summary.json").read_text())["seconds"]
    assert "parakeet" in timed, "no recording was English to the tiny Whisper"


def test_a_llama_of_3_billion_parameters_learns_a_step_and_tags_in_llama_3s_own_tokens(tmp_path):
    if not LLAMA3.is_dir():
        pytest.skip(f"left out: Llama 3's tokenizer is not in {LLAMA3} (../shared/real_models/make.py llama3)")
    base = tmp_path / "base"
    in_a_process(write_llama, base, AutoTokenizer.from_pretrained(LLAMA3))
    dataset = halves(SENTENCES)
    few = {split: table.slice(0, 2) for split, table in dataset.splits.items()}
    dataset = replace(dataset, splits=few)
    learning = replace(ADAPTER_PROFILES["rtx4090"], base_model=str(base), epochs=1)
    trained = adapter.train(dataset, learning, tmp_path / "work")
    assert trained.step == 1 and 0 < trained.valid_loss < 20
    export.export(trained, dataset, learning, tmp_path / "adapters" / "names")

    tagging = settings.TaggerSettings(quantization="none", batch_size=2, max_entities=2, missing_adapters="skip")
    tagger = Tagger(str(base), str(tmp_path / "adapters"), tagging)
    texts = ["Good morning, Doctor Lee, my name is Mary.", "王醫師您好，我是陳太太。"]
    for text, entities in zip(texts, tagger.tag(texts), strict=True):
        assert all(text[entity.char_start : entity.char_end] == entity.text for entity in entities)


def test_a_whisper_large_v2_transcribes_through_ctranslate2(tmp_path):
    model = tmp_path / "converted"
    in_a_process(write_whisper, tmp_path / "whisper")
    in_a_process(convert_whisper, tmp_path / "whisper", model)
    settings = replace(WHISPER_SETTINGS, backend="faster-whisper", beam_size=5, batch_seconds=60.0)
    whisper = Router(load_whisper(str(model), settings), settings)
    sounds = [noise(2.0), noise(4.0, 1)]
    for transcript, audio in zip(whisper.transcribe(sounds), sounds, strict=True):
        check_transcript(transcript, audio)
