"""A trained adapter as the folder that inference takes, with its card, its metrics and their picture."""

import os
import resource
import shutil
from dataclasses import asdict
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from safetensors.torch import load_file, save_file

from pipeline.corpus.tagging_datasets import Dataset
from pipeline.tagging.adapters import name_of
from tuning import curves
from tuning.adapter import TrainedAdapter
from tuning.settings import AdapterSettings

_WEIGHTS = "adapter_model.safetensors"
_LIBRARIES = ["torch", "transformers", "peft", "trl", "bitsandbytes"]


def export(trained: TrainedAdapter, dataset: Dataset, settings: AdapterSettings, folder: Path) -> None:
    """Write an adapter folder, which appears whole or not at all.

    Args:
        trained: The finished training.
        dataset: What it was trained and validated on.
        settings: Its settings.
        folder: The adapter folder, named like its entity group.
    """
    unfinished = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    shutil.copy(trained.checkpoint / "adapter_config.json", unfinished)
    weights = load_file(trained.checkpoint / _WEIGHTS)
    dtype = getattr(torch, settings.dtype)  # training keeps them in float32; inference computes in this
    save_file({name: tensor.to(dtype) for name, tensor in weights.items()}, unfinished / _WEIGHTS)
    shutil.copy(trained.checkpoint.parent / "tagging.json", unfinished)
    pq.write_table(trained.metrics, unfinished / "metrics.parquet")
    curves.draw(trained.metrics, trained.step, f"adapter {folder.name}", unfinished / "curves.png")
    card = _card(trained, dataset, settings, folder.name)
    (unfinished / "README.md").write_text(card, encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(unfinished, folder)


def _card(trained: TrainedAdapter, dataset: Dataset, settings: AdapterSettings, group: str) -> str:
    rows: list[dict[str, Any]] = trained.metrics.to_pylist()
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(files(__package__).joinpath("adapter_card.md").read_text(encoding="utf-8"))
    on_gpu = torch.cuda.is_available()
    memory = [row["value"] for row in rows if row["name"] == "gpu_memory_gib"]
    memory = memory or [resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20]
    return template.render(
        group=group,
        trained=trained,
        counts={split: _counts(table) for split, table in dataset.splits.items()},
        epochs=[row for row in rows if row["name"] == "valid_loss"],
        settings=asdict(settings) | {"base_model": name_of(settings.base_model)},
        seconds=round(max(row["seconds"] for row in rows)),
        where=torch.cuda.get_device_name() if on_gpu else "CPU",
        peak_gib=round(max(memory), 1),
        versions={name: version(name) for name in _LIBRARIES},
    )


def _counts(table: pa.Table) -> dict[str, int]:
    entities = [len(spans) for spans in table["spans"].to_pylist()]
    return {"examples": len(entities), "with_entities": sum(map(bool, entities)), "entities": sum(entities)}
