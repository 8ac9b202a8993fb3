"""Words by which facts are compared: what denies, what counts, what takes one value only.

English and German together, since a word of one hardly ever misleads in the other; Chinese and
Japanese by characters.
"""

from __future__ import annotations

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


STOP = _words(
    """
    a an the and or of in on at to for from by with as is are was were be been being has have had
    do does did that this these those it its he she they his her their him them i me my you your
    we our who which longer can could will would may might
    very really quite also now still currently just there here s
    der die das den dem des ein eine einen einem einer und oder von im in an auf zu zum zur aus bei
    mit als ist sind war waren sein seine seiner seinen ihr ihre ihrer ihren er sie es wir ich du
    hat haben hatte wird werden dass sehr auch jetzt noch derzeit gerade
    """
)
DENIAL = _words(
    """
    not no never cannot without neither nor nobody nothing stopped quit isn't doesn't don't
    nicht kein keine keinen keinem keiner nie niemals nichts ohne
    """
)
"""Words of which one makes a sentence say the opposite."""
PAST = _words(
    "formerly previously former once ago früher damals ehemals ehemalige ehemaliger einst"
)
PAST_PATTERN = re.compile(
    r"\bused to\b|\buntil\b|\bback then\b|\bin the past\b|\bas a child\b|\bals kind\b|\bbis \d{4}\b"
    r"|以前|从前|從前|曾经|曾經|过去|過去|小时候|かつて|昔|子供の頃|でした$|ていた$"
)

_COUNTED = (
    "zero one two three four five six seven eight nine ten eleven twelve",
    "null ein zwei drei vier fünf sechs sieben acht neun zehn elf zwölf",
)
_MONTHS = (
    "january february march april may june july august september october november december",
    "januar februar märz april mai juni juli august september oktober november dezember",
)
_DAYS = (
    "monday tuesday wednesday thursday friday saturday sunday",
    "montag dienstag mittwoch donnerstag freitag samstag sonntag",
)
NUMBERS: dict[str, str] = {
    **{word: str(n) for line in _COUNTED for n, word in enumerate(line.split()) if word != "ein"},
    **{word: f"month {n}" for line in _MONTHS for n, word in enumerate(line.split(), 1)},
    **{word: f"day {n}" for line in _DAYS for n, word in enumerate(line.split(), 1)},
}

_LIKE = (
    "like likes liked love loves loved enjoy enjoys adore adores mag mögen liebt lieben gern gerne"
)
_DISLIKE = "hate hates hated dislike dislikes detest detests loathe loathes hasst hassen"
SIGNS: dict[str, tuple[str, int]] = {
    **dict.fromkeys(_LIKE.split(), ("like", 1)),
    **dict.fromkeys(_DISLIKE.split(), ("like", -1)),
    "alive": ("alive", 1),
    "dead": ("alive", -1),
    "tot": ("alive", -1),
    "employed": ("employed", 1),
    "unemployed": ("employed", -1),
    "arbeitslos": ("employed", -1),
    "happy": ("happy", 1),
    "unhappy": ("happy", -1),
}
IDIOMS = re.compile(r"\b(?:can't|can not|cannot|couldn't) (?:stand|bear)\b")
"""Said in several words, and no denial: it means to hate."""
EVENT = re.compile(
    r"(?!called|named|married|engaged|retired|divorced|widowed|based|employed|handed|need|red|bed|speed)"
    r"[a-z]{2,}ed|lost|dreamt|found|broke|won|took|had|made|went|saw|met|bought|told|said|gave|got"
    r"|wrote|sang|ran|fell|felt|kept|sent|read|cut|put|ate|drank|flew|drove|rode|began|grew"
    r"|knew|heard|taught|caught|thought|brought|slept|spoke|stole|swam|threw|wore"
    r"|ge[a-zäöüß]{2,}(?:t|en)|hatte|ging|kam|sah|verlor|fand|war|wurde"
)
"""A verb in the past: it tells of something that happened, and that may happen more than once."""

FAVOURITE = frozenset({"favourit", "favorit", "favorite", "favourite", "lieblings"})
# Verbs whose object is one of many; two objects are no contradiction. As stems.
MANY = _words(
    """
    like know speak sprech spricht play spiel spielt read lies liest lest visit besuch besucht eat
    iss isst ess drink trink trinkt watch buy bought kauf kauft met meet traf trifft own besitz see
    saw want will möchte wish wünscht hop plan think glaubt say said sagt tell told erzählt ask
    fragt bring brought learn lern lernt study collect sammel sammelt friend freund freundin went go
    geht ging go travel reist cook koch kocht writ schreib schreibt sing singt mention talk told
    paint malt fear angst afraid allergic allergisch call enjoy need brauch braucht use benutzt miss
    vermisst help hilft admir listen hört wear trägt grow remember erinner erinnert dream träumt
    giv gave gibt gab mad mak promis versprach versprochen
    """
)


def _slots(*rows: tuple[str, str]) -> tuple[tuple[str, re.Pattern[str]], ...]:
    between = (
        "now currently still jetzt nun derzeit noch inzwischen mittlerweile not nicht no_longer"
    )
    now = rf"(?:(?:{between.replace(' ', '|').replace('_', ' ')}) )?"
    return tuple((name, re.compile(text.replace("NOW ", now))) for name, text in rows)


_WHO = r"(?P<who>[^,;]{1,60}?)"
_VALUE = r"(?P<value>[^,;]{1,60}?)(?:[,;].*)?"
_COLOURS = """
    black white grey gray red blue green yellow orange purple violet pink brown beige turquoise
    schwarz weiß grau rot blau grün gelb lila rosa braun türkis
"""
_COLOUR = rf"(?:(?:light|dark|hell|dunkel)[ -]?)?(?:{'|'.join(_COLOURS.split())})"
_WIDE_COLOUR = "黑色|白色|红色|紅色|蓝色|藍色|绿色|綠色|黄色|黃色|灰色|棕色|褐色|粉色|紫色|橙色"
_HELP = r"(?:does not |doesn't |do not |don't |has |have |hat |is |ist )?"
SLOTS = _slots(
    ("favourite", rf"{_WHO}(?:'s)? favou?rite (?P<which>\w+) NOW (?:is|are|was) NOW {_VALUE}"),
    ("favourite", rf"(?P<value>.+?) (?:is|are) {_WHO}(?:'s)? favou?rite (?P<which>\w+)"),
    ("favourite", rf"{_WHO} lieblings-?(?P<which>\w+) (?:ist|sind) NOW {_VALUE}"),
    (
        "birthday",
        rf"{_WHO}(?:'s)? (?:birthday|geburtstag) (?:is|ist) (?:on |am )?(?:the )?{_VALUE}",
    ),
    ("birthday", rf"{_WHO} (?:hat|has) (?:am|on|a birthday on) {_VALUE}(?: geburtstag)?"),
    (
        "born",
        rf"{_WHO} (?:was born|wurde) (?P<which>in|on|am) {_VALUE}(?: geboren)?",
    ),
    ("age", rf"{_WHO} (?:is|ist) NOW (?P<value>[\w-]+) (?:years old|jahre alt).*"),
    ("age", rf"{_WHO} (?:is|ist) NOW (?P<value>\d{{1,3}})"),
    ("age", rf"{_WHO}(?:'s)? age is {_VALUE}"),
    ("name", rf"{_WHO}(?:'s)? name (?:is|ist|lautet) NOW {_VALUE}"),
    ("name", rf"{_WHO} (?:is|are) NOW (?:called|named) {_VALUE}"),
    ("name", rf"(?:the|der) name (?:of|von) {_WHO} (?:is|ist) {_VALUE}"),
    ("name", rf"{_WHO} heißt NOW {_VALUE}"),
    (
        "home",
        (
            rf"{_WHO} NOW {_HELP}(?:lives?|living|live|resides?|moved|based|wohnt|lebt|zieht"
            rf"|umgezogen) NOW (?:in|to|at|near|nach|bei)"
            rf"(?P<article> (?:an?|the|der|die|dem|einer?|einem))? {_VALUE}"
        ),
    ),
    ("home", rf"{_WHO} is from {_VALUE}"),
    ("childhood", rf"{_WHO} (?:grew up|was raised) (?:in|at|near) {_VALUE}"),
    ("childhood", rf"{_WHO} (?:ist|wuchs) (?:in|auf|bei) (?P<value>[^,;]+?) (?:auf|aufgewachsen)"),
    (
        "job",
        (
            rf"{_WHO} NOW {_HELP}(?:works?|working|worked|arbeitet) NOW (?:as|als)"
            rf"(?: an?| eine?)? {_VALUE}"
        ),
    ),
    ("job", rf"{_WHO}(?:'s)? (?:job|profession|occupation|beruf) (?:is|ist) (?:an? )?{_VALUE}"),
    (
        "workplace",
        (
            rf"{_WHO} NOW {_HELP}(?:works?|working|employed|arbeitet) NOW (?:at|for|in|bei|für)"
            rf"(?P<article> (?:an?|the|der|die|dem|einer?|einem))? {_VALUE}"
        ),
    ),
    (
        "job",
        (
            rf"{_WHO} is NOW an? (?P<value>(?!vegetarian|christian|sister|brother|mother|father"
            rf"|daughter|partner|singer|swimmer|runner|lover|member|beginner|teenager)"
            rf"\w*(?:er|or|ist|wright|nurse|chef|cook|clerk|student|lawyer))(?: (?:at|in|by) .*)?"
        ),
    ),
    (
        "job",
        (
            rf"{_WHO} ist NOW (?:eine? )?(?P<one>(?!mutter|schwester|vater|tochter|bruder"
            rf"|vegetarier)\w*(?:er|or|ist|erin|arzt|ärztin|koch|köchin))(?: (?:an|in|bei) .*)?"
        ),
    ),
    (
        "spouse",
        rf"{_WHO} (?:is|ist) NOW (?:married to|engaged to|verheiratet mit|verlobt mit) {_VALUE}",
    ),
    (
        "standing",
        (
            rf"{_WHO} (?:is|ist) NOW (?P<value>married|single|divorced|widowed|verheiratet|ledig|"
            rf"geschieden|verwitwet|retired)"
        ),
    ),
    ("spouse", rf"(?P<one>[\w' -]+?) (?:is|ist) {_WHO}'s (?:husband|wife|spouse)"),
    ("spouse", rf"{_WHO}'s (?:husband|wife|spouse) is (?:called |named )?(?P<one>.+)"),
    ("relation", rf"(?P<one>[\w' -]+?) (?:is|ist) {_WHO}'s (?P<which>mother|father|boss)"),
    ("relation", rf"{_WHO}'s (?P<which>mother|father|boss) is (?P<one>.+)"),
    ("colour", rf"{_WHO} (?:is|are|ist|sind) NOW (?P<value>{_COLOUR})"),
    ("hand", rf"{_WHO} (?:is|ist) (?P<value>left|right|links|rechts)-?(?:handed|händer|händerin)"),
    ("preference", rf"{_WHO} (?:prefers?) (?P<value>.+) (?:to|over) (?P<than>.+)"),
)
"""Patterns of slots that hold one thing. ``value`` fills one; ``one`` does so only where it is
written as a name is (a boss may be strict, and Carla), or as a noun in German; ``than`` is what
the value was chosen from."""
ORIGIN = re.compile(r"\w+(?:ish|ese|ian|ean)|dutch|french|german|greek|swiss|czech|thai|welsh")
"""Where somebody comes from: written as names are, and none."""

WIDE_DENIAL: dict[str, str] = {
    "不再": "", "不喜欢": "喜欢", "不喜歡": "喜歡", "没有": "有", "沒有": "有", "不是": "是",
    "不会": "会", "不住": "住", "不吃": "吃", "不喝": "喝", "不在": "在",
    "ではありません": "です", "ではない": "だ", "じゃない": "だ",
    "好きではない": "好きだ", "いません": "います", "ていない": "ている", "ません": "ます",
    "食べない": "食べる", "飲まない": "飲む", "できない": "できる",
    "がない": "がある", "がいない": "がいる",
}  # fmt: skip
"""Denied and as it is without the denial."""
WIDE_SIGNS: dict[str, tuple[str, int]] = {
    "讨厌": ("喜欢", -1), "討厭": ("喜歡", -1), "热爱": ("喜欢", 1), "爱": ("喜欢", 1),
    "大嫌い": ("好き", -1), "嫌い": ("好き", -1), "大好き": ("好き", 1),
}  # fmt: skip
WIDE_MARKS = (
    "住", "工作", "上班", "生日", "名字", "名叫", "叫", "岁", "歲", "出生", "最喜欢", "最喜歡",
    "结婚", "職業", "职业", "老家",
    "働", "勤め", "勤務", "誕生日", "名前", "歳", "生まれ", "一番好き", "結婚", "仕事",
)  # fmt: skip
"""Slots of one value, in what two sentences share."""
WIDE_SLOTS = _slots(
    ("colour", rf"(?P<who>.{{1,12}}?)(?:是|は)(?P<value>{_WIDE_COLOUR})(?:的|です|だ)?"),
    ("colour", r"(?P<who>.{1,12}?)は(?P<value>黒|白|赤|青|黄色|茶色)い(?:です)?"),
    ("job", r"(?P<who>.{1,12}?)是(?:一[名个位])?(?P<value>.{1,5}[生师師员員家士手者])"),
    ("job", r"(?P<who>.{1,12}?)は(?P<value>.{1,6}[者師員士家生])(?:です|だ)?"),
    (
        "home",
        r"(?P<who>.{1,12}?)(?:现在|現在|目前)?(?:住在|搬到了?|搬去了?|定居在?)(?P<value>.{1,12}?)了?",
    ),
    ("workplace", r"(?P<who>.{1,12}?)(?:现在|現在|目前)?在(?P<value>.{1,12}?)(?:工作|上班)"),
    ("birthday", r"(?P<who>.{1,12}?)的?生日(?:是|在)(?P<value>.{1,12})"),
    ("name", r"(?P<who>.{1,12}?)的?(?:名字)?(?:是叫|叫做?|名叫)(?P<value>.{1,12})"),
    ("name", r"(?P<who>.{1,12}?)的名字是(?P<value>.{1,12})"),
    ("favourite", r"(?P<who>.{1,12}?)最喜[欢歡]的(?P<which>.{1,6}?)是(?P<value>.{1,12})"),
    ("age", r"(?P<who>.{1,12}?)(?:今年)?(?P<value>[\d一二三四五六七八九十百]+)[岁歲]"),
    (
        "home",
        r"(?P<who>.{1,12}?)は(?:今|現在)?、?(?P<value>.{1,12}?)(?:に住んで(?:いる|います)|に引っ越した|に引っ越しました)",
    ),
    (
        "workplace",
        r"(?P<who>.{1,12}?)は(?:今|現在)?、?(?P<value>.{1,12}?)(?:で働いて(?:いる|います)|に勤めて(?:いる|います))",
    ),
    ("birthday", r"(?P<who>.{1,12}?)の誕生日は(?P<value>.{1,12}?)(?:です|だ)?"),
    ("name", r"(?P<who>.{1,12}?)の名前は(?P<value>.{1,12}?)(?:です|だ)?"),
    (
        "favourite",
        r"(?P<who>.{1,12}?)の?(?:が|の)?一番好きな(?P<which>.{1,6}?)は(?P<value>.{1,12}?)(?:です|だ)?",
    ),
    ("age", r"(?P<who>.{1,12}?)は(?P<value>[\d一二三四五六七八九十百]+)歳(?:です|だ)?"),
)
