"""Version 3 of the prompt: her words are hers under every name that she has had.

Its output never changes; a change of wording or order is a new version.

The messages stand as version 2 has them. What differs is whose words a reply is
(`perdure.companion.conversation.speaker`), and that an earlier moment names her and the user as
they are called now; another speaker keeps the name of the record. The thread is that of
`perdure.snapshot.conversation.merged_thread`.
"""

from __future__ import annotations

from functools import partial

from perdure.backends.protocol import PromptMessage
from perdure.companion.conversation.speaker import is_hers
from perdure.companion.turns import Reply, Turn
from perdure.prompt import v2
from perdure.prompt.excerpt import excerpt
from perdure.prompt.values import Choice, Prompt, PromptInputs


def assemble(inputs: PromptInputs, choice: Choice) -> Prompt:
    """Put the chosen parts together.

    Raises:
        ChoiceMissing: the choice names something that the inputs lack.
    """
    return v2.put_together(inputs, choice, said, partial(moment_lines, inputs))


def said(inputs: PromptInputs, turn: Turn) -> list[PromptMessage]:
    """A turn as messages: what she said is the assistant's, all else the user's."""
    spoken = [PromptMessage("user", turn.message.text)] if turn.message is not None else []
    for reply in turn.replies:
        if _is_hers(inputs, turn, reply):
            spoken.append(PromptMessage("assistant", reply.text))
        else:
            spoken.append(PromptMessage("user", f"{reply.speaker}: {reply.text}"))
    return spoken


def moment_lines(inputs: PromptInputs, turn: Turn, question: str) -> list[str]:
    """What was said in an earlier turn; of long messages the part that a question is about."""
    told = [(inputs.user, turn.message.text)] if turn.message is not None else []
    told += [
        (inputs.char if _is_hers(inputs, turn, reply) else reply.speaker, reply.text)
        for reply in turn.replies
    ]
    return [f"{name}: {excerpt(text, question, v2.MOMENT_CELLS)}" for name, text in told]


def _is_hers(inputs: PromptInputs, turn: Turn, reply: Reply) -> bool:
    return is_hers(turn, reply, (inputs.char, *inputs.former_names))
