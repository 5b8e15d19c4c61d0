"""Characters that a tokenizer cannot write have a stand-in of one character, so that all others keep their place."""

import pytest

from pipeline.tagging.alphabet import Alphabet

EVERY = [bytes([byte]) for byte in range(256)]
SMOLLM2_LACKS = {0x04, 0x06, 0x13, 0x14, 0x16, 0x1D, 0xC0, 0xC1, 0xF1, 0xF2, *range(0xF5, 0x100)}


def test_a_tokenizer_with_all_bytes_writes_everything():
    text = "a\x04 王\U000400ab\U0001f642 "
    assert Alphabet(EVERY).write(text) is text


def test_what_cannot_be_written_gets_a_stand_in_and_nothing_moves():
    alphabet = Alphabet(token for token in EVERY if token[0] not in SMOLLM2_LACKS)
    assert alphabet.write("a\x04b 王\U000400ab\U0001f642\x1d") == "a‹b 王‹\U0001f642‹"
    assert alphabet.write("Ann Lee 王小明") == "Ann Lee 王小明"


@pytest.mark.parametrize("lacking", [b"a", b" ", "‹".encode()[:1]])
def test_a_tokenizer_without_ascii_or_the_stand_in_is_no_byte_level_bpe(lacking):
    with pytest.raises(ValueError, match="byte-level BPE"):
        Alphabet(token for token in EVERY if token != lacking)
