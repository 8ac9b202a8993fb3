"""``perdure edit``."""

from __future__ import annotations

import click

from perdure.cli.input.stdin import read_text
from perdure.cli.render.output import emit_json, json_option, print_line
from perdure.cli.target import chosen_companion, companion_option


@click.command("edit")
@click.argument("turn", metavar="TURN")
@click.argument("text", required=False)
@click.option("--reply", is_flag=True, help="Correct her words instead of yours.")
@click.option(
    "--answer", type=click.IntRange(1), metavar="N", help="With --reply: the number of her answer."
)
@companion_option
@json_option
def command(
    turn: str, text: str | None, *, reply: bool, answer: int | None, as_json: bool
) -> None:  # fmt: skip
    """Correct the words of a turn in place; later turns stay as they are.

    TEXT may be `-` for standard input; without TEXT, your editor opens with the words. Git keeps
    the original: perdure undo takes the correction back, perdure diff shows it.
    """
    from perdure.actions.turns.correct import correct, find_words
    from perdure.actions.workspace import Workspace

    if answer is not None and not reply:
        raise click.UsageError("--answer needs --reply")
    with Workspace.open(chosen_companion()) as workspace:
        words = find_words(workspace, turn, reply=reply, answer=answer)
        new = _new_words(words.text, text)
        if new is None:
            print_line("Nothing was changed.", err=True)
            return
        done = correct(workspace, words, new)
    if done.masked:
        print_line("Something that looked like a key was removed; the rest is kept.", err=True)
    if as_json:
        emit_json({"turn": str(done.turn), "answer": words.answer or None, "commit": done.commit})
    else:
        print_line(f"Corrected {words.named}. To undo: perdure undo")


def _new_words(old: str, text: str | None) -> str | None:
    """The corrected words; None if the editor changed nothing."""
    if text is not None:
        return read_text().rstrip("\n") if text == "-" else text
    from perdure.cli.input.ask import on_terminal

    if not on_terminal():
        raise click.UsageError("There is no terminal for an editor. Give TEXT, or - for stdin")
    edited = click.edit(old + "\n", extension=".md")
    new = edited.rstrip("\n") if edited is not None else old
    return new if new != old else None
