"""Recordings to train on: copied to mono 16 kHz where they are not so already, whole or not at all."""

import pyarrow as pa
import soundfile

from pipeline.corpus.audio_copies import copy
from pipeline.settings import DecodingSettings
from tests.pipeline.speech.sound_files import cut, of_libsndfile, voice


def test_a_file_that_is_cut_short_is_no_training_data(tmp_path):
    files = {"whole": of_libsndfile("MP3", "MPEG_LAYER_III"), "ready": of_libsndfile("FLAC", "PCM_16")}
    files |= {"half": cut(files["whole"], 0.5)}
    rows = []
    for name, content in files.items():
        path = tmp_path / f"{name}.{'flac' if name == 'ready' else 'mp3'}"
        path.write_bytes(content)
        rows.append({"recording_id": name, "path": str(path)})
    (tmp_path / "copies").mkdir()
    made = {
        row["recording_id"]: row
        for row in copy(pa.Table.from_pylist(rows), str(tmp_path / "copies"), DecodingSettings()).to_pylist()
    }
    assert made["half"]["error"].startswith("AudioError: incomplete: ") and made["half"]["path"] == rows[2]["path"]
    assert not (tmp_path / "copies" / "half.wav").exists()
    assert made["ready"]["path"] == rows[1]["path"] and not made["ready"]["error"]
    samples, rate = soundfile.read(made["whole"]["path"])
    assert (rate, len(samples)) == (16_000, len(voice()))
