"""Find timed entities in transcripts: the tagger and the post-processing."""

from collections.abc import Sequence
from typing import Protocol

from pipeline.settings import Settings, TaggerSettings
from pipeline.speech.words import Transcript
from pipeline.tagging.entities import Entity
from pipeline.tagging.post_processing import PostProcessor


class EntityTagger(Protocol):
    """Tags transcripts, like ``pipeline.tagging.tagger.Tagger``."""

    def tag(self, transcripts: Sequence[str]) -> list[list[Entity]]:
        """Return the entities of each transcript."""
        ...


class EntityFinder:
    """The base model with its adapters, kept in memory, and the post-processing of the entities.

    Args:
        settings: All settings, with models as absolute paths (see ``pipeline.models.locate``).

    Raises:
        UserError: A model, an adapter or a file in the settings cannot be used.
    """

    def __init__(self, settings: Settings):
        self._post_process = PostProcessor(settings.tagger)
        self._tagger = load_tagger(settings.models.base_model, settings.models.adapters, settings.tagger)

    def __call__(self, transcripts: Sequence[Transcript]) -> list[list[Entity]]:
        """Return the entities of each transcript; those that were dropped have ``kept=False``."""
        tagged = self._tagger.tag([transcript.text for transcript in transcripts])
        return [self._post_process(transcript, some) for transcript, some in zip(transcripts, tagged, strict=True)]


def load_tagger(base_model: str, adapters: str, settings: TaggerSettings) -> EntityTagger:
    """Load the base model with its adapters on the device that the settings choose."""
    from pipeline.tagging import tagger

    return tagger.Tagger(base_model, adapters, settings, settings.pool.device)
