"""The reference's rule: one CJK ideograph makes a transcript Mandarin."""

import pytest

from pipeline.speech.language import language_of


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("She was born on the 3rd of May.", "en"),
        ("", "en"),
        ("42!", "en"),
        ("早安", "zh"),
        ("他在 ICU 住了三天", "zh"),
        ("the ward is called 安寧", "zh"),
        ("𠮷田", "zh"),
        ("，。？", "en"),
    ],
)
def test_language_of(text, language):
    assert language_of(text) == language
