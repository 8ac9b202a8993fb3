"""``perdure alternatives``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from perdure.cli.render.output import as_json, print_line, print_styled, styled
from perdure.cli.target import open_workspace, usual_options

if TYPE_CHECKING:
    from perdure.actions.turns.answers import TurnAnswers

_CELLS = 100


@click.command("alternatives")
@click.argument("turn", metavar="TURN", default="@")
@usual_options
def command(turn: str) -> None:
    """List the answers to a turn, by default the last one; * marks the one shown.

    perdure choose TURN N shows another one instead. For a greeting (turn 0), the persona's other
    greetings are listed too. If a merge brought two corrections of your words, the other one is
    shown below.
    """
    from perdure.actions.turns.answers import list_answers
    from perdure.companion.names import title_from

    with open_workspace(reading=True) as workspace:
        found = list_answers(workspace, turn)
    if as_json(found.to_dict()):
        return
    print_styled(styled(f"{found.turn}", "yellow"), styled(f"  {found.words}"))
    _list(found)
    if found.other_words:
        print_line(
            f"Your words on the other side of a merge: {title_from(found.other_words, _CELLS)}"
        )
        print_line(f"To use them: perdure edit {found.turn} TEXT")


def _list(found: TurnAnswers) -> None:
    from perdure.companion.names import title_from

    width = max((len(str(row.number)) for row in found.rows), default=1)
    for row in found.rows:
        for reply in row.replies:
            through = " ".join(word for word in (reply.backend, reply.model) if word)
            when = f"{reply.at:%Y-%m-%d %H:%M}" if reply.at else ""
            marks = " (interrupted)" * reply.interrupted + " (stand-in)" * reply.stand_in
            about = "  ".join(word for word in (when, through) if word)
            print_styled(
                styled("* " if row.shown else "  ", "green"),
                styled(str(row.number).rjust(width), "green" if row.shown else None),
                styled(f"  {title_from(reply.text, _CELLS)}{marks}"),
                styled(f"  {about}" if about else "", dim=True),
            )
