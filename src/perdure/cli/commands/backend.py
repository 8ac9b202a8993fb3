"""``perdure backend``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from perdure.cli.completion import complete_backends
from perdure.cli.plans import print_edits
from perdure.cli.render.backend import (
    checked_record,
    row_record,
    show_checked,
    show_row,
    show_unagreed,
    show_unconfirmed,
    unconfirmed_record,
)
from perdure.cli.render.output import as_json, print_line, progress_line, wait_for
from perdure.cli.target import announced, chosen_companion, usual_options
from perdure.plural import plural

if TYPE_CHECKING:
    from perdure.actions.backends.check import BackendStatus, TestCall
    from perdure.actions.backends.manage import BackendActions, BackendRow
    from perdure.actions.backends.token_corrections import Corrections
    from perdure.backends.protocol import Backend, BackendSpec
    from perdure.companion.config.manifest import Manifest

_KINDS = ("ollama", "anthropic", "openai", "embedded")


@click.group("backend")
def command() -> None:
    """List, add, confirm, check and order a companion's backends."""


def _opened() -> BackendActions:
    from perdure.actions.backends.manage import BackendActions

    return BackendActions(announced(chosen_companion()))


@command.command("list")
@click.option("--offline", is_flag=True, help="Show only what the files say; contact no server.")
@usual_options
def list_backends(*, offline: bool) -> None:
    """List the backends in failover order and their state. Sends no conversation.

    \b
    reachable    answers
    drift        answers, but with a different model than last seen
    unconfirmed  came from outside; see perdure backend confirm
    no key       the key is not where the manifest says
    refused      the server does not accept the key
    missing      the server has no such model
    offline      no answer
    broken       the manifest cannot be used
    """  # noqa: D301 - click's own mark for lines that stay as they are
    from perdure.actions.agreement import unagreed_notice

    with _opened() as backends:
        rows = backends.listed()
        looked = {} if offline else _look(backends, rows)
        different = backends.unagreed()
    if as_json([row_record(row, looked.get(row.name)) for row in rows]):
        return
    if not rows:
        print_line("No backend yet. Add one with: perdure backend add")
    for row in rows:
        show_row(row, looked.get(row.name))
    if different:
        print_line(unagreed_notice(different), err=True)


def _look(backends: BackendActions, rows: list[BackendRow]) -> dict[str, BackendStatus]:
    """Check all readable backends at the same time."""
    from perdure.actions.backends.check import BackendStatus, read_status

    read = [row for row in rows if row.manifest is not None]
    asked = [(backends.spec(row.manifest), backends.seen(row.name)) for row in read if row.manifest]
    text = f"Looking at {plural(len(asked), 'backend')}"
    found = wait_for(text, lambda: read_status(asked))
    looked = {row.name: each for row, each in zip(read, found, strict=True)}
    return {row.name: looked.get(row.name) or BackendStatus("broken") for row in rows}


@command.command("show")
@click.argument("name", shell_complete=complete_backends)
@usual_options
def show_backend(name: str) -> None:
    """Show a backend's manifest as written, and where it sends conversations."""
    from perdure.backends.destination import destination
    from perdure.snapshot.companion import backend_spec

    with _opened() as backends:
        manifest = backends.manifest(name)
        text = backends.text(name).decode("utf-8", "replace")
        row = next(each for each in backends.listed() if each.name == name)
        host = destination(backend_spec(manifest))
    if as_json(
        {
            "name": manifest.name,
            "order": row.order or None,
            "driver": manifest.driver,
            "model": manifest.model,
            "address": manifest.address or None,
            "host": host or None,
            "key": manifest.key or None,
            "context_window": manifest.context_window or None,
            "parameters": dict(manifest.parameters),
            "confirmed": row.confirmed,
            "edited": row.edited,
        }
    ):
        return
    place = f"number {row.order} in" if row.order else "not in"
    state = "" if row.confirmed else ", not confirmed on this machine"
    state += ", with edits not committed yet" if row.edited else ""
    goes = f"conversations go to {host}" if host else "a model inside perdure"
    print_line(f"# backends/{name}.yaml: {place} the failover order; {goes}{state}")
    print_line(text.rstrip("\n"))
    for trouble in manifest.troubles:
        print_line(f"# line {trouble.line}: {trouble.what}", err=True)


@command.command("add")
@click.argument("kind", type=click.Choice(_KINDS))
@click.option("--name", help="Its name.  [default: KIND]")
@click.option("--model", help="The model; on a terminal you can choose from the server's list.")
@click.option("--address", help="The server's address.  [default: KIND's own]")
@click.option("--allow-http", is_flag=True, help="Allow unencrypted text and key to that address.")
@click.option(
    "--key",
    metavar="REFERENCE|-",
    help="Where the key is: env:NAME or keyring:service/user; '-' reads the key from "
    "stdin into the keyring.",
)
@click.option("--window", type=click.IntRange(min=0), help="Context window in tokens.")
@click.option("--first/--last", default=None, help="Its position in the failover order.")
@click.option("--no-check", is_flag=True, help="Add it without trying it.")
@usual_options
def add_backend(*, no_check: bool, **options: Any) -> None:  # noqa: ANN401 - of many types
    """Add a backend: asks for what it needs, tries one tiny call, then commits it.

    Without a terminal it asks nothing, and needs --model, and --key for a provider's API.
    """
    from perdure.cli.input.backend_wizard import Answers, goes_first, manifest_from
    from perdure.snapshot.companion import backend_spec

    given = Answers(**options)
    with _opened() as backends, _saying_nothing_was_added():
        print_edits(backends.commit_hand_edits())
        manifest = manifest_from(backends, given)
        checked = None if no_check else _check_new(manifest)
        leads = goes_first(backends, given)
        order = backends.add(manifest, first=leads)
        if checked is not None:
            _note_form(backends, backend_spec(manifest), checked)
        names, consent = backends.settings.backends, backends.settings.failover_to_hosted
    _tell_added(manifest, checked, names, order, consent=consent)


@contextmanager
def _saying_nothing_was_added() -> Iterator[None]:
    """Say so if Ctrl-C or the end of input comes before the commit."""
    try:
        yield
    except (click.Abort, KeyboardInterrupt, EOFError):
        click.echo(err=True)
        print_line("Nothing was added.", err=True)
        raise click.exceptions.Exit(1) from None


def _check_new(manifest: Manifest) -> TestCall | None:
    """The one tiny call; None if it failed and the backend is added anyway."""
    from perdure.backends.drivers import make_backend
    from perdure.cli.input.backend_wizard import add_all_the_same
    from perdure.errors import Problem
    from perdure.snapshot.companion import backend_spec

    try:
        found = _checked(manifest.name, make_backend(backend_spec(manifest)))
    except Problem as problem:
        if add_all_the_same(problem):
            return None
        raise click.exceptions.Exit(1) from problem
    show_checked(manifest.name, found, err=True)
    return found


def _tell_added(
    manifest: Manifest,
    checked: TestCall | None,
    names: tuple[str, ...],
    order: int,
    *,
    consent: bool,
) -> None:
    from perdure.backends.destination import destination
    from perdure.backends.drivers import make_backend
    from perdure.snapshot.companion import backend_spec

    spec = backend_spec(manifest)
    hosted = make_backend(spec).hosted
    if as_json(
        {
            "name": manifest.name,
            "order": order,
            "backends": list(names),
            "driver": manifest.driver,
            "model": manifest.model,
            "host": destination(spec) or None,
            "hosted": hosted,
            "key": manifest.key or None,
            "context_window": manifest.context_window or None,
            "check": checked_record(checked) if checked else None,
        }
    ):
        return
    print_line(f"Added backends/{manifest.name}.yaml. Failover order: {', then '.join(names)}.")
    if hosted and order > 1 and not consent:
        print_line(
            f"{manifest.name} takes over from a local backend only with failover_to_hosted: "
            "yes in companion.yaml."
        )
    if checked is None:
        print_line(f"Try it: perdure backend check {manifest.name}")


@command.command("confirm")
@click.argument("names", nargs=-1, shell_complete=complete_backends)
@click.option("--all", "everything", is_flag=True, help="All backends, and all settings.")
@click.option("--yes", is_flag=True, help="Confirm without asking.")
@usual_options
def confirm(names: tuple[str, ...], *, everything: bool, yes: bool) -> None:
    """Allow backends and settings that came from outside to be used on this machine.

    A manifest that came with a clone, a pull or a copy is not used until you confirm it, since it
    decides where the conversation and the key go. Nor do backends, failover_to_hosted and sync of
    companion.yaml count as another device wrote them. Shows each one, and who brought it, and asks.
    With NAMES: these backends, and the order if they are in it.
    """
    from perdure.cli.input.ask import ask_yes_no, on_terminal

    if not on_terminal() and not (yes and (names or everything)):
        raise click.UsageError(
            "There is no terminal to ask on. Name the backends, or use --all, with --yes"
        )
    with _opened() as backends:
        for name in names:
            backends.spec(backends.manifest(name))
        with progress_line("Looking up who added them"):
            found = backends.waiting(None if everything or not names else names)
            settings = backends.unagreed(() if everything else names)
        agreed = []
        for each in found:
            show_unconfirmed(each)
            if yes or ask_yes_no(f"Use {each.name} on this machine?"):
                backends.confirm([each])
                agreed.append(each.name)
        for setting in settings:
            show_unagreed(setting)
            if yes or ask_yes_no(f"Use this {setting.key} on this machine?"):
                backends.agree(setting)
                agreed.append(f"{setting.key}:")
    records = [unconfirmed_record(each, confirmed=each.name in agreed) for each in found]
    records += [each.to_dict() | {"confirmed": f"{each.key}:" in agreed} for each in settings]
    if as_json(records):
        return
    if not (found or settings):
        already = f"{', '.join(names)}: already confirmed."
        print_line(already if names else "There is nothing to confirm.")
    for each in found:
        is_used = each.name in agreed
        print_line(f"{each.name} {'is confirmed on this machine' if is_used else 'stays unused'}.")
    for setting in settings:
        is_used = f"{setting.key}:" in agreed
        print_line(f"{setting.key} {'counts here now' if is_used else 'stays as it was here'}.")


@command.command("use")
@click.argument("names", nargs=-1, required=True, shell_complete=complete_backends)
@usual_options
def use(names: tuple[str, ...]) -> None:
    """Set the failover order: the first backend is asked first, the others if it fails."""
    with _opened() as backends:
        print_edits(backends.commit_hand_edits())
        order = backends.use(names)
        out = [row.name for row in backends.listed() if not row.order]
        unconfirmed = [row.name for row in backends.listed() if row.order and not row.confirmed]
    if as_json({"backends": list(order), "not_in_order": out}):
        return
    print_line(f"Failover order: {', then '.join(order)}.")
    if out:
        print_line(f"Kept, but not asked: {', '.join(out)}.")
    for name in unconfirmed:
        print_line(
            f"{name} is not used until you confirm it: perdure backend confirm {name}", err=True
        )


@command.command("check")
@click.argument("name", shell_complete=complete_backends)
@usual_options
def check_backend(name: str) -> None:
    """Make one tiny call and report the reply, its speed and the token counts."""
    with _opened() as backends:
        print_edits(backends.commit_hand_edits())
        backend = backends.backend(name)
        found = _checked(name, backend, backends.corrections)
        _note_form(backends, backend.spec, found)
    if not as_json(checked_record(found)):
        show_checked(name, found)


def _checked(name: str, backend: Backend, known: Corrections | None = None) -> TestCall:
    from perdure.actions.backends.check import call_once as try_it

    return wait_for(f"Asking {name} for one short sentence", lambda: try_it(backend, known))


def _note_form(backends: BackendActions, spec: BackendSpec, found: TestCall) -> None:
    """Record how the server wants to be asked; failing to record it fails no check."""
    from perdure.git.errors import HistoryError

    try:
        backends.note_form(spec, found.found, found.trial.form)
    except HistoryError as problem:
        print_line(f"The way to ask {spec.name} could not be saved: {problem}", err=True)


@command.command("pin")
@click.argument("name", shell_complete=complete_backends)
@usual_options
def pin(name: str) -> None:
    """Accept the model that a backend runs now as the one to expect on this device."""
    with _opened() as backends:
        print_edits(backends.commit_hand_edits())
        backend = backends.backend(name)
        found = wait_for(f"Asking {name} what it runs", lambda: backends.pin(backend))
    if not as_json({"name": name, "fingerprint": found}):
        print_line(f"{name} is pinned to {found}.")
