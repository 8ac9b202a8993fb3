"""The state folder of one open repository: whose it is, and what the user was told about it."""

from __future__ import annotations

import secrets
from pathlib import Path

from perdure.git import links
from perdure.git.errors import HistoryError
from perdure.git.layout import Layout
from perdure.git.state import mark


class StateFolder:
    """The state folder of one repository. Nothing in it is obeyed before it is this user's own.

    Attributes:
        path: the folder.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._is_own = False
        self._no_cache = f"no-cache-{secrets.token_hex(8)}"
        self.path = layout.state

    def is_own(self) -> bool:
        """Whether what the folder says may be believed here (`git.state.mark`)."""
        self._is_own = self._is_own or mark.is_own(self._layout)
        return self._is_own

    def own(self) -> None:
        """Make sure that the folder is this user's own, before anything is kept or obeyed there.

        What came with it from elsewhere is set aside.

        Raises:
            ReadOnly, StorageFull, WriteFailed, Busy: that cannot be done; nothing may be written.
        """
        links.check_folders(self._layout.git_dir, self._layout.own)
        if not self._is_own:
            mark.own(self._layout)
            self._is_own = True

    @property
    def cache_dir(self) -> Path:
        """The folder of what can be rebuilt from the commits.

        An index that came from elsewhere could say anything, so none of it is read: where it cannot
        be moved away, this is a folder that is not there, and nothing is kept.
        """
        here = self._layout.git_dir / "perdure"
        try:
            self.own()
        except HistoryError:
            return here / self._no_cache
        return here / "cache"

    @property
    def unknown_because_of(self) -> Path | None:
        """The user's own folder of marks, where it cannot be written: none is known next time."""
        return None if mark.is_own(self._layout) else mark.known_folder()

    def tell_set_aside(self) -> list[Path]:
        """Folders with state from elsewhere that the user has not been told of; each only once."""
        return mark.tell_set_aside(self._layout)

    def is_told(self, what: str) -> bool:
        """Whether the user was told of something in this folder; from then on he was.

        Kept by content in the user's own data folder: nobody who gives a folder away writes there.
        """
        return mark.is_told(self._layout, what)
