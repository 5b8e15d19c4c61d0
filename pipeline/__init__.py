"""Medical speech to transcripts and timed sensitive entities.

What is exported here works without Ray: models are plain classes that load once and take a batch.
"""

from importlib import import_module
from typing import Any

_EXPORTED = {
    "PROFILES": "settings",
    "Settings": "settings",
    "locate": "models",
    "decode": "speech.audio",
    "Transcript": "speech.words",
    "Transcription": "speech.transcription",
    "EntityFinder": "tagging.entity_finder",
}


def __getattr__(name: str) -> Any:
    if name in _EXPORTED:  # imported when it is asked for: they take a second, which not every process needs
        return getattr(import_module(f"pipeline.{_EXPORTED[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
