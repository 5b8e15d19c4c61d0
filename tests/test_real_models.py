"""The models of the profile rtx4090, where there are a GPU and the weights: pytest -m gpu -s."""

from dataclasses import replace

import pytest
import torch

from pipeline import models
from pipeline.demo import CLIPS
from pipeline.errors import UserError
from pipeline.settings import NONE, PROFILES
from pipeline.speech.audio import decode
from pipeline.speech.parakeet import Parakeet
from pipeline.speech.transcription import load_whisper
from pipeline.tagging.tagger import Tagger

CARD_GIB = 24


@pytest.mark.gpu
def test_the_three_models_transcribe_and_tag_three_clips_together_on_one_24_gb_card(capsys):
    if not torch.cuda.is_available():
        pytest.skip("left out: it loads the real models, and there is no CUDA GPU")
    profile = PROFILES["rtx4090"]
    try:
        settings = models.locate(profile)
    except UserError as missing:
        if "--adapters" not in str(missing):
            pytest.skip(f"left out: {missing}")
        settings = models.locate(replace(profile, models=replace(profile.models, adapters=NONE)))

    def used_gib() -> float:
        """Memory in use on the card, by all libraries: CTranslate2 and PyTorch do not count each other's."""
        free, total = torch.cuda.mem_get_info()
        return (total - free) / 2**30

    before = used_gib()
    files = [CLIPS / "audio" / f"{i}.flac" for i in (400000, 400002, 400001)]  # two English ones and a Mandarin one
    clips = [decode(str(file), settings.decoding).samples for file in files]
    after: dict[str, float] = {}
    whisper = load_whisper(settings)
    transcripts = whisper.transcribe(clips)
    after["whisper"] = used_gib()
    parakeet = Parakeet(settings.models.parakeet, settings.parakeet)
    english = parakeet.transcribe(clips[:2])
    after["parakeet"] = used_gib()
    tagger = Tagger(settings.models.base_model, settings.models.adapters, settings.tagger)
    texts = [*(transcript.text for transcript in english), transcripts[2].text]
    entities = tagger.tag(texts)
    after["tagger"] = used_gib()

    with capsys.disabled():
        for model, total in after.items():
            print(f"{model}: {total - before:.1f} GiB")
            before = total
    assert all(texts) and all(transcript.words for transcript in [*english, transcripts[2]])
    for text, found in zip(texts, entities, strict=True):
        assert all(text[entity.char_start : entity.char_end] == entity.text for entity in found)
    assert after["tagger"] <= CARD_GIB
