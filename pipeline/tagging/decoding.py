"""Greedy decoding under the constraint by draft and verify: the same tokens as one by one, in a few forward passes.

This is speculative decoding without a draft model. An answer is its text with a few tags, so the draft is the rest of
the text without further tags. One forward pass gives the scores at all positions of the draft. The draft is accepted up
to the first position where another legal token has a higher score, that token is written, and the next draft follows.
"""

import math
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from pipeline.tagging.attention import grouped_queries, mask_for
from pipeline.tagging.cache import KeyValues, RaggedCache
from pipeline.tagging.constraint import Constraint, Legal, State, Vocabulary
from pipeline.tagging.entities import Span, parse

Answer = list[tuple[int, float]]
"""Tokens of an answer, each with its log-probability among the legal tokens of its step. The answer stops where the
rest of the text can get no further entity."""

_LOWEST, _HIGHEST = -1e9, 1e9  # replace NaN and infinite logits of a broken model
_SLOTS = 2048  # slots of a row at full batch size; longer rows are decoded in smaller batches
_TAGS = 64  # slots reserved for the tags of an answer before the cache has to grow
MOST_READS = 4096  # draft positions of a pass; each takes a row of logits over the whole vocabulary
_ALIGNED = 16  # slots; CUDA's kernels copy a mask of another width in every layer
_POOR = 4  # tokens; a pass that writes fewer is poor, as its draft was hardly of use
_PATIENCE, _SHORTEST = 8, 10  # after 8 more poor passes than good ones, drafts are halved, at most 10 times


@dataclass(frozen=True, eq=False)
class Prefix:
    """The common beginning of all prompts of an entity group, whose keys and values are computed once.

    Attributes:
        tokens: Token ids; may be empty.
        adapter: Name of the adapter to use, or None without adapters.
    """

    tokens: Sequence[int] = ()
    adapter: str | None = None


@dataclass(frozen=True)
class Request:
    """One prompt to answer.

    Attributes:
        prompt: Token ids, at least one.
        constraint: The legal answers.
        prefix: Expected beginning of the prompt. If the prompt differs from it, only their common part is reused.
    """

    prompt: Sequence[int]
    constraint: Constraint
    prefix: Prefix = Prefix()


@dataclass
class Stats:
    """Statistics of a decoder.

    Attributes:
        passes: Number of forward passes, without those over prefixes.
        per_answer: Number of answers by the number of passes that they took part in.
    """

    passes: int = 0
    per_answer: Counter[int] = field(default_factory=Counter)

    @property
    def mean_passes(self) -> float:
        """Mean number of passes per answer."""
        return sum(passes * count for passes, count in self.per_answer.items()) / max(self.per_answer.total(), 1)


@dataclass(slots=True)
class _Row:
    """An answer in progress.

    Attributes:
        place: Row in the cache.
        index: Index of the request.
        request: The request that is answered.
        length: Number of valid slots in the cache.
        pending: Tokens that are not yet in the cache: the rest of the prompt, later the last token written.
        state: State of the answer, None after its end.
        answer: The answer so far.
        passes: Number of passes that the row took part in.
        poor: Number of passes that wrote few tokens, minus that of the other passes, at least 0.
        broken: Whether the model gave a score that is not finite.
    """

    place: int
    index: int
    request: Request
    length: int
    pending: list[int]
    state: State | None
    answer: Answer = field(default_factory=list)
    passes: int = 0
    poor: int = 0
    broken: bool = False


class Decoder:
    """Answers prompts with one model, of which only the active adapter is changed.

    Attributes:
        rows: Maximum number of answers that are decoded in parallel.
        stats: Statistics so far.
    """

    def __init__(self, model: torch.nn.Module, vocabulary: Vocabulary, rows: int):
        """Create a decoder; memory is allocated when it is needed.

        Args:
            model: A causal language model of Transformers, or a PEFT model around one.
            vocabulary: Vocabulary of the model's tokenizer.
            rows: Maximum number of answers that are decoded in parallel.
        """
        self.rows = rows
        self.stats = Stats()
        self._model: Any = model
        self._vocabulary = vocabulary
        weights = next(weights for weights in model.parameters() if weights.is_floating_point())
        self._device = weights.device
        self._seen = torch.zeros((), dtype=weights.dtype, device=self._device)
        self._masked = self._seen + torch.finfo(weights.dtype).min
        self._prefixes: dict[Prefix, KeyValues] = {}
        self._group = 1  # query heads that share a head of keys
        self._found: dict[Prefix, Counter[int]] = {}  # number of entities found by type
        self.release()

    def release(self) -> None:
        """Free the memory of the cache."""
        self._cache = RaggedCache(self._model.config.num_hidden_layers)
        self._holds: list[Prefix | None] = []  # prefix in the first slots of each row

    def decode(self, requests: Sequence[Request], mixed: bool = False) -> list[list[Span]]:
        """Answer prompts, each under its constraint, and read the spans from the answers.

        Each step takes the legal token with the highest score, and of equal scores the lowest id. The model cannot
        change a text or end it early; it only decides on the spans.

        Args:
            requests: Any number of prompts, of which at most ``rows`` are answered at a time.
            mixed: Allow rows of different adapters in one batch.

        Returns:
            The spans of each text in order, half open in characters, with confidences.
        """
        return [read_spans(answer, self._vocabulary) for answer in self.answers(requests, mixed)]

    @torch.inference_mode()
    def answers(self, requests: Sequence[Request], mixed: bool = False) -> list[Answer]:
        """Return the greedy answer to each prompt. The arguments are the same as for ``decode``."""
        written: list[Answer] = [[] for _ in requests]
        with grouped_queries(self._model) as self._group:
            for indices in _batches(requests, mixed):
                batch = [(index, requests[index]) for index in indices]
                if not mixed and batch[0][1].prefix.adapter is not None:
                    self._model.set_adapter(batch[0][1].prefix.adapter)
                for row in self._write(batch, mixed):
                    written[row.index] = row.answer
        return written

    def _write(self, batch: Sequence[tuple[int, Request]], mixed: bool) -> Iterator[_Row]:
        """Write answers and yield each row when it is finished.

        New and continued rows are in separate passes, the more numerous first. A pass is as wide as its widest row, and
        new rows read a prompt and a whole draft, continued rows only little.
        """
        longest = max(_need(request) for _, request in batch)
        rows = min(len(batch), max(1, self.rows * _SLOTS // longest), self.rows)
        self._make_room(rows, longest, [request.prefix for _, request in batch], mixed)
        queue = deque(batch)
        free = list(range(rows))
        new: list[_Row] = []
        continued: list[_Row] = []
        while queue or new or continued:
            while queue and free:
                index, request = queue.popleft()
                new.append(self._begin(free.pop(), index, request))
            self._paste(new)
            batch_rows, new, continued = (new, [], continued) if len(new) >= len(continued) else (continued, new, [])
            unfinished = [row for row in batch_rows if not row.request.constraint.settled(row.state)]
            if unfinished:
                self._pass(sorted(unfinished, key=lambda row: row.place), mixed)
            for row in batch_rows:
                if row.request.constraint.settled(row.state):
                    self.stats.per_answer[row.passes] += 1
                    if row.broken:
                        self._cache.clear(row.place)
                        self._holds[row.place] = None
                    free.append(row.place)
                    yield row
                else:
                    continued.append(row)

    def _make_room(self, rows: int, slots: int, prefixes: Sequence[Prefix], mixed: bool) -> None:
        """Shape the cache and compute the prefixes that are not known yet."""
        prefixes = list(dict.fromkeys(prefix for prefix in prefixes if prefix.tokens))
        slots = max(slots, *(len(prefix.tokens) for prefix in prefixes), 0)
        if rows != self._cache.rows or slots >= self._cache.slots or slots < self._cache.slots // 2:
            self._cache.shape(rows, slots)
            self._holds = [None] * rows
        for prefix in prefixes:
            if prefix not in self._prefixes:
                self._holds[0] = None
                length = len(prefix.tokens)
                tokens = torch.tensor([list(prefix.tokens)], device=self._device)
                reads = torch.tensor([[length - 1]], device=self._device)
                slot = torch.arange(length, device=self._device)[None]
                self._forward([0], [prefix], tokens, slot, reads, length, mixed)
                self._prefixes[prefix] = self._cache.copy(0, length)

    def _begin(self, place: int, index: int, request: Request) -> _Row:
        """Create the row of a request; the part of its prompt that equals its prefix is already computed."""
        prompt, tokens = list(request.prompt), request.prefix.tokens
        shared = len(tokens)
        if prompt[:shared] != list(tokens):
            shared = next(i for i, token in enumerate([*prompt, None]) if i == shared or token != tokens[i])
        shared = min(shared, len(prompt) - 1)
        return _Row(place, index, request, shared, prompt[shared:], request.constraint.start)

    def _paste(self, rows: Sequence[_Row]) -> None:
        """Copy the prefix to rows that do not hold it yet."""
        into: dict[Prefix, list[int]] = {}
        for row in rows:
            prefix = row.request.prefix
            if row.length and self._holds[row.place] is not prefix:
                into.setdefault(prefix, []).append(row.place)
            self._holds[row.place] = prefix if row.length == len(prefix.tokens) else None
        for prefix, places in into.items():
            self._cache.paste(self._prefixes[prefix], sorted(places))

    def _pass(self, rows: Sequence[_Row], mixed: bool) -> None:
        """Draft, verify and accept; the answer of every row grows by at least one token."""
        drafts = [self._draft(row)[: max(MOST_READS // len(rows), 1)] for row in rows]
        fed = [[*row.pending, *draft] for row, draft in zip(rows, drafts, strict=True)]
        width = max(map(len, fed))
        depth = max(map(len, drafts)) + 1
        visible = max(row.length + len(tokens) for row, tokens in zip(rows, fed, strict=True))
        self._cache.grow(visible)
        inputs = np.zeros((len(rows), 2 * width + depth), np.int64)
        tokens, slots, reads = np.split(inputs, [width, 2 * width], axis=1)
        slots[:] = self._cache.slots - 1
        for place, (row, own) in enumerate(zip(rows, fed, strict=True)):
            tokens[place, : len(own)] = own
            slots[place, : len(own)] = np.arange(row.length, row.length + len(own))
            reads[place] = np.arange(len(row.pending) - 1, len(row.pending) - 1 + depth).clip(max=len(own) - 1)
        on_device = torch.from_numpy(inputs).to(self._device, non_blocking=True).split([width, width, depth], dim=1)
        logits = self._forward(
            [row.place for row in rows],
            [row.request.prefix for row in rows],
            on_device[0],
            on_device[1],
            on_device[2],
            visible,
            mixed,
        )
        self.stats.passes += 1

        # The CPU looks up the legal tokens while the device computes.
        paths = [_follow(row, draft) for row, draft in zip(rows, drafts, strict=True)]
        chosen = _best(logits, [legal for legal, _ in paths])
        for row, draft, (_, states), (choices, finite) in zip(rows, drafts, paths, chosen, strict=True):
            row.broken |= not finite
            self._accept(row, draft, states, choices)

    def _forward(
        self,
        places: Sequence[int],
        prefixes: Sequence[Prefix],
        tokens: torch.Tensor,
        slots: torch.Tensor,
        reads: torch.Tensor,
        visible: int,
        mixed: bool,
    ) -> torch.Tensor:
        """Run the model and return the logits at the positions ``reads``, shape (batch, reads, vocabulary)."""
        visible = min(-(-visible // _ALIGNED) * _ALIGNED, self._cache.slots)
        self._cache.aim(places, slots, visible)
        hidden = torch.arange(visible, device=self._device) > slots[:, None, :, None]
        mask = mask_for(torch.where(hidden, self._masked, self._seen), self._group)
        names = {"adapter_names": [prefix.adapter for prefix in prefixes]} if mixed and prefixes[0].adapter else {}
        output = self._model(
            input_ids=tokens,
            attention_mask=mask,
            position_ids=slots,
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=reads,
            **names,
        )
        return output.logits

    def _draft(self, row: _Row) -> list[int]:
        """Guess the rest of an answer, in the tokens that the tokenizer would use after those so far."""
        assert row.state is not None
        found = self._found.get(row.request.prefix, Counter())
        rest = row.request.constraint.complete(row.state, [type_ for type_, _ in found.most_common()])
        tokens = [token for token, _ in row.answer]
        written = b"".join(self._vocabulary.bytes[token] for token in tokens)
        whole = self._vocabulary.encode((written + rest).decode())
        if whole[: len(tokens)] == tokens:
            draft = whole[len(tokens) :]
        else:
            inside = next((i for i, byte in enumerate(rest) if byte & 0xC0 != 0x80), len(rest))
            draft = [self._vocabulary.ids[rest[i : i + 1]] for i in range(inside)]
            draft += self._vocabulary.encode(rest[inside:].decode())
        short = max(row.poor - _PATIENCE, 0)
        return draft[: max(len(draft) >> short, _POOR)] if short else draft

    def _accept(self, row: _Row, draft: Sequence[int], states: Sequence[State], choices: Answer) -> None:
        """Accept the draft up to the first position where another token has a higher score, and that token."""
        written = 0
        for token, logprob in choices:
            row.answer.append((token, logprob))
            written += 1
            if written > len(draft) or token != draft[written - 1]:
                break
        token = row.answer[-1][0]
        after = row.request.constraint.after(states[written - 1], token)
        for before, state in zip(states[:written], [*states[1:written], after], strict=True):
            if state is not None and state.type not in (before.type, -1):
                self._found.setdefault(row.request.prefix, Counter())[state.type] += 1
        row.length += len(row.pending) + written - 1
        row.pending = [token]
        row.passes += 1
        row.poor = min(row.poor + 1, _PATIENCE + _SHORTEST) if written < _POOR else max(row.poor - 1, 0)
        row.state = after


def read_spans(answer: Answer, vocabulary: Vocabulary) -> list[Span]:
    """Read the spans of an answer.

    The confidence of an entity is the product of the probabilities of the tokens with bytes of its two tags.
    """
    written = b"".join(vocabulary.bytes[token] for token, _ in answer)
    _, spans = parse(written.decode(errors="ignore"))
    if not spans:
        return []
    owner: list[int | None] = []  # entity of the tag that each byte belongs to
    tags = 0
    in_tag = False
    for byte in written:
        in_tag = in_tag or byte == ord("<")
        owner.append(tags // 2 if in_tag else None)
        if in_tag and byte == ord(">"):
            in_tag = False
            tags += 1
    total = [0.0] * len(spans)
    end = 0
    for token, logprob in answer:
        start, end = end, end + len(vocabulary.bytes[token])
        for entity in {entity for entity in owner[start:end] if entity is not None}:
            total[entity] += logprob
    return [replace(span, confidence=min(1.0, math.exp(logprob))) for span, logprob in zip(spans, total, strict=True)]


def _need(request: Request) -> int:
    """Estimate the slots of a request: its prompt, and an answer that repeats the end of it with a few tags."""
    return 2 * len(request.prompt) - len(request.prefix.tokens) + _TAGS


def _batches(requests: Sequence[Request], mixed: bool) -> list[list[int]]:
    """Divide requests into batches to decode one after the other: by adapter, with long requests apart."""
    order = sorted(range(len(requests)), key=lambda index: -_need(requests[index]))
    batches: dict[tuple[Prefix | None, bool], list[int]] = {}
    for index in order:
        request = requests[index]
        key = (None if mixed else request.prefix, _need(request) > _SLOTS)
        batches.setdefault(key, []).append(index)
    return list(batches.values())


def _follow(row: _Row, draft: Sequence[int]) -> tuple[list[Legal], list[State]]:
    """Return the legal tokens and states at the positions of a draft, until it is illegal or the rest is fixed."""
    constraint = row.request.constraint
    assert row.state is not None
    legal, states = [constraint.legal(row.state)], [row.state]
    for token in draft:
        if token not in legal[-1].states:
            break
        after = constraint.after(states[-1], token)
        if after is None or constraint.settled(after):
            break
        legal.append(constraint.legal(after))
        states.append(after)
    return legal, states


def _best(logits: torch.Tensor, legal: Sequence[Sequence[Legal]]) -> list[tuple[Answer, bool]]:
    """Return each row's best legal tokens, with log-probabilities before any bias, and whether all scores are finite.

    Args:
        logits: Shape (batch, positions, vocabulary).
        legal: Legal tokens at the first positions of each row.
    """
    _, depth, vocabulary = logits.shape
    flat = [one for row in legal for one in row]
    counts = np.array([len(one.ids) for one in flat])
    place = np.array([row * depth + slot for row, slots in enumerate(legal) for slot in range(len(slots))])
    ids = np.concatenate([one.ids for one in flat])
    index = torch.from_numpy(ids + np.repeat(place * vocabulary, counts)).to(logits.device)
    scores = logits.flatten().index_select(0, index).float().cpu().numpy()
    finite = np.isfinite(scores)
    scores = np.nan_to_num(scores, nan=_LOWEST, posinf=_HIGHEST, neginf=_LOWEST)

    starts = np.concatenate([[0], counts.cumsum()[:-1]])
    biased = scores + np.concatenate([one.bias for one in flat])
    winners = np.flatnonzero(biased == np.repeat(np.maximum.reduceat(biased, starts), counts))
    first = winners[np.searchsorted(winners, starts)]
    highest = np.maximum.reduceat(scores, starts)
    total = np.add.reduceat(np.exp(scores - np.repeat(highest, counts)), starts)
    logprobs = scores[first] - highest - np.log(total)
    whole = np.logical_and.reduceat(finite, starts).tolist()
    best = iter(zip(ids[first].tolist(), logprobs.tolist(), whole, strict=True))
    rows = [[next(best) for _ in row] for row in legal]
    return [([(token, logprob) for token, logprob, _ in row], all(ok for *_, ok in row)) for row in rows]
