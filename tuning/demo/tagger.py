"""The first training of the demo's tagger: a Llama-shaped base that tags the made-up clinic for every group.

python -m tuning.demo.tagger --out FOLDER --work CHECKPOINTS

It begins with induction heads (``induction``), which copy past tags, and learns what is left to decide: among the
tokens that the constraint allows, which one comes next. ``jobs.finetune_taggers`` trains the adapters on it.
"""

import bisect
import json
import random
import re
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

import torch
import tyro
from torch.nn.functional import cross_entropy
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from pipeline.corpus.grammar import Grammar, Sentence
from pipeline.tagging.constraint import Constraint, Vocabulary
from pipeline.tagging.entities import Span
from pipeline.tagging.groups import load_groups
from pipeline.tagging.prompts import Prompt, completion, encode, end_of_turn, guard, render
from tuning.demo.checkpoint import Checkpoint
from tuning.demo.induction import begin_with_copying
from tuning.demo.llama_files import train_tagging_tokenizer
from tuning.demo.nonsense import Nonsense

VOCABULARY = 4096
HIDDEN, LAYERS, INTERMEDIATE, ROPE_THETA = 256, 4, 512, 500_000.0
SENTENCES = 40_000
FEW_SHOT = (0, 0, 5)  # turns in the prompt, one drawn for each step: the demo has none, the real models have five
WITH_ENTITY = 0.5
NONSENSE_SINCE = 0.6  # share of the steps before there is any; with --start there is from the first
NONSENSE, NONSENSE_ALONE = 0.5, 0.5  # share of batches with it, and of their transcripts that are nothing else
NONSENSE_WORDS = 45  # at most, in one text
LONGER = 0.3  # share of batches whose transcripts are two or three sentences
MARK = "\ue000"  # where the transcript stands in a rendered prompt

FACTS = "tagger.json"
"""Written last, beside the checkpoints: a training without it is not finished."""

CIRCUIT, CIRCUIT_SHARE = re.compile(r"embed_tokens|layers\.[01]\.self_attn\.\w+\.weight"), 0.03
"""What copies is held nearly still: its learning rate is this share of the others'."""


@dataclass(frozen=True)
class Training:
    """Train a small Llama on the made-up clinic's text."""

    out: Path
    """Folder for the model and its tokenizer."""

    work: Path
    """Folder for checkpoints; the same command goes on from the last."""

    start: Path | None = None
    """A folder with a model of this shape to begin with, its tokenizer included. Without it: one that only copies."""

    steps: int = 5200
    """Steps of the optimiser."""

    batch: int = 24
    """Transcripts in a step, all for one group."""

    learning_rate: float = 7e-4
    """Highest rate: it rises over the first twentieth and falls by a cosine to nothing."""

    seed: int = 2025
    """Of weights, sentences and order."""


class Example(NamedTuple):
    """A transcript for one group.

    Attributes:
        question: Tokens of the transcript and of what stands behind it in the prompt.
        answer: Tokens of the tagged transcript and of the end of the turn.
        legal: For each of them, the tokens that the constraint allowed, itself among them.
    """

    question: list[int]
    answer: list[int]
    legal: list[list[int]]


def main(training: Training) -> None:
    """Train, with a line every 60 steps, and write the model."""
    torch.manual_seed(training.seed)
    lot = random.Random(training.seed)
    grammars = (Grammar("en"), Grammar("zh"))
    sentences = [grammars[i % 2].sentence(lot, "training") for i in range(SENTENCES)]
    prompts = {turns: [Prompt.of(group, turns) for group in load_groups()] for turns in FEW_SHOT}
    if training.start:
        tokenizer = PreTrainedTokenizerFast.from_pretrained(training.start)
        model = LlamaForCausalLM.from_pretrained(training.start, dtype=torch.float32)
    else:
        texts = [*(prompt.system for prompt in prompts[0]), *(sentence.text for sentence in sentences)]
        types = [type_ for prompt in prompts[0] for type_ in prompt.types]
        tokenizer = train_tagging_tokenizer(texts, types, VOCABULARY)
        model = build(tokenizer)
    parameters = sum(weights.numel() for weights in model.parameters())
    print(f"{parameters} parameters", flush=True)

    rates = (training.learning_rate, training.learning_rate * CIRCUIT_SHARE)
    circuit = {name for name, _ in model.named_parameters() if CIRCUIT.search(name)}
    groups = [
        {"params": [weights for name, weights in model.named_parameters() if (name in circuit) == slow], "lr": rate}
        for slow, rate in zip((False, True), rates, strict=True)
    ]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, list(rates), total_steps=training.steps, pct_start=0.05)
    parts = {"model": model, "optimizer": optimizer, "schedule": schedule}
    checkpoint = Checkpoint(training.work / "tagger.pt", parts)
    batches = Batches(tokenizer, sentences, prompts[0])
    recent: list[tuple[float, float]] = []
    for step in range(checkpoint.step, training.steps):
        lot = random.Random(f"{training.seed} {step}")
        asked = prompts[lot.choice(FEW_SHOT)]
        nonsense = training.start is not None or step >= NONSENSE_SINCE * training.steps
        told, examples = batches.draw(asked[step % len(asked)], training.batch, lot, nonsense)
        with torch.autocast("cpu", torch.bfloat16):
            loss, right = loss_of(model, told, examples)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        recent.append((loss.item(), right))
        done = step + 1
        if done % 60 == 0:
            mean_loss, mean_right = torch.tensor(recent).mean(0).tolist()
            print(
                f"step {done}: loss {mean_loss:.4f}, answers right {mean_right:.3f}, {checkpoint.seconds:.0f} s",
                flush=True,
            )
            recent = []
        if done % 300 == 0 or done == training.steps:
            checkpoint.save(done)
    tokenizer.save_pretrained(training.out)
    model.half().save_pretrained(training.out)
    facts = {"parameters": parameters, "sentences": SENTENCES, "steps": training.steps, "seed": training.seed}
    (training.work / FACTS).write_text(json.dumps(facts | {"seconds": round(checkpoint.seconds)}))


def build(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """Return an untrained model that copies already."""
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=HIDDEN,
            intermediate_size=INTERMEDIATE,
            num_hidden_layers=LAYERS,
            num_attention_heads=4,
            num_key_value_heads=4,
            max_position_embeddings=8192,
            rope_parameters={"rope_type": "default", "rope_theta": ROPE_THETA},
            tie_word_embeddings=True,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    )
    begin_with_copying(model, tokenizer, ROPE_THETA)
    return model


class Batches:
    """Draws batches for a group, of transcripts of about the same length."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, sentences: list[Sentence], prompts: list[Prompt]):
        self._tokenizer = tokenizer
        self._end = end_of_turn(tokenizer)
        self._vocabulary = Vocabulary(tokenizer, self._end)
        lengths = list(map(len, tokenizer([sentence.text for sentence in sentences])["input_ids"]))
        by_length = sorted(zip(lengths, sentences, strict=True), key=lambda pair: pair[0])
        self._all = _Pool(by_length)
        self._nonsense = Nonsense(sentences)
        self._with_entity = {  # a sentence stands there once for each of its entities
            prompt.group: _Pool([pair for pair in by_length for span in pair[1].spans if span.type in prompt.types])
            for prompt in prompts
        }

    def draw(self, prompt: Prompt, size: int, lot: random.Random, nonsense: bool) -> tuple[list[int], list[Example]]:
        """Return the tokens that the prompts begin with, and the examples.

        Half are drawn from the sentences with an entity to find. With ``nonsense``, in half of the batches each
        transcript has text without a meaning among its sentences, or is nothing else.
        """
        before, after = render(self._tokenizer, prompt, MARK).split(MARK)
        with_entity = self._with_entity[prompt.group]
        length = lot.choice(with_entity.lengths)
        more = lot.randint(1, 2) if lot.random() < LONGER else 0
        words = lot.randint(2, NONSENSE_WORDS) if nonsense and lot.random() < NONSENSE else 0
        examples = []
        for _ in range(size):
            pool = with_entity if lot.random() < WITH_ENTITY else self._all
            some = [pool.near(length, lot), *(self._all.near(length, lot) for _ in range(more))]
            if words:
                alone = lot.random() < NONSENSE_ALONE
                texts = [self._nonsense.text(words, lot) for _ in range(2 if alone else 1)]  # as long, about
                some = texts if alone else [*some, *texts]
            sentence = join(some, lot)
            spans = [span for span in sentence.spans if span.type in prompt.types]
            question = encode(self._tokenizer, before + guard(sentence.text) + after)
            answer = encode(self._tokenizer, completion(sentence.text, spans) + self._end)
            constraint = Constraint(self._vocabulary, guard(sentence.text), list(prompt.types), max_entities=64)
            examples.append(Example(question, answer, legal_along(constraint, answer)))
        questions = [example.question[:-1] for example in examples]
        alike = takewhile(lambda here: len(set(here)) == 1, zip(*questions, strict=False))
        told = [here[0] for here in alike]
        return told, [example._replace(question=example.question[len(told) :]) for example in examples]


class _Pool:
    """Sentences by their length in tokens."""

    def __init__(self, by_length: list[tuple[int, Sentence]]):
        self.lengths = [length for length, _ in by_length]
        self._sentences = [sentence for _, sentence in by_length]

    def near(self, length: int, lot: random.Random) -> Sentence:
        """Draw one of about a length, from a tenth of all."""
        place, around = bisect.bisect(self.lengths, length), len(self.lengths) // 20
        return self._sentences[min(max(place + lot.randint(-around, around), 0), len(self._sentences) - 1)]


def join(sentences: list[Sentence], lot: random.Random) -> Sentence:
    """Put sentences behind one another, in any order."""
    lot.shuffle(sentences)
    text, spans = "", []
    for sentence in sentences:
        text += " " if text else ""
        spans += [Span(span.type, len(text) + span.char_start, len(text) + span.char_end) for span in sentence.spans]
        text += sentence.text
    return Sentence(text, tuple(spans))


def legal_along(constraint: Constraint, answer: list[int]) -> list[list[int]]:
    """Return the legal tokens at each place of an answer."""
    state, legal = constraint.start, []
    for token in answer:
        legal.append(constraint.legal(state).ids.tolist())
        after = constraint.after(state, token)
        state = state if after is None else after
    return legal


def loss_of(model: LlamaForCausalLM, told: list[int], examples: list[Example]) -> tuple[torch.Tensor, float]:
    """Return the cross entropy among all tokens and among the legal ones, and the share of answers all right.

    What is told to all is read once, and nothing is learned from it.
    """
    with torch.no_grad():
        cache = model(input_ids=torch.tensor([told]), use_cache=True, logits_to_keep=1).past_key_values
    prefix = DynamicCache()
    for number, layer in enumerate(cache.layers):
        some = (len(examples), -1, -1, -1)
        prefix.update(layer.keys.expand(some), layer.values.expand(some), number)
    width = max(len(example.question) + len(example.answer) for example in examples)
    tokens = torch.zeros(len(examples), width, dtype=torch.long)
    asked = torch.zeros(len(examples), width, dtype=torch.bool)
    for row, example in enumerate(examples):
        end = len(example.question) + len(example.answer)
        tokens[row, :end] = torch.tensor(example.question + example.answer)
        asked[row, len(example.question) - 1 : end - 1] = True
    positions = torch.arange(len(told), len(told) + width)[None].expand(len(examples), -1)
    hidden = model.get_decoder()(input_ids=tokens, position_ids=positions, past_key_values=prefix).last_hidden_state
    logits = model.get_output_embeddings()(hidden[asked]).float()

    answers = torch.tensor([token for example in examples for token in example.answer])
    legal = [some for example in examples for some in example.legal]
    most = max(map(len, legal))
    choices = torch.tensor([some + [-1] * (most - len(some)) for some in legal])
    among = logits.gather(1, choices.clamp(min=0)).masked_fill(choices < 0, float("-inf"))
    chosen = (choices == answers[:, None]).int().argmax(1)
    rows = torch.repeat_interleave(torch.arange(len(examples)), torch.tensor([len(e.answer) for e in examples]))
    wrong = torch.zeros(len(examples)).index_add(0, rows, (among.argmax(1) != chosen).float())
    return cross_entropy(among, chosen) + 0.1 * cross_entropy(logits, answers), float((wrong == 0).float().mean())


if __name__ == "__main__":
    main(tyro.cli(Training))
