"""Sends recordings through the stream on a Ray that believes in two cards; each actor notes on which one it is.

python -m tests.two_cards FOLDER
"""

import sys
from pathlib import Path

import numpy as np
import ray
import soundfile

from jobs.ray_cluster import connect_to_ray, share_out
from pipeline import flow, stages
from pipeline.inputs import of_paths
from pipeline.settings import DecodingSettings, Models, Pool, Settings
from pipeline.settings import ParakeetSettings as Parakeet
from pipeline.settings import TaggerSettings as Tagger
from pipeline.settings import WhisperSettings as Whisper
from pipeline.speech.words import Piece, transcript_from_pieces


class Notes:
    """Stands in for each model."""

    def __init__(self, model: str, folder: str):
        (card,) = ray.get_runtime_context().get_accelerator_ids()["GPU"]
        (Path(folder) / f"{model}-on-{card}").touch()
        self.model = model

    def transcribe(self, batch, english=None):
        return [transcript_from_pieces([Piece("Good morning", 0.0, 0.2)], 0.3, self.model) for _ in batch]

    def tag(self, transcripts):
        return [[] for _ in transcripts]


def main(folder: str) -> None:
    """Run the stream over a few recordings."""
    ray.init("local", num_cpus=12, num_gpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    connect_to_ray()
    recordings = {}
    for number in range(8):
        recordings[str(number)] = f"{folder}/{number}.wav"
        soundfile.write(recordings[str(number)], np.random.default_rng(number).normal(0, 0.1, 8_000), 16_000)
    third = Pool(num_gpus=0.33, num_cpus=0.5)
    settings = Settings(
        decoding=DecodingSettings(voice_threshold=0.0, recordings_at_once=1),
        models=Models(whisper=folder, parakeet=folder, base_model=folder, adapters=folder),
        whisper=Whisper(pool=third),
        parakeet=Parakeet(pool=third),
        tagger=Tagger(batch_size=1, pool=third),
    )
    loaders = stages.Loaders(
        whisper=lambda settings: Notes("whisper", settings.models.whisper),
        parakeet=lambda settings: Notes("parakeet", settings.models.parakeet),
        tagger=lambda base_model, adapters, settings: Notes("tagger", adapters),
    )
    placement = share_out(settings)
    rows = list(flow.run(of_paths(recordings), f"{folder}/parts", settings, placement, loaders))
    assert len(rows) == 8 and not any(row["failure"] for row in rows)


if __name__ == "__main__":
    main(*sys.argv[1:])
