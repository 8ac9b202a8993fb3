"""Errors as the screen shows them."""

from __future__ import annotations

import logging

from perdure.errors import Problem

log = logging.getLogger("perdure.tui")
"""Errors that nobody foresaw, with where they came from; shown at the end under ``--debug``."""
log.addHandler(logging.NullHandler())
log.propagate = False


def sentence(clause: str) -> str:
    """A next step as a sentence of its own; a command to type stays as it is."""
    if not clause or clause.startswith(("perdure ", "git ", "pip ")):
        return clause
    return clause[:1].upper() + clause[1:]


def error_parts(error: BaseException) -> tuple[str, str, str]:
    """What happened, what is kept, what to do next; the last two may be empty."""
    if isinstance(error, Problem):
        return error.what, error.kept, error.next_step
    log.error("unforeseen", exc_info=error)
    words = " ".join(str(error).split())
    name = type(error).__name__
    return (
        f"Internal error: {name}: {words}" if words else f"Internal error: {name}",
        "everything said is kept",
        "to see where it came from, run: perdure --debug chat",
    )
