"""The machine that this runs on."""

from __future__ import annotations

import os
import re
from pathlib import Path


def boot() -> str:
    """Identifies the current boot of the machine; "" if the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""


def device_name() -> str:
    """The machine's name up to its first dot, without spaces: how operations name the device."""
    return re.sub(r"\s", "-", os.uname().nodename.partition(".")[0]) or "this-device"
