"""The demo of training: a new clinic joins, whose people, streets and hospitals the demo's models never heard."""

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from jobs import finetune_asr, finetune_taggers, predict, prepare
from jobs.command_line import check_local
from jobs.demo_scores import SCORES, print_scores, score_run
from jobs.folders import open_out
from jobs.progress import track
from pipeline import answers
from pipeline.corpus import synthetic
from pipeline.demo import model_paths
from pipeline.run_folder import write_json

_MADE_HERE = ["clinic", "prepared", "parakeet", "taggers", "before", "after"]
_SEED = 4711
"""Of the clinic; that of the demo's corpus is another."""


@dataclass(frozen=True)
class Sizes:
    """How much is made and learned; by default what two cores should get done in a quarter of an hour.

    Attributes:
        train: Recordings to train on; a few less, as no sentence comes twice.
        valid: Recordings to validate on.
        test: Recordings to compare the models on.
        asr_epochs: Epochs of Parakeet.
        tagger_epochs: Epochs of each adapter.
    """

    train: int = 300
    valid: int = 50
    test: int = 40
    asr_epochs: int = 6
    tagger_epochs: int = 2


def show(out: str, sizes: Sizes = Sizes()) -> None:
    """Make a new clinic's recordings, train on them, and compare old and new models on others of its recordings.

    Parakeet learns on from the demo's. The adapters are trained anew on the demo's base model, which has learned to
    tag the old clinic: a new adapter begins by changing nothing. Whisper stays as it is.

    Args:
        out: The folder; what an earlier call left there, finished or not, is made anew.
        sizes: How much is made and learned.

    Raises:
        UserError: The folder holds something else than this demo.
    """
    folder = check_local("--out", out)
    open_out(out, "demo_train.json", SCORES, _MADE_HERE, asdict(sizes), over=True)
    clinic, prepared = folder / "clinic", folder / "prepared"

    _say("A new clinic: people, streets and hospitals that the models never heard")
    make_clinic(clinic, sizes)
    _say("Its recordings made ready for training")
    labelled = ["--phase", str(clinic / "train"), "--valid", str(clinic / "valid")]
    prepare.main([*labelled, "--out", str(prepared), "--parakeet", model_paths()["parakeet"]])
    _say("Parakeet, which hears English, learns on")
    rates = ["--learning-rate", "5e-4", "--min-learning-rate", "5e-5"]
    asr = ["--manifests", str(prepared / "manifests"), "--out", str(folder / "parakeet"), *rates]
    finetune_asr.main([*asr, "--epochs", str(sizes.asr_epochs)])
    _say("Six adapters learn what to tag")
    taggers = ["--sets", str(prepared), "--out", str(folder / "taggers"), "--few-shot", "0"]
    finetune_taggers.main([*taggers, "--epochs", str(sizes.tagger_epochs)])

    models = ["--parakeet", str(folder / "parakeet"), "--adapters", str(folder / "taggers" / "adapters")]
    scores = {}
    for name, of_models in (("before", []), ("after", [*models, "--tagger.missing-adapters", "skip"])):
        _say(f"Other recordings of the new clinic with the models {name} training")
        predict.main(["--audio", str(clinic / "test" / "audio"), "--out", str(folder / name), *of_models])
        scores[name] = score_run(folder / name, clinic / "test")
    write_json(str(folder / SCORES), scores)
    print()
    print_scores(scores)
    print("Whisper, which hears Mandarin, was not trained.")
    print()
    print(f"Losses and error rates by step: {out}/parakeet/curves.png and {out}/taggers/adapters/*/curves.png")


def make_clinic(folder: Path, sizes: Sizes) -> None:
    """Make ``train/``, ``valid/`` and ``test/``, each in the competition's layout; no sentence is said twice.

    Names, numbers and identifiers are those of the part of the grammar that no model of the demo was trained on.

    Args:
        folder: Where the parts go.
        sizes: How many recordings each gets.
    """
    total = sizes.train + sizes.valid + sizes.test
    drawn = dict.fromkeys(synthetic.PHASES, 0) | {"test": total}
    folder.mkdir()
    with tempfile.TemporaryDirectory(dir=folder) as workshop:
        synthetic.make(Path(workshop), drawn, _SEED, ("test",), lambda items: track(items, total, "recordings"))
        made = Path(workshop, "test")
        texts = answers.read_task1(str(made / answers.TASK1))
        ids = list({text: recording_id for recording_id, text in texts.items()}.values())
        ends = (sizes.test, sizes.test + sizes.valid, len(ids))
        for part, begin, end in zip(("test", "valid", "train"), (0, *ends), ends, strict=False):
            _move(made, folder / part, set(ids[begin:end]))


def _move(made: Path, part: Path, ids: set[str]) -> None:
    (part / "audio").mkdir(parents=True)
    for name in (answers.TASK1, answers.TASK2):
        lines = (made / name).read_text(encoding="utf-8").splitlines(keepends=True)
        own = "".join(line for line in lines if line.partition("\t")[0] in ids)
        (part / name).write_text(own, encoding="utf-8")
    for file in (made / "audio").iterdir():
        if file.stem in ids:
            file.rename(part / "audio" / file.name)


def _say(what: str) -> None:
    print(f"\n{what}", flush=True)
