"""A made-up run of jobs.predict with its recordings, and what people say about it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from pipeline import answers, run_folder, tables
from pipeline.settings import Settings
from pipeline.speech.language import language_of
from pipeline.speech.words import Piece, transcript_from_pieces
from pipeline.tagging.entities import Span
from pipeline.tagging.groups import load_groups
from pipeline.tagging.times import entity_times
from tests.competition import SENTENCES

RATE = 16_000
CHARACTERS_PER_SECOND = 40
GROUP_OF = {type_: group.name for group in load_groups() for type_ in group.types}

# A number may stand in a page that holds no text, so an entity here is never a number alone.
TEXTS = [
    (text, spans)
    for text, spans in SENTENCES
    if not any(text[span.char_start : span.char_end].isdigit() for span in spans)
]


class MadeUpRun:
    """Recordings, the run's folder, the folder of the reference, and every text in them."""

    def __init__(self, folder: Path, texts: Sequence[tuple[str, Sequence[Span]]]) -> None:
        self.run, self.reference, self.audio = folder / "run", folder / "reference", folder / "recordings"
        self.texts = list(texts)
        self.secrets: set[str] = set()
        self._random = np.random.default_rng(7)
        for each in (self.audio, self.reference):
            each.mkdir(parents=True)
        self._write()

    def _write(self) -> None:
        ids = [str(number) for number in range(1, len(self.texts) + 1)]
        run_folder.open_run(str(self.run), str(self.audio), Settings(), overwrite=False)
        results = [self._result(i, text, spans) for i, (text, spans) in zip(ids, self.texts, strict=True)]
        tables.write(tables.from_rows(results, run_folder.RESULT), f"{self.run}/parts")
        run_folder.close_run(str(self.run), ids, {}, seconds=25.0)
        wanted = {i: self._people(i, text, spans) for i, (text, spans) in zip(ids, self.texts, strict=True)}
        rows = [{"recording_id": i, "text": text} for i, (text, _) in zip(ids, self.texts, strict=True)]
        transcripts = [{"language": "en", "words": [], "recognizer": "people"} | row for row in rows]
        answers.write_task1(tables.from_rows(transcripts, tables.TRANSCRIPTS), f"{self.reference}/{answers.TASK1}")
        labels = tables.from_rows([row for some in wanted.values() for row in some], tables.ENTITIES)
        answers.write_task2(labels, f"{self.reference}/{answers.TASK2}")
        self.secrets |= {text for text, _ in self.texts} | {row["text"] for some in wanted.values() for row in some}
        self.secrets |= {result["text"] for result in results if result.get("text")}
        self.secrets |= {row["text"] for result in results for row in result["entities"]}

    def _result(self, i: str, text: str, spans: Sequence[Span]) -> dict[str, Any]:
        seconds = self._write_sound(i, text)
        path = str(self.audio / f"{i}.wav")
        result: dict[str, Any] = {"recording_id": i, "path": path, "words": [], "entities": [], "timings": []}
        if int(i) % 33 == 0:
            Path(path).write_bytes(b"no sound")
            return result | {"failure": {"stage": "decode", "error": "AudioError: unreadable: Format not recognised"}}
        facts = {"duration_s": seconds, "sample_rate": RATE, "channels": 1}
        if int(i) == 50:
            return result | facts | {"failure": {"stage": "tag", "error": "RuntimeError in tagger.py, line 88"}}
        stages = {"decode": 0.01, "whisper": 0.2, "parakeet": 0.05, "tag": 0.4}
        timings = [
            {"stage": stage, "worker": "w1", "load_s": 0.0 if stage == "decode" else 2.5, "seconds": cost * seconds}
            for stage, cost in stages.items()
        ]
        if int(i) == 40:
            empty = {"language": "en", "text": "", "recognizer": "whisper"}
            return result | facts | empty | {"timings": timings}
        heard = self._misheard(text, spans)
        pieces = [Piece(c, n / CHARACTERS_PER_SECOND, (n + 1) / CHARACTERS_PER_SECOND) for n, c in enumerate(heard)]
        transcript = transcript_from_pieces(pieces, seconds, "whisper" if language_of(heard) == "zh" else "parakeet")
        assert transcript.text == heard
        result |= {"language": language_of(heard), "text": heard, "words": [vars(word) for word in transcript.words]}
        result |= {"recognizer": transcript.recognizer, "timings": timings}
        for span in spans:
            start_s, end_s = entity_times(transcript.words, span.char_start, span.char_end)
            result["entities"] += self._predicted(span, heard, {"start_s": start_s, "end_s": end_s})
        return result | facts

    def _predicted(self, span: Span, text: str, times: dict[str, float]) -> list[dict[str, Any]]:
        """Return what the run found of an entity: mostly the same, sometimes nothing, another type or more."""
        luck = self._random.random()
        type_ = "ORGANIZATION" if luck < 0.08 else span.type
        entity = times | {"type": type_, "group": GROUP_OF.get(type_, "patterns"), "char_start": span.char_start}
        entity |= {"char_end": span.char_end, "text": text[span.char_start : span.char_end], "source": "adapter"}
        entity |= {"kept": True, "confidence": float(1 - self._random.random() ** 3)}
        if luck > 0.9:
            return [entity | {"kept": False, "cause": "threshold", "confidence": 0.2}]
        if luck > 0.8:
            return []
        other = {"type": "OTHER", "group": "patterns", "source": "pattern", "confidence": None}
        return [entity, entity | other | {"kept": False, "cause": "overlap"}] if luck > 0.7 else [entity]

    def _misheard(self, text: str, spans: Sequence[Span]) -> str:
        """Change a letter or ideograph outside the entities now and then."""
        written = list(text)
        for place, character in enumerate(text):
            inside = any(span.char_start <= place < span.char_end for span in spans)
            if character.isalpha() and not inside and self._random.random() < 0.02:
                written[place] = "的" if language_of(character) == "zh" else "o"
        return "".join(written)

    def _people(self, i: str, text: str, spans: Sequence[Span]) -> list[dict[str, Any]]:
        rows = []
        for span in spans:
            start, end = span.char_start / CHARACTERS_PER_SECOND, span.char_end / CHARACTERS_PER_SECOND
            row = {"recording_id": i, "type": span.type, "text": text[span.char_start : span.char_end], "group": ""}
            shift = self._random.uniform(-0.02, 0.02)
            row |= {"start_s": max(0.0, start + shift), "end_s": end + shift, "source": "gold", "kept": True}
            if self._random.random() > 0.1:
                rows.append(row)
        return rows

    def _write_sound(self, i: str, text: str) -> float:
        """Write a tone for each letter, silence for the rest; return the seconds."""
        step = RATE // CHARACTERS_PER_SECOND
        times = np.arange(step) / RATE
        tones = [
            self._random.random()
            * character.isalnum()
            * np.sin(2 * np.pi * (120 + ord(character) % 40 * 9) * times)
            / 3
            for character in text
        ]
        samples = np.concatenate([*tones, np.zeros(step)])
        soundfile.write(self.audio / f"{i}.wav", samples, RATE)
        return len(samples) / RATE
