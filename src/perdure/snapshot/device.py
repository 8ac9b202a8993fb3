"""What this device is called in a companion's files and branches."""

from __future__ import annotations

from perdure.companion.names import slug
from perdure.git.host import device_name


def device() -> str:
    """The device's name as file names and branches have it."""
    return slug(device_name()) or "this-device"
