"""Made lives with known answers: facts in much small talk, and people told of by and by."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.recall.recall_eval import Dialogue, Question, Session

SETS = Path(__file__).parents[1] / "bench" / "recall_sets"
LANGUAGES = ("en", "de", "es", "ru", "zh", "ja", "ko", "fr", "it", "pt", "nl", "pl", "tr", "uk")
_BEGIN = datetime(2025, 1, 3, 18, 0, tzinfo=UTC)


@dataclass(frozen=True)
class _Facts:
    facts: tuple[tuple[str, str, str], ...]
    talk: tuple[str, ...]
    answers: tuple[str, ...]
    openings: tuple[str, ...]
    ends: tuple[str, ...]


def _read(path: Path) -> _Facts:
    """``+ fact | question | small talk with a word of it``, ``~`` other talk, ``<`` answers.

    ``^`` and ``$`` are what small talk begins and ends with.
    """
    facts: list[tuple[str, str, str]] = []
    lists: dict[str, tuple[str, ...]] = dict.fromkeys("~<^$", ())
    for line in path.read_text("utf-8").splitlines():
        parts = tuple(part.strip() for part in line[2:].split(" | "))
        if line.startswith("+ "):
            fact, question, reuse = parts
            facts.append((fact, question, reuse))
        elif line[:1] in lists:
            lists[line[0]] = parts
    return _Facts(tuple(facts), *lists.values())


class _SmallTalk:
    """Messages of which none is said twice, a topic's word in many of them."""

    def __init__(self, language: str, rng: random.Random, topics: Sequence[str]) -> None:
        self._read = _read(SETS / f"facts_{language}.txt")
        self._rng = rng
        self._topics = topics
        self._space = "" if language in {"zh", "ja"} else " "
        self._known: set[str] = set()

    def turn(self) -> tuple[str, str]:
        """One that was not said yet, and an answer to it."""
        read, choice = self._read, self._rng.choice
        while True:
            parts = (choice(read.openings), choice(self._topics), choice(read.ends))
            text = self._space.join(parts)
            if text not in self._known:
                self._known.add(text)
                return text, self.answer()

    def answer(self) -> str:
        """What she says to anything."""
        return self._rng.choice(self._read.answers)

    def sessions(self, turns: int, length: int = 15) -> list[list[tuple[str, str]]]:
        """So many turns."""
        return [[self.turn() for _ in range(length)] for _ in range(turns // length)]


def facts_life(language: str, *, seed: int = 1, turns: int = 600) -> Dialogue:
    """Facts among so many turns of talk that has their words too."""
    rng = random.Random(seed)
    read = _read(SETS / f"facts_{language}.txt")
    small = _SmallTalk(language, rng, [reuse for _, _, reuse in read.facts] + [*read.talk] * 2)
    said = small.sessions(turns)
    questions = []
    places = _places(said, len(read.facts), rng)
    for (fact, question, _), (t, n) in zip(read.facts, places, strict=True):
        said[t][n] = (fact, small.answer())
        questions.append(Question("fact", question, frozenset({(str(t), n + 1)}), _end(said)))
    return Dialogue("Ana", "Mira", _sessions(said), tuple(questions))


def kinds_life(*, seed: int = 1, turns: int = 600) -> Dialogue:
    """Facts told and asked for in other ways than the usual, among talk in English."""
    rng = random.Random(seed)
    read = _read(SETS / "facts_en.txt")
    small = _SmallTalk("en", rng, [reuse for _, _, reuse in read.facts] + [*read.talk] * 2)
    said = small.sessions(turns)
    rows = [
        [part.strip() for part in line.split(" | ")]
        for line in (SETS / "kinds.txt").read_text("utf-8").splitlines()
        if not line.startswith("#")
    ]
    questions = []
    for (kind, who, told, question), (t, n) in zip(
        rows, _places(said, len(rows), rng), strict=True
    ):
        fact = told
        if told.startswith("* "):
            around = [" ".join(small.turn()[0] for _ in range(25)) for _ in range(2)]
            fact = f" {told[2:]} ".join(around)
        said[t][n] = (fact, small.answer()) if who == ">" else (small.turn()[0], fact)
        questions.append(Question(kind, question, frozenset({(str(t), n + 1)}), _end(said)))
    return Dialogue("Ana", "Mira", _sessions(said), tuple(questions))


def updates_life(*, seed: int = 1, turns: int = 600) -> Dialogue:
    """Pairs of facts of which the later one, in other words, is true; the evidence is that one."""
    rng = random.Random(seed)
    lines = (SETS / "updates_en.txt").read_text("utf-8").splitlines()
    rows = [tuple(line.split(" | ")) for line in lines if line[0] not in "#~"]
    small = _SmallTalk("en", rng, lines[-1][2:].split(" | "))
    said = small.sessions(turns)
    questions = []
    places = sorted(_places(said, 2 * len(rows), rng))
    early = rng.sample(places[: len(rows)], len(rows))
    late = rng.sample(places[len(rows) :], len(rows))
    for (old, new, question), (t, n), (u, m) in zip(rows, early, late, strict=True):
        said[t][n], said[u][m] = (old, small.answer()), (new, small.answer())
        evidence, older = frozenset({(str(u), m + 1)}), frozenset({(str(t), n + 1)})
        questions.append(Question("update", question, evidence, _end(said), older))
    return Dialogue("Ana", "Mira", _sessions(said), tuple(questions))


def _places(
    said: Sequence[Sequence[object]], count: int, rng: random.Random
) -> list[tuple[int, int]]:
    return rng.sample([(t, n) for t, talk in enumerate(said) for n in range(len(talk))], count)


def _end(said: Sequence[object]) -> datetime:
    return _BEGIN + timedelta(days=3 * len(said))


def _sessions(said: Sequence[Sequence[tuple[str, str]]]) -> tuple[Session, ...]:
    return tuple(
        Session(str(t), _BEGIN + timedelta(days=3 * t), tuple(turns))
        for t, turns in enumerate(said)
    )


def to_the_companion(dialogue: Dialogue) -> Dialogue:
    """The same, each question with the companion's name before it."""
    asked = tuple(
        replace(each, text=f"{dialogue.companion}, do you remember? {each.text}")
        for each in dialogue.questions
    )
    return replace(dialogue, questions=asked)


def without_names(dialogue: Dialogue) -> Dialogue:
    """The same, as the two ask it themselves."""
    asked = tuple(
        replace(
            each,
            text=each.text.replace(f"{dialogue.user}'s", "my")
            .replace(f"{dialogue.companion}'s", "your")
            .replace(dialogue.user, "I")
            .replace(dialogue.companion, "you"),
        )
        for each in dialogue.questions
    )
    return replace(dialogue, questions=asked)


# People told of in Chinese, message by message

_NAMES = (
    *("张伟", "王芳", "李娜", "刘洋", "陈静", "杨帆", "赵磊", "黄敏", "周杰", "吴婷"),
    *("徐强", "孙丽", "胡军", "朱琳", "高翔", "林悦", "何勇", "郭雪", "马超", "罗丹"),
)
_WHO = ("同事", "表哥", "邻居", "大学同学", "上司", "姑姑", "健身教练", "房东", "表妹", "客户")
_TELLS = (
    ("职业", "{}在医院上班,是一名{}。", "{}是做什么工作的?",
     ("护士", "药剂师", "会计", "电工", "厨师", "律师")),
    ("家乡", "听{}说,老家在{}。", "{}是哪里人?",
     ("青岛", "桂林", "长沙", "西宁", "大理", "厦门")),
    ("生日", "{}的生日是{},我得准备礼物。", "{}哪天过生日?",
     ("三月八日", "六月一日", "九月十二日", "十二月五日")),
    ("爱好", "周末{}总去{},特别着迷。", "{}有什么爱好?",
     ("钓鱼", "攀岩", "打羽毛球", "摄影", "拉小提琴")),
    ("学历", "{}当年念到了{}毕业。", "{}的学历是什么?", ("硕士", "博士", "大专", "高中")),
    ("身高", "{}个子有{}呢。", "{}身高多少?", ("一米七五", "一米八二", "一米六三", "一米九")),
    ("电话", "{}换号了,新号码尾号{}。", "{}的手机号最后几位是什么?",
     ("3381", "7720", "9046", "1157")),
    ("公司", "{}刚跳槽到{}。", "{}在哪家单位上班?",
     ("蓝海科技", "东方物流", "星辰传媒", "华信银行")),
)  # fmt: skip
_NOISE = (
    "今天中午吃了牛肉面,味道不错。", "公司楼下新开了一家咖啡店。", "周末打算去看电影。",
    "路上堵车堵了一个小时。", "最近工作有点忙,天天加班。", "昨天睡得很晚,有点困。",
    "天气预报说明天下雨。", "我在考虑买一辆新车。", "手机又没电了。", "超市里的水果打折。",
    "我想学一点新的技能。", "晚上和朋友去打羽毛球。", "健身房里人很多。", "给妈妈打了电话。",
    "在网上看到一条有意思的新闻。", "地铁上有人在唱歌。",
)  # fmt: skip
_REPLIES = ("好的,我记住了。", "明白了。", "听起来不错。", "原来是这样。", "嗯嗯。")


def people_life(*, seed: int = 1, people: int = 60, replies: bool = False) -> Dialogue:
    """One conversation a person, in which some things are told of them between other talk."""
    rng = random.Random(seed)
    said: list[list[tuple[str, str]]] = []
    questions: list[Question] = []
    now = _BEGIN + timedelta(days=3 * people)
    for t in range(people):
        name = _NAMES[t % len(_NAMES)]
        who = _WHO[(t * 7 + t // len(_NAMES)) % len(_WHO)]
        both = (f"我的{who}{name}", f"{name}", f"我{who}")
        told = rng.sample(_TELLS, 5)
        lines = [tell.format(rng.choice(both), rng.choice(values)) for _, tell, _, values in told]
        lines += [
            noise.replace("我", rng.choice(("我", "我们"))) for noise in rng.sample(_NOISE, 6)
        ]
        order = list(range(len(lines)))
        rng.shuffle(order)
        for at in rng.sample(range(len(told)), 3):
            text = told[at][2].format(rng.choice((f"我的{who}{name}", f"我{who}{name}")))
            questions.append(
                Question("person", text, frozenset({(str(t), order.index(at) + 1)}), now)
            )
        said.append([(lines[at], rng.choice(_REPLIES) if replies else "") for at in order])
    return Dialogue("Ana", "Mira", _sessions(said), tuple(questions))
