"""The scores of the demo's shipped models, as their card has them."""

from pathlib import Path
from typing import Any

from pipeline.demo import model_paths
from pipeline.speech.words import Transcript
from tuning.demo.entity_scores import entity_scores, find_entities
from tuning.demo.scores import hear, scores


def measure(folder: Path) -> dict[str, Any]:
    """Score the shipped models on a folder of the clinic.

    Returns:
        ``heard``: see ``scores.scores``; ``entities``: see ``entity_scores``, those of the transcripts ``said`` and
        ``heard``.
    """
    models = model_paths()
    heard = hear(folder, models["whisper"], models["parakeet"])
    clips = {Path(item.clip.path).stem: item.clip for item in heard}
    transcripts = {
        "said": {i: Transcript(clip.text, clip.words) for i, clip in clips.items()},
        "heard": {Path(item.clip.path).stem: item.transcript for item in heard},
    }
    found = {name: find_entities(some, models["base_model"], models["adapters"]) for name, some in transcripts.items()}
    entities = {name: entity_scores(folder, clips, table) for name, table in found.items()}
    return {"heard": scores(heard), "entities": entities}
