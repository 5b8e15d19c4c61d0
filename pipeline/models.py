"""Locate all models before a run starts, so that a missing one is reported at once."""

import re
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)

from pipeline.errors import UserError, nearest
from pipeline.files import no_folder
from pipeline.settings import IDENTIFY, NONE, Models, Settings, TaggerSettings, WhisperSettings
from pipeline.tagging.entity_groups import load_entity_groups

_NOT_LOADED = ["original/*", "*.pth", "*.gguf", "*.h5", "*.msgpack", "*.onnx"]
_WEIGHTS = "*.safetensors", "*.bin"
_TOKENIZER = "tokenizer.json", "tokenizer.model", "vocab.json"


def locate(settings: Settings) -> Settings:
    """Locate all models and files. Hub names are looked up in the local hub cache and downloaded if missing.

    Returns:
        The same settings with absolute paths, which must be valid on every node of a cluster.

    Raises:
        UserError: A model is missing or cannot be used; the message says what to do.
    """
    models = settings.models
    found = Models(
        whisper=NONE if models.whisper == NONE else _whisper(models.whisper, settings.whisper),
        identifier=NONE
        if NONE in (models.whisper, models.identifier)
        else _whole_whisper("--identifier", _locate("--identifier", models.identifier)),
        parakeet=NONE if models.parakeet == NONE else str(locate_parakeet(models.parakeet)),
        aligner=NONE if models.aligner == NONE else str(locate_nemo("--aligner", models.aligner)),
        base_model=str(locate_base_model(models.base_model)),
        adapters=str(_adapters(models.adapters, settings.tagger)),
    )
    tagger = settings.tagger
    groups = [group.name for group in load_entity_groups(tagger.groups_file)]
    for name in tagger.opening_bias:
        if name not in groups:
            raise UserError(
                f"--tagger.opening-bias {name}: there is no such entity group; the nearest is {nearest(name, groups)}."
            )
    tagger = replace(
        tagger,
        groups_file=_file(tagger.groups_file),
        rules=_file(tagger.rules),
        patterns=_file(tagger.patterns),
        patients=_file(tagger.patients),
    )
    return replace(settings, models=found, tagger=tagger)


def locate_parakeet(name: str) -> Path:
    """Locate a Parakeet, see ``locate_nemo``."""
    return locate_nemo("--parakeet", name)


def locate_nemo(option: str, name: str) -> Path:
    """Locate a ``.nemo`` file by its path, its folder or its hub name.

    Raises:
        UserError: It is missing; the message says how to get it.
    """
    path = _locate(option, name)
    if path.is_dir():
        found = sorted(path.glob("*.nemo"))
        if len(found) != 1:
            raise UserError(f"{option} {name}: {len(found)} .nemo files in {path}, not one: give the file itself.")
        path = found[0]
    if not tarfile.is_tarfile(path):
        raise UserError(f"{option} {path} is not a .nemo file, which NeMo writes of a whole model.")
    return path


def locate_base_model(name: str) -> Path:
    """Locate a causal language model by its folder or its hub name.

    Raises:
        UserError: It is missing or lacks a part; the message says how to get it.
    """
    path = _locate("--base-model", name)
    _whole("--base-model", path, "config.json", _TOKENIZER, _WEIGHTS)
    return path


def _file(path: Path | None) -> Path | None:
    return path and path.expanduser().absolute()


def _locate(option: str, name: str) -> Path:
    if "://" in name:
        raise UserError(f"{option} {name}: models are read from mounted storage: copy it there and give its path.")
    path = Path(name).expanduser()
    if path.exists():
        return path.resolve()
    if name.count("/") != 1 or name.startswith((".", "~", "/")):
        raise UserError(
            f"{option} {name}: there is no such folder or file. Give a path, or a hub name (organisation/name)."
        )
    try:
        try:
            return Path(snapshot_download(name, ignore_patterns=_NOT_LOADED, local_files_only=True))
        except LocalEntryNotFoundError:
            print(f"{option} {name} is fetched from the hub, this once.", file=sys.stderr)
            return Path(snapshot_download(name, ignore_patterns=_NOT_LOADED))
    except GatedRepoError:
        why = "is gated: accept its licence on the hub and run `hf auth login`, then try again"
    except (RepositoryNotFoundError, HFValidationError):
        why = "is neither a path here nor a model on the hub (private models need `hf auth login`)"
    except (OfflineModeIsEnabled, LocalEntryNotFoundError, HfHubHTTPError, OSError):
        why = (
            "is not on this machine and the hub cannot be reached: on a machine that can, run "
            f"`hf download {name} --local-dir FOLDER`, copy the folder here and give {option} FOLDER"
        )
    raise UserError(f"{option} {name} {why}.")


def _whisper(name: str, settings: WhisperSettings) -> str:
    path = _locate("--whisper", name)
    holds = "faster-whisper" if (path / "model.bin").is_file() else "transformers"
    if holds != settings.backend:
        raise UserError(f"--whisper {path} holds a model for {holds}: give --whisper.backend {holds} too.")
    whole = _whole_whisper("--whisper", path)
    codes = sorted({*re.findall(r'"<\|([a-z]{2,3})\|>"', (path / "tokenizer.json").read_text(encoding="utf-8"))})
    if codes and settings.language not in (*codes, IDENTIFY):
        raise UserError(
            f"--whisper.language {settings.language}: the model writes no such language; its codes are "
            f"{', '.join(codes)}."
        )
    return whole


def _whole_whisper(option: str, path: Path) -> str:
    _whole(option, path, "config.json", "tokenizer.json", _WEIGHTS)
    return str(path)


def _whole(option: str, path: Path, *parts: str | tuple[str, ...]) -> None:
    if not path.is_dir():
        raise UserError(f"{option} {path} is a file: give the folder of the model.")
    for part in parts:
        kinds = (part,) if isinstance(part, str) else part
        if not any(file.is_file() for kind in kinds for file in path.glob(kind)):
            raise UserError(f"{option} {path} lacks {' or '.join(kinds)}: copy the model's folder whole.")


def groups_without_adapter(settings: Settings) -> list[str]:
    """List the entity groups that lack an adapter folder; none does if ``adapters`` is ``none``."""
    if settings.models.adapters == NONE:
        return []
    path = Path(settings.models.adapters).expanduser()
    return [group.name for group in load_entity_groups(settings.tagger.groups_file) if not (path / group.name).is_dir()]


def _adapters(name: str, tagger: TaggerSettings) -> Path | str:
    if name == NONE:
        return name
    path = Path(name).expanduser()
    how = (
        "`python -m jobs.finetune_taggers --out D` makes D/adapters; --tagger.missing-adapters skip leaves out groups "
        f"that have none; --adapters {NONE} tags without adapters, on the base model's few-shot turns alone."
    )
    if not path.is_dir():
        raise UserError(f"--adapters {name}{no_folder(str(path))} {how}")
    folders = [path / group.name for group in load_entity_groups(tagger.groups_file)]
    there = [folder for folder in folders if folder.is_dir()]
    for folder in there if tagger.missing_adapters == "skip" and there else folders:
        if not (folder / "tagging.json").is_file():
            raise UserError(f"--adapters {name}: no adapter folder for the group {folder.name} in it. {how}")
        _whole("--adapters", folder, "adapter_config.json", _WEIGHTS)
    return path.resolve()
