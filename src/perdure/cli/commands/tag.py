"""``perdure tag``."""

from __future__ import annotations

import click

from perdure.cli.arguments import commit_of
from perdure.cli.completion import complete_tags
from perdure.cli.plans import print_result
from perdure.cli.render.output import as_json, print_styled, styled
from perdure.cli.target import open_workspace, usual_options


@click.command("tag")
@click.argument("name", required=False, shell_complete=complete_tags)
@click.argument("rev", required=False)
@click.option("-m", "message", default="", metavar="TEXT", help="A note about it.")
@click.option("--delete", "drops", is_flag=True, help="Delete the tag; the commit stays.")
@usual_options
def command(name: str | None, rev: str | None, message: str, *, drops: bool) -> None:
    """Give a revision a lasting name, such as "before-the-move". Without NAME: list the tags.

    REV is a commit, branch, date or turn; by default the last commit. You can use a tag wherever a
    commit is expected. perdure undo takes the last one back.
    """
    if name is None and (drops or message):
        raise click.UsageError("give the NAME of a tag")
    if drops and (rev or message):
        raise click.UsageError("--delete takes only the NAME")
    from perdure.actions.history import tag
    from perdure.snapshot.conversation.turn_text import commit_label

    with open_workspace(reading=name is None) as workspace:
        if name is None:
            _show(tag.list_tags(workspace))
            return
        if drops:
            operation = tag.remove_tag(workspace, name)
            said = f"The tag {name} is deleted; the commit it named stays."
        else:
            commit = commit_of(workspace.repo, rev) if rev else workspace.tip
            operation = tag.tag(workspace, name, commit, message)
            said = f"{name} is on {commit_label(workspace.repo.commit_info(commit))}."
    print_result({"tag": name}, operation, said=said)


def _show(rows: list[dict[str, str | None]]) -> None:
    if as_json(rows):
        return
    width = max((len(str(row["name"])) for row in rows), default=0)
    for row in rows:
        print_styled(
            styled(str(row["name"]).ljust(width), "yellow"),
            styled(
                f"  {str(row['commit'])[:8]}  {str(row['at'])[:16].replace('T', ' ')}", dim=True
            ),
            styled(f"  {row['message'] or row['subject']}"),
        )
