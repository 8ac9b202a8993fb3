"""``perdure lore``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from perdure.cli.completion import complete_lore
from perdure.cli.input.stdin import read_text
from perdure.cli.plans import print_edits
from perdure.cli.render.output import as_json, print_line, print_styled, styled
from perdure.cli.target import open_workspace, usual_options

if TYPE_CHECKING:
    from perdure.actions.memory.lore import LoreCommit, LoreRow, LoreTrial
    from perdure.actions.workspace import Workspace
    from perdure.companion.errors import FileTrouble
    from perdure.companion.memory.lore import LoreEntry
    from perdure.prompt.lore import Triggered

_Command = TypeVar("_Command", bound=Callable[..., object])


@click.group("lore")
def command() -> None:
    """Manage lore: people, places and things that enter a prompt when they come up.

    An entry is a file in lore/ with its text and the keys that bring it in.
    """


def _entry_options(command: _Command) -> _Command:
    """The options of `add` and `edit`; None: not given."""
    for option in reversed(
        (
            click.option("--text", metavar="TEXT", help="The entry's text; - for standard input."),
            click.option("--title", metavar="TEXT", help="Its name for you; never in a prompt."),
            click.option("--also", "secondary_keys", multiple=True, metavar="KEY",
                         help="A secondary key; one of these must match too."),
            click.option("--logic", "secondary_logic",
                         type=click.Choice(["and_any", "and_all", "not_any", "not_all"]),
                         help="How the secondary keys combine."),
            click.option("--regex/--plain", default=None,
                         help="Keys written /like this/i are regular expressions, or plain text."),
            click.option("--case-sensitive/--any-case", default=None, help="Whether case matters."),
            click.option("--whole-words/--parts", default=None,
                         help="Match keys as whole words only, or within words too."),
            click.option("--constant/--triggered", default=None,
                         help="Always in the prompt, or only when a key matches."),
            click.option("--enable/--disable", "enabled", default=None,
                         help="A disabled entry never enters a prompt."),
            click.option("--priority", type=int, metavar="N",
                         help="When room is short, the lowest is left out first."),
            click.option("--order", type=int, metavar="N", help="Lower comes earlier."),
            click.option("--position", metavar="before|after|N",
                         help="Before or after the persona, or N messages before the end."),
            click.option("--scan-depth", type=click.IntRange(0, 1000), metavar="N",
                         help="How many messages are searched for its keys."),
            click.option("--probability", type=click.IntRange(0, 100), metavar="PERCENT",
                         help="Counts only with lore.probability: yes in companion.yaml."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


@command.command("list")
@usual_options
def list_() -> None:
    """List the entries: keys, position, priority, tokens, last change."""
    from perdure.actions.memory.lore import list_lore
    from perdure.cli.render.progress import IndexProgress

    with open_workspace(reading=True) as workspace:
        found = list_lore(workspace, IndexProgress())
    record = {
        "entries": [row.to_dict() for row in found.rows],
        "troubles": [_trouble_record(each) for each in found.troubles],
        "uncommitted": list(found.uncommitted),
        "counter": found.counter,
    }
    if as_json(record):
        return
    for row in found.rows:
        _show_row(row)
    if not found.rows and not found.troubles:
        print_line("There is no lore yet. Add an entry with: perdure lore add KEY --text TEXT")
    if found.rows:
        print_styled(styled(f"Tokens by {found.counter}.", dim=True))
    _tell(found.troubles, found.uncommitted)


@command.command("add")
@click.argument("keys", nargs=-1, metavar="KEY…")
@_entry_options
@usual_options
def add_entry(*, keys: tuple[str, ...], text: str | None, **said: Any) -> None:  # noqa: ANN401  options
    """Add an entry that enters the prompt when a KEY comes up, as its own commit.

    Without --text, your editor opens. perdure undo takes it back.
    """
    from perdure.actions.memory.lore import add_lore
    from perdure.companion.memory.lore import LoreEntry

    if not keys and not said["constant"]:
        raise click.UsageError(
            "give a KEY, or --constant for an entry that is always in the prompt"
        )
    with open_workspace() as workspace:
        entry = _with(LoreEntry("lore/new.md", tuple(keys)), said)
        entry = replace(entry, text=_text(text))
        if not entry.text.strip():
            print_line("There is no text; nothing was added.", err=True)
            return
        done = add_lore(workspace, entry)
    _report(done, "Added")


@command.command("edit")
@click.argument("name", shell_complete=complete_lore)
@click.option(
    "--key", "keys", multiple=True, metavar="KEY", help="Its keys, replacing the ones it has."
)
@_entry_options
@usual_options
def edit_entry(*, name: str, keys: tuple[str, ...], text: str | None, **said: Any) -> None:  # noqa: ANN401
    """Change an entry, as its own commit; without options, open it in your editor.

    NAME is its file name, a piece of that, or its title. Comments in the file stay. perdure undo
    takes it back.
    """
    from perdure.actions.memory.lore import change_lore, find_entry

    with open_workspace() as workspace:
        print_edits(workspace.commit_hand_edits())
        if not keys and text is None and all(value in {None, ()} for value in said.values()):
            done = _edit_file(workspace, name)
            if done is None:
                print_line("Nothing was changed.", err=True)
                return
        else:
            before = find_entry(workspace, name)
            after = _with(before, said)
            after = replace(after, keys=tuple(keys) or before.keys)
            if text is not None:
                after = replace(after, text=_text(text))
            done = change_lore(workspace, before, after)
    _report(done, "Changed")


@command.command("remove")
@click.argument("name", shell_complete=complete_lore)
@usual_options
def remove(*, name: str) -> None:
    """Remove an entry, as its own commit; perdure undo brings it back."""
    from perdure.actions.memory.lore import remove_lore

    with open_workspace() as workspace:
        print_edits(workspace.commit_hand_edits())
        done = remove_lore(workspace, name)
    _report(done, "Removed")


@command.command("test")
@click.argument("texts", nargs=-1, required=True, metavar="TEXT…")
@click.option(
    "--window",
    type=click.IntRange(256),
    metavar="TOKENS",
    help="Assume a model with a window of this size.",
)
@usual_options
def test(*, texts: tuple[str, ...], window: int | None) -> None:
    """Show which entries a text would bring in, by which key, in which order, and what is left out.

    Several TEXTs are several messages, newest last; - is standard input. Nothing is sent.
    """
    from perdure.actions.memory.lore import try_lore

    said = [read_text() if text == "-" else text for text in texts]
    with open_workspace(reading=True) as workspace:
        trial = try_lore(workspace, said, window=window)
    if as_json(_trial_record(trial)):
        return
    _show_trial(trial)
    _tell(trial.troubles, ())


def _with(entry: LoreEntry, said: dict[str, Any]) -> LoreEntry:
    """The entry with the given options applied."""
    changes = {key: value for key, value in said.items() if value not in {None, ()}}
    position = changes.get("position")
    if position is not None and position not in {"before", "after"}:
        if not (position.isascii() and position.isdigit() and len(position) < 5):
            raise click.UsageError("--position is before, after or a number of messages")
        changes["position"] = int(position)
    return replace(entry, **changes)


def _text(text: str | None) -> str:
    """An entry's text: given, from standard input, or typed in an editor."""
    if text == "-":
        return read_text().strip("\n")
    if text is not None:
        return text
    from perdure.cli.input.ask import edit_text

    return (edit_text("", "Give --text TEXT, or -") or "").strip("\n")


def _edit_file(workspace: Workspace, name: str) -> LoreCommit | None:
    """Let the user edit the whole file; None if it was left unchanged."""
    from perdure.actions.memory.lore import path_of, replace_file
    from perdure.cli.input.ask import check_editor, edit_text

    instead = "Say what to change: --text, --key, --priority and others"
    check_editor(instead)
    since = workspace.tip
    path = path_of(workspace, name)
    # A file that is broken is mended here: it is shown as it is.
    old = (workspace.repo.read(path, since) or b"").decode("utf-8", "replace")
    edited = edit_text(old, instead)
    return replace_file(workspace, path, edited.encode(), since) if edited is not None else None


def _report(done: LoreCommit, what: str) -> None:
    entry = done.entry
    if not as_json({"name": entry.name, "file": entry.path, "commit": done.commit}):
        print_line(f"{what} {entry.path}. To undo: perdure undo")


def _show_row(row: LoreRow) -> None:
    entry = row.entry
    state = "disabled" if not entry.enabled else "constant" if entry.constant else ""
    keys = ", ".join(entry.keys) or "no keys"
    if entry.secondary_keys:
        keys += f"  {entry.secondary_logic.replace('_', ' ')}: {', '.join(entry.secondary_keys)}"
    title = f"  {entry.title}" if entry.title else ""
    print_styled(
        styled(entry.name, "yellow", bold=True),
        styled(title),
        styled(f"  {state}" if state else "", "magenta"),
    )
    print_styled(styled(f"  {keys}"))
    place = f"{entry.position} messages before the end"
    if isinstance(entry.position, str):
        place = f"{entry.position} the persona"
    chance = f"  probability {entry.probability} %" if entry.probability < 100 else ""
    last = f"{row.last.at:%Y-%m-%d} {row.last.author.name}" if row.last else "not committed yet"
    about = f"  {place}  order {entry.order}  priority {entry.priority}{chance}"
    print_styled(styled(f"{about}  {row.tokens} tokens  {last}", dim=True))


def _show_trial(trial: LoreTrial) -> None:
    total = sum(tokens for _, tokens in trial.kept)
    for number, (each, tokens) in enumerate(trial.kept, 1):
        print_styled(
            styled(f"{number:>2}  "), styled(each.entry.name, "green", bold=True),
            styled(f"  {_why(each)}  {tokens} tokens"),
        )  # fmt: skip
    for each, tokens in trial.left_out:
        print_styled(
            styled("--  "), styled(each.entry.name, "red"),
            styled(f"  {_why(each)}  {tokens} tokens, priority {each.entry.priority}: no room"),
        )  # fmt: skip
    for each in trial.unlucky:
        chance = f"probability {each.entry.probability} %: not this time"
        print_styled(
            styled("--  "), styled(each.entry.name, "red"), styled(f"  {_why(each)}  {chance}")
        )
    if not (trial.kept or trial.left_out or trial.unlucky):
        print_line("No entry matches.")
    room = f"{total} of {trial.room} tokens for lore, in a window of {trial.window}"
    usual = " (--window says another)" if trial.is_usual else ""
    print_styled(styled(f"{room}{usual}; counted by {trial.counter}.", dim=True))


def _why(each: Triggered) -> str:
    if not each.key:
        return "constant"
    return f"“{each.key}”" + (f" in {each.by}" if each.by else "")


def _trial_record(trial: LoreTrial) -> dict[str, object]:
    def rows(found: Iterable[tuple[Triggered, int]]) -> list[dict[str, object]]:
        return [
            {
                "name": each.entry.name,
                "file": each.entry.path,
                "key": each.key or None,
                "by": each.by or None,
                "order": each.entry.order,
                "priority": each.entry.priority,
                "position": each.entry.position,
                "tokens": tokens,
            }
            for each, tokens in found
        ]

    return {
        "triggered": rows(trial.kept),
        "left_out": rows(trial.left_out),
        "unlucky": [each.entry.path for each in trial.unlucky],
        "troubles": [_trouble_record(each) for each in trial.troubles],
        "room": trial.room,
        "window": trial.window,
        "counter": trial.counter,
    }


def _trouble_record(trouble: FileTrouble) -> dict[str, object]:
    return {"file": trouble.path, "line": trouble.line or None, "problem": trouble.what}


def _tell(troubles: Iterable[FileTrouble], others: Iterable[str]) -> None:
    for trouble in troubles:
        print_line(f"Wrong: {trouble}", err=True)
    for other in others:
        print_line(other, err=True)
