"""The first training of the demo's English recogniser, a small FastConformer-TDT, from scratch.

python -m tuning.demo.parakeet --corpus CLINIC --out parakeet.nemo --work CHECKPOINTS

The loss of a transducer sums over all alignments of a text with its recording. The clinic's words have exact times, so
this training needs one alignment alone: a token is written in the frame in which it begins and steps to the frame in
which it ends, blanks step over pauses. That costs a small part of the full loss, finds the way at once, and the word
times that the model gives afterwards are true. But a model that has left this way once knows no way back: so
``tuning.asr`` goes on for two epochs with the full loss.
"""

import json
import random
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import jiwer
import numpy as np
import sentencepiece
import soundfile
import torch
import tyro
from torch.nn.functional import cross_entropy

from pipeline.scoring.normalise import normalise
from pipeline.speech.audio import SAMPLE_RATE
from pipeline.speech.words import Word
from tuning import asr
from tuning.demo.checkpoint import Checkpoint
from tuning.demo.corpus import Clip, read_clips
from tuning.demo.parakeet_files import parakeet_config, write_sentencepiece
from tuning.settings import demo_asr

FRAME_S = 0.08
LONGEST_STEP = 4
WIDTH, LAYERS, CHANNELS = 144, 6, 64
VOCABULARY = 256
CHECK_EVERY = 1000
REFINEMENT = replace(
    demo_asr(),
    epochs=2,
    learning_rate=4e-4,
    min_learning_rate=1e-5,
    batch_size=16,
    batch_seconds=80.0,
    precision="bf16-mixed",
    freq_width=10,
    time_masks=2,
)
"""Settings of the fine-tuning."""

FACTS = "parakeet.json"
"""Written last, beside the checkpoints: a training without it is not finished."""

_VALIDATED = 100
_LATE = 0.3
"""Share of tokens that are also asked for a frame late, where greedy decoding may find itself."""


@dataclass(frozen=True)
class Training:
    """Train a small Parakeet on the made-up clinic's English."""

    corpus: Path
    """Folder of the clinic's corpus, as `jobs.demo --make-corpus` writes it."""

    out: Path
    """The .nemo file to write."""

    work: Path
    """Folder for checkpoints; the same command goes on from the last."""

    start: Path | None = None
    """A .nemo file of this shape to begin with, its tokenizer included. Without it: random weights."""

    steps: int = 6_000
    """Steps of the optimiser."""

    batch: int = 16
    """Recordings in a step."""

    learning_rate: float = 1.5e-3
    """Highest rate: it rises over the first 500 steps and falls by a cosine to nothing."""

    seed: int = 2025
    """Of weights and order."""


class Example(NamedTuple):
    """A recording as the model sees it.

    Attributes:
        features: Log mel features, float16, shape (80, time).
        tokens: The text's tokens.
        states: Columns of the alignment: frame, number of tokens written, output (token or blank), step (frames).
        late: The same for each token, asked for one frame late.
    """

    features: torch.Tensor
    tokens: list[int]
    states: np.ndarray
    late: np.ndarray


def main(training: Training) -> None:
    """Train, with a line every 100 steps and a look at the validation set every ``CHECK_EVERY``; write the model."""
    torch.set_num_threads(1)
    torch.manual_seed(training.seed)
    clips, held_out = (
        [clip for phase in phases for clip in read_clips(training.corpus / phase) if clip.language == "en"]
        for phases in (("phase1", "phase2"), ("valid",))
    )
    tokenizer = tempfile.TemporaryDirectory()  # NeMo takes the tokenizer's files from there when it saves the model
    model = asr.load(training.start) if training.start else build([clip.text for clip in clips], Path(tokenizer.name))
    parameters = sum(weight.numel() for weight in model.parameters())
    print(f"{parameters} parameters, {len(clips)} recordings", flush=True)
    order = Order([example(model, clip) for clip in clips], training.batch, training.seed)
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.95, 0.98), weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, training.learning_rate, training.steps, pct_start=min(0.3, 500 / training.steps), div_factor=100
    )
    checkpoint = Checkpoint(
        training.work / "parakeet.pt", {"model": model, "optimizer": optimizer, "schedule": schedule}
    )
    recent: list[float] = []
    for step in range(checkpoint.step, training.steps):
        # Each step draws from generators of its own, so that a training that goes on is the one that stopped.
        torch.manual_seed(training.seed * 1_000_003 + step)
        model.train()
        loss = loss_of(model, order.at(step), random.Random(f"{training.seed} late {step}"))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        recent.append(loss.item())
        done = step + 1
        if done % 100 == 0:
            print(f"step {done}: loss {sum(recent) / len(recent):.3f}, {checkpoint.seconds:.0f} s", flush=True)
            recent = []
        if done % CHECK_EVERY == 0 or done == training.steps:
            checkpoint.save(done)
            print(f"step {done}: {validate(model, held_out[:_VALIDATED])}", flush=True)
    first = training.work / "first.nemo"
    asr.save(model, first)
    refine(first, clips, held_out, training)
    facts = {"parameters": parameters, "recordings": len(clips), "steps": training.steps, "seed": training.seed}
    (training.work / FACTS).write_text(json.dumps(facts | {"seconds": round(checkpoint.seconds)}))


def refine(first: Path, clips: list[Clip], held_out: list[Clip], training: Training) -> None:
    """Fine-tune as ``jobs.finetune_asr`` does, and write the checkpoint with the lowest error rate in float16."""
    work = training.work / "refined"
    work.mkdir(exist_ok=True)
    for split, some in (("train", clips), ("valid", held_out[:_VALIDATED])):
        write_manifest(work / f"{split}.jsonl", some)
    rates: dict[Path, float] = {}

    def report(values: dict[str, float], checkpoint: Path | None) -> None:
        if checkpoint is not None:
            kept = work / f"epoch{values['epoch']:.0f}"
            shutil.copytree(checkpoint, kept, dirs_exist_ok=True)
            rates[kept] = values["valid_wer"]
            print(f"epoch {values['epoch']:.0f} with the full loss: WER {values['valid_wer']:.3f}", flush=True)

    asr.fit(first, work, REFINEMENT, report, work)
    asr.export(first, min(rates, key=rates.__getitem__), work / "refined.nemo")
    training.out.parent.mkdir(parents=True, exist_ok=True)
    asr.save(asr.load(work / "refined.nemo").half(), training.out)


def write_manifest(file: Path, clips: list[Clip]) -> None:
    """Write a NeMo manifest of the clips that are mono with 16 kHz."""
    with file.open("w", encoding="utf-8") as stream:
        for clip in clips:
            sound = soundfile.info(clip.path)
            if (sound.samplerate, sound.channels) == (SAMPLE_RATE, 1):
                entry = {"audio_filepath": clip.path, "duration": sound.duration, "text": clip.text}
                stream.write(json.dumps(entry, ensure_ascii=False) + "\n")


def build(texts: list[str], tokenizer: Path) -> Any:
    """Return an untrained model, with a tokenizer of these texts whose files are written to a folder."""
    from nemo.collections.asr.models import EncDecRNNTBPEModel
    from nemo.utils import logging
    from omegaconf import OmegaConf

    logging.set_verbosity(logging.ERROR)
    write_sentencepiece(tokenizer, texts, VOCABULARY)
    config = parakeet_config(str(tokenizer), width=WIDTH, layers=LAYERS, channels=CHANNELS)
    return EncDecRNNTBPEModel(cfg=OmegaConf.create(config))


def example(model: Any, clip: Clip) -> Example:
    """Compute a clip's features, and its alignment."""
    samples = torch.from_numpy(clip.samples())[None]
    with torch.no_grad():
        features, length = model.preprocessor(input_signal=samples, length=torch.tensor([samples.shape[1]]))
    frames = encoded_length(int(length))
    tokens, starts, ends = timed_tokens(model.tokenizer.tokenizer, clip.text, clip.words)
    states, late = align(tokens, starts, ends, frames, len(model.joint.vocabulary))
    return Example(features[0, :, : int(length)].half(), tokens, states, late)


def encoded_length(time_steps: int) -> int:
    """Return how many frames the encoder makes of mel features: three convolutions, each of stride 2."""
    for _ in range(3):
        time_steps = (time_steps - 1) // 2 + 1
    return time_steps


def timed_tokens(
    tokenizer: sentencepiece.SentencePieceProcessor, text: str, words: list[Word]
) -> tuple[list[int], list[float], list[float]]:
    """Tokenize a text and give each token its start and end in seconds; a word's letters share its time evenly."""
    edges: dict[int, tuple[float, float]] = {}
    for word in words:
        letters = [i for i in range(word.char_start, word.char_end) if text[i].isalnum()]
        length = (word.end_s - word.start_s) / max(len(letters), 1)
        passed = 0
        for i in range(word.char_start, word.char_end):
            begin = word.start_s + passed * length
            passed += text[i].isalnum()
            edges[i] = begin, word.start_s + passed * length
    tokens, starts, ends = tokenizer.encode(text), [], []
    place = -1  # SentencePiece writes a space in front of the text
    for piece in tokenizer.encode(text, out_type=str):
        inside = [i for i in range(place, place + len(piece)) if i in edges]
        starts.append(edges[inside[0] if inside else place + len(piece)][0])
        ends.append(edges[inside[-1]][1] if inside else starts[-1])
        place += len(piece)
    return tokens, starts, ends


def align(
    tokens: list[int], starts: list[float], ends: list[float], frames: int, blank: int
) -> tuple[np.ndarray, np.ndarray]:
    """Lay the one way through frames and tokens; see ``Example``."""
    begin = [min(round(start / FRAME_S), frames - 1) for start in starts]
    finish = [min(max(round(end / FRAME_S), at), at + LONGEST_STEP) for at, end in zip(begin, ends, strict=True)]
    states, late = [], []
    frame = 0
    for written, token in enumerate([*tokens, blank]):
        at = begin[written] if written < len(tokens) else frames
        while frame < at:
            step = min(at - frame, LONGEST_STEP)
            states.append((frame, written, blank, step))
            frame += step
        if written < len(tokens):
            following = begin[written + 1] if written + 1 < len(tokens) else frames
            step = max(min(finish[written], following) - frame, 0)
            states.append((frame, written, token, step))
            if step and frame + 1 < frames:
                late.append((frame + 1, written, token, step - 1))
            frame += step
    return np.array(states, np.int64), np.array(late, np.int64).reshape(-1, 4)


class Order:
    """The batches of all steps: recordings of about the same length together, in random order."""

    def __init__(self, examples: list[Example], batch: int, seed: int):
        self._examples, self._batch, self._seed = examples, batch, seed
        self._epoch, self._batches = -1, list[list[int]]()

    def at(self, step: int) -> list[Example]:
        """Return a step's examples."""
        epoch, place = divmod(step, len(self._examples) // self._batch)
        if epoch != self._epoch:
            self._epoch, self._batches = epoch, self._of(epoch)
        return [self._examples[i] for i in self._batches[place]]

    def _of(self, epoch: int) -> list[list[int]]:
        lot = random.Random(f"{self._seed} {epoch}")
        by_length = sorted(
            range(len(self._examples)), key=lambda i: self._examples[i].features.shape[1] + lot.uniform(0, 50)
        )
        cuts = range(0, len(by_length) - self._batch + 1, self._batch)
        batches = [by_length[i : i + self._batch] for i in cuts]
        lot.shuffle(batches)
        return batches


def loss_of(model: Any, batch: list[Example], lot: random.Random) -> torch.Tensor:
    """Return the mean cross entropy of outputs and steps over the states of a batch."""
    lengths = torch.tensor([item.features.shape[1] for item in batch])
    features = torch.zeros(len(batch), batch[0].features.shape[0], int(lengths.max()))
    for i, item in enumerate(batch):
        features[i, :, : lengths[i]] = item.features
    token_lengths = torch.tensor([len(item.tokens) for item in batch])
    tokens = torch.zeros(len(batch), int(token_lengths.max()), dtype=torch.long)
    rows = []
    for i, item in enumerate(batch):
        tokens[i, : len(item.tokens)] = torch.tensor(item.tokens)
        some = item.late[[lot.random() < _LATE for _ in item.late]]
        states = np.concatenate([item.states, some])
        rows.append(np.concatenate([np.full((len(states), 1), i), states], axis=1))
    row, frame, written, output, step = torch.from_numpy(np.concatenate(rows)).unbind(1)
    with torch.autocast("cpu", torch.bfloat16):
        features = model.spec_augmentation(input_spec=features, length=lengths)
        encoded, _ = model.encoder(audio_signal=features, length=lengths)
        predicted, _, _ = model.decoder(targets=tokens, target_length=token_lengths)
        heard = model.joint.enc(encoded.transpose(1, 2))[row, frame]
        read = model.joint.pred(predicted.transpose(1, 2))[row, written]
        logits = model.joint.joint_net(heard + read).float()
    outputs = len(model.joint.vocabulary) + 1
    return cross_entropy(logits[:, :outputs], output) + cross_entropy(logits[:, outputs:], step)


@torch.inference_mode()
def validate(model: Any, clips: list[Clip]) -> str:
    """Transcribe as the pipeline does; say word error rate and how far word times are off."""
    model.eval()
    heard = model.transcribe([clip.samples() for clip in clips], batch_size=16, timestamps=True, verbose=False)
    wer = jiwer.wer([normalise(clip.text) for clip in clips], [normalise(hypothesis.text) for hypothesis in heard])
    starts, ends = [], []
    for clip, hypothesis in zip(clips, heard, strict=True):
        words = hypothesis.timestamp["word"]
        if [word["word"] for word in words] == [word.text for word in clip.words]:
            starts += [abs(said["start"] - word.start_s) for said, word in zip(words, clip.words, strict=True)]
            ends += [abs(said["end"] - word.end_s) for said, word in zip(words, clip.words, strict=True)]
    return f"WER {wer:.3f}, words begin {np.median(starts):.3f} s and end {np.median(ends):.3f} s off (medians)"


if __name__ == "__main__":
    main(tyro.cli(Training))
