"""One adapter to train: where its dataset is, how, and where its files go."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.corpus import tagging_datasets
from pipeline.files import sha256
from tuning.settings import AdapterSettings


@dataclass(frozen=True)
class AdapterTask:
    """One adapter to train.

    Attributes:
        dataset: Folder of its dataset, named like the entity group.
        settings: The settings.
        out: Out folder of the job.
    """

    dataset: Path
    settings: AdapterSettings
    out: Path

    @property
    def group(self) -> str:
        """Name of the entity group."""
        return self.dataset.name

    @property
    def work(self) -> Path:
        """Folder of checkpoints and logs."""
        return self.out / "work" / self.group

    @property
    def adapter(self) -> Path:
        """Where the adapter folder will be."""
        return self.out / "adapters" / self.group

    def asked(self) -> dict[str, Any]:
        """Return by what a job knows the training when it resumes: the settings, and the dataset with its contents."""
        contents = {name: sha256(self.dataset / name) for name in tagging_datasets.FILES}
        return {"dataset": str(self.dataset), "sha256": contents, "settings": asdict(self.settings)}
