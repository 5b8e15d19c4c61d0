"""The base model and its adapter folders.

An adapter folder holds the files of PEFT and ``tagging.json``: the prompt that the adapter was trained with, and what
identifies its base model. Inference uses the same prompt and refuses another base model.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from safetensors import SafetensorError
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from pipeline import cpu
from pipeline.errors import UserError
from pipeline.files import write_json
from pipeline.settings import NONE, TaggerSettings
from pipeline.tagging.alphabet import token_bytes
from pipeline.tagging.entity_groups import EntityGroup
from pipeline.tagging.prompts import Prompt

_SHAPE = (
    *("model_type", "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers"),
    *("num_attention_heads", "num_key_value_heads"),
)


def load_base(
    base_model: str, settings: TaggerSettings, device: torch.device
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load the base model, in 4 bits where the settings say so, and its tokenizer.

    Raises:
        UserError: The model is not found, or 4 bits are asked for without a GPU.
    """
    dtype = getattr(torch, cpu.precision(settings.dtype) if device.type == "cpu" else settings.dtype)
    quantization = None
    if settings.quantization == "nf4":
        if device.type != "cuda":
            raise UserError("--tagger.quantization nf4 needs a GPU: choose none to tag on the CPU.")
        quantization = BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype
        )
    try:
        tokenizer = AutoTokenizer.from_pretrained(base_model)
        model = AutoModelForCausalLM.from_pretrained(
            base_model, dtype=dtype, quantization_config=quantization, device_map={"": device}
        )
    except (OSError, ValueError) as error:
        raise UserError(
            f"The base model {base_model} (--base-model) could not be loaded: give a Transformers folder or a hub "
            "name; Llama is gated, so ask for access on its hub page first, and offline give a copied folder."
        ) from error
    return model.eval(), tokenizer


def load_adapters(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    adapters: str,
    groups: Sequence[EntityGroup],
    skip_missing: bool = False,
) -> tuple[PreTrainedModel | PeftModel, list[Prompt]]:
    """Put the adapters of all entity groups on one base model, each under the name of its group.

    Args:
        model: The base model.
        tokenizer: Its tokenizer.
        adapters: Folder with one adapter folder for each entity group, or ``none``.
        groups: The entity groups to tag.
        skip_missing: Leave out entity groups without a folder, unless all lack one.

    Returns:
        The model with its adapters in its own precision, and each adapter's prompt from its ``tagging.json``. With
        ``none``: the base model as it is, and the prompts of the entity groups.

    Raises:
        UserError: An adapter is missing or damaged, or was trained on another base model.
    """
    if adapters == NONE:
        return model, [Prompt.of(group) for group in groups]
    identity, dtype = identify(model, tokenizer), model.dtype
    folders = {group.name: Path(adapters) / group.name for group in groups}
    if skip_missing:
        folders = {name: folder for name, folder in folders.items() if folder.is_dir()} or folders
    prompts = [read_tagging_json(folder, identity) for folder in folders.values()]
    tagger: PeftModel | None = None
    for name, folder in folders.items():
        try:
            if tagger is None:
                tagger = PeftModel.from_pretrained(model, folder, adapter_name=name, torch_device=str(model.device))
            else:
                tagger.load_adapter(folder, adapter_name=name, torch_device=str(model.device))
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            raise UserError(f"{folder} holds no PEFT adapter that fits this base model: train it again.") from error
    assert tagger is not None
    for weight_name, weights in tagger.named_parameters():
        if "lora_" in weight_name:  # PEFT loads them in float32, and then casts each layer's input there and back
            weights.data = weights.data.to(dtype)
    return tagger.eval(), prompts


def identify(model: Any, tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
    """Return what tells base models apart: their shape, and a hash of the vocabulary.

    The weights are not part of it: one model is published in several conversions, which differ in their last bits.
    """
    vocabulary = "\n".join(f"{id_} {token.hex()}" for id_, token in token_bytes(tokenizer).items())
    return {
        "vocabulary_sha256": hashlib.sha256(vocabulary.encode()).hexdigest(),
        "shape": {name: getattr(model.config, name) for name in _SHAPE},
    }


def write_tagging_json(
    folder: Path, prompt: Prompt, base_model: str, model: Any, tokenizer: PreTrainedTokenizerBase
) -> None:
    """Write an adapter folder's ``tagging.json``.

    Args:
        folder: The adapter folder, which exists.
        prompt: The prompt of the training.
        base_model: Folder or hub name of the base model, for people to read.
        model: The base model, with or without adapters.
        tokenizer: Its tokenizer.
    """
    content = {**prompt.to_json(), "base_model": name_of(base_model), **identify(model, tokenizer)}
    write_json(str(folder / "tagging.json"), content)


def name_of(base_model: str) -> str:
    """Return what a base model is called: its hub name, also where it lies in the hub's cache, or its folder's name."""
    path = Path(base_model)
    cached = [part for part in path.parts if part.startswith("models--")]
    if cached:
        return cached[-1].removeprefix("models--").replace("--", "/", 1)
    return path.name if path.is_absolute() else base_model


def read_tagging_json(folder: Path, identity: Mapping[str, Any]) -> Prompt:
    """Read the prompt from an adapter folder.

    Args:
        folder: The adapter folder.
        identity: What ``identify`` returns for the base model in use.

    Raises:
        UserError: The folder or its ``tagging.json`` is missing or damaged, or was made for another base model.
    """
    if not folder.is_dir():
        raise UserError(
            f"There is no adapter folder {folder}: make it with jobs.finetune_taggers, leave its group out by "
            f"--tagger.missing-adapters skip, or tag without adapters by --adapters {NONE}."
        )
    file = folder / "tagging.json"
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        prompt = Prompt.from_json(content)
        trained_on, expected = content["base_model"], {key: content[key] for key in identity}
    except FileNotFoundError as error:
        raise UserError(f"{file} is missing: copy the adapter folder whole, or train it again.") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{file} is damaged: copy the adapter folder again, or train it again.") from error
    if prompt.group != folder.name:
        raise UserError(
            f"{file} is of the group {prompt.group}: name the folder {prompt.group}, or copy the right one."
        )
    for key, what in (("vocabulary_sha256", "vocabulary"), ("shape", "shape")):
        if expected[key] != identity[key]:
            raise UserError(
                f"The adapter {folder} was trained on {trained_on}, and --base-model has another {what}: give that "
                "base model, or train the adapter on this one."
            )
    return prompt
