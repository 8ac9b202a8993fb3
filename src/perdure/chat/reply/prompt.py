"""The prompt of a turn, made from the tree and counted for the backend that is asked."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from perdure.actions.backends.token_corrections import Corrections
from perdure.backends.errors import BackendError
from perdure.backends.hosted.request_form import RequestForm
from perdure.backends.protocol import Backend, BackendSpec, Request, Tokenizer
from perdure.backends.roles.shape import fold, folded_counter
from perdure.chat.reply.recall import RecalledTurns
from perdure.companion.config.settings import LorePolicy
from perdure.companion.ids import TurnId
from perdure.git.repository.repository import Repository
from perdure.prompt import (
    BaseChoice,
    Choice,
    PastTurn,
    Prompt,
    PromptInputs,
    add_recalled,
    assemble,
    choose,
)
from perdure.prompt.budgets import Budgets, budgets
from perdure.prompt.errors import MemoryProblem
from perdure.snapshot.companion import CompanionAt
from perdure.snapshot.conversation.trailers import earlier_choice, parse_trailers
from perdure.snapshot.memory import MemoryAt
from perdure.snapshot.prompt_inputs import prompt_inputs, sent_turns

LEAST_RECALL = 60
"""Tokens below which no earlier turn has room."""
_COMMITS_BACK = 12
_LETTERS_A_TOKEN = 8
"""More than any language has: what is longer than that does not fit, and is not counted."""


def reply_room(companion: CompanionAt, window: int) -> int:
    """Tokens kept for the reply: what the settings say, at most half the window."""
    return budgets(window, companion.settings.context).reply


@dataclass(frozen=True, slots=True)
class PreviousChoice:
    """The choice for the turn before, and the backend that it was built for."""

    backend: str
    choice: Choice


Recall = Callable[[frozenset[TurnId]], Awaitable[RecalledTurns]]
"""Looks for earlier turns that fit the newest message, but for those that are sent anyway."""


@dataclass(frozen=True, slots=True)
class PromptSources:
    """What a prompt is built from beside the persona and the conversation.

    Attributes:
        memory: lore, facts and summaries.
        previous: the choice for the turn before.
        recall: asks for earlier turns; None: none are wanted.
        history: the thread with all earlier conversations before it, where that is to be tried.
    """

    memory: MemoryAt = field(default_factory=MemoryAt)
    previous: PreviousChoice | None = None
    recall: Recall | None = None
    history: tuple[PastTurn, ...] = ()


@dataclass(frozen=True, slots=True)
class BuiltPrompt:
    """A prompt, and its tokens: as counted, and as corrected by what the backend reported before.

    Attributes:
        prompt: the prompt.
        inputs: what it was built from.
        tokens: its tokens, corrected.
        counted: its tokens as ``tokenizer`` counted them.
        tokenizer: the one that counted.
        notice: what recall has to tell; "" for nothing.
    """

    prompt: Prompt
    inputs: PromptInputs
    tokens: int
    counted: int
    tokenizer: Tokenizer
    notice: str = ""


@dataclass(frozen=True, slots=True)
class PromptTarget:
    """Whom a prompt is built for: the backend's spec, its window in tokens, its counter.

    ``form`` is how it is sent there; tokens are counted so.
    """

    spec: BackendSpec
    window: int
    tokenizer: Tokenizer
    form: RequestForm = field(default_factory=RequestForm)


async def measure(backend: Backend, form: RequestForm | None = None) -> PromptTarget:
    """Ask an open backend. Raises BackendError."""
    window, counter = await backend.context_window(), await backend.tokenizer()
    return PromptTarget(backend.spec, window, counter, form or RequestForm())


async def make_prompt(
    companion: CompanionAt,
    thread: tuple[PastTurn, ...],
    by: PromptTarget,
    material: PromptSources,
    corrections: Corrections,
    room: int | None = None,
) -> BuiltPrompt:
    """The prompt for the last turn of ``thread``, of ``room`` tokens. Raises MemoryProblem."""
    slow = by.spec.driver == "embedded"
    shares = budgets(by.window, companion.settings.context, slow=slow)
    if room is not None:
        shares = replace(shares, prompt=min(shares.prompt, room))
    plain = corrections.remembering(by.spec, by.tokenizer)
    plain = folded_counter(plain, by.form.shape)
    tokenizer = corrections.applied(by.spec, plain)
    inputs = prompt_inputs(companion, thread, material.memory)
    previous = material.previous
    before = previous.choice if previous and previous.backend == by.spec.name else None

    inputs, chosen = await asyncio.to_thread(
        _chosen, inputs, before, material, shares, tokenizer, companion.settings.lore
    )
    found = RecalledTurns()
    if material.recall is not None and chosen.recall > LEAST_RECALL:
        found = await material.recall(sent_turns(inputs, chosen.choice))
        inputs = replace(inputs, recalled=found.texts)

    def finish() -> BuiltPrompt:
        choice = add_recalled(inputs, chosen, found.turns, budgets=shares, tokenizer=tokenizer)
        prompt = assemble(inputs, choice)
        tokens = tokenizer.count_prompt(prompt.messages)
        same = tokenizer is plain
        counted = tokens if same else plain.count_prompt(prompt.messages)
        return BuiltPrompt(prompt, inputs, tokens, counted, plain, found.notice)

    return await asyncio.to_thread(finish)


def _chosen(
    inputs: PromptInputs,
    before: Choice | None,
    material: PromptSources,
    shares: Budgets,
    tokenizer: Tokenizer,
    policy: LorePolicy,
) -> tuple[PromptInputs, BaseChoice]:
    """All that was ever said, where it fits; else the thread, and room for earlier turns."""
    decide = partial(choose, budgets=shares, tokenizer=tokenizer, policy=policy)
    if material.history and _is_short(material.history, shares, tokenizer):
        first = material.history[0].id
        whole = replace(inputs, turns=material.history)
        kept = replace(before, window=first) if before is not None else None
        chosen = decide(whole, previous=kept, recall=False)
        if chosen.choice.window == first:
            return whole, chosen
    wanted = material.recall is not None and inputs.turns[-1].turn.message is not None
    return inputs, decide(inputs, previous=before, recall=wanted)


def _is_short(history: Sequence[PastTurn], shares: Budgets, tokenizer: Tokenizer) -> bool:
    """Whether all that was said may fit into its share; the whole prompt is counted later."""
    texts = [
        said.text
        for past in history
        for said in (past.turn.message, *past.turn.replies)
        if said is not None
    ]
    if sum(map(len, texts)) > shares.life * _LETTERS_A_TOKEN:
        return False
    return shares.life >= shares.prompt or tokenizer.count("\n".join(texts)) <= shares.life


async def prefill(
    companion: CompanionAt,
    thread: tuple[PastTurn, ...],
    backend: Backend,
    material: PromptSources,
    corrections: Corrections,
    form: RequestForm | None = None,
) -> None:
    """Let a backend of this machine read the front of the next prompt while the user types.

    ``thread`` ends with a made-up message in the place of the one to come; what stands before it is
    sent for a reply of one token, which is thrown away. Recall is not asked: what it finds for the
    made-up message stands behind that front.
    """
    try:
        front_only = replace(material, recall=_nothing if material.recall is not None else None)
        by = await measure(backend, form)
        built = await make_prompt(companion, thread, by, front_only, corrections)
        front = fold(built.prompt.messages[:-1], by.form.shape)
        if front:
            stream = backend.stream(Request(front, 1, by.form.without))
            async with contextlib.aclosing(stream):
                async for _ in stream:
                    break
    except (BackendError, MemoryProblem):
        # Whatever is wrong here is said when the real prompt is sent.
        return


async def _nothing(sent: frozenset[TurnId]) -> RecalledTurns:  # noqa: ARG001 - as `Recall` has it
    """Room is kept all the same, or the window would be another one."""
    return RecalledTurns()


def previous_choice(repo: Repository, rev: str) -> PreviousChoice | None:
    """What was chosen for the last turn before a commit, as the turn's own commit has it.

    Only the newest commits are looked at: what lies further back matters to no server's cache.
    """
    for _ in range(_COMMITS_BACK):
        info = repo.commit_info(rev)
        facts = parse_trailers(info.trailers)
        choice = earlier_choice(facts) if facts is not None else None
        if facts is not None and choice is not None:
            return PreviousChoice(facts.backend, choice)
        if not info.parents:
            return None
        rev = info.parents[0]
    return None
