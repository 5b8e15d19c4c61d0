"""Six adapters from prepared datasets, on Ray Tune."""

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from jobs import finetune_taggers, prepare
from pipeline import settings
from pipeline.errors import UserError
from pipeline.tagging.entity_groups import load_entity_groups
from pipeline.tagging.tagger import Tagger
from tests.competition import SENTENCES, write_folder

GROUPS = [group.name for group in load_entity_groups()]


@pytest.fixture(scope="module")
def datasets(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("datasets")
    train = write_folder(root / "train", 1, range(len(SENTENCES)))
    valid = write_folder(root / "valid", 101, range(len(SENTENCES)))
    prepare.main(["--train", str(train), "--valid", str(valid), "--out", str(root / "out")])
    return root / "out"


@pytest.fixture(scope="module")
def arguments(datasets, tagger_folders) -> list[str]:
    base = ["--datasets", str(datasets), "--base-model", str(tagger_folders.base)]
    return [*base, "--epochs", "2", "--few-shot", "0", "--rank", "2", "--num-cpus", "2"]


@pytest.fixture(scope="module")
def trained(arguments, ray_cluster, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("trained") / "out"
    finetune_taggers.main([*arguments, "--out", str(out)])
    return out


def test_each_group_gets_the_checkpoint_with_the_lowest_validation_loss(trained):
    card = json.loads((trained / "card.json").read_text())
    assert list(card["adapters"]) == GROUPS
    for group in GROUPS:
        rows = pq.read_table(trained / "adapters" / group / "metrics.parquet").to_pylist()
        losses = {row["step"]: row["value"] for row in rows if row["name"] == "valid_loss"}
        chosen = card["adapters"][group]
        assert len(losses) == 2 and chosen["valid_loss"] == losses[chosen["step"]] == min(losses.values())


def test_the_tagger_takes_them(trained, tagger_folders):
    tagging = settings.TaggerSettings(quantization="none", dtype="float32", max_entities=2)
    tagger = Tagger(str(tagger_folders.base), str(trained / "adapters"), tagging, device="cpu")
    assert tagger.left_out == () and len(tagger.tag(["Good morning", "早安"])) == 2


@pytest.mark.faults
def test_a_finished_group_is_not_trained_again_and_a_failed_one_stops_no_other(
    trained, arguments, datasets, tmp_path, capsys
):
    out, own = tmp_path / "out", tmp_path / "datasets"
    shutil.copytree(trained, out)
    shutil.copytree(datasets, own)
    options = json.loads((out / "training.json").read_text().replace(str(datasets), str(own)))
    (out / "training.json").write_text(json.dumps(options))
    (out / "card.json").unlink()
    for group in ("names", "care"):
        shutil.rmtree(out / "adapters" / group)
        shutil.rmtree(out / "work" / group)
    finished = {group: (out / "adapters" / group / "README.md").stat().st_mtime_ns for group in ("times", "profession")}
    (out / "work" / "care").write_text("in the way")
    again = ["--datasets", str(own), *arguments[2:], "--out", str(out)]
    with pytest.raises(UserError, match="1 of 6 adapters failed"):
        finetune_taggers.main(again)
    assert "Going on with interrupted work." in capsys.readouterr().out
    assert (out / "adapters" / "names" / "README.md").is_file() and not (out / "adapters" / "care").exists()
    assert finished == {group: (out / "adapters" / group / "README.md").stat().st_mtime_ns for group in finished}


def test_a_finished_training_is_not_replaced_unasked(trained, arguments):
    with pytest.raises(UserError, match="finished already"):
        finetune_taggers.main([*arguments, "--out", str(trained)])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (["--groups", "nobody"], "no such group"),
        (["--rank", "0"], "--rank 0"),
        (["--few-shot", "6"], "has 5 few-shot turns"),
        (["--num-cpus", "64"], "asks for 64 CPUs"),
        (["--datasets", "nowhere"], "holds no datasets of this version of jobs.prepare"),
        (["--base-model", "./nowhere"], "--base-model ./nowhere"),
        (["--settings", "{folder}/best.yaml"], "names: give settings out of"),
        (["--settings", "{folder}/worse.yaml"], "write 0.00004"),
        (["--out", "memory://out"], "mounted storage"),
    ],
)
def test_a_users_mistake_is_one_sentence_before_anything_starts(arguments, change, sentence, tmp_path, ray_cluster):
    (tmp_path / "best.yaml").write_text("names: {speed: 3}\n")
    (tmp_path / "worse.yaml").write_text("names: {learning_rate: 4e-5}\n")
    change = [value.format(folder=tmp_path) for value in change]
    with pytest.raises(UserError, match=sentence):
        finetune_taggers.main([*arguments, "--out", str(tmp_path / "out"), *change])
    assert not (tmp_path / "out" / "work").exists()


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (shutil.rmtree, "holds no dataset of the group care in tagging/care: give the out"),
        (
            lambda care: (care.parents[1] / "prepare_report.json").write_text("{}"),
            "holds no datasets of this version of jobs.prepare",
        ),
        (
            lambda care: (care / "prompt.json").unlink(),
            "holds no dataset of the group care in tagging/care: give the out",
        ),
        (lambda care: (care / "valid.parquet").unlink(), "holds no dataset of the group care in tagging/care"),
        (lambda care: (care / "prompt.json").write_text("{}"), "care: its dataset cannot be read: make it again with"),
        (lambda care: (care / "train.parquet").write_text("torn"), "care: its dataset cannot be read"),
        (lambda care: shutil.copy(care.parent / "names" / "prompt.json", care), "is of the group names: name"),
        (lambda care: empty(care / "valid.parquet"), "care holds no example to validate on."),
        (lambda care: empty(care / "train.parquet"), "care holds no example to train on."),
        (
            lambda care: [empty(care / f"{split}.parquet") for split in ("train", "valid")],
            "care holds no example to train and none to validate on.",
        ),
    ],
)
def test_a_dataset_that_cannot_be_trained_on_is_one_sentence(arguments, datasets, harm, sentence, tmp_path):
    shutil.copytree(datasets / "tagging", tmp_path / "tagging")
    shutil.copy(datasets / "prepare_report.json", tmp_path)
    harm(tmp_path / "tagging" / "care")
    given = ["--datasets", str(tmp_path), "--out", str(tmp_path / "out"), "--groups", "care"]
    with pytest.raises(UserError, match=sentence):
        finetune_taggers.main([*arguments, *given])


def empty(file: Path) -> None:
    pq.write_table(pq.read_table(file).slice(0, 0), file)
