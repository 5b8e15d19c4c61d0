"""The parts of the GPU check. Each writes its figures by ``note`` as they come."""

import gc
import logging
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch

Note = Callable[[dict[str, Any]], None]

_LIBRARIES = ("torch", "transformers", "peft", "trl", "bitsandbytes", "liger-kernel", "nemo_toolkit", "ctranslate2")
_GIB = 2**30


@dataclass(frozen=True)
class Size:
    """What is measured.

    Attributes:
        real: The shapes of the real models on the GPU; else tiny ones on the CPU.
        tokenizer: Folder of a tokenizer for Llama, or None to train one.
    """

    real: bool
    tokenizer: Path | None

    @property
    def device(self) -> torch.device:
        return torch.device("cuda" if self.real else "cpu")


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _seconds(work: Callable[[], Any], times: int = 1) -> float:
    _wait()
    start = time.perf_counter()
    for _ in range(times):
        work()
    _wait()
    return (time.perf_counter() - start) / times


def _start_of_peak() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def _peak_gib() -> float | None:
    return round(torch.cuda.max_memory_allocated() / _GIB, 2) if torch.cuda.is_available() else None


def _used_gib() -> float | None:
    """Memory in use on the card by all libraries, PyTorch's or not."""
    if not torch.cuda.is_available():
        return None
    free, total = torch.cuda.mem_get_info()
    return round((total - free) / _GIB, 2)


def speeds(device: torch.device) -> dict[str, float]:
    """Measure what the roofline is made of: memory bandwidth (bytes read and written) and bfloat16 products."""
    real = device.type == "cuda"
    source = torch.empty((2**30 if real else 2**22) // 2, dtype=torch.bfloat16, device=device)
    target = torch.empty_like(source)
    size = 8192 if real else 256
    matrix = torch.randn(size, size, dtype=torch.bfloat16, device=device)
    for work in (lambda: target.copy_(source), lambda: matrix @ matrix):
        _seconds(work, 3)
    copy_s, product_s = _seconds(lambda: target.copy_(source), 10), _seconds(lambda: matrix @ matrix, 10)
    return {"GB/s": 2 * 2 * source.numel() / copy_s / 1e9, "TFLOP/s bf16": 2 * size**3 / product_s / 1e12}


def machine(size: Size, note: Note) -> None:
    """Tell the card, the driver and the libraries."""
    figures: dict[str, Any] = {"card": "none: tiny shapes on the CPU, which say nothing about speed"}
    if size.real:
        properties = torch.cuda.get_device_properties(0)
        figures = {"card": properties.name, "memory GiB": round(properties.total_memory / _GIB, 1)}
        query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        driver = subprocess.run(query, capture_output=True, text=True) if shutil.which("nvidia-smi") else None
        figures |= {"driver": driver.stdout.splitlines()[0] if driver and driver.stdout else "unknown"}
        figures |= {"CUDA of PyTorch": torch.version.cuda}
    for name in _LIBRARIES:
        try:
            figures[name] = version(name)
        except PackageNotFoundError:
            figures[name] = "missing"
    note(figures)
    note(figures | {name: round(value, 1) for name, value in speeds(size.device).items()})


@dataclass
class Passes:
    """What the passes of a model took, and what they had to take at least.

    Attributes:
        events: Start and end of each pass: CUDA events, or seconds on the CPU.
        least_s: Seconds of all passes at the roofline.
    """

    events: list[tuple[Any, Any]] = field(default_factory=list)
    least_s: float = 0.0

    @property
    def seconds(self) -> float:
        """Seconds of all passes on the device."""
        _wait()
        if torch.cuda.is_available():
            return sum(start.elapsed_time(end) for start, end in self.events) / 1000
        return sum(end - start for start, end in self.events)


@contextmanager
def watched(model: Any, bandwidth: float, products: float) -> Iterator[Passes]:
    """Watch a tagging model's passes while the body runs.

    Args:
        model: The model, with adapters.
        bandwidth: Bytes a second.
        products: Floating-point operations a second.
    """
    base = model.get_base_model()
    config = base.config
    weights = sum(weight.numel() * weight.element_size() for weight in base.model.parameters())
    count = sum(
        weight.numel() * (2 if weight.dtype == torch.uint8 else 1)  # two of 4 bits in a byte
        for name, weight in base.model.layers.named_parameters()
        if "lora_" not in name
    )
    slot = 2 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim * 2
    passes = Passes()

    def now() -> Any:
        if not torch.cuda.is_available():
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def before(module: Any, positional: Any, named: Any) -> None:
        rows, tokens = named["input_ids"].shape
        cache = named.get("past_key_values")
        plan = getattr(cache, "plan", None)
        slots = plan.visible if plan else tokens + (cache.get_seq_length() if cache is not None else 0)
        passes.least_s += max((weights + rows * slots * slot) / bandwidth, 2 * count * rows * tokens / products)
        passes.events.append((now(), None))

    def after(module: Any, positional: Any, output: Any) -> None:
        passes.events[-1] = (passes.events[-1][0], now())

    hooks = [base.register_forward_pre_hook(before, with_kwargs=True), base.register_forward_hook(after)]
    try:
        yield passes
    finally:
        for hook in hooks:
            hook.remove()


def tagger(size: Size, note: Note, nf4: bool) -> None:
    """Tag with a Llama of 3 billion parameters that decides as the labels do: the reference's way, and ours."""
    from transformers import LlamaConfig

    from tests.benchmarks import tagging

    logging.getLogger("transformers").setLevel(logging.ERROR)
    if nf4:
        import bitsandbytes  # noqa: F401  (its absence is said before anything is made)
    if not size.real:
        tagging.LLAMA_3B = LlamaConfig(**tagging.LLAMA_3B.to_dict() | _SMALL_LLAMA)
    speed = speeds(size.device)
    bandwidth, products = speed["GB/s"] * 1e9, speed["TFLOP/s bf16"] * 1e12
    recordings, batches = (256, (16, 64, 256)) if size.real else (8, (2, 4))
    options = tagging.Options(
        recordings=recordings, random_3b=True, nf4=nf4, tokenizer=size.tokenizer, device=size.device.type
    )
    task = tagging.load(options)
    groups = len(task.prompts)
    figures: dict[str, Any] = {"recordings": recordings, "tokens of the tokenizer": len(task.tokenizer), "rows": []}
    few = replace(task, recordings=task.recordings[: min(batches)])
    tagging.draft_and_verify(few, min(batches))  # kernels are compiled, memory is taken
    for batch in batches:
        _start_of_peak()
        with watched(task.model, bandwidth, products) as passes:
            ours = tagging.draft_and_verify(task, batch)
            _wait()
        row = {
            "batch": batch,
            "recordings/s": ours.per_second(groups),
            "passes an answer": ours.mean_passes,
            "share in the model": passes.seconds / ours.seconds,
            "of the roofline": passes.least_s / ours.seconds,
            "peak GiB": _peak_gib(),
        }
        _start_of_peak()
        reference = tagging.in_batches(task, tagging.reference, batch, 12.0 if size.real else 1.0)
        row |= {"reference's recordings/s": reference.per_second(groups), "reference's peak GiB": _peak_gib()}
        figures["rows"].append(row)
        note(figures)
        if batch == min(batches):
            slow = tagging.in_batches(task, tagging.token_by_token, batch, 12.0 if size.real else 1.0)
            differ = tagging.mismatches(task, slow, ours)
            figures["answers that differ from token by token"] = f"{differ} of {len(slow.answers)}"
            note(figures)
    best = {name: max(row[name] for row in figures["rows"]) for name in ("recordings/s", "reference's recordings/s")}
    figures["times the reference"] = best["recordings/s"] / best["reference's recordings/s"]
    note(figures)


_SMALL_LLAMA = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
}


def lora(size: Size, note: Note) -> None:
    """Take some steps of a LoRA training: the reference's way (five turns, loss on all of it), and ours."""
    from transformers import AutoTokenizer, LlamaConfig, TrainerCallback

    from pipeline.corpus.tagging_datasets import Dataset
    from pipeline.demo import CLIPS
    from pipeline.tagging.prompts import Prompt
    from tests.llama_files import train_tokenizer
    from tests.names_dataset import GROUP, examples
    from tests.oracle import read_corpus
    from tests.real_shapes import LLAMA_3B, write_llama
    from tuning import adapter
    from tuning.settings import ADAPTER_PROFILES

    prompt, clips = Prompt.of(GROUP), read_corpus(CLIPS)
    rows = examples([(clip.text, clip.of(list(GROUP.types))) for clip in clips * (8 if size.real else 1)])
    dataset = Dataset(prompt, {"train": rows, "valid": rows.slice(0, 2)})
    told = [prompt.system, *prompt.examples, *(clip.text for clip in clips)]
    tokenizer = AutoTokenizer.from_pretrained(size.tokenizer) if size.tokenizer else train_tokenizer(told, 8000)

    class Clock(TrainerCallback):
        """Notes when each step ends."""

        def __init__(self) -> None:
            self.ends: list[float] = []

        def on_step_end(self, *_: Any, **__: Any) -> None:
            _wait()
            self.ends.append(time.perf_counter())

    figures: dict[str, Any] = {"rows": []}
    with tempfile.TemporaryDirectory() as folder:
        config = LLAMA_3B if size.real else LlamaConfig(**LLAMA_3B.to_dict() | _SMALL_LLAMA)
        write_llama(Path(folder) / "base", tokenizer, config, size.device.type)
        for profile in ("reference", "rtx4090"):
            settings = replace(ADAPTER_PROFILES[profile], base_model=f"{folder}/base", epochs=1)
            settings = settings if size.real else replace(settings, dtype="float32")
            _start_of_peak()
            trainer = adapter.make_trainer(dataset, settings, Path(folder) / profile)
            steps = 8 if size.real else 3
            clock, warm = Clock(), 2 if size.real else 1
            trainer.args.max_steps, trainer.args.eval_strategy, trainer.args.save_strategy = steps, "no", "no"
            trainer.args.load_best_model_at_end = False
            trainer.add_callback(clock)
            trainer.train()
            packs = [len(ids) for ids in trainer.train_dataset["input_ids"]]
            packs_a_step = settings.batch_size * settings.accumulation
            seconds = (clock.ends[-1] - clock.ends[warm - 1]) / (len(clock.ends) - warm)
            figures["rows"].append(
                {
                    "way": profile,
                    "tokens/s": sum(packs) / len(packs) * packs_a_step / seconds,
                    "examples/s": len(rows) / len(packs) * packs_a_step / seconds,
                    "s a step": seconds,
                    "peak GiB": _peak_gib(),
                }
            )
            note(figures)
            del trainer
    reference, ours = figures["rows"]
    figures["examples a second, times the reference"] = ours["examples/s"] / reference["examples/s"]
    note(figures)


_SMALL_WHISPER = {
    "d_model": 64,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
}


def whisper(size: Size, note: Note, backend: Any) -> None:
    """Transcribe 10 s of noise at a time with a Whisper large-v2; random weights write as much as they may."""
    from pipeline.settings import WhisperSettings
    from pipeline.speech.routing import Router
    from pipeline.speech.whisper import load_whisper
    from tests.real_shapes import WHISPER_LARGE_V2, write_whisper

    if backend == "faster-whisper":
        import ctranslate2  # noqa: F401
        import faster_whisper  # noqa: F401

        from tests.asr_models import convert_whisper
    with tempfile.TemporaryDirectory() as folder:
        shape, pieces = (WHISPER_LARGE_V2, 20_000) if size.real else (WHISPER_LARGE_V2 | _SMALL_WHISPER, 500)
        write_whisper(Path(folder) / "whisper", shape, pieces)
        model = Path(folder) / "whisper"
        if backend == "faster-whisper":
            model = convert_whisper(model, Path(folder) / "converted")
        settings = WhisperSettings(backend=backend, dtype="float16" if size.real else "float32")
        figures: dict[str, Any] = {"rows": []}
        for batch in (1, 16) if size.real else (1, 2):
            own = replace(settings, batch_seconds=30.0 * batch)
            loaded = Router(load_whisper(str(model), own, size.device.type), own)
            _asr_row(figures, loaded, batch, 10.0 if size.real else 1.0, note)
            del loaded


def parakeet(size: Size, note: Note) -> None:
    """Transcribe 10 s of noise at a time with a Parakeet 0.6B, in both precisions."""
    import nemo  # noqa: F401

    from pipeline.settings import ParakeetSettings
    from pipeline.speech.parakeet import Parakeet
    from tests.real_shapes import write_parakeet

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "parakeet.nemo"
        write_parakeet(file, small=not size.real)
        figures: dict[str, Any] = {"rows": []}
        for dtype in ("float32", "bfloat16") if size.real else ("float32",):
            loaded = Parakeet(str(file), ParakeetSettings(dtype=dtype), size.device.type)  # type: ignore[arg-type]
            for batch in (1, 16) if size.real else (1, 2):
                _asr_row(figures, loaded, batch, 10.0 if size.real else 1.0, note, {"dtype": dtype})
            del loaded


def _asr_row(
    figures: dict[str, Any], model: Any, batch: int, seconds: float, note: Note, more: dict[str, Any] | None = None
) -> None:
    sounds = [
        np.random.default_rng(number).normal(0, 0.1, int(16_000 * seconds)).astype(np.float32)
        for number in range(batch)
    ]
    model.transcribe(sounds[:1])
    _start_of_peak()
    took = _seconds(lambda: model.transcribe(sounds))
    row = {"batch": batch, "s of audio/s": batch * seconds / took, "GiB of the card in use": _used_gib()}
    figures["rows"].append((more or {}) | row)
    note(figures)


PARTS: dict[str, Callable[[Size, Note], None]] = {
    "machine": machine,
    "tagger-bf16": lambda size, note: tagger(size, note, nf4=False),
    "tagger-nf4": lambda size, note: tagger(size, note, nf4=True),
    "lora": lora,
    "whisper-transformers": lambda size, note: whisper(size, note, "transformers"),
    "whisper-ctranslate2": lambda size, note: whisper(size, note, "faster-whisper"),
    "parakeet": parakeet,
}
"""The parts by name."""
