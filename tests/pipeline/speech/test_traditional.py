"""Chinese comes out in the characters of Taiwan, each in the place of the one that it replaces."""

import pytest

from pipeline.speech.traditional import Traditional
from pipeline.speech.words import Piece, transcript_from_pieces


class Writes:
    """An ASR model that always writes the same."""

    name = "whisper"

    def __init__(self, text: str):
        pieces = [Piece(character, place * 0.1, place * 0.1 + 0.1) for place, character in enumerate(text)]
        self._transcript = transcript_from_pieces(pieces, 60.0, self.name)

    def transcribe(self, batch, english=None):
        return [self._transcript for _ in batch]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("病历号码是三三零八七一", "病歷號碼是三三零八七一"),
        ("他说头发很长 blood pressure 一百", "他說頭髮很長 blood pressure 一百"),
        ("面包后面的皇后", "麵包後面的皇后"),
        ("台北的醫師說你的頭髮裡面", "台北的醫師說你的頭髮裡面"),
        ("臺灣", "臺灣"),
        ("台风来了", "颱風來了"),
    ],
)
def test_simplified_characters_become_those_of_taiwan_and_words_keep_their_times(written, expected):
    before = Writes(written).transcribe([None])[0]
    after = Traditional(Writes(written)).transcribe([None])[0]
    assert after.text == expected
    assert [(word.start_s, word.end_s) for word in after.words] == [(word.start_s, word.end_s) for word in before.words]
    assert all(expected[word.char_start : word.char_end] == word.text for word in after.words)


def test_english_stays_as_it_is():
    model = Writes("Good morning, Mr. Chen.")
    assert Traditional(model).transcribe([None]) == model.transcribe([None])
