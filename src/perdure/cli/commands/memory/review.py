"""``perdure memory review``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from perdure.cli.options import given
from perdure.cli.plans import print_edits
from perdure.cli.render.memory import print_uncommitted, show_beside
from perdure.cli.render.output import emit_json, print_line, print_styled, styled
from perdure.cli.target import open_workspace, usual_options

if TYPE_CHECKING:
    from perdure.actions.memory.review import ReviewItem, ReviewList
    from perdure.actions.workspace import Workspace

_ANSWERS = {"a": "accept", "e": "edit", "r": "reject", "s": "skip", "q": "quit"}


@click.command("review")
@click.option(
    "--accept", "accepted", multiple=True, metavar="N", help="Accept it; may be repeated."
)
@click.option(
    "--reject", "rejected", multiple=True, metavar="N", help="Reject it; may be repeated."
)
@click.option(
    "--accept-all",
    is_flag=True,
    help="Accept everything except what looks like an instruction; needs --yes.",
)
@click.option("--yes", is_flag=True, help="With --accept-all: without reviewing each one.")
@click.option("--list", "lists", is_flag=True, help="Only list what there is to review.")
@usual_options
def review(
    accepted: tuple[str, ...],
    rejected: tuple[str, ...],
    *,
    accept_all: bool,
    yes: bool,
    lists: bool,
) -> None:
    """Review what waits for you: proposed facts and summaries, and imported facts on hold.

    On a terminal, they come one after another, each as a difference, beside facts that say the same
    or the opposite: accept, edit, reject, skip, quit. Elsewhere they are listed. N is a number in
    the list, or an id, which stays the same when others leave the list. Each decision is a separate
    commit.
    """
    from perdure.actions.memory.review import review_list
    from perdure.cli.input.ask import on_terminal

    if accept_all and (accepted or rejected or not yes):
        raise click.UsageError("--accept-all needs --yes, and excludes --accept and --reject")
    acts = bool(accept_all or accepted or rejected)
    walks = not (acts or given("--json") or lists) and on_terminal()
    with open_workspace() as workspace:
        if acts or walks:
            print_edits(workspace.commit_hand_edits())
        else:
            print_uncommitted(workspace.repo)
        listed = review_list(workspace)
        for trouble in listed.troubles:
            print_line(trouble, err=True)
        if acts:
            names = _all_but_orders(listed) if accept_all else accepted
            _answer_all(workspace, listed, names, rejected)
        elif given("--json"):
            emit_json([row.to_dict() for row in listed.rows])
        elif not listed.rows:
            print_line("Nothing to review.")
        elif walks:
            _walk(workspace)
        else:
            for row in listed.rows:
                _show(row)


def _all_but_orders(listed: ReviewList) -> list[str]:
    """Everything except what looks like an instruction, which must be accepted by name."""
    names = [row.id for row in listed.rows if not row.is_order]
    left = len(listed.rows) - len(names)
    if left:
        print_line(
            f"{left} left that look like an instruction. To accept one, name it: --accept N",
            err=True,
        )
    return names


def _answer_all(
    workspace: Workspace, listed: ReviewList, accepted: Sequence[str], rejected: Sequence[str]
) -> None:
    """Accept and reject by name. All names are looked up before anything changes."""
    from perdure.actions.memory.facts import commit_plan
    from perdure.actions.memory.review import plan_accept, plan_reject, review_list

    accept = [listed.find(name).id for name in accepted]
    reject = [listed.find(name).id for name in rejected]
    if set(accept) & set(reject):
        raise click.UsageError("--accept and --reject name the same one")
    done = []
    for name in dict.fromkeys([*accept, *reject]):
        now = review_list(workspace)
        plan_of = plan_accept if name in accept else plan_reject
        plan = plan_of(workspace, now, now.find(name))
        commit = commit_plan(workspace, plan)
        done.append({"id": name, **plan.to_dict(), "commit": commit})
        if not given("--json"):
            print_line("\n".join(plan.describe()))
    if given("--json"):
        emit_json(done)


def _walk(workspace: Workspace) -> None:
    """Ask about each in turn, on a terminal."""
    from perdure.actions.memory.facts import commit_plan
    from perdure.actions.memory.review import plan_accept, plan_reject, review_list

    ids = [row.id for row in review_list(workspace).rows]
    counts = dict.fromkeys(("accepted", "rejected"), 0)
    for name in ids:
        listed = review_list(workspace)
        row = next((each for each in listed.rows if each.id == name), None)
        if row is None:
            continue  # it went with another one, or elsewhere
        _show(row)
        answer = _ask()
        if answer == "quit":
            break
        if answer == "skip":
            continue
        text = _edited(row) if answer == "edit" else None
        if answer == "edit" and text is None:
            print_line("The words are unchanged: skipped.")
            continue
        if answer == "reject":
            plan = plan_reject(workspace, listed, row)
        else:
            plan = plan_accept(workspace, listed, row, text=text)
        commit_plan(workspace, plan)
        counts["rejected" if answer == "reject" else "accepted"] += 1
        print_line("\n".join(plan.describe()))
    left = len(review_list(workspace).rows)
    said = ", ".join(f"{count} {what}" for what, count in counts.items())
    back = " To undo the last one: perdure undo" * any(counts.values())
    print_line(f"{said}, {left} left.{back}")


def _ask() -> str:
    from perdure.cli.input.ask import ask

    while True:
        answer = ask("accept, edit, reject, skip, quit?", "s").casefold()
        for letter, word in _ANSWERS.items():
            if answer in {letter, word}:
                return word
        print_line("Type a, e, r, s or q.", err=True)


def _edited(row: ReviewItem) -> str | None:
    """Other words from the editor; None if they were left unchanged, or empty."""
    old = row.proposal.text
    if not old:
        return None
    edited = click.edit(old + "\n", extension=".md")
    return None if edited is None or edited.strip() == old.strip() else edited.strip()


def _show(row: ReviewItem) -> None:
    """One proposal, as a difference, with the facts close to it."""
    proposal = row.proposal
    what = "held" if row.held else proposal.kind
    print_styled(
        styled(f"{row.number}", "yellow", bold=True),
        styled(f"  {what} {proposal.topic}".rstrip(), bold=True),
        styled(f"  {proposal.source}" if proposal.source else "", dim=True),
        styled(f"  {row.id}", dim=True),
        styled(f"  ({proposal.note})" if proposal.note else "", "red"),
    )
    if proposal.instead_of:
        gone = "" if row.stands else "  (no longer there)"
        print_styled(styled(f"  - {proposal.instead_of}", "red"), styled(gone, dim=True))
    for line in proposal.text.split("\n") if proposal.text else ():
        print_styled(styled(f"  + {line}", "green"))
    show_beside(row.like, row.against)
