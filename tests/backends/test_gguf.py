from __future__ import annotations

import struct
from pathlib import Path

import pytest

from perdure.backends.embedded.gguf import NotGguf, trained_window
from perdure.backends.store.catalogue import CATALOGUE, DEFAULT_MODEL


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def head(*entries: bytes, version: int = 3) -> bytes:
    return struct.pack("<4sIQQ", b"GGUF", version, 0, len(entries)) + b"".join(entries)


WINDOW = text("llama.context_length") + struct.pack("<II", 4, 4096)
BEFORE = (
    text("general.architecture") + struct.pack("<I", 8) + text("llama"),
    text("some.flag") + struct.pack("<I?", 7, True),
    text("tokens") + struct.pack("<IIQ", 9, 8, 2) + text("a") + text("bc"),
    text("scores") + struct.pack("<IIQ3f", 9, 6, 3, 1, 2, 3),
)


def test_the_window_is_found_behind_values_of_every_shape(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(head(*BEFORE, WINDOW))
    assert trained_window(path) == 4096


@pytest.mark.model
def test_the_real_models_window_is_the_catalogues(model_path: Path) -> None:
    assert trained_window(model_path) == CATALOGUE[DEFAULT_MODEL].context_window


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\3\4" + bytes(60),
        head(WINDOW, version=1),
        head(*BEFORE),
        head(*BEFORE, WINDOW)[:-2],
        head(text("x") + struct.pack("<I", 99)),
        head(struct.pack("<Q", 2**62)),
        head(text("x") + struct.pack("<IQ", 8, 2**63 + 5)),
        head(text("x") + struct.pack("<IIQ", 9, 8, 2**62)),
        head(*[text("x") + struct.pack("<IIQ", 9, 9, 2**40)]),
    ],
)
def test_what_is_no_sound_head_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(data)
    with pytest.raises(NotGguf):
        trained_window(path)
