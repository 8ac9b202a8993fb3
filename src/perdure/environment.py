"""The environment for processes that perdure starts by itself: without keys.

A key may be in any variable (``key: env:NAME`` in a manifest), so the variables passed on are
named, and the rest are not passed. Programs that the user chose, an editor or a pager, get the
whole environment as usual.
"""

from __future__ import annotations

import os

_CARRIED = frozenset(
    {
        "PATH", "HOME", "USER", "LOGNAME", "SYSTEMROOT", "TZ",
        "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_MESSAGES",
        "TMPDIR", "TEMP", "TMP",
        "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "XDG_DATA_HOME", "XDG_DATA_DIRS",
        "XDG_STATE_HOME",
        "PERDURE_HOME", "PERDURE_MODELS",
        "VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH", "PYTHONUTF8", "PYTHONDONTWRITEBYTECODE",
        "PYTHONPYCACHEPREFIX", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH",
    }
)  # fmt: skip


def child_environment(*prefixes: str) -> dict[str, str]:
    """The variables that a child process of ours needs.

    Args:
        prefixes: beginnings of more names that this child needs.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if name in _CARRIED or (prefixes and name.startswith(prefixes))
    }
