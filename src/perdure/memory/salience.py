"""How much a sentence tells: names, numbers, dates and relations, found by words alone.

For summaries that are made without a model. A sentence that only greets, thanks, admires or wonders
tells nothing, whoever says it and however often.
"""

# ruff: noqa: RUF001 - letters of other scripts

from __future__ import annotations

import re
from dataclasses import dataclass

from perdure.recall.language.words import content_words, is_cjk, words_of

_TIMES = """
january february march april june july august september october november december monday tuesday
wednesday thursday friday saturday sunday yesterday tomorrow birthday januar februar märz juni
juli oktober dezember montag dienstag mittwoch donnerstag freitag samstag sonntag gestern morgen
geburtstag enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre
diciembre lunes martes miércoles jueves viernes sábado domingo ayer mañana cumpleaños janvier
février mars avril mai juin juillet août septembre octobre novembre décembre lundi mardi
mercredi jeudi vendredi samedi dimanche hier demain anniversaire января февраля марта апреля мая
июня июля августа сентября октября ноября декабря понедельник вторник среду четверг пятницу
субботу воскресенье вчера завтра рождения two three four five six seven eight nine ten eleven
twelve hundred thousand zwei drei vier fünf sechs sieben acht neun zehn elf zwölf hundert
tausend dos tres cuatro cinco seis siete ocho nueve diez deux trois quatre cinq sept huit neuf
dix два три четыре пять шесть семь восемь девять десять
"""
_RELATIONS = """
mother father mom mum dad parents sister brother siblings son daughter child children kids baby
wife husband partner girlfriend boyfriend fiancé fiancée friend friends aunt uncle cousin niece
nephew grandmother grandfather grandma grandpa boss colleague neighbour neighbor teacher doctor
flatmate roommate cat dog pet called named name born married engaged divorced works work job
live lives moved allergic allergy birthday favourite favorite hate afraid mutter vater mama papa
eltern schwester bruder geschwister sohn tochter kind kinder frau mann partnerin freundin freund
freunde tante onkel cousine nichte neffe oma opa großmutter großvater chef chefin kollege
kollegin nachbar nachbarin lehrer ärztin arzt katze hund heiße heißt geboren verheiratet verlobt
arbeite arbeitet beruf wohne wohnt gezogen allergisch allergie lieblings hasse angst madre padre
mamá papá padres hermana hermano hijo hija niños esposa marido novia novio amiga amigo tía tío
prima primo sobrina sobrino abuela abuelo jefe jefa colega vecina vecino profesora médico gata
gato perra perro llama llamo nació casada casado trabajo trabaja vivo vive alérgica alérgico
favorito odio mère père maman sœur frère fils fille enfants femme mari amie ami oncle nièce
neveu collègue voisine voisin médecin chat chien appelle né née marié mariée travaille travail
habite allergique préféré déteste мама папа мать отец родители сестра брат сын дочь дети жена
муж подруга друг тётя дядя племянница племянник бабушка дедушка начальник коллега сосед соседка
учитель врач кошка кот собака зовут родился родилась женат замужем работаю работает живу живёт
аллергия любимый любимая ненавижу боюсь
"""
_EASTERN = """
妈 爸 母 父 姐 妹 兄 弟 哥 儿子 女儿 妻 丈夫 老公 老婆 朋友 友達 友人 同事 同僚 老板 上司
叔 姑 姨 祖 奶奶 爷爷 猫 狗 犬 叫 名前 名字 生日 誕生 出生 结婚 結婚 工作 仕事 住在 住ん
过敏 アレルギー 喜欢 好き 讨厌 嫌い 星期 曜日 昨天 明天 昨日 明日 어머니 아버지 엄마 아빠
언니 누나 오빠 형 동생 아들 딸 아내 남편 친구 고양이 강아지 생일 결혼 알레르기 이름
"""
_EAST = re.compile(
    r"\d|[一二三四五六七八九十百千万两][年月日岁歳号點点時时分元円个人本匹只]|"
    + "|".join(_EASTERN.split())
)
_MINE = """
i'm i've i'd my mine our we ich mein meine meinen meinem meiner unser unsere wir mi mis nuestro
nuestra yo soy estoy tengo mon ma mes notre nos nous я мой моя моё мои моего моей моему моём мою
наш наша мне меня у 我 私 僕 俺 내 제 저 나
"""
_OPENINGS = r"""
oh|ah|aw+|hm+|ha(?:ha)+|wow|whoa|yay|yeah|yep|yes|no|ok(?:ay)?|well|thanks?|thank\ you|congrat\w*
hey|hi|hello|bye|goodbye|good\ (?:morning|evening|night|luck|for\ you)|sure|cool|great|nice|awesome
amazing|lovely|wonderful|perfect|exactly|absolutely|definitely|totally|sorry|take\ care|see\ you
talk\ (?:soon|later)|sleep\ well|way\ to\ go|tell\ me\ more
i\ (?:see|know|understand|agree|hope\ so)
i'?m\ (?:so\ |very\ |really\ )?(?:glad|happy|proud|sorry|excited|here)\ (?:for|of|to|that|you)
that(?:'s|\ is|\ sounds?|\ must)|sounds|it'?s\ (?:so|great|nice|good|lovely|amazing)|what\ a
how\ (?:are|was|is)|you(?:'re|\ are)\ (?:so|very|too|amazing|welcome|right)|keep\ (?:it\ up|going)
can'?t\ wait|let\ me\ know|guess\ what|long\ time
danke|hallo|na|ach|schön|toll|super|klar|genau|gerne?|guten\ (?:morgen|abend|tag)|gute\ nacht
das\ (?:klingt|ist\ (?:ja\ |so\ )?(?:schön|toll|super))|ich\ verstehe|erzähl\ mir|wie\ schön
gracias|hola|vale|claro|qué\ (?:bien|bonito|pena)|me\ alegro|ya\ veo|suena
merci|bonjour|salut|d'accord|c'est\ (?:super|génial|bien)|je\ vois|quelle
спасибо|привет|понимаю|здорово|как\ (?:чудесно|здорово)|я\ рад\w*|ой|звучит
"""
_EMPTY = re.compile(
    f"(?:{'|'.join(_OPENINGS.split(chr(10))[1:-1])})(?![\\w'\u2019-])", re.IGNORECASE | re.VERBOSE
)
"""How a sentence begins that greets, thanks or admires."""
_CAPTION = re.compile(r"\[\s*(?:photo|image|picture|foto|bild|图片|写真)\b[^\]]*\]?", re.IGNORECASE)
_TOLD_BY = frozenset(f"{_TIMES} {_RELATIONS}".split())
_OWN = frozenset(_MINE.split())
_NAMED, _TELLING, _OF_ONESELF, _NUMBER = 0.6, 0.7, 0.5, 0.6
_MOST_COUNTED = 3
"""Of names and of telling words: a list is not worth ten sentences."""


@dataclass(frozen=True, slots=True)
class Substance:
    """The words of a sentence, and how much they tell.

    Attributes:
        words: what it is about.
        worth: how much that is, from 0.
    """

    words: tuple[str, ...]
    worth: float


def substance(sentence: str, *, by_user: bool) -> Substance:
    """Weigh a sentence on one line. What a companion says about herself is not news."""
    text = _CAPTION.sub(" ", sentence)
    words = tuple(sorted(content_words(text)))
    if not words:
        return Substance((), 0.0)
    said = {word.casefold() for word in re.findall(r"[^\W_]+(?:['’][^\W_]+)?", text)}
    told = said | set(words_of(text))
    worth = 0.4 + _NAMED * min(_MOST_COUNTED, len(_names(text)))
    worth += _TELLING * min(_MOST_COUNTED, len(told & _TOLD_BY))
    if any(is_cjk(word) for word in words):
        worth += _TELLING * min(_MOST_COUNTED, len(set(_EAST.findall(text))))
        own = any(letter in text for letter in ("我", "私", "僕", "저", "제", "내"))
    else:
        own = bool(said & _OWN) or re.search(r"\bI\b", text) is not None
        worth += _NUMBER * bool(re.search(r"\d", text))
    worth += _OF_ONESELF * (own and by_user)
    if text.rstrip().endswith(("?", "？")):
        worth *= 0.25
    if _EMPTY.match(text.lstrip(" \"'“„«—-")):
        worth *= 0.35
    elif text.rstrip().endswith(("!", "！")):
        worth *= 0.7
    return Substance(words, worth)


def _names(text: str) -> set[str]:
    """The words written as names are, without the sentence's first."""
    words = re.findall(r"[^\W\d_][\w'’-]*", text)
    return {word for word in words[1:] if word[0].isupper() and len(word) > 1 and word[1].islower()}
