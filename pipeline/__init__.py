"""Medical speech to transcripts and timed sensitive entities.

What is exported here works without Ray: models are plain classes that load once and take a batch.
"""

from pipeline.models import locate
from pipeline.settings import PROFILES, Settings
from pipeline.speech.audio import decode
from pipeline.speech.transcription import Transcription
from pipeline.tagging.entity_finder import EntityFinder

__all__ = ["PROFILES", "EntityFinder", "Settings", "Transcription", "decode", "locate"]
