"""Sound files as they turn up: of every common container and codec, cut, put one behind the other, and odd."""

import io
from collections.abc import Callable

import av
import numpy as np
import soundfile

RATE, SECONDS = 16_000, 6.0


def voice(seconds: float = SECONDS, rate: int = RATE, seed: int = 0) -> np.ndarray:
    """Noise below 3 kHz whose loudness changes four times a second, float32: no two places are alike."""
    noise = np.random.default_rng(seed).normal(0, 1, round(seconds * rate))
    spectrum = np.fft.rfft(noise)
    spectrum[int(len(spectrum) * min(3_000 / (rate / 2), 1.0)) :] = 0
    sound = np.fft.irfft(spectrum, len(noise)) * (1.2 + np.sin(8 * np.pi * np.arange(len(noise)) / rate))
    return (0.3 * sound / np.abs(sound).max()).astype(np.float32)


def of_libsndfile(form: str, subtype: str, samples: np.ndarray | None = None, rate: int = RATE) -> bytes:
    """Write a file by libsndfile."""
    content = io.BytesIO()
    soundfile.write(content, voice() if samples is None else samples, rate, format=form, subtype=subtype)
    return content.getvalue()


def of_ffmpeg(
    form: str, codec: str, samples: np.ndarray | None = None, rate: int = RATE, picture: bool = False, **options: str
) -> bytes:
    """Write a file by FFmpeg, with a picture in it where asked for.

    Args:
        form: FFmpeg's name of the container.
        codec: FFmpeg's name of the encoder.
        samples: One channel; by default a voice.
        rate: Sample rate in Hz.
        picture: Add a video stream.
        options: Of the container.
    """
    content = io.BytesIO()
    samples = voice(rate=rate) if samples is None else samples
    with av.open(content, "w", format=form, options=options) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.layout = "mono"
        if codec.startswith("wma"):
            stream.bit_rate = 64_000
        if picture:
            video = container.add_stream("mpeg4", rate=5)
            video.width = video.height = 64
            video.pix_fmt = "yuv420p"
        frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.sample_rate = rate
        resampler = av.AudioResampler(stream.format, "mono", rate, frame_size=stream.codec_context.frame_size or 1024)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
        if picture:
            for _ in range(int(SECONDS * 5)):
                container.mux(video.encode(av.VideoFrame(64, 64, "yuv420p")))
            container.mux(video.encode(None))
    return content.getvalue()


def cut(content: bytes, share: float) -> bytes:
    """Keep the beginning."""
    return content[: int(len(content) * share)]


def with_size(content: bytes, size: int) -> bytes:
    """Write another size into the data chunk of a WAV."""
    place = content.index(b"data") + 4
    return content[:place] + size.to_bytes(4, "little") + content[place + 4 :]


def with_codec(wav: bytes, tag: int) -> bytes:
    """Write another codec into the header of a WAV."""
    return wav[:20] + tag.to_bytes(2, "little") + wav[22:]


def without_length(mp3: bytes) -> bytes:
    """Remove the first frame of an MP3, which names its length."""
    return mp3[mp3.index(b"\xff", mp3.index(b"Xing" if b"Xing" in mp3[:4096] else b"Info") + 100) :]


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Correlate two sounds over their common beginning."""
    length = min(len(one), len(other))
    return float(np.corrcoef(one[:length], other[:length])[0, 1])


Make = Callable[[], bytes]
