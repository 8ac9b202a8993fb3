"""What a crash left in a journal is committed when the companion is next opened."""

from __future__ import annotations

from datetime import datetime

from perdure.actions.turns.commit import Landing, TurnCommitter
from perdure.actions.turns.place import (
    Location,
    begin,
    go_on,
)
from perdure.actions.turns.rewrite import find_stored_turn
from perdure.chat.turn.branch import TalkBranch, branch_to_land_on
from perdure.chat.turn.salvage import Where, keep, makes_sense
from perdure.companion.clock import now
from perdure.companion.ids import ConversationId, TurnId
from perdure.companion.secrets import mask_secrets
from perdure.companion.turns import Message, Reply, Turn
from perdure.git.repository.repository import Author, Repository
from perdure.git.repository.turn_journal import Leftover, leftover
from perdure.git.state.fields import is_oid
from perdure.notice import Notice
from perdure.snapshot.conversation.trailers import TurnFacts
from perdure.snapshot.conversation.transcript import Transcript, last_turn


def journal_header(
    branch: str,
    place: Location,
    turn: Turn,
    greeting: Turn | None,
    speaker: str,
    *,
    answers: bool = False,
    again: bool = False,
    base: str = "",
) -> dict[str, object]:
    """What a journal must hold so that the turn can be committed without this process."""
    return {
        "branch": branch,
        "base": base,
        "conversation": str(place.conversation),
        "number": place.number,
        "title": place.head.title,
        "participants": list(place.head.participants),
        "continues": str(place.head.continues or ""),
        "joins": [str(end) for end in place.head.joins],
        "begins": place.begins,
        "answers": answers,
        "again": again,
        "speaker": speaker,
        "message": _said(turn.message),
        "greeting": _said(greeting.replies[0] if greeting else None),
    }


def end_record(reply: Reply) -> dict[str, object]:
    """What a journal must hold of a reply that ended, beside the text that was streamed."""
    return {
        "at": reply.at.isoformat() if reply.at is not None else "",
        "backend": reply.backend,
        "model": reply.model,
        "interrupted": reply.interrupted,
        "stand_in": reply.stand_in,
    }


def recover_turns(repo: Repository, committer: TurnCommitter, where: Where) -> list[Notice]:
    """Commit every turn that a dead session left; what there is to tell of each.

    `leftover` leaves out those that reached their commit before the crash. One whose header makes
    no sense is kept as words.
    """
    told: list[Notice] = []
    for found in leftover(repo):
        if makes_sense(found.header):
            told += _recover(repo, committer, where.author, found)
        elif keep(repo, committer, where, found):
            told.append(
                Notice(
                    "What a crash had cut off could not be put back into its place, so it is "
                    "committed now in a conversation of its own."
                )
            )
    return told


def _recover(
    repo: Repository, committer: TurnCommitter, author: Author, found: Leftover
) -> list[Notice]:
    header = found.header
    base = header.get("base")
    talk = branch_to_land_on(
        repo,
        str(header["branch"]),
        start=None,
        base=base if isinstance(base, str) and is_oid(base) else "",
        since=None,
    )
    sentence = _land(repo, committer, author, found, talk)
    return [*talk.notices, Notice(sentence)] if sentence else []


def _land(
    repo: Repository, committer: TurnCommitter, author: Author, found: Leftover, talk: TalkBranch
) -> str:
    header, branch, start = found.header, talk.name, talk.start
    transcript = Transcript(repo, start or f"refs/heads/{branch}")
    message = _message(header["message"])
    reply = recovered_reply(found)
    answers = bool(header["answers"])
    if answers and reply is None:
        found.discard()
        return ""
    if header.get("again") and reply is not None:
        return _recover_again(repo, transcript, committer, author, found, reply, talk)
    place, in_chunk = _place(repo, transcript, committer, branch, header)
    spoken_to = None if answers and not in_chunk else message
    turn = Turn(place.number, spoken_to, (reply,) if reply else ())
    greeting = _greeting(header) if place.begins and place.head.continues is None else None
    committer.land(
        Landing(
            place=place,
            turn=turn,
            greeting=greeting,
            facts=TurnFacts(turn=place.turn_id),
            branch=branch,
            author=author,
            at=now(),
            answers=in_chunk,
            start=start,
        ),
        found,
    )
    if reply is None:
        return "A message that had not been committed is committed now; it waits for its reply."
    if not reply.interrupted:
        return "A whole reply that could not be committed at its end is committed now."
    return "A reply that was cut off is committed now, as far as it came, marked interrupted."


def recovered_reply(found: Leftover) -> Reply | None:
    """The reply that is left: as it ended, or as far as it came; None where no word did."""
    speaker, end = str(found.header["speaker"]), found.end
    anew = end.get("text") if end is not None else None
    text, _ = mask_secrets(anew if isinstance(anew, str) else found.text)
    if not text.strip():
        return None
    if end is None:
        return Reply(speaker, text, now(), interrupted=True)
    backend, model = (end.get(key) for key in ("backend", "model"))
    try:
        at = _at(str(end.get("at", "")))
    except ValueError:
        at = None
    return Reply(
        speaker,
        text,
        at if at is not None and at.tzinfo is not None else now(),
        backend=backend if isinstance(backend, str) else "",
        model=model if isinstance(model, str) else "",
        interrupted=end.get("interrupted") is not False,
        stand_in=end.get("stand_in") is True,
    )


def _recover_again(
    repo: Repository,
    transcript: Transcript,
    committer: TurnCommitter,
    author: Author,
    found: Leftover,
    reply: Reply,
    talk: TalkBranch,
) -> str:
    """Another answer to a turn that has one: it stands, as far as it came; the old one is kept."""
    header = found.header
    turn_id = TurnId(ConversationId(str(header["conversation"])), int(str(header["number"])))
    names = header["participants"]
    participants = tuple(str(name) for name in names) if isinstance(names, list) else ()
    spot = find_stored_turn(repo, transcript, turn_id)
    before = TurnId(turn_id.conversation, turn_id.number - 1) if turn_id.number else None
    title = str(header["title"])
    place = (
        spot.place
        if spot is not None
        else begin(now(), title=title, participants=participants, continues=before)
    )
    committer.land(
        Landing(
            place=place,
            turn=Turn(place.number, _message(header["message"]), (reply,)),
            greeting=None,
            facts=TurnFacts(turn=place.turn_id),
            branch=talk.name,
            author=author,
            at=now(),
            again=spot is not None,
            start=talk.start,
        ),
        found,
    )
    if not reply.interrupted:
        return (
            "Another answer that could not be committed at its end is committed now; the one "
            "before is kept: perdure alternatives @"
        )
    return (
        "Another answer that was cut off is committed now, as far as it came, marked interrupted; "
        "the one before is kept: perdure alternatives @"
    )


def _place(
    repo: Repository,
    transcript: Transcript,
    committer: TurnCommitter,
    branch: str,
    header: dict[str, object],
) -> tuple[Location, bool]:
    """Where the left turn goes, and whether it only answers a message that stands there."""
    identity = ConversationId(str(header["conversation"]))
    title = str(header["title"])
    names = header["participants"]
    participants = tuple(str(name) for name in names) if isinstance(names, list) else ()
    conversation = transcript.find(identity)
    if conversation is None:
        continues = str(header["continues"])
        after = TurnId.parse(continues) if continues else None
        return begin(now(), title=title, participants=participants, continues=after), False
    last = last_turn(transcript, conversation)
    hand = committer.lease.take(str(identity))
    place = go_on(repo, transcript, conversation, hand, branch) if hand is not None else None
    if place is None:
        after = TurnId(identity, last.number) if last is not None else None
        return begin(now(), title=title, participants=participants, continues=after), False
    if bool(header["answers"]) and last is not None and last.number == header["number"]:
        same = Location(place.head, place.path, place.oid, place.content, last.number, begins=False)
        return same, True
    return place, False


def _said(said: Message | Reply | None) -> dict[str, str] | None:
    if said is None:
        return None
    at = said.at.isoformat() if said.at is not None else ""
    return {"speaker": said.speaker, "text": said.text, "at": at}


def _message(said: object) -> Message | None:
    if not isinstance(said, dict):
        return None
    return Message(said["speaker"], said["text"], _at(said["at"]))


def _greeting(header: dict[str, object]) -> Turn | None:
    said = header["greeting"]
    if not isinstance(said, dict):
        return None
    return Turn(0, None, (Reply(said["speaker"], said["text"], _at(said["at"])),))


def _at(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
