"""Training one adapter: QLoRA on a GPU, plain LoRA on the CPU, with a checkpoint after every epoch.

Knows nothing of Ray. An interrupted training goes on from its last checkpoint when it is started again.
"""

import math
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import torch
from peft import LoraConfig, PeftModel, get_peft_model, prepare_model_for_kbit_training
from transformers import EarlyStoppingCallback, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_callback import ExportableState
from trl import SFTConfig, SFTTrainer

from pipeline import settings as inference
from pipeline import tables
from pipeline.corpus.tagging_datasets import Dataset
from pipeline.tagging.adapters import load_base, write_tagging_json
from tuning.cpu_trainer import CpuTrainer
from tuning.curves import METRICS, Metrics, gpu_sample
from tuning.examples import tokenize
from tuning.progress import Progress
from tuning.settings import AdapterSettings

LORA_MODULES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]

Report = Callable[[dict[str, float], PeftModel], None]


@dataclass(frozen=True)
class TrainedAdapter:
    """A finished training.

    Attributes:
        checkpoint: Folder of the checkpoint with the lowest validation loss.
        step: Its step.
        valid_loss: Its validation loss.
        metrics: Rows of ``METRICS``.
        tokens: Counts of ``tokens`` and, among them, ``learned_tokens`` in the training data.
    """

    checkpoint: Path
    step: int
    valid_loss: float
    metrics: pa.Table
    tokens: Mapping[str, int]


def train(
    dataset: Dataset, settings: AdapterSettings, folder: Path, report: Report = lambda metrics, model: None
) -> TrainedAdapter:
    """Train an adapter, or go on where an earlier call with the same arguments was interrupted.

    Args:
        dataset: Prompt and examples; neither split is empty.
        settings: The settings.
        folder: Gets checkpoints (at least the best and the last stay), ``tagging.json`` and TensorBoard's logs.
        report: Called after each epoch with ``valid_loss``, ``best_valid_loss``, ``step`` and ``epoch``, and with the
            model. A training that goes on first reports the epoch that it goes on from.

    Raises:
        ValueError: No epoch has a finite validation loss.
    """
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    trainer = make_trainer(dataset, settings, folder)
    trainer.add_callback(_MetricsCallback())
    if settings.patience:
        trainer.add_callback(EarlyStoppingCallback(settings.patience))
    trainer.add_callback(_ReportCallback(report))
    last, saved = _last_checkpoint(folder)
    if saved and saved.stateful_callbacks["TrainerControl"]["args"]["should_training_stop"]:
        trainer.args.num_train_epochs = saved.epoch  # it has ended, perhaps early
    trainer.train(resume_from_checkpoint=last)
    state: Any = trainer.state
    if state.best_global_step is None:
        raise ValueError("no epoch has a finite validation loss: lower the learning rate")
    return TrainedAdapter(
        folder / f"checkpoint-{state.best_global_step}",
        state.best_global_step,
        state.best_metric,
        tables.from_rows(state.stateful_callbacks[_MetricsCallback.__name__]["attributes"]["rows"], METRICS),
        _count(trainer.train_dataset),
    )


def make_trainer(dataset: Dataset, settings: AdapterSettings, folder: Path) -> SFTTrainer:
    """Load the base model with a new adapter and the data, ready to be trained; see ``train``."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(settings.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    on_gpu = device.type == "cuda"
    loading = inference.TaggerSettings(quantization=settings.quantization if on_gpu else "none", dtype=settings.dtype)
    base, tokenizer = load_base(settings.base_model, loading, device)
    prompt = dataset.prompt.with_examples(settings.few_shot)
    write_tagging_json(folder, prompt, settings.base_model, base, tokenizer)
    data = {
        split: tokenize(table, prompt, tokenizer, settings.loss, settings.sequence_tokens)
        for split, table in dataset.splits.items()
    }
    if loading.quantization == "nf4":
        base = prepare_model_for_kbit_training(base, use_gradient_checkpointing=False)  # the Trainer does that
    lora = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        bias="none",
        target_modules=LORA_MODULES,
        task_type="CAUSAL_LM",
    )
    model = get_peft_model(base, lora)
    trainer = (SFTTrainer if on_gpu else CpuTrainer)(
        model,
        args=_arguments(settings, folder, data, on_gpu),
        train_dataset=data["train"],
        eval_dataset=data["valid"],
        processing_class=tokenizer,
    )
    for weights in model.parameters():
        if weights.requires_grad:  # TRL makes them bfloat16 on a 4-bit base, which rounds small steps away
            weights.data = weights.data.float()
    return trainer


def _arguments(
    settings: AdapterSettings, folder: Path, data: Mapping[str, datasets.Dataset], on_gpu: bool
) -> SFTConfig:
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
        gradient_checkpointing=settings.gradient_checkpointing,
        gradient_checkpointing_kwargs={"use_reentrant": False},
        use_liger_kernel=on_gpu,  # it fails without CUDA, and spoils later work of the process
        use_cpu=not on_gpu,
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=2,  # with 1 the Trainer removes the last checkpoint at the end, unless it is the best
        load_best_model_at_end=True,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        restore_callback_states_from_checkpoint=True,
        logging_steps=1,
        seed=settings.seed,
        report_to=[],
        disable_tqdm=True,
        dataloader_pin_memory=on_gpu,
    )


def _count(data: datasets.Dataset) -> dict[str, int]:
    labels = [label for row in data["labels"] for label in row]
    return {"tokens": len(labels), "learned_tokens": sum(label != -100 for label in labels)}


def _last_checkpoint(folder: Path) -> tuple[str | None, Any]:
    """Return the last whole checkpoint and its ``TrainerState``; newer ones, which were interrupted, are removed."""
    for checkpoint in sorted(folder.glob("checkpoint-*"), key=lambda path: -int(path.name.rpartition("-")[2])):
        try:
            return str(checkpoint), TrainerState.load_from_json(str(checkpoint / TRAINER_STATE_NAME))  # written last
        except (OSError, ValueError):
            shutil.rmtree(checkpoint)
    return None, None


class _MetricsCallback(TrainerCallback, ExportableState):
    """Writes metrics and progress; each checkpoint holds the metrics so far, and the Trainer restores them."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def state(self) -> dict[str, Any]:
        return {"args": {}, "attributes": {"rows": self.rows}}

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        folder = Path(str(args.output_dir))
        self._metrics, self._progress = Metrics(folder / "tensorboard", self.rows), Progress(folder, state.max_steps)
        self.rows = self._metrics.rows

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: Any = None, **_: Any
    ) -> None:
        names = {"loss": "train_loss", "eval_loss": "valid_loss", "learning_rate": "learning_rate"}
        values = {names[key]: value for key, value in (logs or {}).items() if key in names}
        self._progress.note(**values)
        self._progress.show(state.global_step, epoch=state.epoch)
        self._metrics.add(state.global_step, state.epoch, **values | (gpu_sample() if values else {}))


class _ReportCallback(TrainerCallback):
    """Reports an epoch once its checkpoint is written, and again where a training goes on from it."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: Any
    ) -> None:
        if state.global_step:  # the training may have been interrupted between the checkpoint and its report
            self.on_save(args, state, control, **others)

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: Any = None, **_: Any
    ) -> None:
        loss = state.log_history[-1]["eval_loss"]
        values: dict[str, Any] = {"step": state.global_step, "epoch": state.epoch, "best_valid_loss": state.best_metric}
        self._report(values | {"valid_loss": loss if math.isfinite(loss) else math.inf}, model)
