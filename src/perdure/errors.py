"""The base class of every room's errors."""

from __future__ import annotations


class Problem(Exception):
    """Something that could not be done. ``str()`` gives one line for people to read.

    Attributes:
        what: what happened, a clause without a full stop.
        kept: what is safe in spite of it; may be empty.
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
    """Clauses as sentences on one line; empty ones are skipped."""
    plain = [" ".join(clause.split()).rstrip(".") for clause in clauses if clause]
    return ". ".join([*plain[:1], *map(_sentence, plain[1:])])


def _sentence(clause: str) -> str:
    """A capital first letter, unless the clause starts with a command to type."""
    if clause.startswith(("perdure ", "git ", "pip ")):
        return clause
    return clause[:1].upper() + clause[1:]
