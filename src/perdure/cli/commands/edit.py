"""``perdure edit``."""

from __future__ import annotations

import click

from perdure.cli.input.stdin import read_text
from perdure.cli.render.output import as_json, print_line
from perdure.cli.target import open_workspace, usual_options


@click.command("edit")
@click.argument("turn", metavar="TURN")
@click.argument("text", required=False)
@click.option("--reply", is_flag=True, help="Correct her words instead of yours.")
@click.option(
    "--answer", type=click.IntRange(1), metavar="N", help="With --reply: the number of her answer."
)
@usual_options
def command(turn: str, text: str | None, *, reply: bool, answer: int | None) -> None:
    """Correct the words of a turn in place; later turns stay as they are.

    TEXT may be `-` for standard input; without TEXT, your editor opens with the words. Git keeps
    the original: perdure undo takes the correction back, perdure diff shows it.
    """
    from perdure.actions.turns.correct import correct, find_words

    if answer is not None and not reply:
        raise click.UsageError("--answer needs --reply")
    with open_workspace() as workspace:
        words = find_words(workspace, turn, reply=reply, answer=answer)
        new = _new_words(words.text, text)
        if new is None:
            print_line("Nothing was changed.", err=True)
            return
        done = correct(workspace, words, new)
    if done.masked:
        print_line("Something that looked like a key was removed; the rest is kept.", err=True)
    record = {"turn": str(done.turn), "answer": words.answer or None, "commit": done.commit}
    if not as_json(record):
        print_line(f"Corrected {words.named}. To undo: perdure undo")


def _new_words(old: str, text: str | None) -> str | None:
    """The corrected words; None if the editor changed nothing."""
    if text is not None:
        return read_text().rstrip("\n") if text == "-" else text
    from perdure.cli.input.ask import edit_text

    edited = edit_text(old + "\n", "Give TEXT, or - for stdin")
    new = edited.rstrip("\n") if edited is not None else old
    return new if new != old else None
