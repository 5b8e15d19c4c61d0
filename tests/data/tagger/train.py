"""Train the small tagger of the tests: a Llama-shaped base of under 2 M parameters and an adapter for each group.

PYTHONPATH=. python tests/data/tagger/train.py ../shared/corpus tests/data/tagger

Takes the folders train1 and train2 of the AI CUP corpus, and made-up sentences. The base begins with an induction head
(see ``induction.py``), which is held nearly still, and learns to tag for all groups at once; each adapter goes on with
its own. What a batch is told is computed once and without gradient. Weights are held in float32 and computed with in
bfloat16.
"""

import copy
import json
import random
import re
import sys
import time
from itertools import pairwise
from pathlib import Path

import torch
from induction import begin_with_copying
from peft import LoraConfig, get_peft_model
from sentences import sentence
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from pipeline.corpus import gold
from pipeline.corpus.folders import read_folder
from pipeline.corpus.tagging_sets import Text, texts
from pipeline.demo.tiny_tagger import train_tokenizer
from pipeline.tagging.adapters import write_tagging_json
from pipeline.tagging.entities import Span
from pipeline.tagging.groups import load_groups
from pipeline.tagging.prompts import Prompt, completion, encode, end_of_turn, guard, render

SEED = 1126
VOCABULARY = 2048
BASE_STEPS, ADAPTER_STEPS, BATCH = 450, 30, 12
LEARNING_RATE, CIRCUIT_SHARE = 2e-3, 0.03  # the second of the first, for what copies
MADE_UP_SHARE, WITH_ENTITY, BROKEN = 0.4, 0.3, 0.4
LONGEST = 200  # characters of a transcript that is trained on
MARK = "\ue000"  # where the transcript stands in a rendered prompt

CIRCUIT = re.compile(r"embed_tokens|layers\.[01]\.self_attn\.\w+\.weight")

Example = tuple[str, list[Span]]
"""A transcript with its entities of all groups."""


def main(corpus: Path, out: Path) -> None:
    """Train, save, and print the figures of the card."""
    torch.manual_seed(SEED)
    torch.set_num_threads(2)
    lot = random.Random(SEED)
    start = time.perf_counter()
    real = read_real(corpus, ["train1", "train2"])
    made_up = [example for example in (sentence(lot) for _ in range(20_000)) if len(example[0]) <= LONGEST]
    prompts = [Prompt.of(group) for group in load_groups()]

    to_read = [text for prompt in prompts for text in (prompt.system, *prompt.examples)]
    to_read += [completion(text, flat(spans)) for text, spans in [*real, *made_up[:2000]]]
    tokenizer = train_tokenizer(to_read, VOCABULARY)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=256,
            intermediate_size=256,
            num_hidden_layers=3,
            num_attention_heads=4,
            num_key_value_heads=4,
            max_position_embeddings=8192,
            rope_parameters={"rope_type": "default", "rope_theta": 500_000.0},
            tie_word_embeddings=True,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    )
    begin_with_copying(model)
    parameters = sum(weight.numel() for weight in model.parameters())
    print(f"{parameters} parameters", flush=True)
    batches = Batches(tokenizer, real, made_up, lot)
    base_loss = train(model, batches, prompts, BASE_STEPS)
    tokenizer.save_pretrained(out / "base")
    model.to(torch.float16).save_pretrained(out / "base")

    losses = {}
    for prompt in prompts:
        base = LlamaForCausalLM.from_pretrained(out / "base", dtype=torch.float32)
        adapter = get_peft_model(
            base, LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM")
        )
        losses[prompt.group] = train(adapter, batches, [prompt], ADAPTER_STEPS)
        folder = out / "adapters" / prompt.group
        adapter.save_pretrained(str(folder))
        write_tagging_json(folder, prompt, "base", adapter, tokenizer)
    facts = {"seconds": round(time.perf_counter() - start), "parameters": parameters, "loss": base_loss} | losses
    print(json.dumps(facts), flush=True)


def read_real(corpus: Path, names: list[str]) -> list[Example]:
    """Read transcripts with all their labels found."""
    folders = [read_folder(str(corpus / name), "train", strict=False) for name in names]
    transcripts = gold.transcripts(folders)
    entities = gold.with_spans(gold.labels(folders), transcripts, load_groups(), {}, fuzzy=True)
    found = texts(transcripts, entities, gold.GOLD).values()
    return [(text.transcript, spans_of(text)) for text in found if len(text.transcript) <= LONGEST and complete(text)]


def complete(text: Text) -> bool:
    """Say whether all labels of a text have a span."""
    return all(label["match"] != "not_found" for label in text.labels)


def spans_of(text: Text) -> list[Span]:
    """Return the entities of a text."""
    return [Span(label["type"], label["char_start"], label["char_end"]) for label in text.labels]


def flat(spans: list[Span]) -> list[Span]:
    """Keep the first of spans that overlap."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda span: span.char_start):
        if not kept or span.char_start >= kept[-1].char_end:
            kept.append(span)
    return kept


class Batches:
    """Draws batches for a group: what is told, and each example's question and answer."""

    def __init__(
        self, tokenizer: PreTrainedTokenizerFast, real: list[Example], made_up: list[Example], lot: random.Random
    ):
        self.tokenizer, self.lot = tokenizer, lot
        self.examples = {"real": real, "made up": made_up}
        self.end = end_of_turn(tokenizer)
        self.opening = torch.tensor(
            [
                "<" in tokenizer.decode([token]) and token not in tokenizer.all_special_ids
                for token in range(len(tokenizer))
            ]
        )

    def draw(self, prompt: Prompt) -> tuple[list[int], list[tuple[list[int], list[int]]]]:
        """Return the token ids that all examples begin with, and for each example question and answer.

        Every third example or so has an entity of the group, where there are any.
        """
        before, after = render(self.tokenizer, prompt, MARK).split(MARK)
        chosen = []
        for _ in range(BATCH):
            source = self.examples["made up" if self.lot.random() < MADE_UP_SHARE else "real"]
            text, spans = self.lot.choice(source)
            if self.lot.random() < WITH_ENTITY:
                for _ in range(20):
                    if any(span.type in prompt.types for span in spans):
                        break
                    text, spans = self.lot.choice(source)
            answer = completion(text, flat([span for span in spans if span.type in prompt.types]))
            question = encode(self.tokenizer, before + guard(text) + after)
            chosen.append((question, self.pieces(answer) + encode(self.tokenizer, self.end)))
        told = common(question for question, _ in chosen)
        return chosen[0][0][:told], [(question[told:], answer) for question, answer in chosen]

    def pieces(self, answer: str) -> list[int]:
        """Return an answer's tokens, broken at up to three places in some answers.

        Where the model is not sure, the constraint lets it write a piece of a token. It has to find back from there.
        """
        places = self.lot.sample(range(len(answer) + 1), 3) if self.lot.random() < BROKEN and len(answer) > 2 else []
        ends = [0, *sorted(places), len(answer)]
        return [token for a, b in pairwise(ends) for token in encode(self.tokenizer, answer[a:b])]


def common(questions) -> int:
    """Return the length of the longest common beginning."""
    length = 0
    for tokens in zip(*questions, strict=False):
        if len(set(tokens)) > 1:
            break
        length += 1
    return length


def train(model: torch.nn.Module, batches: Batches, prompts: list[Prompt], steps: int) -> float:
    """Train on the answers alone; return the mean loss of the last tenth."""
    worker = copy.deepcopy(model).bfloat16()
    pairs = [(own, its) for own, its in zip(model.parameters(), worker.parameters(), strict=True) if own.requires_grad]
    weights = [own for own, _ in pairs]
    circuit = {id(own) for name, own in model.named_parameters() if CIRCUIT.search(name)}
    optimizer = torch.optim.AdamW(
        [{"params": [own], "lr": LEARNING_RATE * (CIRCUIT_SHARE if id(own) in circuit else 1)} for own in weights],
        betas=(0.9, 0.98),
        weight_decay=0.0,
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [group["lr"] for group in optimizer.param_groups], total_steps=steps, pct_start=0.1
    )
    losses = []
    for step in range(steps):
        prompt = prompts[step % len(prompts)]
        told, examples = batches.draw(prompt)
        loss = loss_of(worker, told, examples, batches.opening)
        worker.zero_grad()
        loss.backward()
        for own, its in pairs:
            own.grad = its.grad.float()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            for own, its in pairs:
                its.copy_(own)
        losses.append(loss.item())
        if step % 50 == 49:
            name = prompt.group if len(prompts) == 1 else "base"
            print(f"{name} {step + 1} {sum(losses[-50:]) / 50:.4f} {time.process_time():.0f} s of a CPU", flush=True)
    last = losses[-max(steps // 10, 1) :]
    return round(sum(last) / len(last), 4)


def loss_of(
    model: torch.nn.Module, told: list[int], examples: list[tuple[list[int], list[int]]], opening: torch.Tensor
) -> torch.Tensor:
    """Return the mean cross entropy of the answers' tokens, and of copying against opening a tag.

    ``opening`` says of each token whether it holds a ``<``. The second part is what matters under the constraint: where
    the model does not know how to go on, it must not open a tag.
    """
    with torch.no_grad():
        cache = model(input_ids=torch.tensor([told]), use_cache=True, logits_to_keep=1).past_key_values
    prefix = DynamicCache()
    for number, layer in enumerate(cache.layers):
        some = (len(examples), -1, -1, -1)
        prefix.update(layer.keys.expand(some), layer.values.expand(some), number)
    width = max(len(question) + len(answer) for question, answer in examples)
    tokens = torch.zeros(len(examples), width, dtype=torch.long)
    labels = torch.full((len(examples), width), -100)
    for row, (question, answer) in enumerate(examples):
        tokens[row, : len(question) + len(answer)] = torch.tensor(question + answer)
        labels[row, len(question) - 1 : len(question) + len(answer) - 1] = torch.tensor(answer)
    positions = torch.arange(len(told), len(told) + width)[None].expand(len(examples), -1)
    hidden = model.get_decoder()(input_ids=tokens, position_ids=positions, past_key_values=prefix).last_hidden_state
    answers = labels[labels != -100]
    logits = model.get_output_embeddings()(hidden[labels != -100]).float()
    copied = ~opening[answers]
    tag, copy_ = logits[copied][:, opening].logsumexp(1), logits[copied].gather(1, answers[copied, None])[:, 0]
    decision = torch.nn.functional.softplus(tag - copy_).mean()
    return torch.nn.functional.cross_entropy(logits, answers) + decision


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
