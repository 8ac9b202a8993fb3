"""What a prompt is made from, as of one commit."""

from __future__ import annotations

from perdure.companion.ids import TurnId
from perdure.prompt import Choice, PastTurn, PromptInputs
from perdure.snapshot.companion import CompanionAt
from perdure.snapshot.conversation.transcript import newest_time
from perdure.snapshot.memory import MemoryAt

NO_MEMORY = MemoryAt()


def prompt_inputs(
    companion: CompanionAt, thread: tuple[PastTurn, ...], memory: MemoryAt = NO_MEMORY
) -> PromptInputs:
    """Gather what `assemble` needs for the last turn of ``thread``."""
    newest = thread[-1].turn
    asked_at = newest.message.at if newest.message is not None else newest_time(newest)
    return PromptInputs(
        persona=companion.persona,
        char=companion.name,
        user=companion.settings.user,
        turns=thread,
        time=companion.settings.time,
        now=asked_at,
        last_talk=newest_time(thread[-2].turn) if len(thread) > 1 else None,
        lore=memory.lore,
        facts=memory.facts,
        summaries=memory.summaries,
        language=companion.settings.language,
        former_names=companion.settings.former_names,
    )


def sent_turns(inputs: PromptInputs, choice: Choice) -> frozenset[TurnId]:
    """The turns of the thread that a prompt holds."""
    ids = [past.id for past in inputs.turns]
    return frozenset(ids[ids.index(choice.window) :])
