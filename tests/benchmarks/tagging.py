"""How fast the tagger decodes, beside the reference's way and beside decoding token by token.

    python -m tests.benchmarks.tagging
    python -m tests.benchmarks.tagging --random-3b --nf4 --recordings 64     on a GPU, without any download

The same transcripts go three ways in one run: Transformers' greedy generation with the few-shot turns read anew in
each batch (a recording whose output without tags is another text is dropped), constrained decoding token by token,
and draft and verify. Each way gets its best batch size. Nothing is trained; the first two are measured on the batches
that they reach in their share of the time, at least one.
"""

import json
import logging
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from rich.console import Console
from rich.table import Table
from transformers import (
    AutoTokenizer,
    BitsAndBytesConfig,
    LlamaConfig,
    LlamaForCausalLM,
    LogitsProcessor,
    LogitsProcessorList,
)

from pipeline import settings
from pipeline.demo import CLIPS, MODELS
from pipeline.tagging.adapters import load_adapters, load_base
from pipeline.tagging.constraint import Constraint, Vocabulary
from pipeline.tagging.decoding import Answer, Decoder, Prefix, Request
from pipeline.tagging.entities import strip_tags
from pipeline.tagging.entity_groups import load_entity_groups
from pipeline.tagging.prompts import Prompt, encode, end_of_turn, guard, render
from tests import stepwise
from tests.benchmarks.free_generation import generate
from tests.llama_files import train_tokenizer
from tests.oracle import Oracle, Recording, read_corpus
from tests.real_shapes import LLAMA_3B, new_model

ROOT = Path(__file__).parents[2]
CORPUS = ROOT.parent / "shared" / "corpus"
_TAG = re.compile(rb"</?[A-Z][A-Z0-9_-]*>")

WAYS = ("reference", "stepwise", "draft_verify")


@dataclass(frozen=True)
class Options:
    """What to measure."""

    model: Path = MODELS
    """Folder with base_model/ and adapters/GROUP/."""

    recordings: int = 64
    """How many transcripts, spread over ../shared/corpus where it is there; over the demo's clips otherwise."""

    batch_sizes: tuple[int, ...] = (1, 8, 32, 64)
    """Of these each way gets its best."""

    seconds: float = 160.0
    """Time for the reference and for token by token together, shared out over the batch sizes."""

    json: Path | None = None
    """Write the figures to this file."""

    random_3b: bool = False
    """Measure a randomly initialised model of Llama 3.2 3B's shape in bfloat16, whose decisions are the labels."""

    nf4: bool = False
    """Hold the random model in 4 bits."""

    tokenizer: Path | None = None
    """Folder of the random model's tokenizer, such as Llama 3's; without it, one is trained on the spot."""

    device: str | None = None
    """Where to run; the GPU where there is one."""


@dataclass
class Task:
    """A model with its prompts, and what it is to tag."""

    model: Any
    tokenizer: Any
    vocabulary: Vocabulary
    prompts: list[Prompt]
    recordings: list[Recording]
    oracle: bool

    def constraint(self, prompt: Prompt, recording: Recording) -> Constraint:
        """Constrain to a recording, on the labels' decisions where the model has none of its own."""
        types = list(prompt.types)
        if self.oracle:
            return Oracle(self.vocabulary, recording.text, types, 64, recording.of(types))
        return Constraint(self.vocabulary, guard(recording.text), types, 64)

    def encode(self, prompt: Prompt, text: str) -> list[int]:
        """Return the tokens of a whole prompt."""
        return encode(self.tokenizer, render(self.tokenizer, prompt, guard(text)))


@dataclass
class Result:
    """What one way did with one batch size, over pairs of a recording and a group.

    Attributes:
        seconds: Time taken.
        answers: The tokens written for each pair of group and recording index.
        dropped: Pairs whose text was altered.
        passes: How many answers took how many forward passes.
    """

    seconds: float = 0.0
    answers: dict[tuple[str, int], list[int]] = field(default_factory=dict)
    dropped: int = 0
    passes: Counter[int] = field(default_factory=Counter)

    def per_second(self, groups: int) -> float:
        """Recordings a second, all groups counted."""
        return len(self.answers) / groups / self.seconds

    @property
    def mean_passes(self) -> float:
        """Mean passes of an answer."""
        return sum(n * count for n, count in self.passes.items()) / max(self.passes.total(), 1)


def reference(task: Task, prompt: Prompt, batch: Sequence[Recording]) -> tuple[list[list[int]], int]:
    """Generate freely and greedily; return the tokens and how many texts were altered."""
    end, device = task.vocabulary.end, task.model.device
    ids = [task.encode(prompt, recording.text) for recording in batch]
    forced: dict[str, Any] = {}
    if task.oracle:
        wanted = [task.constraint(prompt, recording).wanted for recording in batch]
        longest = max(map(len, wanted))
        answers = torch.tensor([[*row, *[end] * (longest - len(row))] for row in wanted], device=device)
        forced["logits_processor"] = LogitsProcessorList([_Forced(answers, max(map(len, ids)))])
    written = generate(task.model, ids, end, **forced)
    texts = [strip_tags(task.tokenizer.decode(answer, skip_special_tokens=True)) for answer in written]
    altered = sum(text.strip() != guard(recording.text).strip() for text, recording in zip(texts, batch, strict=True))
    return [[*answer, end] for answer in written], altered


class _Forced(LogitsProcessor):
    """Lets a model write given answers, which costs next to nothing.

    Args:
        answers: Token ids, shape (rows, tokens).
        width: Tokens of the prompts.
    """

    def __init__(self, answers: torch.Tensor, width: int):
        self._answers, self._width = answers, width

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        step = min(input_ids.shape[1] - self._width, self._answers.shape[1] - 1)
        return torch.full_like(scores, -torch.inf).scatter_(1, self._answers[:, step : step + 1], 0.0)


def token_by_token(task: Task, prompt: Prompt, batch: Sequence[Recording]) -> tuple[list[list[int]], int]:
    """Decode under the constraint, a token a pass."""
    ids = [task.encode(prompt, recording.text) for recording in batch]
    answers = stepwise.answers(task.model, ids, [task.constraint(prompt, recording) for recording in batch])
    written = [_tokens(answer) for answer in answers]
    return written, sum(_altered(task, *pair) for pair in zip(written, batch, strict=True))


def draft_and_verify(task: Task, rows: int) -> Result:
    """Decode all recordings of one group after the other, prefixes included."""
    result = Result()
    start = time.perf_counter()
    decoder = Decoder(task.model, task.vocabulary, rows)
    for prompt in task.prompts:
        one, other = task.encode(prompt, "a"), task.encode(prompt, "b")
        same = next(i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
        prefix = Prefix(one[:same], prompt.group)
        answers = decoder.answers(
            [
                Request(task.encode(prompt, recording.text), task.constraint(prompt, recording), prefix)
                for recording in task.recordings
            ]
        )
        written = [_tokens(answer) for answer in answers]
        result.answers |= {(prompt.group, index): tokens for index, tokens in enumerate(written)}
        result.dropped += sum(_altered(task, *pair) for pair in zip(written, task.recordings, strict=True))
    result.seconds = time.perf_counter() - start
    result.passes = decoder.stats.per_answer
    return result


def in_batches(task: Task, way: Any, size: int, seconds: float) -> Result:
    """Decode batch after batch, all groups in turn, until the recordings or the time are at an end."""
    result = Result()
    start = time.perf_counter()
    # Recordings of like length share a batch, as they do in draft and verify.
    order = sorted(range(len(task.recordings)), key=lambda index: -len(task.recordings[index].text))
    batches = [order[first : first + size] for first in range(0, len(order), size)]
    for batch, prompt in product(_spread(batches), task.prompts):
        task.model.set_adapter(prompt.group)
        answers, dropped = way(task, prompt, [task.recordings[index] for index in batch])
        result.dropped += dropped
        result.passes.update(map(len, answers))
        result.answers |= {(prompt.group, index): a for index, a in zip(batch, answers, strict=True)}
        result.seconds = time.perf_counter() - start
        if result.seconds > seconds:
            break
    return result


def _spread(batches: list[list[int]]) -> Iterator[list[int]]:
    """Yield the batches from all over, so that those reached in time stand for the rest."""
    step = max(len(batches) // 4, 1)
    for first in range(step):
        yield from batches[first::step]


def _tokens(answer: Answer) -> list[int]:
    return [token for token, _ in answer]


def _altered(task: Task, tokens: Sequence[int], recording: Recording) -> bool:
    """Say whether constrained tokens, without tags, are other than the text; they may end where no entity follows."""
    written = b"".join(task.vocabulary.bytes[token] for token in tokens)
    return not guard(recording.text).encode().startswith(_TAG.sub(b"", written))


def mismatches(task: Task, slow: Result, fast: Result) -> int:
    """Count the answers of draft and verify that are not those of token by token.

    Draft and verify ends where no entity can follow: what token by token writes after that has no tag.
    """
    wrong = 0
    for key, tokens in slow.answers.items():
        own = fast.answers[key]
        rest = b"".join(task.vocabulary.bytes[token] for token in tokens[len(own) :])
        wrong += tokens[: len(own)] != own or b"<" in rest
    return wrong


def load(options: Options) -> Task:
    """Load the model and the recordings."""
    device = torch.device(options.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    parts = [CORPUS / part for part in ("train1", "train2", "valid")] if CORPUS.is_dir() else [CLIPS]
    recordings = [recording for part in parts for recording in read_corpus(part)]
    few = -(-options.recordings // len(recordings))
    recordings = (recordings * few)[:: max(len(recordings) // options.recordings, 1)][: options.recordings]
    groups = load_entity_groups()
    prompts = [Prompt.of(group) for group in groups]  # five few-shot turns, as the reference has them
    if options.random_3b:
        if options.tokenizer:
            tokenizer = AutoTokenizer.from_pretrained(options.tokenizer)
        else:
            told = [text for prompt in prompts for text in (prompt.system, *prompt.examples)]
            tokenizer = train_tokenizer([*told, *(recording.text for recording in recordings)], 8000)
        model: Any = random_model(LLAMA_3B, [prompt.group for prompt in prompts], device, options.nf4)
    else:
        dtype = "bfloat16" if device.type == "cuda" else "float32"
        base, tokenizer = load_base(
            str(options.model / "base_model"), settings.TaggerSettings(quantization="none", dtype=dtype), device
        )
        model, _ = load_adapters(base, tokenizer, str(options.model / "adapters"), groups)
    vocabulary = Vocabulary(tokenizer, end_of_turn(tokenizer))
    return Task(model, tokenizer, vocabulary, prompts, recordings, options.random_3b)


def random_model(config: LlamaConfig, groups: Sequence[str], device: torch.device, nf4: bool = False) -> Any:
    """Make a random bfloat16 model with a random LoRA adapter of rank 16 for each group."""
    model = new_model(lambda: LlamaForCausalLM(config), torch.bfloat16, device)
    if nf4:
        quantization = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        )
        with TemporaryDirectory() as folder:  # weights are quantised on their way in
            model.save_pretrained(folder)
            model = LlamaForCausalLM.from_pretrained(
                folder, dtype=torch.bfloat16, quantization_config=quantization, device_map={"": device}
            )
    lora = LoraConfig(
        r=16,
        lora_alpha=32,
        target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
        init_lora_weights=False,
        task_type="CAUSAL_LM",
    )
    with torch.device(device):
        tagger = get_peft_model(model, lora, adapter_name=groups[0])
        for group in groups[1:]:
            tagger.add_adapter(group, lora)
    return tagger.eval()


def main(options: Options) -> None:
    """Measure and print."""
    logging.getLogger("transformers").setLevel(logging.ERROR)
    console = Console()
    task = load(options)
    pairs = len(task.recordings) * len(task.prompts)
    sizes = [size for size in options.batch_sizes if size <= len(task.recordings)] or [len(task.recordings)]
    share = options.seconds / len(sizes) / 2
    results: dict[str, dict[int, Result]] = {way: {} for way in WAYS}
    for size in sizes:
        results["draft_verify"][size] = draft_and_verify(task, size)
        results["reference"][size] = in_batches(task, reference, size, share)
        results["stepwise"][size] = in_batches(task, token_by_token, size, share)

    groups = len(task.prompts)
    speed = Table(title=f"Recordings a second, {groups} groups each ({len(task.recordings)} recordings)")
    speed.add_column("batch")
    for way in WAYS:
        speed.add_column(way.replace("_", " and "), justify="right")
    for size in sizes:
        cells = []
        for way in WAYS:
            result = results[way][size]
            reached = "" if len(result.answers) == pairs else f" (of {len(result.answers)} of {pairs} answers)"
            cells.append(f"{result.per_second(groups):.3f}{reached}")
        speed.add_row(str(size), *cells)
    console.print(speed)

    best = {way: max(results[way].values(), key=lambda result: result.per_second(groups)) for way in WAYS}
    rate = {way: best[way].per_second(groups) for way in WAYS}
    # Dropping and passes do not depend on the batch: the run that reached most recordings tells most.
    fullest = {way: max(results[way].values(), key=lambda result: len(result.answers)) for way in WAYS}
    wrong = sum(
        mismatches(task, slow, fast)
        for slow, fast in zip(results["stepwise"].values(), results["draft_verify"].values(), strict=True)
    )
    compared = sum(len(slow.answers) for slow in results["stepwise"].values())
    summary = Table(title="Each way at its best batch size")
    for column in ("way", "recordings/s", "times the reference", "passes an answer", "answers dropped"):
        summary.add_column(column, justify="left" if column == "way" else "right")
    for way in WAYS:
        dropped = f"{fullest[way].dropped} of {len(fullest[way].answers)}"
        ratio, passes = rate[way] / rate["reference"], fullest[way].mean_passes
        summary.add_row(way.replace("_", " and "), f"{rate[way]:.3f}", f"{ratio:.1f}", f"{passes:.2f}", dropped)
    console.print(summary)
    spread = ", ".join(f"{n}: {count}" for n, count in sorted(fullest["draft_verify"].passes.items()))
    console.print(f"Answers of draft and verify by their number of passes: {spread}")
    console.print(f"Answers that differ between stepwise and draft and verify: {wrong} of {compared}")
    if options.json:
        figures = {
            "recordings_per_second": rate,
            "ratio": rate["draft_verify"] / rate["reference"],
            "dropped": {way: fullest[way].dropped for way in WAYS},
            "mean_passes": {way: fullest[way].mean_passes for way in WAYS},
            "mismatches": wrong,
        }
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    import tyro  # a machine that only measures may lack it

    main(tyro.cli(Options, description=__doc__))
