"""Why she answered as she did: the prompt of any turn, part by part, checked by its hash.

`explain` is what ``perdure why`` prints and the screen's prompt inspector shows. It only reads.
Counts of tokens beside the parts are there to be looked at; nothing is decided by them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from perdure.actions.backends.fingerprint import form_at_base
from perdure.backends.protocol import PromptMessage, Tokenizer
from perdure.backends.roles.shape import PLAIN, Shape, fold
from perdure.companion.errors import CompanionProblem
from perdure.companion.ids import TurnId
from perdure.git.errors import HistoryError
from perdure.git.repository.repository import CommitInfo, Repository
from perdure.progress import Progress
from perdure.prompt import PartKind, PastTurn
from perdure.prompt.errors import ChoiceMissing, MemoryProblem, UnknownAssembly
from perdure.snapshot.conversation.turn_commits import (
    AnswerCommit,
    commit_of_turn,
    find_answer_commit,
)
from perdure.snapshot.errors import RequestProblem, UnknownTurn
from perdure.views.why.reasons import LeftOut, left_out, reasons
from perdure.views.why.replay import Replayed, replay

Verdict = Literal["matches", "differs", "no-prompt", "not-sent"]
"""Whether the rebuilt prompt has the hash that was recorded; ``no-prompt``: none was recorded;
``not-sent``: it has not been sent yet."""


@dataclass(frozen=True, slots=True)
class ExplainedPart:
    """One part of a prompt.

    Attributes:
        kind: what it is.
        source: path or turn id that it came from; several turns as a range.
        line: line in that file, where the part is one line; else 0.
        text: what it put into the prompt.
        tokens: of the text by itself; what stands around it is not counted.
        reason: why it is in.
        taught_by: of a fact, the turn or import that it was learned from.
        score: of earlier turns, in a prompt to come, how well the best of them fits; else None.
    """

    kind: PartKind
    source: str
    line: int
    text: str
    tokens: int
    reason: str
    taught_by: str = ""
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """A prompt, part by part.

    Attributes:
        turn: the turn that it was for; None for one to come.
        verdict: whether it is the prompt that was sent.
        note: what there is to say about the verdict: the likely cause of a difference, or why no
            prompt was recorded; "" for nothing.
        answer: number of the answer that came of it; 0 where none did.
        commit: the commit that brought the answer; "" for a prompt to come.
        base: the commit whose tree it was made from.
        assembly: version of the rules; 0 without a prompt.
        backend: name of the backend that answered, or will be asked.
        model: its model.
        recorded: the hash on the commit.
        rebuilt: the hash of the messages before folding; "" where they could not be rebuilt.
        messages: exactly as they were sent, folded where the model takes them in one shape only.
        shape: that shape in words; "" where they went out with all their roles.
        parts: what they were made from, in the order of the prompt.
        left_out: what was there and is not in.
        tokens: of the whole prompt, as the commit has them or as they were counted now.
        reply_tokens: of the reply, as the commit has them.
        window: tokens of the model's context window, of a prompt to come; else 0.
        counter: what counted the parts' tokens.
        exact: whether that is the model's own tokenizer; else they are estimates.
        before: the turn before, whose prompt this one is compared with; None without one.
        shared: share of this prompt, from its front on, that is the same as the prompt of the turn
            before and its reply: what a server need not read again. None where there is none.
    """

    turn: TurnId | None
    verdict: Verdict
    note: str = ""
    answer: int = 0
    commit: str = ""
    base: str = ""
    assembly: int = 0
    backend: str = ""
    model: str = ""
    recorded: str = ""
    rebuilt: str = ""
    messages: tuple[PromptMessage, ...] = ()
    shape: str = ""
    parts: tuple[ExplainedPart, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    tokens: int = 0
    reply_tokens: int = 0
    window: int = 0
    counter: str = ""
    exact: bool = False
    before: TurnId | None = None
    shared: float | None = None


def explain(
    repo: Repository,
    turn: TurnId,
    *,
    answer: int = 0,
    start: str | None = None,
    progress: Progress | None = None,
    counter: Tokenizer | None = None,
) -> Explanation:
    """The prompt of a past turn, rebuilt from its commit, and whether its hash matches.

    Args:
        repo: the repository.
        turn: the turn, by its whole id; `turn_names.find_turn_at` finds it by other names.
        answer: which of its answers; 0: the one that stands.
        start: id of the commit whose history is searched; HEAD's without.
        progress: called while an index of the history is made.
        counter: counts the parts; without one, the best for the model's name that works offline.

    Raises:
        UnknownTurn: no commit here has that turn, or no such answer to it.
        HistoryError: the commit itself cannot be read.
    """
    start = start or repo.resolve("HEAD")
    asked = find_answer_commit(repo, start, turn, answer, progress)
    if asked is None:
        info = commit_of_turn(repo, start, turn, progress)
        if info is None or answer > 1:
            which = f"no answer {answer} to {turn}" if answer else f"no turn {turn}"
            raise UnknownTurn(f"there is {which} here.")
        return Explanation(turn, "no-prompt", _origin(turn, info), commit=info.id)
    facts = asked.facts
    plain = Explanation(
        turn,
        "no-prompt",
        _why_none(asked),
        answer=asked.reply.answer if asked.reply is not None else 0,
        commit=asked.commit.id,
        base=asked.base,
    )
    if not facts.prompt:
        return plain
    try:
        again = replay(repo, asked)
    except (HistoryError, RequestProblem, CompanionProblem, MemoryProblem) as problem:
        return _described(plain, asked, None, counter, note=_cause(repo, asked, None, problem))
    matches = again.prompt.digest == facts.prompt
    note = "" if matches else _cause(repo, asked, again, None)
    shape = _shape_of(repo, asked)
    found = _described(plain, asked, again, counter, note=note, shape=shape)
    return share_of(repo, start, found, again.inputs.turns)


def _shape_of(repo: Repository, asked: AnswerCommit) -> Shape:
    """What the prompt was folded into, as the turn's base commit has it."""
    return form_at_base(repo, asked.base, asked.facts.backend, asked.facts.fingerprint).shape


# Without a prompt


def _origin(turn: TurnId, info: CommitInfo) -> str:
    """Where a turn came from that no commit of perdure's brought with trailers."""
    kind = info.subject.partition(":")[0]
    if turn.number == 0:
        return "It is a greeting from persona/greetings/; no prompt was made for it."
    if kind == "import":
        return "It was imported; its prompt is not known here."
    if kind == "merge" or len(info.parents) > 1:
        return (
            "A merge gave it a new id; its prompt is recorded under the id that its message "
            "names in 'was:'."
        )
    return "Its commit records no prompt: perdure did not make it, or an older version did."


def _why_none(asked: AnswerCommit) -> str:
    if asked.reply is None:
        return "It has no answer, so no prompt is recorded."
    if asked.reply.interrupted:
        return (
            "Its reply was recovered after a crash, as far as it came; the prompt was not recorded."
        )
    return "Its commit records no prompt."


# Where the hash differs


def _cause(
    repo: Repository, asked: AnswerCommit, again: Replayed | None, problem: Exception | None
) -> str:
    """The most likely reason why a prompt cannot be rebuilt, or differs."""
    if isinstance(problem, UnknownAssembly):
        return f"{problem.what[:1].upper()}{problem.what[1:]}. {problem.next_step}."
    if isinstance(problem, HistoryError):
        shallow = (repo.git_dir / "shallow").exists()
        why = (
            "this is a shallow clone; get the rest with: git fetch --unshallow"
            if shallow
            else "the history was rewritten or is incomplete"
        )
        which = f", {asked.base[:12]}," if asked.base else ""
        return f"The commit it was made from{which} is not here: {why}."
    troubles = again.memory.troubles if again is not None else ()
    if troubles:
        return f"A file could not be read: {troubles[0]}."
    rewritten = (
        "The recorded words or trailers are no longer the original ones: the history was "
        "rewritten (rebase, amend, filter-repo), or another program wrote the commit"
    )
    if isinstance(problem, ChoiceMissing):
        return f"{problem.what[:1].upper()}{problem.what[1:]} in {asked.base[:12]}. {rewritten}."
    if problem is not None:
        return f"{problem}."
    return f"{rewritten}."


# What it was made of


def _described(
    plain: Explanation,
    asked: AnswerCommit,
    again: Replayed | None,
    counter: Tokenizer | None,
    *,
    note: str,
    shape: Shape = PLAIN,
) -> Explanation:
    facts = asked.facts
    told = replace(
        plain,
        verdict="differs",
        note=note,
        assembly=facts.assembly,
        backend=facts.backend,
        model=facts.model,
        recorded=facts.prompt,
        tokens=facts.tokens[0] if facts.tokens else 0,
        reply_tokens=facts.tokens[1] if facts.tokens else 0,
    )
    if again is None:
        return told
    counter = counter or counter_for(facts.model)
    sent = fold(again.prompt.messages, shape)
    return replace(
        told,
        verdict="matches" if again.prompt.digest == facts.prompt else "differs",
        rebuilt=again.prompt.digest,
        messages=sent,
        shape=shape.described if shape != PLAIN else "",
        parts=explained_parts(again, counter),
        left_out=left_out(again.inputs, again.prompt, again.companion.settings),
        tokens=told.tokens or counter.count_prompt(sent),
        counter=counter.name,
        exact=counter.exact,
    )


def counter_for(model: str) -> Tokenizer:
    """The best counter for a model's name that needs neither model nor network."""
    from perdure.backends.tokens.estimate import tokenizer_for

    return tokenizer_for(model)


def explained_parts(again: Replayed, counter: Tokenizer) -> tuple[ExplainedPart, ...]:
    """The parts of a prompt with their tokens and reasons."""
    why = reasons(again.inputs, again.prompt, again.companion.settings)
    return tuple(
        ExplainedPart(
            part.kind,
            part.source,
            part.line,
            part.text,
            counter.count(part.text),
            reason,
            part.taught_by,
        )
        for part, reason in zip(again.prompt.parts, why, strict=True)
    )


# What a server need not read again


def share_of(
    repo: Repository, start: str, found: Explanation, thread: tuple[PastTurn, ...]
) -> Explanation:
    """The explanation with the share that the turn before it in its thread had sent already."""
    earlier = [past for past in thread[:-1] if past.id.number]
    if not earlier:
        return found
    before = earlier[-1]
    replies = before.turn.replies
    asked = find_answer_commit(repo, start, before.id, replies[0].answer if replies else 0)
    if asked is None or not asked.facts.prompt or asked.facts.backend != found.backend:
        return found
    try:
        messages = fold(replay(repo, asked).prompt.messages, _shape_of(repo, asked))
    except (HistoryError, RequestProblem, CompanionProblem, MemoryProblem):
        return found
    said = asked.reply.text if asked.reply is not None else ""
    known = (*messages, PromptMessage("assistant", said))
    return replace(found, before=before.id, shared=shared_front(known, found.messages))


def shared_front(known: tuple[PromptMessage, ...], messages: tuple[PromptMessage, ...]) -> float:
    """The share of ``messages``, in characters from the front on, that ``known`` begins with."""
    old, new = (
        "".join(f"\0{each.role}\0{each.content}" for each in side) for side in (known, messages)
    )
    if not new:
        return 0.0
    low, high = 0, min(len(old), len(new))
    while low < high:
        middle = (low + high + 1) // 2
        if old[:middle] == new[:middle]:
            low = middle
        else:
            high = middle - 1
    return low / len(new)
