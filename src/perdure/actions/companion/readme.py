"""Keep her README current: one commit before the first conversation of a month."""

from __future__ import annotations

from contextlib import suppress

from perdure.companion import readme
from perdure.companion.clock import now
from perdure.git.errors import HistoryError
from perdure.git.repository.repository import Author, Change, Repository


def refresh_readme(
    repo: Repository, *, tip: str, branch: str, author: Author, name: str, month: str
) -> str | None:
    """Commit ``README.md`` if it lacks this month, or an avatar that exists.

    A page that is gone stays gone, and one that somebody else is writing at this moment is done
    another time: no talk waits for it.

    ``tip`` is the commit that ``branch`` stands at, or will begin at; ``month`` that of the talk
    that begins, as ``YYYY-MM``. Returns the commit; None where the page is current.
    """
    page = repo.read(readme.README_PATH, tip)
    if page is None:
        return None
    folders = [each for each, is_folder in repo.names("conversations", tip) if is_folder]
    assets = [each for each, is_folder in repo.names("assets", tip) if not is_folder]
    fresh = readme.updated_readme(page, name=name, months=[*folders, month], assets=assets)
    if fresh == page:
        return None
    with suppress(HistoryError):
        return repo.commit(
            [Change(readme.README_PATH, fresh)],
            message=f"companion: the README has {month}\n",
            author=author,
            branch=branch,
            at=now(),
            expect={readme.README_PATH: repo.oid(readme.README_PATH, tip)},
            start=tip,
        )
    return None
