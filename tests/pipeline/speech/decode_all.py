"""Decode files one after the other, as a process of its own: python decode_all.py FOLDER. One line of JSON for each."""

import json
import resource
import sys
import time
from contextlib import suppress
from pathlib import Path

import av

from pipeline.settings import DecodingSettings
from pipeline.speech.audio import AudioError, decode


def seconds_by_ffmpeg(file: Path) -> float:
    """Return how much sound FFmpeg's libraries find in a file, packet by packet and without this project's reader."""
    seconds = 0.0
    try:
        with av.open(file, metadata_errors="ignore") as container:
            packets = container.demux(container.streams.audio[0])
            while packet := next(packets, None):
                with suppress(av.error.FFmpegError):
                    seconds += sum(frame.samples / frame.sample_rate for frame in packet.decode())
    except (av.error.FFmpegError, IndexError):
        pass
    return seconds


for file in sorted(Path(sys.argv[1]).iterdir()):
    print(json.dumps({"begun": file.name}), flush=True)
    start, seconds, error = time.perf_counter(), 0.0, None
    try:
        audio = decode(str(file), DecodingSettings(min_duration_s=0.0))
        seconds = len(audio.samples) / 16_000
    except AudioError as refused:
        error = str(refused)
    took_s = time.perf_counter() - start
    line = {"file": file.name, "seconds": seconds, "error": error, "took_s": took_s}
    print(json.dumps(line | {"by_ffmpeg": seconds_by_ffmpeg(file)}), flush=True)
print(json.dumps({"peak_kb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}), flush=True)
