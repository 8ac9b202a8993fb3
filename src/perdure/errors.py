"""The root of every room's errors."""

from __future__ import annotations


class Problem(Exception):
    """Something that could not be done. ``str()`` is one line, fit for a person to read.

    Attributes:
        what: what happened, a clause without a full stop.
        kept: what is safe nevertheless; may be empty.
        next_step: what the user can do; may be empty.
    """

    def __init__(self, what: str, kept: str = "", next_step: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.kept = kept
        self.next_step = next_step

    def __str__(self) -> str:
        return one_line(self.what, self.kept, self.next_step)


def one_line(*clauses: str) -> str:
    """Clauses as sentences on one line; empty ones are left out."""
    plain = [" ".join(clause.split()).rstrip(".") for clause in clauses if clause]
    return ". ".join([*plain[:1], *map(_sentence, plain[1:])])


def _sentence(clause: str) -> str:
    """A capital at the front, except where a command to type stands there."""
    if clause.startswith(("perdure ", "git ", "pip ")):
        return clause
    return clause[:1].upper() + clause[1:]
