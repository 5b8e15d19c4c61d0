"""Addresses that no library here can open: each option of each job says so in one sentence, before anything starts."""

from importlib import import_module

import pytest

from pipeline.demo import CLIPS
from pipeline.errors import UserError

HERE, OUT = str(CLIPS), "out"

OPTIONS = [
    ("predict", "--audio", ["--out", OUT]),
    ("predict", "--transcripts", ["--out", OUT]),
    ("predict", "--out", ["--audio", HERE]),
    ("prepare", "--train", ["--valid", HERE, "--out", OUT]),
    ("prepare", "--valid", ["--train", HERE, "--out", OUT]),
    ("prepare", "--test", ["--train", HERE, "--valid", HERE, "--out", OUT]),
    ("prepare", "--transcripts", ["--train", HERE, "--valid", HERE, "--out", OUT]),
    ("prepare", "--out", ["--train", HERE, "--valid", HERE]),
    ("merge replace", "--base", ["--source", HERE, "--types", "DATE", "--out", OUT]),
    ("merge replace", "--source", ["--base", HERE, "--types", "DATE", "--out", OUT]),
    ("merge replace", "--out", ["--base", HERE, "--source", HERE, "--types", "DATE"]),
    ("merge vote", "--run", ["--votes", "1", "--out", OUT]),
    ("merge vote", "--out", ["--votes", "1", "--run", HERE]),
    ("exchange to-label-studio", "--run", ["--out", OUT]),
    ("exchange to-label-studio", "--out", ["--run", HERE]),
    ("exchange from-label-studio", "--file", ["--out", OUT]),
    ("exchange from-label-studio", "--out", ["--file", HERE]),
    ("exchange to-transcriptions", "--run", []),
    ("exchange from-transcriptions", "--file", ["--out", OUT]),
    ("exchange from-transcriptions", "--out", ["--file", HERE]),
    ("report", "--run", ["--out", "page.html"]),
    ("report", "--reference", ["--run", HERE, "--out", "page.html"]),
    ("report", "--out", ["--run", HERE]),
    ("redact", "--run", ["--out", OUT]),
    ("redact", "--out", ["--run", HERE]),
    ("score", "--reference", ["--submission", HERE]),
    ("score", "--submission", ["--reference", HERE]),
    ("score", "--json", ["--reference", HERE, "--submission", HERE]),
    ("calibrate", "--run", ["--reference", HERE, "--out", "settings.yaml"]),
    ("calibrate", "--reference", ["--run", HERE, "--out", "settings.yaml"]),
    ("calibrate", "--out", ["--run", HERE, "--reference", HERE]),
]

MOUNTED = [
    *(("predict", f"--{model}", ["--audio", f"{HERE}/audio", "--out", OUT]) for model in ("whisper", "base-model")),
    ("prepare", "--parakeet", ["--train", HERE, "--valid", HERE, "--out", OUT]),
    ("finetune_asr", "--manifests", ["--out", OUT]),
    ("finetune_asr", "--out", ["--manifests", HERE]),
    ("finetune_taggers", "--datasets", ["--out", OUT]),
    ("finetune_taggers", "--out", ["--datasets", HERE]),
    ("search", "--datasets", ["--out", OUT]),
    ("search", "--out", ["--datasets", HERE]),
    ("demo", "--out", []),
    ("demo", "--make-corpus", []),
]


def refused(tmp_path, monkeypatch, command: str, option: str, others: list[str], address: str) -> str:
    monkeypatch.chdir(tmp_path)
    job, *subcommand = command.split()
    with pytest.raises(UserError) as caught:
        import_module(f"jobs.{job}").main([*subcommand, option, address, *others])
    assert not any(path.is_file() for path in tmp_path.rglob("*")), "nothing is written"
    return str(caught.value)


@pytest.mark.parametrize(("command", "option", "others"), OPTIONS)
def test_an_address_without_its_library_is_one_sentence(tmp_path, monkeypatch, command, option, others):
    message = refused(tmp_path, monkeypatch, command, option, others, "gs://bucket/x.html")
    assert message.startswith(f"{option} gs://bucket/x.html: ") and "gcsfs" in message
    message = refused(tmp_path, monkeypatch, command, option, others, "magic://bucket/x.html")
    assert message == f"{option} magic://bucket/x.html: Protocol not known: magic."


@pytest.mark.parametrize(("command", "option", "others"), MOUNTED)
def test_what_has_to_be_mounted_is_no_address(tmp_path, monkeypatch, command, option, others):
    message = refused(tmp_path, monkeypatch, command, option, others, "s3://bucket/x")
    assert message.startswith(f"{option} s3://bucket/x: ") and "mounted storage" in message
