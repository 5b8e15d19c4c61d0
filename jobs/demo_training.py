"""Demo of training: train the demo's models further on a new clinic with unseen people, streets and hospitals."""

from dataclasses import asdict, dataclass
from pathlib import Path

from jobs import finetune_asr, finetune_taggers, predict, prepare
from jobs.command_line import check_local
from jobs.progress import track
from jobs.score_tables import print_few
from pipeline.files import write_json
from pipeline.out_folder import OutFolder
from pipeline.scoring.comparison import compare
from pipeline.settings import PROFILES
from pipeline.submission import read_submission
from pipeline.synthetic import corpus as synthetic

SCORES = "scores.json"

_MADE_HERE = ["clinic", "prepared", "parakeet", "taggers", "before", "after"]
_SEED = 4711
"""Random seed of the new clinic, different from that of the demo's corpus."""


@dataclass(frozen=True)
class Sizes:
    """Sizes of the demo of training. By default, it takes about 15 minutes on two cores.

    Attributes:
        train: Recordings to train on.
        valid: Recordings to validate on.
        test: Recordings to compare the models on.
        asr_epochs: Training epochs of Parakeet.
        tagger_epochs: Training epochs of each adapter.
    """

    train: int = 300
    valid: int = 50
    test: int = 40
    asr_epochs: int = 6
    tagger_epochs: int = 2


def show(out: str, sizes: Sizes = Sizes()) -> None:
    """Make recordings of a new clinic, train on most of them, and compare old and new models on the others.

    Parakeet is trained further. New adapters are trained on the demo's base model, which has learned to tag the old
    clinic; an untrained adapter does not change it. Whisper is not trained.

    Args:
        out: The out folder. The results of an earlier call, finished or not, are replaced.
        sizes: Sizes of the data and of the training.

    Raises:
        UserError: The folder holds something other than this demo.
    """
    folder = check_local("--out", out)
    OutFolder(out, "demo_train.json", SCORES, _MADE_HERE).begin(asdict(sizes), overwrite=True)
    clinic, prepared = folder / "clinic", folder / "prepared"

    _say("A new clinic: people, streets and hospitals that are new to the models")
    make_clinic(clinic, sizes)
    _say("Its recordings made ready for training")
    labelled = ["--train", str(clinic / "train"), "--valid", str(clinic / "valid")]
    prepare.main([*labelled, "--out", str(prepared), "--parakeet", PROFILES["demo"].models.parakeet])
    _say("Parakeet, which transcribes English, learns on")
    rates = ["--learning-rate", "5e-4", "--min-learning-rate", "5e-5"]
    asr = ["--manifests", str(prepared / "manifests"), "--out", str(folder / "parakeet"), *rates]
    finetune_asr.main([*asr, "--epochs", str(sizes.asr_epochs)])
    _say("Six adapters learn what to tag")
    taggers = ["--datasets", str(prepared), "--out", str(folder / "taggers"), "--few-shot", "0"]
    finetune_taggers.main([*taggers, "--epochs", str(sizes.tagger_epochs)])

    models = ["--parakeet", str(folder / "parakeet"), "--adapters", str(folder / "taggers" / "adapters")]
    scores = {}
    for name, of_models in (("before", []), ("after", [*models, "--tagger.missing-adapters", "skip"])):
        _say(f"Other recordings of the new clinic with the models {name} training")
        predict.main(["--audio", str(clinic / "test" / "audio"), "--out", str(folder / name), *of_models])
        reference = read_submission("--reference", str(clinic / "test"))
        scores[name] = compare(reference, read_submission("--submission", str(folder / name)))
        write_json(str(folder / name / SCORES), scores[name])
    write_json(str(folder / SCORES), scores)
    print()
    print_few(scores)
    print("Whisper, which transcribes Mandarin, was not trained.")
    print()
    print(f"Losses and error rates by step: {out}/parakeet/curves.png and {out}/taggers/adapters/*/curves.png")


def make_clinic(folder: Path, sizes: Sizes) -> None:
    """Make ``train/``, ``valid/`` and ``test/``, each in the competition's layout, without duplicate sentences.

    Names, numbers and identifiers are from the part of the grammar that the demo's models were not trained on.

    Args:
        folder: Folder in which the three are made.
        sizes: Numbers of recordings.
    """
    numbers = {"test": sizes.test, "valid": sizes.valid, "train": sizes.train}
    drawn = synthetic.utterances(numbers, _SEED, dict.fromkeys(numbers, "test"), repeat=False)
    synthetic.make(folder, drawn, lambda items: track(items, sum(numbers.values()), "recordings"))


def _say(what: str) -> None:
    print(f"\n{what}", flush=True)
