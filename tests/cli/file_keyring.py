"""A keyring that keeps its entries in a file of the test; for commands in their own process."""

from __future__ import annotations

import json
import os
from pathlib import Path

import keyring.backend


class Keyring(keyring.backend.KeyringBackend):
    """Named by PYTHON_KEYRING_BACKEND; the file is FILE_KEYRING."""

    priority = 5

    def _entries(self) -> dict[str, str]:
        path = Path(os.environ["FILE_KEYRING"])
        entries: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
        return entries

    def get_password(self, service: str, username: str) -> str | None:
        return self._entries().get(f"{service}/{username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        entries = self._entries() | {f"{service}/{username}": password}
        Path(os.environ["FILE_KEYRING"]).write_text(json.dumps(entries))
