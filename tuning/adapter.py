"""Training one adapter: QLoRA on a GPU, plain LoRA on the CPU, with a checkpoint for every epoch.

Knows nothing of Ray. A training that was interrupted goes on from its last checkpoint when it is started again.
"""

import json
import math
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
from datasets import Dataset
from peft import LoraConfig, PeftModel, get_peft_model, prepare_model_for_kbit_training
from transformers import PreTrainedTokenizerBase, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from trl import SFTConfig, SFTTrainer

from pipeline import settings as inference
from pipeline.files import write_text
from pipeline.tagging.adapters import load_base, write_tagging_json
from pipeline.tagging.prompts import Prompt, encode, end_of_turn, render
from tuning import gpu
from tuning.curves import Metrics
from tuning.progress import Progress
from tuning.settings import Adapter

_MODULES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
_WHOLE = "metrics.json"  # written last: a checkpoint without it was interrupted

Report = Callable[[dict[str, float], PeftModel], None]


@dataclass(frozen=True)
class Trained:
    """A finished training.

    Attributes:
        checkpoint: Folder of the checkpoint with the lowest validation loss.
        step: Its step.
        valid_loss: Its validation loss.
        metrics: Rows of ``METRICS``.
        tokens: Tokens of the training set, and those among them that are learned from.
    """

    checkpoint: Path
    step: int
    valid_loss: float
    metrics: pa.Table
    tokens: Mapping[str, int]


def prompt_of(table: pa.Table, types: Mapping[str, str], group: str, few_shot: int | None) -> Prompt:
    """Read what a prepared set tells the model, with its first ``few_shot`` turns; None takes all."""
    chat = table["prompt"][0].as_py()
    examples = [turn["content"] for turn in chat if turn["role"] == "assistant"]
    return Prompt(group, dict(types), chat[0]["content"], tuple(examples[:few_shot]))


def tokenize(table: pa.Table, prompt: Prompt, tokenizer: PreTrainedTokenizerBase, loss: str) -> Dataset:
    """Turn a prepared set into token ids, rendered as inference renders them.

    Args:
        table: Rows of ``tagging_sets.SCHEMA``.
        prompt: What the model is told before each transcript.
        tokenizer: That of the base model.
        loss: ``answer``, or ``all`` to learn from the prompts too.

    Returns:
        ``input_ids``, and with ``answer`` also ``completion_mask``: 1 where a token is learned from.
    """
    end = end_of_turn(tokenizer)
    rows: dict[str, list[list[int]]] = {"input_ids": [], "completion_mask": []}
    for transcript, tagged in zip(table["transcript"].to_pylist(), table["tagged"].to_pylist(), strict=True):
        question = encode(tokenizer, render(tokenizer, prompt, transcript))
        answer = encode(tokenizer, tagged + end)
        rows["input_ids"].append(question + answer)
        rows["completion_mask"].append([0] * len(question) + [1] * len(answer))
    if loss == "all":
        del rows["completion_mask"]
    return Dataset.from_dict(rows)


def train(
    sets: Mapping[str, pa.Table],
    prompt: Prompt,
    settings: Adapter,
    folder: Path,
    report: Report = lambda metrics, model: None,
) -> Trained:
    """Train an adapter, or go on where an earlier call with the same folder was interrupted.

    Args:
        sets: The prepared sets ``train`` and ``valid``, neither empty.
        prompt: What the model is told before each transcript.
        settings: The knobs.
        folder: Where checkpoints, ``tagging.json`` and TensorBoard's logs go; of the checkpoints the best and the last
            stay.
        report: Called after each epoch with ``valid_loss``, ``best_valid_loss``, ``step`` and ``epoch``, and with the
            model; when a training goes on, also for the epoch that it goes on from.

    Raises:
        ValueError: No epoch has a finite validation loss.
    """
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    trainer = make_trainer(sets, prompt, settings, folder)
    checkpoints = _Checkpoints(folder, settings.patience, report)
    trainer.add_callback(checkpoints)
    if checkpoints.stopped:
        trainer.args.num_train_epochs = checkpoints.epochs
    trainer.train(resume_from_checkpoint=str(checkpoints.last) if checkpoints.last else None)
    loss, step = checkpoints.best
    if not math.isfinite(loss):
        raise ValueError("no epoch has a finite validation loss: lower the learning rate")
    metrics = checkpoints.metrics.table()
    return Trained(folder / f"checkpoint-{step}", step, loss, metrics, _count(trainer.train_dataset))


def make_trainer(sets: Mapping[str, pa.Table], prompt: Prompt, settings: Adapter, folder: Path) -> SFTTrainer:
    """Load the base model with a new adapter and the data, ready to be trained; see ``train``."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(settings.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    on_gpu = device.type == "cuda"
    knobs = inference.Tagger(quantization=settings.quantization if on_gpu else "none", dtype=settings.dtype)
    base, tokenizer = load_base(settings.base_model, knobs, device)
    write_tagging_json(folder, prompt, settings.base_model, base, tokenizer)
    data = {split: tokenize(table, prompt, tokenizer, settings.loss) for split, table in sets.items()}
    if knobs.quantization == "nf4":
        base = prepare_model_for_kbit_training(base, use_gradient_checkpointing=False)
    lora = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        bias="none",
        target_modules=_MODULES,
        task_type="CAUSAL_LM",
    )
    model = get_peft_model(base, lora)
    trainer = SFTTrainer(
        model,
        args=_arguments(settings, folder, data, on_gpu),
        train_dataset=data["train"],
        eval_dataset=data["valid"],
        processing_class=tokenizer,
    )
    for weights in model.parameters():
        if weights.requires_grad:
            weights.data = (
                weights.data.float()
            )  # TRL makes them bfloat16 on a 4-bit base, which rounds small steps away
    return trainer


def _arguments(settings: Adapter, folder: Path, data: Mapping[str, Dataset], on_gpu: bool) -> SFTConfig:
    longest = max(len(ids) for split in data.values() for ids in split["input_ids"])
    return SFTConfig(
        output_dir=str(folder),
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=settings.batch_size,
        per_device_eval_batch_size=settings.batch_size,
        gradient_accumulation_steps=settings.accumulation,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="linear",
        weight_decay=settings.weight_decay,
        optim="paged_adamw_32bit" if on_gpu else "adamw_torch",
        bf16=settings.dtype == "bfloat16",
        max_length=longest,
        packing=settings.packing,
        eval_packing=False,
        completion_only_loss=settings.loss == "answer",
        gradient_checkpointing=False,
        use_liger_kernel=on_gpu,  # it fails without CUDA, and spoils later work of the process
        use_cpu=not on_gpu,
        eval_strategy="epoch",
        save_strategy="epoch",
        logging_steps=1,
        seed=settings.seed,
        report_to=[],
        disable_tqdm=True,
        dataloader_pin_memory=on_gpu,
    )


def _count(data: Dataset) -> dict[str, int]:
    labels = [label for row in data["labels"] for label in row]
    return {"tokens": len(labels), "learned_tokens": sum(label != -100 for label in labels)}


class _Checkpoints(TrainerCallback):
    """Notes metrics, keeps the best checkpoint and the last, and stops when validation gets no better."""

    def __init__(self, folder: Path, patience: int, report: Report):
        self._folder, self._patience, self._report = folder, patience, report
        self._progress: Progress | None = None
        self._losses: list[tuple[float, int]] = []  # of each epoch, with its step
        self.last: Path | None = None
        for checkpoint in sorted(folder.glob("checkpoint-*"), key=_step):
            if (checkpoint / _WHOLE).is_file():
                self.last = checkpoint
            else:
                shutil.rmtree(checkpoint)  # it was interrupted
        state = json.loads((self.last / _WHOLE).read_text()) if self.last else {"rows": [], "losses": []}
        self._losses = [(loss, step) for loss, step in state["losses"]]
        self.metrics = Metrics(folder / "tensorboard", state["rows"])

    @property
    def epochs(self) -> int:
        """Return how many epochs there were."""
        return len(self._losses)

    @property
    def best(self) -> tuple[float, int]:
        """Return the lowest validation loss and its step."""
        return min(self._losses)

    @property
    def stopped(self) -> bool:
        """Say whether validation got no better for as long as patience lasts."""
        since = sum(step > self.best[1] for _, step in self._losses) if self._losses else 0
        return bool(self._patience) and since >= self._patience

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: Any = None, **_: Any
    ) -> None:
        if self.last:  # it may have been interrupted between the checkpoint and its report
            self._tell(state, model)

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: Any = None, **_: Any
    ) -> None:
        names = {"loss": "train_loss", "eval_loss": "valid_loss", "learning_rate": "learning_rate"}
        values = {names[key]: value for key, value in (logs or {}).items() if key in names}
        if "valid_loss" in values:
            loss = values["valid_loss"]
            self._losses.append((loss if math.isfinite(loss) else math.inf, state.global_step))
        self._progress = self._progress or Progress(self._folder, state.max_steps)
        self._progress.note(**values)
        self._progress.show(state.global_step, epoch=state.epoch or 0.0)
        self.metrics.add(state.global_step, state.epoch or 0.0, **values | (gpu.sample() if values else {}))

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: Any = None, **_: Any
    ) -> None:
        whole = {"rows": self.metrics.rows, "losses": self._losses}
        write_text(str(self._folder / f"checkpoint-{state.global_step}" / _WHOLE), json.dumps(whole))
        for checkpoint in self._folder.glob("checkpoint-*"):
            if _step(checkpoint) not in (self.best[1], state.global_step):
                shutil.rmtree(checkpoint)
        control.should_training_stop = control.should_training_stop or self.stopped
        self._tell(state, model)

    def _tell(self, state: TrainerState, model: Any) -> None:
        values = {"valid_loss": self._losses[-1][0], "best_valid_loss": self.best[0]}
        self._report({**values, "step": state.global_step, "epoch": state.epoch or 0.0}, model)


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])
