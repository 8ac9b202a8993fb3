"""The concerns of a companion, by folder: a commit is about one of them."""

from __future__ import annotations

from perdure.companion.config.upgrades import SETTINGS

KINDS = {
    "persona": "persona",
    "lore": "lore",
    "memory": "memory",
    "backends": "backend",
    "probes": "probe",
    "assets": "companion",
    SETTINGS: "companion",
    "README.md": "companion",
    "RESTORE.md": "companion",
    ".gitattributes": "companion",
    ".gitignore": "companion",
}
"""Which files and folders people edit, each with the kind that opens the subject of its commits."""
