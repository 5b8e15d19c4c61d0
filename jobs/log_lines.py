"""What a job prints as lines of JSON, for programs that read logs."""

import json
from datetime import datetime
from io import TextIOBase
from typing import TextIO


class JsonLines(TextIOBase):
    """Stands for standard output or standard error: each line becomes ``{"time", "level", "message"}``.

    Args:
        stream: Where the lines go.
        level: ``info``, or ``error`` for the sentence that ends a job.
    """

    def __init__(self, stream: TextIO, level: str = "info") -> None:
        self._stream, self._level, self._line = stream, level, ""

    def write(self, text: str) -> int:
        """Take a text, and write each line that it ends."""
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            if line.strip():
                self._write(line.rstrip())
        return len(text)

    def flush(self) -> None:
        """Pass on what is written; a line that has not ended waits for its end."""
        self._stream.flush()

    def close(self) -> None:
        """Write what has not ended."""
        if self._line.strip():
            self._write(self._line.rstrip())
        self._line = ""

    def _write(self, line: str) -> None:
        told = {
            "time": datetime.now().astimezone().isoformat(timespec="seconds"),
            "level": self._level,
            "message": line,
        }
        self._stream.write(json.dumps(told, ensure_ascii=False) + "\n")
