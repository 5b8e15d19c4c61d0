"""Sends recordings through the stream on a Ray of several nodes with logical GPUs; each actor notes where it loads.

python -m tests.nodes FOLDER --nodes 3 [--dies-after 20 [--replaced]]
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import ray
import soundfile
import tyro
from ray import cloudpickle
from ray.cluster_utils import Cluster

from jobs.ray_cluster import connect_to_ray, share_out
from pipeline import cards, flow, stages
from pipeline.inputs import of_paths
from pipeline.settings import DecodingSettings, Models, Pool, Settings
from pipeline.settings import ParakeetSettings as Parakeet
from pipeline.settings import TaggerSettings as Tagger
from pipeline.settings import WhisperSettings as Whisper
from pipeline.speech.words import Piece, transcript_from_pieces

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers do not import the tests


@dataclass(frozen=True)
class Options:
    """What to try."""

    folder: tyro.conf.Positional[Path]
    """Folder for the recording, results and notes."""

    nodes: int = 1
    """Number of nodes with GPUs, beside the head."""

    gpus: int = 1
    """Number of GPUs of each."""

    recordings: int = 12
    """Number of recordings."""

    dies_after: int = 0
    """Number of recordings after which a node is killed; 0: none."""

    replaced: bool = False
    """Whether another node takes its place. If none does, it is waited for five seconds."""


class Notes:
    """Stands in for each model, and takes a moment, so that a node can die in mid-run."""

    def __init__(self, model: str, folder: str):
        context = ray.get_runtime_context()
        (card,) = context.get_accelerator_ids()["GPU"]
        with (Path(folder) / f"{model}-on-{context.get_node_id()}-{card}").open("a") as file:
            file.write("loaded\n")
        self.model = model

    def transcribe(self, batch, english=None):
        time.sleep(0.2)
        return [transcript_from_pieces([Piece("Good morning", 0.0, 0.2)], 0.3, self.model) for _ in batch]

    def tag(self, transcripts):
        time.sleep(0.2)
        return [[] for _ in transcripts]


LOADERS = stages.Loaders(
    whisper=lambda settings: Notes("whisper", settings.models.whisper),
    parakeet=lambda settings: Notes("parakeet", settings.models.parakeet),
    tagger=lambda base_model, adapters, settings: Notes("tagger", adapters),
)


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Start a Ray that no other process on this machine takes for its own, with a head that decodes."""
    with TemporaryDirectory(prefix="ray-", dir="/tmp") as folder:  # the paths of sockets have to be short
        os.environ |= {"RAY_TMPDIR": folder, "RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal"}
        started = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
        try:
            ray.init(started.address, log_to_driver=False, logging_level="ERROR")
            connect_to_ray()
            yield started
        finally:
            ray.shutdown()
            started.shutdown()


def main(options: Options) -> None:
    """Run the stream; see the module."""
    folder, third = options.folder, Pool(num_gpus=0.33, num_cpus=0.25)
    soundfile.write(folder / "one.wav", np.random.default_rng(0).normal(0, 0.1, 8_000), 16_000)
    recordings = of_paths({str(number): str(folder / "one.wav") for number in range(options.recordings)})
    settings = Settings(
        decoding=DecodingSettings(voice_threshold=0.0, recordings_at_once=1),
        models=Models(whisper=str(folder), parakeet=str(folder), base_model=str(folder), adapters=str(folder)),
        whisper=Whisper(pool=third),
        parakeet=Parakeet(pool=third),
        tagger=Tagger(batch_size=1, pool=third),
    )
    if not options.replaced:
        cards.REPLACED_S = 5.0
    with cluster() as nodes:
        workers = [nodes.add_node(num_cpus=2, num_gpus=options.gpus) for _ in range(options.nodes)]
        rows = []
        for row in flow.run(recordings, f"{folder}/parts", settings, share_out(settings), LOADERS):
            rows.append(row)
            if len(rows) == options.dies_after:
                nodes.remove_node(workers[0], allow_graceful=False)
                if options.replaced:
                    nodes.add_node(num_cpus=2, num_gpus=options.gpus)
    assert sorted(row["recording_id"] for row in rows) == sorted(recordings)
    assert not any(row["failure"] for row in rows)


if __name__ == "__main__":
    main(tyro.cli(Options))
