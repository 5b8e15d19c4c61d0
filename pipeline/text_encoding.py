"""What encoding a text that is not in UTF-8 seems to have, and the command that converts it."""

from pathlib import PurePosixPath

from pipeline.files import open_binary

_READ = 1_000_000  # bytes; a whole file may be large


def not_utf8(path: str) -> str:
    """Say that a file is not in UTF-8, what it seems to be in, and what to do.

    Args:
        path: A local path or an fsspec URI.
    """
    with open_binary(path) as file:
        begin = file.read(_READ)
    name = _encoding(begin)
    if name is None:
        return f"{path} is not in UTF-8: save it as UTF-8 text."
    new = PurePosixPath(path).with_suffix(f".utf8{PurePosixPath(path).suffix}").name
    return (
        f"{path} is not in UTF-8 but seems to be in {name}: convert it, as by "
        f"`iconv -f {name.lower()} -t utf-8 '{PurePosixPath(path).name}' > '{new}'`."
    )


def _encoding(begin: bytes) -> str | None:
    if begin.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "UTF-16"
    for zeros, name in ((begin[1::2], "UTF-16LE"), (begin[0::2], "UTF-16BE")):
        if zeros and zeros.count(0) > len(zeros) // 4:
            return name
    try:
        begin.decode("big5")
    except UnicodeDecodeError as error:
        if error.start < len(begin) - 1:  # the last character may be cut
            return None
    return "Big5"
