"""Which notices were given in this folder on this machine, so that each is given once."""

from __future__ import annotations

import hashlib
import os

from perdure.git.repository.repository import Repository


def mark_first(repo: Repository, mark: str, about: str = "") -> bool:
    """True once for each mark, and each thing that it is about; false where nothing can be kept."""
    if about:
        mark += f"-{hashlib.sha256(about.encode('utf-8', 'surrogateescape')).hexdigest()[:16]}"
    try:
        os.close(os.open(repo.state_dir / mark, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError:
        return False
    return True
