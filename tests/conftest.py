"""What the tests share: the data beside the checkout, the small models and one Ray."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    folder = Path(__file__).parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("left out: it reads real data from ../shared, which is not beside this checkout")
    return folder
