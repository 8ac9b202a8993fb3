"""What this device is called in a companion."""

from __future__ import annotations

import platform

from perdure.companion.names import slug


def device() -> str:
    """This machine's name in file names."""
    return slug(platform.node().partition(".")[0]) or "this-device"
