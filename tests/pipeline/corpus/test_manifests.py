"""What Parakeet is taught: which recordings, and in which characters."""

import pytest

from pipeline import tables
from pipeline.corpus import labels, manifests
from pipeline.corpus.alphabet import alphabet_of, plain_english, spell
from pipeline.corpus.folders import Folder
from pipeline.errors import UserError


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("It’s “fine” — really…", "It's fine really..."),
        ("Ｄｒ. José said 50％", "Dr. Jose said 50%"),
        ("1990–1995, half-day", "1990 1995, half-day"),
        ("smile 😀 ★ now™", "smile now"),
        ("tab\tand　space", "tab and space"),
        ("", ""),
    ],
)
def test_text_is_written_in_plain_characters(text, spelled):
    assert spell(text, plain_english) == spelled


@pytest.mark.parametrize("text", ["take 5 µg now", "β-blocker", "½ tablet", "37 °C", "50 €", "2 × 3", "Привет"])
def test_what_is_said_and_cannot_be_written_is_not_taught(text):
    assert spell(text, plain_english) is None


def test_a_tokenizer_with_small_letters_only_gets_small_letters_and_no_digits():
    writes = set("abcdefghijklmnopqrstuvwxyz'").__contains__
    assert spell("It’s “Dr. Lee”!", writes) == "it's dr lee"
    assert spell("room 12", writes) is None


def test_no_unknown_token_is_ever_taught(tiny_parakeet):
    import io
    import tarfile

    from sentencepiece import SentencePieceProcessor

    with tarfile.open(tiny_parakeet) as archive:
        [member] = [member for member in archive if member.name.endswith("tokenizer.model")]
        tokenizer = SentencePieceProcessor(model_proto=io.BytesIO(archive.extractfile(member).read()).read())
    writes = alphabet_of(tiny_parakeet)
    sentences = ["It’s “fine” — really…", "Café, naïve; 😀!", "smart ‘quotes’ and half–day", "plain words"]
    written = [spelled for text in sentences if (spelled := spell(text, writes)) is not None]
    assert written
    for text in written:
        assert tokenizer.unk_id() not in tokenizer.encode(text)


def test_a_file_without_a_tokenizer_is_refused(tmp_path):
    (tmp_path / "model.nemo").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"model\.nemo holds no SentencePiece tokenizer"):
        alphabet_of(tmp_path / "model.nemo")


def test_a_manifest_has_the_english_recordings_with_audio_of_a_fitting_length():
    texts = {"1": "Good morning.", "2": "早安", "3": "Hello.", "4": "No audio.", "5": "Long.", "6": "Short.", "7": "—"}
    texts |= {"8": "Ünïcödé кириллица", "9": "Broken.", "10": "Ünïcödé"}
    folder = Folder("folder", "folder", "train", texts, tables.ENTITIES.empty_table(), {})
    lengths = {"1": 2.0, "2": 2.0, "3": 3.00049, "5": 36.0, "6": 0.05, "7": 2.0, "8": 2.0, "9": None, "10": 2.0}
    audio = {i: {"path": f"/audio/{i}.wav", "duration_s": seconds} for i, seconds in lengths.items()}

    def writes(character):
        return plain_english(character) or character == "é"

    lines, left_out = manifests.lines(
        labels.recordings([folder], audio), labels.transcripts([folder]), writes, manifests.Limits(0.1, 35.0)
    )
    assert lines == [
        {"audio_filepath": "/audio/1.wav", "duration": 2.0, "text": "Good morning."},
        {"audio_filepath": "/audio/3.wav", "duration": 3.0, "text": "Hello."},
        {"audio_filepath": "/audio/10.wav", "duration": 2.0, "text": "Unicodé"},
    ]
    assert left_out == {
        manifests.NOT_ENGLISH: 1,
        manifests.NO_AUDIO: 1,
        manifests.UNREADABLE: 1,
        manifests.NOT_WRITABLE: 1,
        manifests.NO_WORDS: 1,
        "longer than 35 s": 1,
        "shorter than 0.1 s": 1,
    }
