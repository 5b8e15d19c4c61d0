import json
import shutil
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from pipeline import settings
from pipeline.errors import UserError
from pipeline.tagging.adapters import identify, load_adapters, load_base, read_tagging_json, write_tagging_json
from pipeline.tagging.entity_groups import load_entity_groups
from pipeline.tagging.prompts import Prompt
from tests.tagger_models import TaggerFolders
from tests.tiny_tagger import build_tagger

CPU = torch.device("cpu")
GROUPS = load_entity_groups()


def fresh_base(folders: TaggerFolders, dtype: str = "float32"):
    return load_base(str(folders.base), settings.TaggerSettings(quantization="none", dtype=dtype), CPU)


@pytest.fixture()
def copied(tagger_folders: TaggerFolders, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tagger_folders.adapters, tmp_path / "adapters"))


@pytest.fixture(scope="session")
def identity(tagger_folders: TaggerFolders) -> dict[str, str]:
    return identify(*fresh_base(tagger_folders))


def test_one_base_carries_all_adapters(tagger_folders: TaggerFolders):
    base, tokenizer = fresh_base(tagger_folders)
    weights = sum(parameter.numel() for parameter in base.parameters())
    model, prompts = load_adapters(base, tokenizer, str(tagger_folders.adapters), GROUPS)
    of_adapters = sum(parameter.numel() for name, parameter in model.named_parameters() if "lora_" in name)
    assert list(model.peft_config) == [prompt.group for prompt in prompts] == [group.name for group in GROUPS]
    assert sum(parameter.numel() for parameter in model.parameters()) == weights + of_adapters
    assert of_adapters > 0


def test_adapters_differ_and_keep_to_themselves(tagger_folders: TaggerFolders):
    base, tokenizer = fresh_base(tagger_folders)
    model, prompts = load_adapters(base, tokenizer, str(tagger_folders.adapters), GROUPS)
    ids = torch.tensor([tokenizer("hello doctor")["input_ids"]])

    def logits(group: str) -> torch.Tensor:
        model.set_adapter(group)
        with torch.inference_mode():
            return model(input_ids=ids).logits

    first = {prompt.group: logits(prompt.group) for prompt in prompts}
    again = {prompt.group: logits(prompt.group) for prompt in reversed(prompts)}
    for group, values in first.items():
        assert torch.equal(values, again[group])
        assert not any(torch.allclose(values, others) for other, others in first.items() if other != group)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_adapters_have_the_precision_of_their_base(tagger_folders: TaggerFolders, dtype: str):
    base, tokenizer = fresh_base(tagger_folders, dtype)
    model, _ = load_adapters(base, tokenizer, str(tagger_folders.adapters), GROUPS)
    assert {str(weights.dtype) for name, weights in model.named_parameters()} == {f"torch.{dtype}"}


def test_without_adapters_the_groups_speak_for_themselves(tagger_folders: TaggerFolders):
    base, tokenizer = fresh_base(tagger_folders)
    model, prompts = load_adapters(base, tokenizer, "none", GROUPS)
    assert model is base
    assert prompts == [Prompt.of(group) for group in GROUPS]


def test_inference_is_told_what_training_wrote(tmp_path: Path, tagger_base, tagger_tokenizer):
    told = Prompt("times", {"DATE": "a day"}, "find days 找日期", ("on <DATE>Friday</DATE>",))
    folder = tmp_path / "times"
    folder.mkdir()
    write_tagging_json(folder, told, "some/base", tagger_base, tagger_tokenizer)
    assert read_tagging_json(folder, identify(tagger_base, tagger_tokenizer)) == told
    written = json.loads((folder / "tagging.json").read_text(encoding="utf-8"))
    assert written["base_model"] == "some/base"
    assert written["few_shot"] == ["on <DATE>Friday</DATE>"]


def test_an_adapter_in_another_groups_folder_is_refused(tagger_folders, identity, tmp_path: Path):
    renamed = shutil.copytree(tagger_folders.adapters / "times", tmp_path / "names")
    with pytest.raises(UserError, match="is of the group times"):
        read_tagging_json(renamed, identity)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_a_base_is_the_same_in_every_precision(tagger_folders, identity, dtype: str):
    assert identify(*fresh_base(tagger_folders, dtype)) == identity


def test_a_base_is_the_same_with_adapters_around_it(tagger_folders, identity):
    base, tokenizer = fresh_base(tagger_folders)
    model, _ = load_adapters(base, tokenizer, str(tagger_folders.adapters), GROUPS)
    assert identify(model, tokenizer) == identity


def test_another_conversion_of_a_base_is_the_same(tagger_folders, tmp_path: Path, identity):
    build_tagger(tmp_path / "base", tmp_path / "adapters", seed=1)
    other = AutoModelForCausalLM.from_pretrained(tmp_path / "base")
    assert identify(other, fresh_base(tagger_folders)[1]) == identity


def test_a_base_of_another_shape_is_refused(tagger_folders: TaggerFolders):
    base, tokenizer = fresh_base(tagger_folders)
    base.config.num_hidden_layers += 1
    with pytest.raises(UserError, match=r"names was trained on base, and --base-model has another shape"):
        load_adapters(base, tokenizer, str(tagger_folders.adapters), GROUPS)


def test_another_vocabulary_is_refused(tagger_folders: TaggerFolders, tmp_path: Path):
    base, tokenizer = fresh_base(tagger_folders)
    spelled = json.loads(tokenizer.backend_tokenizer.to_str())
    vocabulary = spelled["model"]["vocab"]
    one, other = sorted(vocabulary)[500:502]
    vocabulary[one], vocabulary[other] = vocabulary[other], vocabulary[one]
    swapped = PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(json.dumps(spelled)))
    with pytest.raises(UserError, match="--base-model has another vocabulary"):
        load_adapters(base, swapped, str(tagger_folders.adapters), GROUPS)


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (lambda folder: shutil.rmtree(folder), "There is no adapter folder"),
        (lambda folder: (folder / "tagging.json").unlink(), "is missing"),
        (lambda folder: (folder / "tagging.json").write_text("{}"), "is damaged"),
        (lambda folder: (folder / "tagging.json").write_text("{"), "is damaged"),
        (lambda folder: (folder / "adapter_config.json").unlink(), "holds no PEFT adapter"),
        (lambda folder: (folder / "adapter_model.safetensors").unlink(), "holds no PEFT adapter"),
        (lambda folder: (folder / "adapter_model.safetensors").write_bytes(b"torn"), "holds no PEFT adapter"),
    ],
)
@pytest.mark.parametrize("group", ["names", "times"])
def test_a_harmed_adapter_folder_is_named(tagger_folders, copied: Path, group: str, harm, says: str):
    harm(copied / group)
    base, tokenizer = fresh_base(tagger_folders)
    with pytest.raises(UserError) as error:
        load_adapters(base, tokenizer, str(copied), GROUPS)
    assert str(copied / group) in str(error.value)
    assert says in str(error.value)


def test_a_missing_base_is_named(tmp_path: Path):
    with pytest.raises(UserError, match=r"nowhere \(--base-model\)"):
        load_base(str(tmp_path / "nowhere"), settings.TaggerSettings(quantization="none"), CPU)


def test_four_bits_need_a_gpu(tagger_folders):
    with pytest.raises(UserError, match="needs a GPU"):
        load_base(str(tagger_folders.base), settings.TaggerSettings(quantization="nf4"), CPU)
