"""The questions of `perdure backend add`: name, address, key, model, window, place in the order.

Every answer has an option. On a terminal the others are asked; elsewhere a default is taken, and
what has none is a usage error.
"""

from __future__ import annotations

import asyncio
import os
import re
from dataclasses import dataclass, replace

from perdure.actions.backends.manage import BackendActions
from perdure.backends.destination import default_address, destination
from perdure.backends.drivers import make_backend
from perdure.backends.errors import BackendError
from perdure.backends.keys import resolve, store
from perdure.backends.model_list import offered_models
from perdure.backends.protocol import OfferedModel
from perdure.cli.input.ask import ask, ask_hidden, ask_yes_no, choose, missing_answer, on_terminal
from perdure.cli.input.stdin import read_line
from perdure.cli.render.output import print_line, wait_for
from perdure.companion.config.manifest import Manifest
from perdure.errors import Problem
from perdure.snapshot.companion import backend_spec
from perdure.system_keyring import keyring_ready

# What the providers' own programs call the variable, so what is there already on many machines.
_VARIABLES = {
    "anthropic": "ANTHROPIC_API_KEY",
    "openai": "OPENAI_API_KEY",
    "ollama": "OLLAMA_API_KEY",
}
_SERVICE = "perdure"
_REFERENCE = re.compile(r"env:\w+|keyring:[^/\s]+/\S+")
_OFFER_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Answers:
    """The given options; None for those left out."""

    kind: str
    name: str | None = None
    model: str | None = None
    address: str | None = None
    key: str | None = None
    window: int | None = None
    first: bool | None = None
    allow_http: bool = False


def manifest_from(backends: BackendActions, given: Answers) -> Manifest:
    """The manifest from options and answers. Raises Problem, click.UsageError."""
    asking = on_terminal()
    name = backends.free_name(given.kind) if given.name is None else given.name
    if given.name is None and asking:
        name = ask("Its name", name)
    backends.check_new(name)
    manifest = Manifest(name, given.kind, given.model or "", allow_http=given.allow_http)
    manifest = replace(manifest, address=_address(given, asking=asking))
    said = _say_where(manifest)
    manifest = replace(manifest, key=_key(given, manifest, asking=asking))
    if not manifest.model and not asking:
        missing_answer("--model NAME", f"the model of backend {name}")
    unknown_window = given.window is None and asking and given.kind == "openai"
    offered = _offered(manifest) if not manifest.model or unknown_window else []
    if not manifest.model:
        manifest = replace(manifest, model=_choose_model(offered))
    if not said:
        _say_where(manifest)
    stated = {each.name: each.context_window for each in offered}
    if unknown_window and offered and not stated.get(manifest.model):
        return replace(manifest, context_window=_ask_window())
    return replace(manifest, context_window=given.window or 0)


def _address(given: Answers, *, asking: bool) -> str:
    usual = default_address(given.kind)
    if given.address is not None or not usual or not asking:
        return given.address or ""
    answer = ask("Address of the server", usual)
    return "" if answer == usual else answer


def _say_where(manifest: Manifest) -> bool:
    """Say so if conversations will leave this machine. Raises BackendError for a bad address."""
    hosted = _hosted(manifest)
    if hosted:
        print_line(
            "Conversations will leave this machine: what you both say, the persona and the "
            f"memories go to {destination(backend_spec(manifest))}.",
            err=True,
        )
    return hosted


def _hosted(manifest: Manifest) -> bool:
    return make_backend(backend_spec(manifest)).hosted


def _key(given: Answers, manifest: Manifest, *, asking: bool) -> str:
    """A reference to the key; a typed or piped key goes into the keyring."""
    if given.key == "-":
        secret = (read_line() or "").strip()
        return _stored(manifest.name, secret)
    if given.key is not None or given.kind == "embedded":
        return given.key or ""
    if not _hosted(manifest):
        return ""
    if not asking:
        if not manifest.address:
            missing_answer(
                "--key env:NAME or --key keyring:service/user",
                f"the key of backend {manifest.name}",
            )
        return ""
    return _ask_key(manifest)


def _ask_key(manifest: Manifest) -> str:
    known = _known_key(manifest)
    usual = f"Enter takes {known}" if known else "Enter for none"
    print_line(
        "The key: type or paste it (it is not shown), or say where it is, as env:NAME or "
        f"keyring:service/user. {usual}.",
        err=True,
    )
    while True:
        answer = ask_hidden("Key")
        if not answer:
            return known
        if _REFERENCE.fullmatch(answer):
            return answer
        stored = _store_typed(manifest, answer)
        if stored:
            return stored


def _store_typed(manifest: Manifest, secret: str) -> str:
    """Store a typed key and return its reference; empty to ask again."""
    if not keyring_ready():
        variable = _VARIABLES.get(manifest.driver, "MODEL_KEY")
        print_line(
            "This machine has no keyring to keep a key in, and a key never goes into the "
            f"repository. Put it into an environment variable, such as {variable}, where your "
            f"shell sets them, and answer env:{variable} here.",
            err=True,
        )
        return ""
    reference = f"keyring:{_SERVICE}/{manifest.name}"
    if _resolves(reference, manifest.name) and not ask_yes_no(
        f"The keyring already has a key as {reference}, perhaps for another companion. Replace it?"
    ):
        return reference
    try:
        return _stored(manifest.name, secret)
    except BackendError as problem:
        print_line(str(problem), err=True)
        return ""


def _stored(name: str, secret: str) -> str:
    reference = store(_SERVICE, name, secret)
    print_line(f"The key is in this machine's keyring, as {reference}.", err=True)
    return reference


def _known_key(manifest: Manifest) -> str:
    """A key that already exists: in the provider's usual variable, or in the keyring."""
    variable = _VARIABLES.get(manifest.driver, "")
    # A provider's own key is offered for the provider's own address only.
    if variable and not manifest.address and os.environ.get(variable):
        return f"env:{variable}"
    reference = f"keyring:{_SERVICE}/{manifest.name}"
    return reference if _resolves(reference, manifest.name) else ""


def _resolves(reference: str, name: str) -> bool:
    try:
        return bool(resolve(reference, name))
    except BackendError:
        return False


def _choose_model(offered: list[OfferedModel]) -> str:
    """One of the server's models; any name if it has no list."""
    if offered:
        rows = [(each.name, _about(each)) for each in offered]
        return choose("Which model (number or name)", rows, own=True)
    model = ""
    while not model:
        model = ask("Name of the model")
    return model


def _offered(manifest: Manifest) -> list[OfferedModel]:
    async def asked() -> list[OfferedModel]:
        async with asyncio.timeout(_OFFER_SECONDS):
            return list(await offered_models(backend_spec(manifest)))

    try:
        return wait_for("Asking for the list of models", asked)
    except BackendError as problem:
        print_line(f"There is no list to choose from: {problem}", err=True)
    except TimeoutError:
        print_line("There is no list to choose from: the server did not answer in time.", err=True)
    return []


def _about(model: OfferedModel) -> str:
    facts = []
    if model.size:
        facts.append(
            f"{model.size / 1e9:.1f} GB" if model.size >= 1e9 else f"{model.size / 1e6:.0f} MB"
        )
    if model.context_window:
        facts.append(f"window {model.context_window}")
    if model.loaded:
        facts.append("loaded")
    if not model.installed:
        facts.append(f"not here yet: perdure models pull {model.name}")
    return " · ".join(facts)


def _ask_window() -> int:
    while True:
        answer = ask("Context window in tokens (the server does not state it)", "8192")
        if answer.isascii() and answer.isdigit() and 256 <= int(answer) <= 100_000_000:
            return int(answer)
        print_line("Type a number of tokens, such as 8192.", err=True)


def goes_first(backends: BackendActions, given: Answers) -> bool:
    """Whether the new backend goes first in the failover order; asked on a terminal."""
    order = backends.settings.backends
    if given.first is not None or not order or not on_terminal():
        return bool(given.first)
    print_line(f"Failover order: {', then '.join(order)}.", err=True)
    rows = [("last", "asked when the others fail"), ("first", "asked first from now on")]
    return choose("Where should it go", rows) == "first"


def add_all_the_same(problem: Problem) -> bool:
    """Say that the check failed; returns whether to add the backend anyway."""
    print_line(f"The check failed: {problem}", err=True)
    if on_terminal():
        return ask_yes_no("Add it anyway?")
    print_line("Nothing was added. To add it without a check: --no-check", err=True)
    return False
