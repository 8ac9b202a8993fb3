"""The machine that this runs on."""

from __future__ import annotations

from pathlib import Path


def boot() -> str:
    """Which start of the machine this is; "" where the system does not tell."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""
