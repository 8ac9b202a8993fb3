"""Check a backend without a conversation: does it answer, and what does one tiny call return?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from perdure.actions.backends.token_corrections import Corrections
from perdure.actions.backends.trial_call import PROMPT, TrialCall, first_form, try_forms
from perdure.backends.destination import load_driver
from perdure.backends.drivers import make_backend
from perdure.backends.errors import (
    AuthenticationFailed,
    BackendError,
    BadParameter,
    DriverMissing,
    ModelMissing,
    NotConfirmed,
    TimedOut,
)
from perdure.backends.hosted.server_backend import ServerBackend
from perdure.backends.keys import loaded_secrets, resolve
from perdure.backends.protocol import Backend, BackendSpec, Fingerprint
from perdure.backends.roles.shape import folded_counter
from perdure.companion.config.backend_lock import LockEntry
from perdure.companion.secrets import mask_secrets

LOOK_SECONDS = 6.0
"""Longest look at one backend; a turn waits much longer."""
_LOAD_SECONDS = 60.0
"""For a model that is loaded here: no network is waited for."""

State = Literal[
    "reachable", "drift", "offline", "no key", "refused", "missing", "broken", "unconfirmed"
]
KeyState = Literal["none needed", "there", "missing"]


@dataclass(frozen=True, slots=True)
class BackendStatus:
    """What a backend answers at this moment. ``latency`` is in seconds, ``window`` in tokens."""

    state: State
    hosted: bool = False
    window: int = 0
    latency: float = 0.0
    key: KeyState = "none needed"
    detail: str = ""
    """What is wrong; empty where nothing is."""
    next_step: str = ""


@dataclass(frozen=True, slots=True)
class TestCall:
    """The result of one tiny call.

    Tokens of the prompt: ``counted`` here, ``expected`` after what was learned from earlier
    reports of this backend, ``reported`` by it now.
    """

    trial: TrialCall
    model: str
    fingerprint: str
    window: int
    counted: int
    expected: int
    counted_by: str
    exact: bool
    reported: int | None
    only_thought: bool
    """The model spent the call on thoughts."""
    found: Fingerprint
    """What it runs."""


async def read_status(
    asked: Sequence[tuple[BackendSpec, LockEntry | None]], seconds: float = LOOK_SECONDS
) -> list[BackendStatus]:
    """Ask all backends at once how they are, against what each was last seen to run. Sends no text.

    Each may take ``seconds`` twice: all are opened first, then those that a server runs are timed
    on a second connection, when nothing is being imported or loaded beside them.
    """
    for driver in {spec.driver for spec, _ in asked if not spec.disabled}:
        await asyncio.to_thread(load_driver, driver)
    looks = [
        _Look(spec, seen, _LOAD_SECONDS if spec.driver == "embedded" else seconds)
        for spec, seen in asked
    ]
    await asyncio.gather(*(each.open() for each in looks))
    return list(await asyncio.gather(*(each.time() for each in looks)))


class _Look:
    """One backend, asked in two steps."""

    def __init__(self, spec: BackendSpec, seen: LockEntry | None, seconds: float) -> None:
        self._spec = spec
        self._seen = seen
        self._seconds = seconds
        self._backend: Backend | None = None
        self._found = BackendStatus("unconfirmed")

    async def open(self) -> None:
        """Open the backend and ask what it runs."""
        spec = self._spec
        if spec.disabled:
            step = f"perdure backend confirm {spec.name}"
            self._found = BackendStatus("unconfirmed", detail=spec.disabled, next_step=step)
            return
        key = await asyncio.to_thread(_key_state, spec)
        try:
            self._backend = make_backend(spec)
        except BackendError as problem:
            self._found = _failed(problem, hosted=False, key=key)
            return
        self._found = await self._limited(self._learn(self._backend, key), self._backend, key)

    async def _learn(self, backend: Backend, key: KeyState) -> BackendStatus:
        began = time.monotonic()
        await backend.open()
        latency = time.monotonic() - began
        if isinstance(backend, ServerBackend) and backend.doubt is not None:
            return _failed(backend.doubt, hosted=backend.hosted, key=key)
        window = await backend.context_window()
        drift = _drift(await backend.fingerprint(), self._seen)
        step = f"perdure backend pin {self._spec.name}, if that is right" if drift else ""
        state: State = "drift" if drift else "reachable"
        return BackendStatus(state, backend.hosted, window, latency, key, drift, step)

    async def time(self) -> BackendStatus:
        """Time a second connection, then close the backend."""
        backend, found = self._backend, self._found
        if backend is None:
            return found
        if found.state in ("reachable", "drift") and self._spec.driver != "embedded":
            found = await self._limited(self._again(backend, found), backend, found.key)
        await backend.close()
        return found

    async def _again(self, backend: Backend, found: BackendStatus) -> BackendStatus:
        await backend.close()
        began = time.monotonic()
        await backend.open()
        return replace(found, latency=time.monotonic() - began)

    async def _limited(
        self, looking: Coroutine[None, None, BackendStatus], backend: Backend, key: KeyState
    ) -> BackendStatus:
        try:
            async with asyncio.timeout(self._seconds):
                return await looking
        except TimeoutError:
            late = TimedOut(
                f"{self._spec.name} did not answer within {self._seconds:.0f} s",
                next_step=f"perdure backend check {self._spec.name}, which waits longer",
            )
            return _failed(late, hosted=backend.hosted, key=key)
        except BackendError as problem:
            return _failed(problem, hosted=backend.hosted, key=key)


def _failed(problem: BackendError, *, hosted: bool, key: KeyState) -> BackendStatus:
    state: State = "offline"
    match problem:
        case NotConfirmed():
            state = "unconfirmed"
        case AuthenticationFailed():
            state = "no key" if key == "missing" else "refused"
        case ModelMissing():
            state = "missing"
        case BadParameter() | DriverMissing():
            state = "broken"
    detail = _without_keys(problem.what)
    return BackendStatus(state, hosted, key=key, detail=detail, next_step=problem.next_step)


def _without_keys(text: str) -> str:
    """Take keys out of a text: a server may repeat the key that it refuses."""
    masked, _ = mask_secrets(text, loaded_secrets())
    return masked


def _drift(found: Fingerprint, seen: LockEntry | None) -> str:
    """What has changed since the backend was last seen, in words; empty where nothing has."""
    if seen is None or seen.fingerprint == found.short:
        return ""
    if not found.details.get("served", "-") and _as_seen(found.details, seen.details):
        # An API names the model that serves only with a reply, and none was asked for.
        return ""
    return f"runs {found.short}, last seen {seen.fingerprint}"


def _as_seen(found: Mapping[str, str], seen: Mapping[str, str]) -> bool:
    changing = {"served", "system_fingerprint"}
    return all(seen.get(key, "") == value for key, value in found.items() if key not in changing)


def _key_state(spec: BackendSpec) -> KeyState:
    if not spec.key:
        return "none needed"
    try:
        resolve(spec.key, spec.name)
    except BackendError:
        return "missing"
    return "there"


async def call_once(backend: Backend, corrections: Corrections | None = None) -> TestCall:
    """Make one tiny call in the roles of a real turn, then close the backend. Raises BackendError.

    Where the server refuses these roles, or a field, it is asked again in another form, so that
    what it takes is known. Nothing of the conversation or the persona is sent.

    Nothing is learned from the token counts: a chat template outweighs so short a prompt.
    """
    try:
        await backend.open()
        window = await backend.context_window()
        stated = (await backend.fingerprint()).shape
        trial = await try_forms(backend, first_form(backend.spec, stated))
        tokenizer = folded_counter(await backend.tokenizer(), trial.form.shape)
        counted = tokenizer.count_prompt(PROMPT)
        known = corrections.applied(backend.spec, tokenizer) if corrections else tokenizer
        expected = known.count_prompt(PROMPT)
        fingerprint = await backend.fingerprint()
    except BackendError as problem:
        problem.what = _without_keys(problem.what)
        raise
    finally:
        await backend.close()
    finished = trial.finished
    return TestCall(
        trial=trial,
        model=finished.model if finished else backend.spec.model,
        fingerprint=fingerprint.short,
        window=window,
        counted=counted,
        expected=expected,
        counted_by=tokenizer.name,
        exact=tokenizer.exact,
        reported=finished.usage.prompt if finished else None,
        only_thought=trial.thought and not trial.reply,
        found=fingerprint,
    )
