"""Files that appear whole or not at all, on local storage or by URI."""

import fsspec


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
    """Write a text file in UTF-8; see ``write_bytes``."""
    write_bytes(path, text.encode())
