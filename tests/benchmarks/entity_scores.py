"""How well a base and its adapters find entities in reference transcripts, beside the reference's free generation.

    python -m tests.benchmarks.entity_scores --reference ../shared/corpus/valid --base-model FOLDER --adapters FOLDER
    ... --adapters none          the base on its few-shot turns alone
    ... --free 100               besides, on so many transcripts, greedy generation of at most 256 tokens, where an
                                 answer whose text is altered is dropped with its entities

Text goes in, so times play no part: entities count by type and normalised text, after patterns and rules.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
import tyro
from rich.console import Console
from rich.table import Table

from pipeline import tables
from pipeline.files import write_json
from pipeline.scoring import entities as scoring
from pipeline.settings import NONE, PROFILES, TaggerSettings
from pipeline.speech.words import Transcript
from pipeline.submission import read_submission
from pipeline.tagging.adapters import load_adapters, load_base
from pipeline.tagging.entities import Entity, parse
from pipeline.tagging.entity_finder import load_tagger
from pipeline.tagging.entity_groups import load_entity_groups
from pipeline.tagging.post_processing import PostProcessor
from pipeline.tagging.prompts import encode, end_of_turn, guard, render
from tests.benchmarks.free_generation import generate

_MEASURE = "strict_norm"


@dataclass(frozen=True)
class Options:
    """What to measure."""

    reference: Path
    """Folder with the reference transcripts and entities."""

    base_model: str
    """The base model."""

    adapters: str = NONE
    """Folder of its adapters; those of some groups will do. `none`: few-shot turns alone."""

    recordings: int = 0
    """Number of transcripts, spread over all; 0: all."""

    free: int = 0
    """Number of transcripts for free generation, of those that are tagged; their scores stand beside it."""

    batch_size: int = 32
    """Number of texts side by side, of both ways."""

    json: Path | None = None
    """File for the figures, without any text."""


def constrained(texts: Sequence[str], options: Options, settings: TaggerSettings) -> list[list[Entity]]:
    """Tag as inference does."""
    return load_tagger(options.base_model, options.adapters, settings).tag(texts)


def free(texts: Sequence[str], options: Options, settings: TaggerSettings) -> tuple[list[list[Entity]], int]:
    """Generate greedily and freely, in batches; also return how many answers were dropped, as their text is altered."""
    base, tokenizer = load_base(options.base_model, settings, torch.device(settings.pool.device))
    groups = load_entity_groups()
    model, prompts = load_adapters(base, tokenizer, options.adapters, groups, skip_missing=True)
    end = tokenizer.convert_tokens_to_ids(end_of_turn(tokenizer))
    found: list[list[Entity]] = [[] for _ in texts]
    dropped = 0
    for prompt in prompts:
        if options.adapters != NONE:
            model.set_adapter(prompt.group)  # type: ignore[operator]
        for first in range(0, len(texts), settings.batch_size):
            batch = texts[first : first + settings.batch_size]
            ids = [encode(tokenizer, render(tokenizer, prompt, text)) for text in batch]
            for place, (row, text) in enumerate(zip(generate(model, ids, end), batch, strict=True), start=first):
                answer = tokenizer.decode(row)
                try:
                    same, spans = parse(answer.strip())
                except ValueError:
                    same, spans = "", []
                if same != guard(text).strip():
                    dropped += 1
                    continue
                for span in (span for span in spans if span.type in prompt.types):
                    start, stop = span.char_start, span.char_end
                    found[place].append(Entity(span.type, prompt.group, text[start:stop], start, stop, None, "free"))
    return found, dropped


def judge(
    texts: Mapping[str, str], found: Sequence[Sequence[Entity]], reference: pa.Table, settings: TaggerSettings
) -> dict[str, Any]:
    """Score the entities of transcripts, by recording id, after patterns, rules and overlaps."""
    post_process = PostProcessor(settings)
    rows = [
        {"recording_id": i, **entity.to_row()}
        for (i, text), entities in zip(texts.items(), found, strict=True)
        for entity in post_process(Transcript(text), entities)
    ]
    wanted = [row for row in reference.to_pylist() if row["recording_id"] in texts]
    languages = {i: Transcript(text).language for i, text in texts.items()}
    # Text goes in: the reference's times say nothing about it.
    of_reference, judged = (
        tables.from_rows([row | {"start_s": None, "end_s": None} for row in some], tables.ENTITIES)
        for some in (wanted, rows)
    )
    return scoring.scores(scoring.count(languages, of_reference, judged))


def main(options: Options) -> None:
    """Measure, print and write; see the module."""
    reference = read_submission("--reference", str(options.reference))
    assert reference.transcripts is not None and reference.entities is not None
    everything = [i for i, text in reference.transcripts.items() if text.strip()]
    step = max(len(everything) // (options.recordings or len(everything)), 1)
    chosen = everything[::step]
    settings = replace(PROFILES["laptop"].tagger, missing_adapters="skip", batch_size=options.batch_size)
    ways: dict[str, dict[str, Any]] = {}

    def note(name: str, found: Mapping[str, Sequence[Entity]], seconds: float | None, dropped: int = 0) -> None:
        texts = {i: reference.transcripts[i] for i in found}  # type: ignore[index]
        ways[name] = judge(texts, list(found.values()), reference.entities, settings) | {
            "transcripts": len(found),
            "seconds": seconds and round(seconds, 1),
            "dropped": dropped,
        }

    def texts_of(ids: Sequence[str]) -> list[str]:
        return [reference.transcripts[i] for i in ids]  # type: ignore[index]

    start = time.perf_counter()
    found = dict(zip(chosen, constrained(texts_of(chosen), options, settings), strict=True))
    note("constrained", found, time.perf_counter() - start)
    if options.free:
        some = chosen[:: max(len(chosen) // options.free, 1)][: options.free]
        note(f"constrained, {len(some)}", {i: found[i] for i in some}, None)
        start = time.perf_counter()
        of_free, dropped = free(texts_of(some), options, settings)
        note(f"free, {len(some)}", dict(zip(some, of_free, strict=True)), time.perf_counter() - start, dropped)
    table = Table("way", "transcripts", "seconds", "dropped", "precision", "recall", "F1", "95 %", box=None)
    for name, scores in ways.items():
        micro = scores[_MEASURE]["micro"]
        low, high = scores["intervals"][_MEASURE]["micro"]["f1"]
        numbers = [scores["transcripts"], scores["seconds"] or "", scores["dropped"]]
        rates = [f"{100 * micro[rate]:.1f}" for rate in ("precision", "recall", "f1")]
        table.add_row(name, *map(str, numbers), *rates, f"{100 * low:.1f}–{100 * high:.1f}")
    Console().print(table)
    by_type = Table("type", "reference", "found", "F1", box=None)
    for type_, scores in ways["constrained"]["by_type"].items():
        by_type.add_row(
            type_, str(scores["reference"]), str(scores["predicted"]), f"{100 * scores[_MEASURE]['f1']:.1f}"
        )
    Console().print(by_type)
    if options.json:
        write_json(str(options.json), ways)


if __name__ == "__main__":
    main(tyro.cli(Options))
