"""Ends a command by what is proven of a companion's backups, so that cron can tell."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from perdure.cli.render.output import print_line

if TYPE_CHECKING:
    from perdure.views.proof import ProofState

BROKEN, UNPROVEN = 1, 3
"""Exit codes: a backup cannot be restored; no restore is proven, or something is at risk."""


def end_by_state(state: ProofState | None, *, is_whole: bool = True) -> None:
    """End with the exit code that says how safe a companion is, and say why it is not 0.

    Args:
        state: what is proven; None: she has no remote.
        is_whole: whether all was done that the command was asked for.
    """
    if state is None:
        print_line(
            "perdure: this companion has no remote yet. Everything is on this machine, and only "
            "here. Add one with: perdure remote add backup ADDRESS",
            err=True,
        )
        sys.exit(UNPROVEN)
    if not state.is_well:
        print_line(f"perdure: {state}. To prove that a restore works: perdure drill", err=True)
    if state.failure:
        sys.exit(BROKEN)
    if not (is_whole and state.is_well):
        sys.exit(UNPROVEN)
