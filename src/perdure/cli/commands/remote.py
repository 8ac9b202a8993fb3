"""``perdure remote``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from perdure.cli.options import given
from perdure.cli.plans import confirm_plan, plan_options
from perdure.cli.render.output import as_json, print_line, print_styled, styled
from perdure.cli.root import LazyGroup
from perdure.cli.target import open_workspace, usual_options

if TYPE_CHECKING:
    from perdure.actions.workspace import Workspace
    from perdure.companion.config.settings import SyncPolicy
    from perdure.rescue.join import JoinPlan


@click.group(
    "remote",
    cls=LazyGroup,
    places={
        "add": ("remote:add", "Add a place to back up to, or to sync with."),
        "list": ("remote:list_command", "List the remotes and what each of them lacks."),
        "remove": ("remote:remove", "Forget a remote; what it has stays there."),
    },
)
def command() -> None:
    """Add, list and remove the places that a companion is backed up to.

    A remote is any git repository: a private one on a forge, a server that you reach by ssh, a
    folder on another disk.
    """


@click.command("add")
@click.argument("name")
@click.argument("address", metavar="URL|PATH")
@click.option(
    "--public",
    "typed",
    default="",
    metavar="COMPANION",
    help="Use a place that anybody can read; repeat the companion's name.",
)
@click.option(
    "--sync",
    "policy",
    type=click.Choice(["when quiet", "each turn", "off"]),
    help="When perdure syncs by itself; asked on a terminal.",
)
@plan_options
def add(name: str, address: str, typed: str, policy: SyncPolicy | None) -> None:
    """Add a place to back up to, or to sync with another machine.

    The address is what git takes: https://…, ssh://…, you@host:path, or a folder, which is made if
    it is not there. You are shown an ssh server's key before it is accepted. A password in the
    address goes to the keyring. Nothing is pushed yet: perdure push does that.

    On a terminal you are asked whether perdure is to sync by itself from then on; the answer is
    sync: in companion.yaml.
    """
    from perdure.rescue.join import join, plan_join

    with open_workspace() as workspace:
        plan = plan_join(workspace.repo, name, address)
        called = workspace.settings.name
        if plan.public and not given("--dry-run"):
            _agree_to_public(plan, called, typed)
        added = None
        if confirm_plan(plan.describe(), f"Add {name}?", is_safe=plan.host_key is None):
            added = join(workspace.repo, plan).name
        if added:
            policy = _offer_sync(workspace, policy)
        if as_json({"plan": plan.to_dict(), "remote": added, "sync": policy}) or not added:
            return
        print_line(f"{name} is added. Send everything there: perdure push {name}")
        if policy is not None:
            print_line(f"companion.yaml now says sync: {policy}.")


def _offer_sync(workspace: Workspace, policy: SyncPolicy | None) -> SyncPolicy | None:
    """Set when perdure syncs by itself, as given or as the user says; None: it stays as it is."""
    from perdure.actions.companion.sync_policy import set_sync_policy
    from perdure.cli.input.ask import ask_yes_no, on_terminal

    if policy is None and workspace.settings.sync == "off" and on_terminal():
        words = "Sync by itself, when the conversation is quiet and when you leave it?"
        policy = "when quiet" if ask_yes_no(words, default=True) else None
    if policy is not None:
        set_sync_policy(workspace, policy)
    return policy


def _agree_to_public(plan: JoinPlan, called: str, typed: str) -> None:
    """Let the user type the companion's name. Raises UsageError where he does not."""
    from perdure.cli.input.ask import ask, on_terminal

    if not typed and on_terminal():
        print_line(f"Anybody can read {plan.address.text}, and so every conversation.", err=True)
        typed = ask(f"To use it all the same, type the companion's name ({called})")
    if typed != called:
        raise click.UsageError(
            f"Anybody can read {plan.address.text}, so it was not added. Make it private, or give "
            f"--public {called}"
        )


@click.command("list")
@usual_options
def list_command() -> None:
    """List the remotes: where each is, and when it was last seen to have everything."""
    from perdure.views.remotes import remote_rows

    with open_workspace(reading=True) as workspace:
        rows = remote_rows(workspace.repo)
    if as_json([row.to_dict() for row in rows]):
        return
    if not rows:
        print_line("There is no remote yet. Add one with: perdure remote add backup URL|PATH")
        return
    width = max(len(row.name) for row in rows)
    for row in rows:
        print_styled(styled(row.name.ljust(width), bold=True), styled(f"  {row.url}"))
        print_styled(styled(f"{'':{width}}  {row.state}", dim=True))


@click.command("remove")
@click.argument("name")
@usual_options
def remove(name: str) -> None:
    """Forget a remote. What it has stays there, and nothing here is lost."""
    from perdure.rescue.join import leave

    with open_workspace() as workspace:
        leave(workspace.repo, name)
    if not as_json({"name": name}):
        print_line(f"{name} is no longer a remote of this companion. What it has stays there.")
