"""Read a model's context window from its GGUF file, before llama.cpp loads it.

llama.cpp sets memory aside for the window that it is asked for before it looks at what the model
was trained for: a million tokens of the smallest model take 23 GB.

The format (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3, little
endian): magic, version, counts of tensors and of metadata, then key, type and value of each.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

_SCALARS = {
    0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d",
}  # fmt: skip
_TEXT, _ARRAY, _LENGTH = 8, 9, 10
_KEYS = 4096
_LONGEST = 1 << 16
"""Bytes of a key or of the name of an architecture; a longer one is no model of ours."""


class NotGguf(Exception):
    """The file is not a GGUF file of a known version, or its header is damaged."""


def trained_window(path: Path) -> int:
    """The window, in tokens, that a model was trained for. Raises NotGguf and OSError."""
    with path.open("rb") as file:
        try:
            return _find(file)
        except (struct.error, ValueError, OverflowError) as error:
            raise NotGguf(f"the start of {path} is damaged or missing") from error


def _find(file: BinaryIO) -> int:
    magic, version, _tensors, keys = struct.unpack("<4sIQQ", file.read(24))
    if magic != b"GGUF" or version not in {2, 3}:
        raise NotGguf("not a GGUF file of version 2 or 3")
    for _key in range(min(keys, _KEYS)):
        key = _text(file)
        (kind,) = struct.unpack("<I", file.read(4))
        # The key is `<architecture>.context_length`; a model has one architecture.
        if key.endswith(".context_length") and kind in _SCALARS:
            return int(_scalar(file, kind))
        _skip(file, kind)
    raise NotGguf("the file does not state the window of its model")


def _scalar(file: BinaryIO, kind: int) -> int | float:
    layout = f"<{_SCALARS[kind]}"
    value: int | float = struct.unpack(layout, file.read(struct.calcsize(layout)))[0]
    return value


def _text(file: BinaryIO) -> str:
    length = int(_scalar(file, _LENGTH))
    if length > _LONGEST:
        raise NotGguf("a key is longer than any real one")
    return file.read(length).decode()


def _skip(file: BinaryIO, kind: int) -> None:
    if kind in _SCALARS:
        file.seek(struct.calcsize(f"<{_SCALARS[kind]}"), 1)
    elif kind == _TEXT:
        file.seek(int(_scalar(file, _LENGTH)), 1)
    elif kind == _ARRAY:
        (inner,) = struct.unpack("<I", file.read(4))
        count = int(_scalar(file, _LENGTH))
        if inner in _SCALARS:
            file.seek(count * struct.calcsize(f"<{_SCALARS[inner]}"), 1)
            return
        # Arrays of arrays are allowed and used by nobody; a file could nest them without end.
        if inner != _TEXT:
            raise NotGguf("an array of something else than numbers and texts")
        for _each in range(count):
            _skip(file, inner)
    else:
        raise NotGguf(f"unknown kind of value {kind}")
