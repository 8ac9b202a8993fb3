"""The prompt that would be sent now: made like a turn's, and neither sent nor recorded."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from perdure.backends.errors import BackendError
from perdure.backends.roles.shape import PLAIN, fold
from perdure.chat.reply.prompt import BuiltPrompt, PromptSources, PromptTarget, make_prompt, measure
from perdure.chat.reply.recall import RecalledTurns
from perdure.companion.config.upgrades import SETTINGS
from perdure.companion.ids import TurnId
from perdure.prompt import newest_assembly
from perdure.views.why.explain import (
    ExplainedPart,
    Explanation,
    counter_for,
    explained_parts,
    share_of,
)
from perdure.views.why.reasons import LeftOut, left_out
from perdure.views.why.replay import Replayed

if TYPE_CHECKING:
    from perdure.chat.routing.router import Router, Work
    from perdure.chat.turn.store import TurnStore

_WAIT = 120.0
"""Seconds that a preview waits for recall: nobody is kept from an answer."""
_WINDOW = 8_192


async def preview_for(store: TurnStore, router: Router, work: Work, text: str) -> Explanation:
    """The same, for a session: as of what it last saw of the branch."""
    thread = await work(lambda: store.position.thread_to_come(text))
    material = await router.material(thread, wait=_WAIT)
    found = RecalledTurns()

    async def recall(sent: frozenset[TurnId]) -> RecalledTurns:
        nonlocal found
        found = await material.recall(sent) if material.recall is not None else found
        return found

    heard = replace(material, recall=recall if material.recall is not None else None)
    by, note = await _measure(router)
    made = await make_prompt(store.position.companion, thread, by, heard, router.corrections)
    explained = _explained(store, by, made, material, found)
    edited = await work(lambda: _edited(store))
    explained = replace(explained, note=" ".join(filter(None, (note, found.notice, edited))))
    start = store.position.companion.commit
    return await work(lambda: share_of(store.repo, start, explained, thread))


def _edited(store: TurnStore) -> str:
    """What a turn would commit first, and so take up."""
    found = store.repo.edits.find((SETTINGS, "persona", "lore", "memory")).ready
    if not found:
        return ""
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return f"Edited and not committed, so not in it: {found[0].path}{more}."


def _explained(
    store: TurnStore,
    by: PromptTarget,
    made: BuiltPrompt,
    material: PromptSources,
    found: RecalledTurns,
) -> Explanation:
    again = Replayed(made.prompt, made.inputs, store.position.companion, material.memory)
    taken = {str(each): each for each in made.prompt.choice.recalled}

    def scored(part: ExplainedPart) -> ExplainedPart:
        turns = taken.get(part.source, ())
        fitting = [score for turn, score in found.scores.items() if turn in turns]
        return replace(part, score=max(fitting, default=None))

    out = [
        LeftOut("recalled", str(turn), "found by recall, but no room", found.scores[turn])
        for turn in found.turns
        if not any(turn in turns for turns in taken.values())
    ]
    return Explanation(
        None,
        "not-sent",
        base=store.position.companion.commit,
        assembly=newest_assembly(),
        backend=by.spec.name,
        model=by.spec.model,
        rebuilt=made.prompt.digest,
        messages=fold(made.prompt.messages, by.form.shape),
        shape=by.form.shape.described if by.form.shape != PLAIN else "",
        parts=tuple(map(scored, explained_parts(again, made.tokenizer))),
        left_out=(*left_out(made.inputs, made.prompt, store.position.companion.settings), *out),
        tokens=made.tokens,
        window=by.window,
        counter=made.tokenizer.name,
        exact=made.tokenizer.exact,
    )


async def _measure(router: Router) -> tuple[PromptTarget, str]:
    """How the backend counts; what its manifest says where it cannot be asked, and a note."""
    backend = router.next_backend
    try:
        await backend.open()
        return await measure(backend, await router.form(backend)), ""
    except BackendError as problem:
        window = backend.spec.context_window or _WINDOW
        message = f"{backend.spec.name}: {problem.what}. Counted for a window of {window:,} tokens."
        return PromptTarget(backend.spec, window, counter_for(backend.spec.model)), message
