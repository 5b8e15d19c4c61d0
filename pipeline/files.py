"""Files that appear whole or not at all, on local storage or by URI."""

import fsspec

from pipeline.errors import UserError


def write_bytes(path: str, content: bytes) -> None:
    """Write a file.

    Args:
        path: A local path or an fsspec URI in a folder that exists.
        content: All of it.
    """
    fs, target = fsspec.url_to_fs(path)
    fs.pipe_file(f"{target}.tmp", content)
    fs.mv(f"{target}.tmp", target)


def write_text(path: str, text: str) -> None:
    """Write a text file in UTF-8; see ``write_bytes``.

    Raises:
        UserError: The file cannot be written.
    """
    try:
        write_bytes(path, text.encode())
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror or type(error).__name__}.") from None
