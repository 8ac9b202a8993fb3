"""Pairs of facts of which the later one is true, with other talk before, between and after."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from tests.recall.recall_eval import Dialogue, Question, Session

_RELATIONS = (
    ("I live in {}.", "By the way, I live in {} now.", "Where do I live?", "city"),
    ("My favourite colour is {}.", "I changed my mind, my favourite colour is {}.",
     "What is my favourite colour?", "colour"),
    ("I work as a {}.", "I have a new job: I work as a {} these days.",
     "What do I work as?", "job"),
    ("My boss is called {}.", "We got a new boss, she is called {}.",
     "What is my boss called?", "name"),
    ("My car is a {}.", "I sold the car, my new car is a {}.", "What car do I have?", "car"),
    ("My sister moved to {}.", "My sister moved again, to {}.",
     "Where did my sister move to?", "city"),
    ("I drink {} in the morning.", "I only drink {} in the morning now.",
     "What do I drink in the morning?", "drink"),
    ("My phone number ends with {}.", "I have another phone, its number ends with {}.",
     "What does my phone number end with?", "number"),
    ("The wedding will be on {}.", "They moved the wedding, it will be on {}.",
     "When will the wedding be?", "day"),
    ("My flatmate is {}.", "{} is my flatmate now.", "Who is my flatmate?", "name"),
    ("I'm learning {} at the moment.", "I switched to learning {}.",
     "Which language am I learning?", "language"),
    ("The dog sleeps in the {}.", "The dog sleeps in the {} since last week.",
     "Where does the dog sleep?", "room"),
)  # fmt: skip
_VALUES = {
    "city": ["Leeds", "Bristol", "Porto", "Ghent", "Tartu", "Galway"],
    "colour": ["green", "amber", "violet", "navy", "crimson"],
    "job": ["baker", "nurse", "welder", "florist", "surveyor"],
    "name": ["Ruth", "Piotr", "Amina", "Gregor", "Solveig"],
    "car": ["Fiat", "Volvo", "Skoda", "Mazda"],
    "drink": ["coffee", "tea", "cocoa", "water", "juice"],
    "number": ["4471", "9052", "3386", "7719"],
    "day": ["Friday", "Sunday", "Thursday", "Tuesday"],
    "language": ["Polish", "Korean", "Dutch", "Turkish"],
    "room": ["kitchen", "hall", "attic", "cellar", "bathroom"],
}
_CHATTER = (
    "The rain kept on all evening.",
    "I burnt the rice again.",
    "We watched an old film about trains.",
    "My back hurts from gardening.",
    "The neighbours are loud tonight.",
    "I found a coin in my coat.",
    "The meeting was endless.",
    "I slept badly.",
    "There was a rainbow over the station.",
    "I finally cleaned the windows.",
    "The bakery had no bread left.",
    "I lost at chess twice.",
    "A parcel came for the people upstairs.",
    "I want to see the mountains.",
    "The bus was late.",
    "I read half of the newspaper.",
    "We had soup and toast.",
    "My plants look sad.",
)
_ANSWERS = (
    "I see.",
    "Tell me more.",
    "That sounds tiring.",
    "How lovely!",
    "And then?",
    "I'm glad.",
)
_BEGIN = datetime(2025, 1, 3, 18, 0, tzinfo=UTC)


def life(seed: int) -> Dialogue:
    """One life with a pair of every relation; each question's evidence is the later fact."""
    rng = random.Random(seed)
    said: list[list[tuple[str, str]]] = [[] for _ in range(40)]
    for talk in said:
        talk += [(rng.choice(_CHATTER), rng.choice(_ANSWERS)) for _ in range(rng.randint(5, 9))]
    marked: dict[str, tuple[str, str]] = {}
    for first, second, question, kind in _RELATIONS:
        old, new = rng.sample(_VALUES[kind], 2)
        early = rng.randrange(0, 18)
        late = rng.randrange(early + 2, 40)
        for number, text, value in ((early, first, old), (late, second, new)):
            talk = said[number]
            talk.insert(rng.randint(0, len(talk)), (text.format(value), rng.choice(_ANSWERS)))
        marked[question] = (first.format(old), second.format(new))
    sessions = tuple(
        Session(str(number), _BEGIN + timedelta(days=9 * number), tuple(talk))
        for number, talk in enumerate(said)
    )
    questions = tuple(
        Question(
            "update",
            question,
            frozenset({_place(sessions, new)}),
            older=frozenset({_place(sessions, old)}),
        )
        for question, (old, new) in marked.items()
    )
    return Dialogue("Ana", "Mira", sessions, questions)


def _place(sessions: tuple[Session, ...], text: str) -> tuple[str, int]:
    return next(
        (session.name, number)
        for session in sessions
        for number, (said, _) in enumerate(session.turns, 1)
        if said == text
    )
