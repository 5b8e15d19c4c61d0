"""Speech synthesis by espeak-ng, with exact word times.

The library comes with the package espeakng-loader. It is under the GPL, and only the synthetic corpus is made with it.
"""

import ctypes
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from pipeline.speech.words import WORD, Word

_SYNCHRONOUS, _PHONEME_EVENTS, _CHARACTERS, _UTF8 = 2, 1, 1, 1
_RATE, _PITCH = 1, 3
_LIST_END, _WORD_EVENT, _PHONEME_EVENT = 0, 1, 7
_VOWELS = tuple("aeiouyAEIOUVY@3")
_CODAS = ("n", "N")


@dataclass(frozen=True)
class Speech:
    """Synthesised speech.

    Attributes:
        samples: Mono samples, float32, in -1..1.
        sample_rate: Sample rate in Hz.
        words: Words of the text with times that are exact to a phoneme. If espeak-ng speaks several Chinese characters
            as one word, they are separated by syllables.
    """

    samples: np.ndarray
    sample_rate: int
    words: list[Word]


def speak(text: str, voice: str, rate: int, pitch: int) -> Speech:
    """Synthesise a text.

    Args:
        text: English words, Chinese characters or both, with numbers in words.
        voice: Name of a voice of espeak-ng, with a variant after a plus sign: ``en-us+f3``, ``cmn+m3``.
        rate: Words per minute.
        pitch: 0 to 99; 50 is the default of the voice.

    Raises:
        ValueError: There is no such voice, or it does not speak a word.
    """
    library, sample_rate = _library()
    chunks: list[np.ndarray] = []
    events: list[tuple[int, int, int, bytes]] = []

    @_CALLBACK
    def collect(samples: Any, count: int, event: Any) -> int:
        if samples and count:
            chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        i = 0
        while event[i].type != _LIST_END:
            name = event[i].id.string if event[i].type == _PHONEME_EVENT else b""
            events.append((event[i].type, event[i].text_position - 1, event[i].sample, name))
            i += 1
        return 0

    library.espeak_SetSynthCallback(collect)
    if library.espeak_SetVoiceByName(voice.encode()):
        raise ValueError(f"espeak-ng has no voice {voice}")
    library.espeak_SetParameter(_RATE, rate, 0)
    library.espeak_SetParameter(_PITCH, pitch, 0)
    encoded = text.encode()
    library.espeak_Synth(encoded, len(encoded) + 1, 0, _CHARACTERS, 0, _UTF8, None, None)
    samples = np.concatenate(chunks).astype(np.float32) / 32768
    return Speech(samples, sample_rate, _words(text, events, len(samples), sample_rate))


def _words(text: str, events: list[tuple[int, int, int, bytes]], length: int, sample_rate: int) -> list[Word]:
    """Split the text into words; each lasts from its event to the end of its last sounding phoneme."""
    spoken: list[tuple[int, int, list[tuple[int, int, str]]]] = []
    ends = [sample for _, _, sample, _ in events[1:]] + [length]
    for (kind, position, sample, name), end in zip(events, ends, strict=True):
        if kind == _WORD_EVENT:
            spoken.append((position, sample, []))
        elif kind == _PHONEME_EVENT and spoken and not name.startswith((b"_", b"(")):
            spoken[-1][2].append((sample, end, name.decode().lstrip("',%")))

    starts: dict[int, int] = {}
    stops: dict[int, int] = {}
    words = [match.span() for match in WORD.finditer(text)]
    index_at = {place: i for i, (start, end) in enumerate(words) for place in range(start, end)}
    following = [index_at[position] for position, _, _ in spoken[1:]] + [len(words)]
    for (position, sample, phonemes), behind in zip(spoken, following, strict=True):
        first = index_at[position]
        if not phonemes:
            continue
        cuts = _syllables(phonemes, max(behind - first, 1))
        for i, (start, end) in enumerate(pairwise([sample, *cuts, phonemes[-1][1]]), first):
            starts.setdefault(i, start)
            stops[i] = end
    if len(starts) < len(words):
        raise ValueError(f"{len(words) - len(starts)} words of a text are not spoken")
    seconds = [(round(starts[i] / sample_rate, 3), round(stops[i] / sample_rate, 3)) for i in range(len(words))]
    return [Word(text[a:b], a, b, start, end) for (a, b), (start, end) in zip(words, seconds, strict=True)]


def _syllables(phonemes: list[tuple[int, int, str]], count: int) -> list[int]:
    """Return the starts (in samples) of the second and later syllables of a word of several Chinese characters.

    A syllable starts with the consonants before its vowel. A first consonant ng, or n before another consonant, belongs
    to the previous syllable.
    """
    if count == 1:
        return []
    begins = []
    vowels = [i for i, (_, _, name) in enumerate(phonemes) if name.startswith(_VOWELS)]
    for before, vowel in pairwise(vowels):
        between = [name for _, _, name in phonemes[before + 1 : vowel]]
        closes = bool(between) and (between[0] == "N" or (between[0] in _CODAS and len(between) > 1))
        begins.append(phonemes[before + 1 + closes][0])
    if len(begins) != count - 1:
        start, end = phonemes[0][0], phonemes[-1][1]
        return [start + (end - start) * i // count for i in range(1, count)]
    return begins


class _Id(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    )


_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@cache
def _library() -> tuple[Any, int]:
    """Load espeak-ng once per process, and return it with its sample rate in Hz."""
    import espeakng_loader

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    sample_rate = library.espeak_Initialize(_SYNCHRONOUS, 0, espeakng_loader.get_data_path().encode(), _PHONEME_EVENTS)
    return library, sample_rate
