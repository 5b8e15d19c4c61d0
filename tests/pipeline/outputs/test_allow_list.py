"""Which texts may stay."""

import pytest

from pipeline.outputs.allow_list import AllowList


@pytest.fixture
def allowed(tmp_path) -> AllowList:
    (tmp_path / "a.txt").write_text("O’Brien\nTaipei General\n# Wexford\n林醫師\nRenée\n", encoding="utf-8-sig")
    return AllowList(tmp_path / "a.txt")


@pytest.mark.parametrize(
    "text", ["O'Brien", "o’brien", "O'Brien's", "TAIPEI  general", "林醫師", "Rene\u0301e", "Ｔaipei General"]
)
def test_other_forms_of_the_same_text_may_stay(allowed, text):
    assert text in allowed


@pytest.mark.parametrize("text", ["Brien", "Mr O'Brien", "Taipei", "Wexford", "林", "Rene", "", "#"])
def test_nothing_else_may(allowed, text):
    assert text not in allowed
