"""Irregular words, whose forms no stemmer joins: "bought" asks for what was said as "buy"."""

from __future__ import annotations

_GROUPS = """
arise arose arisen; awake awoke awoken; bear bore borne born; beat beaten; become became;
begin began begun; bend bent; bet; bind bound; bite bit bitten; bleed bled; blow blew blown;
break broke broken; breed bred; bring brought; build built; burn burnt; burst; buy bought;
catch caught; choose chose chosen; cling clung; come came; creep crept; deal dealt; dig dug;
draw drew drawn; dream dreamt; drink drank drunk; drive drove driven; eat ate eaten;
fall fell fallen; feed fed; feel felt; fight fought; find found; flee fled; fly flew flown;
forbid forbade forbidden; forget forgot forgotten; forgive forgave forgiven; freeze froze frozen;
give gave given; go went gone; grind ground; grow grew grown; hang hung; hear heard;
hide hid hidden; hold held; keep kept; kneel knelt; know knew known; lay laid; lead led;
lean leant; leap leapt; learn learnt; leave left; lend lent; lie lay lain; light lit; lose lost;
make made; mean meant; meet met; mistake mistook mistaken; pay paid; ride rode ridden;
ring rang rung; rise rose risen; run ran; say said; see saw seen; seek sought; sell sold;
send sent; sew sewn; shake shook shaken; shine shone; shoot shot; show shown; shrink shrank shrunk;
sing sang sung; sink sank sunk; sit sat; sleep slept; slide slid; smell smelt; sow sown;
speak spoke spoken; spell spelt; spend spent; spill spilt; spin spun; spoil spoilt; stand stood;
steal stole stolen; stick stuck; sting stung; strike struck; swear swore sworn; sweep swept;
swell swollen; swim swam swum; swing swung; take took taken; teach taught; tear tore torn;
tell told; think thought; throw threw thrown; understand understood; wake woke woken;
wear wore worn; weave wove woven; weep wept; win won; wind wound; withdraw withdrew withdrawn;
write wrote written; child children; foot feet; goose geese; man men; mouse mice; tooth teeth;
woman women; wife wives; knife knives
"""
_FORMS: dict[str, tuple[str, ...]] = {}
for _group in _GROUPS.split(";"):
    for _word in _group.split():
        _FORMS[_word] = (*_FORMS.get(_word, ()), *_group.split())


_OVA = {
    "ru": (
        ("овать", "овал", "овала", "овали", "евать", "евал", "евала", "евали"),
        ("ую", "ует", "уют", "уешь", "уем", "уй"),
    ),
    "uk": (("увати", "ував", "увала", "ували"), ("ую", "ує", "ують", "уєш", "уємо", "уй")),
    "pl": (("ować", "ował", "owała", "owali"), ("uję", "uje", "ują", "ujesz", "ujemy", "uj")),
    "cs": (("ovat", "oval", "ovala", "ovali"), ("uji", "uju", "uje", "ují", "uješ", "ujeme")),
}
"""Slavic verbs have two stems: рисовать, рисую. Endings of the one and of the other."""


def forms(word: str, language: str = "en") -> tuple[str, ...]:
    """A word and its irregular forms; most words have none."""
    if language != "en":
        return (word, *_with_two_stems(word, language))
    found = [word]
    for base in _bases(word):
        found += _FORMS.get(base, ())
    return tuple(dict.fromkeys(found))


def _with_two_stems(word: str, language: str) -> list[str]:
    """Forms with a verb's other stem. For other words these are forms that nobody ever said."""
    one, other = _OVA.get(language, ((), ()))
    return [
        word.removesuffix(ending) + form
        for endings, forms_ in ((one, other), (other, one))
        for ending in endings
        if word.endswith(ending) and len(word) >= len(ending) + 2
        for form in forms_
    ]


def _bases(word: str) -> tuple[str, ...]:
    """The words that a word may be a form of: buying of buy, giving of give, swimming of swim."""
    stem = word.removesuffix("ing")
    if stem != word and len(stem) > 2:
        return stem, f"{stem}e", stem[:-1]
    return (word, word[:-1]) if word.endswith("s") and len(word) > 3 else (word,)
