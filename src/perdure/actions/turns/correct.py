"""Correcting what was said. Later turns stay; git keeps the words as they were."""

from __future__ import annotations

from dataclasses import dataclass

from perdure.actions.errors import CannotAct
from perdure.actions.turns.regenerate import stored_turn
from perdure.actions.turns.rewrite import ChunkEdit, StoredTurn, rewrite_here
from perdure.actions.workspace import Workspace
from perdure.backends.keys import loaded_secrets
from perdure.companion.conversation.edit import answers, edit_message, edit_reply
from perdure.companion.ids import TurnId
from perdure.companion.names import title_from
from perdure.companion.secrets import mask_secrets
from perdure.git.errors import HistoryError
from perdure.snapshot.conversation.transcript import Transcript
from perdure.snapshot.conversation.turn_names import first_words, name_turn


@dataclass(frozen=True, slots=True)
class Words:
    """Words that can be corrected.

    Attributes:
        turn: the turn.
        answer: number of the answer; 0: the user's message.
        text: the words as they stand.
        about: first words of the turn.
    """

    turn: TurnId
    answer: int
    text: str
    about: str

    @property
    def named(self) -> str:
        """Which words they are, for people."""
        if not self.answer:
            return f"your words “{self.about}”"
        which = "the reply" if self.answer == 1 else f"answer {self.answer}"
        return f"{which} to “{self.about}”"

    @property
    def whose(self) -> str:
        """Whose they are, for commits, which name the turn."""
        return f"answer {self.answer} to" if self.answer else "your words in"


@dataclass(frozen=True, slots=True)
class Corrected:
    """A correction that was made. ``masked``: keys that were taken out of the new words."""

    turn: TurnId
    commit: str
    masked: int


def find_words(
    workspace: Workspace, where: str, *, reply: bool = False, answer: int | None = None
) -> Words:
    """The words of a turn that are to be corrected.

    Args:
        workspace: the companion.
        where: the turn's name.
        reply: her words instead of the user's.
        answer: which answer, where there are several; the one that stands without.

    Raises:
        UnknownTurn: there is no such turn.
        CannotAct: nobody said such a thing there.
        CompanionProblem: the turn's file is damaged.
    """
    transcript = Transcript(workspace.repo, workspace.tip)
    turn_id = name_turn(transcript, where)
    stored = stored_turn(workspace.repo, transcript, turn_id)
    about = first_words(stored.turn)
    if not reply:
        if stored.turn.message is None:
            raise CannotAct(
                f"“{about}” has no message of yours",
                next_step="to correct her words: perdure edit TURN --reply",
            )
        return Words(turn_id, 0, stored.turn.message.text, about)
    for row in answers(stored.files, turn_id.number):
        if row.number == answer or (answer is None and row.shown):
            return Words(turn_id, row.number, row.replies[0].text, about)
    raise CannotAct(
        f"“{about}” has no {f'answer {answer}' if answer else 'reply'}",
        next_step=f"perdure alternatives {turn_id} lists them",
    )


def correct(workspace: Workspace, words: Words, text: str) -> Corrected:
    """Put other words in their place: an ``edit:`` commit by the human.

    Raises:
        CannotAct: nothing is left of the words, they read so already, or the file has an edit
            that is in no commit.
        CompanionProblem: the turn's file is damaged.
        HistoryError: nothing was changed.
    """
    text, masked = mask_secrets(text, loaded_secrets())
    if not text.strip():
        raise CannotAct(
            "no words are left",
            next_step=f"to keep a turn out of prompts: perdure aside {words.turn}",
        )
    if text == words.text:
        raise CannotAct(f"{words.named} {'reads' if words.answer else 'read'} like that already")

    def corrected(stored: StoredTurn) -> ChunkEdit:
        _check_clean(workspace, stored)
        _check_same(stored, words)
        number = words.turn.number
        if words.answer:
            files = edit_reply(stored.files, number, text, answer=words.answer)
        else:
            files = edit_message(stored.files, number, text)
        message = f"edit: {title_from(text, 60)}\n\nCorrects {words.whose} {words.turn}.\n"
        return ChunkEdit(files, lambda _: message)

    return Corrected(words.turn, rewrite_here(workspace, words.turn, corrected), masked)


def _check_same(stored: StoredTurn, words: Words) -> None:
    """What somebody else has corrected meanwhile is not written over unseen."""
    turn = stored.turn
    texts = [turn.message.text] if turn.message and not words.answer else []
    if words.answer:
        there = answers(stored.files, turn.number)
        texts = [row.replies[0].text for row in there if row.number == words.answer]
    if words.text not in texts:
        raise CannotAct(
            f"{words.named} {'was' if words.answer else 'were'} changed in the meantime",
            kept="they stay as they are now",
            next_step=f"look at them with: perdure show {words.turn}, then try again",
        )


def _check_clean(workspace: Workspace, stored: StoredTurn) -> None:
    """An edit of the very file in an editor is not written over, nor left behind."""
    state = workspace.repo.state_of_work()
    if state.open_operation and state.open_operation != "merge":
        raise HistoryError(
            f"a {state.open_operation} is not finished",
            "nothing was changed",
            f"finish it, or abort it with: git {state.open_operation} --abort",
        )
    edited = workspace.repo.diff(None, None, list(stored.oids))
    if edited:
        raise CannotAct(
            f"{edited[0].path} has an uncommitted edit",
            next_step=f"commit it with git, or take it back with: git restore {edited[0].path}",
        )
