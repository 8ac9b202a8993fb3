"""``perdure show``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from perdure.cli.render.output import as_json, show_lines, styled
from perdure.cli.render.progress import IndexProgress
from perdure.cli.target import chosen_companion, usual_options

if TYPE_CHECKING:
    from datetime import datetime

    from perdure.views.show import ShownTurn


_TOO_MANY = "It has more files than perdure looks at; git show --stat lists them."


@click.command("show")
@click.argument("what", metavar="TURN|REV")
@usual_options
def command(what: str) -> None:
    """Show one turn, or one commit.

    Name a turn by `@` (the last one), `@-3`, a number in the last conversation such as `7`, any
    unique piece of its id, or a day. Anything else is looked up as a branch, a tag, the start of a
    commit id, or a date such as "3 weeks ago": the branch's last commit at that time.
    """
    from perdure.companion.clock import now
    from perdure.views.show import ShownTurn, find_shown

    found = find_shown(chosen_companion(lacking=True), what, now(), IndexProgress())
    if as_json(found.to_dict()):
        return
    if isinstance(found, ShownTurn):
        show_lines(_turn_lines(found))
        return
    from perdure.cli.render.diff import difference_lines

    show_lines(
        [
            styled(f"commit {found.commit.id}", "yellow"),
            styled(f"Author: {found.commit.author.name} <{found.commit.author.email}>"),
            f"Date:   {found.commit.at:%Y-%m-%d %H:%M:%S %z}",
            "",
            *(styled(f"    {line}") for line in found.message),
            "",
            *difference_lines(found.changes, words=True),
            *([styled(_TOO_MANY, dim=True)] if found.too_many else []),
        ]
    )


def _turn_lines(found: ShownTurn) -> list[str]:
    lines = [styled(f"turn {found.id}", "yellow")]
    if found.aside:
        back = f"perdure aside {found.id} --back"
        lines.append(
            styled(f"set aside: kept out of prompts; bring it back with: {back}", dim=True)
        )
    if found.commit is not None:
        lines.append(styled(f"commit {found.commit.id}", dim=True))
        lines += [styled(f"{key}: {value}", dim=True) for key, value in found.commit.trailers]
    message = found.turn.message
    if message is not None:
        lines += ["", _speaker(message.speaker, message.at), *_body(message.text)]
    for reply in found.turn.replies:
        marks = " (interrupted)" * reply.interrupted + " (stand-in)" * reply.stand_in
        lines += ["", _speaker(reply.speaker + marks, reply.at), *_body(reply.text)]
    if found.turn.unanswered:
        lines += ["", styled("unanswered; answer it with: perdure say --resume", dim=True)]
    return lines


def _speaker(name: str, at: datetime | None) -> str:
    when = f"{at:%Y-%m-%d %H:%M}" if at is not None else ""
    return f"{styled(name, bold=True)}  {styled(when, dim=True)}"


def _body(text: str) -> list[str]:
    return [styled(f"  {line}") for line in text.split("\n")]
