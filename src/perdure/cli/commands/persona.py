"""``perdure persona``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from perdure.cli.arguments import commit_of
from perdure.cli.completion import complete_persona
from perdure.cli.errors import CommandProblem
from perdure.cli.render.output import as_json, print_line, show_lines
from perdure.cli.target import (
    announced,
    chosen_companion,
    companion_option,
    open_repository,
    usual_options,
)

if TYPE_CHECKING:
    from perdure.git.repository.repository import Repository

_FINDINGS = 3
_at = click.option(
    "--at", metavar="REV|DATE", help="The persona as committed then, instead of the folder."
)


@click.group("persona")
def command() -> None:
    """Read, edit and check the persona."""


@command.command("show")
@click.argument("file", required=False, shell_complete=complete_persona)
@_at
@usual_options
def show_persona(file: str | None, *, at: str | None) -> None:
    """Print the persona as the model gets it: names filled in, with each file's tokens.

    Without FILE: the files of the system prompt in order, sample dialogue and the reminder. With
    FILE (10-who, greetings/10-hello, ...): that file; greetings are shown only this way.
    """
    from perdure.cli.render.persona import show_lines_of, show_record
    from perdure.companion.persona.persona import read_persona
    from perdure.snapshot.persona import (
        files_at,
        files_in_folder,
        parts_of,
        tokenizer_of,
        windows_of,
    )

    with open_repository() as repo:
        commit = commit_of(repo, at) if at else None
        files = files_at(repo, commit) if commit else files_in_folder(repo)
        tokenizer = tokenizer_of(files, windows_of(repo, files, commit))
    parts = parts_of(files, tokenizer)
    left_out = read_persona(files.persona).left_out
    if file:
        from perdure.actions.persona import match_file

        paths = dict.fromkeys([*(part.path for part in parts), *(each.path for each in left_out)])
        path = match_file(list(paths), file)
        if path is None:
            raise CommandProblem(
                f"the persona has no file {file} with text in it",
                next_step=f"there are: {', '.join(part.path for part in parts) or 'none'}",
            )
        parts = [part for part in parts if part.path == path]
        left_out = tuple(each for each in left_out if each.path == path)
    else:
        parts = [part for part in parts if part.kind != "greeting"]
    if not as_json(show_record(parts, tokenizer.name, left_out)):
        show_lines(show_lines_of(parts, tokenizer.name, left_out))


@command.command("check")
@_at
@usual_options
def check_files(*, at: str | None) -> None:
    """Check for contradicting names, missing boundaries, keys, and costly files.

    Reads the files in the folder, including uncommitted edits, and asks no model. A problem does
    not work as written; advice is about something that works but may not be what you meant. Keys
    and passwords are never printed.

    Exit code 0: nothing found; 3: something found.
    """
    from perdure.cli.render.persona import check_lines, check_record
    from perdure.views.persona_check import check_companion

    commit = None
    if at:
        with open_repository() as repo:
            commit = commit_of(repo, at)
    checked = check_companion(chosen_companion(), commit)
    if not as_json(check_record(checked)):
        show_lines(check_lines(checked))
    if checked.report.findings:
        raise SystemExit(_FINDINGS)


@command.command("edit")
@click.argument("file", required=False, shell_complete=complete_persona)
@click.option("-m", "--note", default="", metavar="TEXT", help="The change, in a few words.")
@usual_options
def edit_file(file: str | None, *, note: str) -> None:
    """Edit one file of the persona in your editor, and commit the change.

    FILE may be short (voice for persona/20-voice.md); a name that no file has creates a new one.
    The change is a separate commit: perdure undo takes it back. A file that cannot be read
    afterwards is not committed and stays in the folder as you wrote it.
    """
    from perdure.actions.persona import begin_edit, finish_edit
    from perdure.cli.input.ask import check_editor
    from perdure.cli.render.diff import difference_lines, difference_records
    from perdure.cli.render.persona import left_out_line
    from perdure.git.repository.repository import Repository

    check_editor("Edit the file and commit it with git, or let the next turn do that")
    with Repository.open(announced(chosen_companion())) as repo:
        editing = begin_edit(repo, file or _asked(repo))
        if editing.before is None:
            print_line(f"{editing.path} is a new file.", err=True)
        elif editing.is_edited:
            print_line(f"{editing.path} already has uncommitted edits.", err=True)
        click.edit(filename=str(editing.place))
        done = finish_edit(repo, editing, note)
    if done is None:
        print_line("Nothing was changed.", err=True)
        return
    for each in done.left_out:
        print_line(left_out_line(each), err=True)
    if as_json({"commit": done.commit, **difference_records([done.change])[0]}):
        return
    for line in difference_lines([done.change], words=True):
        click.echo(line)
    print_line("Committed. To undo: perdure undo")


def _asked(repo: Repository) -> str:
    from perdure.actions.persona import persona_paths
    from perdure.cli.input.ask import choose

    paths = [(path.removeprefix("persona/"), "") for path in persona_paths(repo)]
    if not paths:
        raise click.UsageError("The persona has no files yet. Name one to create")
    return choose("Which file?", paths)


@command.command("add-boundaries")
@companion_option
def add_boundaries() -> None:
    """Add the standard boundaries file to a persona without one, as its own commit."""
    from perdure.actions.persona import add_boundaries as add

    path = add(announced(chosen_companion()))
    print_line(
        f"Added {path}. It is plain text like the rest of the persona: read it and "
        "change it as you like."
    )
