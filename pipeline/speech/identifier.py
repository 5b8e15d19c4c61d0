"""The Whisper that hears which language is spoken."""

from dataclasses import replace
from pathlib import Path

from pipeline.demo import CLIPS
from pipeline.errors import UserError
from pipeline.settings import IDENTIFY, NONE, DecodingSettings, Models, WhisperSettings
from pipeline.speech.audio import decode
from pipeline.speech.routing import Whisper
from pipeline.speech.whisper import load_whisper

_ENGLISH = CLIPS / "audio" / "400000.flac"


def load_identifier(model: str, settings: WhisperSettings, device: str | None = None) -> Whisper:
    """Load a Whisper that only hears which language is spoken, with the library that its folder is for."""
    is_converted = (Path(model) / "model.bin").is_file()
    own = replace(settings, backend="faster-whisper" if is_converted else "transformers", language=IDENTIFY)
    return load_whisper(model, own, device)


def check_identifier(whisper: Whisper, models: Models) -> None:
    """Refuse a Whisper that calls an English clip Mandarin, as one may that was fine-tuned on Mandarin alone.

    Raises:
        UserError: It does.
    """
    samples = decode(str(_ENGLISH), DecodingSettings()).samples
    (english,) = whisper.english(whisper.encode([samples]))
    if english <= 0.5:
        option = f"--whisper {models.whisper}" if models.identifier == NONE else f"--identifier {models.identifier}"
        raise UserError(
            f"{option} calls English speech Mandarin, so it cannot tell which language is spoken: give --identifier a "
            "multilingual Whisper as OpenAI trained it (Systran/faster-whisper-base), or --routing reference."
        )
