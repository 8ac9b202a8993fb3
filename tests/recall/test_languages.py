"""Languages of messages, and forms of their words."""

from __future__ import annotations

from pathlib import Path

import pytest

from perdure.git.operations.branches import start_branch
from perdure.recall import RecallIndex, RecallQuery
from perdure.recall.language.irregular import forms
from perdure.recall.language.languages import LANGUAGES, folded, language_of, stem
from perdure.recall.language.words import words_of
from tests.recall.recall_eval import AUTHOR, make_companion
from tests.recall.test_recall import find, grow, said, talk

FORMS = {
    "en": "run running, cake cakes, knit knitted, story stories, friend friends, visit visited",
    "de": "garten gärten, haus häuser, spielt spielen, bücher buch, katze katzen, kinder kindern, "
    "schwester schwestern, lachte lachten, blumen blume, schön schöne",
    "es": "película películas, ciudad ciudades, hermana hermanas, cantaba cantar, "
    "niños niño, trabajo trabajos, flores flor, rápidamente rápida",
    "fr": "chanson chansons, travailler travaillait, cheval chevaux, maison maisons, belle belles, "
    "amies amie, chanter chanté, nation nationale",
    "it": "gatto gatti, canzone canzoni, lavorare lavorato, sorella sorelle, città citta, "
    "bambina bambine, cantava cantare, verde verdi",
    "pt": "cidade cidades, irmã irmãs, trabalhar trabalhava, flor flores, menino meninos, "
    "canção canções, coração corações, feliz felizes",
    "nl": "boek boeken, kat katten, werken werkt, tuin tuinen, zus zussen, fiets fietsen, "
    "vriend vrienden, mooi mooie",
    "ru": "ключ ключи, помидоры помидорами, книга книгу, сестра сестрой, работала работать, "
    "дом домах, красивая красивый, собака собаки, ёлка елка, город городов",
    "pl": "książka książki, dom domu, siostra siostry, kwiaty kwiatami, pracować pracował, "
    "miasto miasta, piękna piękny, koty kotami",
    "uk": "ключ ключі, помідори помідорами, книга книгу, сестра сестрою, працювала працювати, "
    "будинок будинку, гарна гарний, собака собаки, місто міста, квіти квітів, ніч ночі, кінь коня, "
    "алергія алергії, одружимося одружуємося",
    "tr": "ev evler, kitap kitaplar, kedi kediler, şehir şehirde, arkadaş arkadaşım, "
    "bahçe bahçede, araba arabam, çiçek çiçekler",
    "sv": "bok böcker, katt katter, trädgård trädgården, arbetar arbetade, syster systrar, "
    "blomma blommor, vän vänner, bil bilar",
    "da": "hus huse, kat katte, arbejder arbejde, blomst blomster, bil biler, have haven",
    "no": "hus husene, katt katter, arbeider arbeide, blomst blomster, bil biler, hage hagen",
    "fi": "talo talossa, kirja kirjat, kissa kissan, ystävä ystävät, auto autolla, kukka kukat",
    "hu": "ház házak, könyv könyvek, macska macskák, barát barátok, autó autóval, virág virágok",
    "cs": "kniha knihy, dům domu, sestra sestry, květina květiny, město města, kočka kočky",
    "ro": "casă case, pisică pisici, carte cartea, oraș orașe, floare florile, soră sora",
    "el": "σπίτι σπίτια, γάτα γάτες, βιβλίο βιβλία, φίλος φίλοι",
    "id": "buku bukunya, makan makanan, membaca bacaan, kucing kucingku",
}
"""Two forms of a word in each pair, as people say them."""


def joined(language: str, stemmed: str = "") -> float:
    """The share of the pairs of a language that a stemmer joins."""
    pairs = [pair.split() for pair in FORMS[language].split(", ")]
    by = stemmed or language
    return sum(stem(by, one) == stem(by, other) for one, other in pairs) / len(pairs)


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        ("ru", "танцевать", "танцует"), ("ru", "рисую", "рисовал"), ("ru", "рисовать", "рисую"),
        ("uk", "веслувати", "веслую"), ("pl", "wiosłować", "wiosłuję"),
        ("cs", "pracovat", "pracuji"),
    ],
)  # fmt: skip
def test_a_verb_of_two_stems_is_asked_for_with_both(language: str, one: str, other: str) -> None:
    for asked, told in ((one, other), (other, one)):
        stems = {stem(language, form) for form in forms(asked, language)}
        assert stem(language, told) in stems


@pytest.mark.parametrize("language", FORMS)
def test_forms_of_a_word_have_one_stem(language: str) -> None:
    assert joined(language) >= 0.6


def test_ukrainian_is_better_served_by_its_own_endings_than_by_those_of_russian() -> None:
    assert joined("uk") >= 0.9 > joined("uk", "ru")


def test_words_of_grammar_have_no_stem() -> None:
    for pair in ("ate at", "ones on", "used us", "outing out", "quit quite", "busy business"):
        one, other = pair.split()
        assert stem("en", one) != stem("en", other)
    assert not stem("en", "at")


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Where did we put the keys of the car?", "en"),
        ("Wir haben den Schlüssel gestern nicht gefunden.", "de"),
        ("¿Dónde están las llaves de mi hermana?", "es"),
        ("Где ты была вчера вечером?", "ru"),
        ("Де ти була вчора ввечері?", "uk"),
        ("Gdzie jest mój samochód?", "pl"),
        ("Où est la voiture de ma sœur ?", "fr"),
        ("Akşam için ne yaptın, bu çok güzel", "tr"),
        ("Η γάτα μου είναι μαύρη", "el"),
        ("Oh no!", ""),
        ("Pepper", ""),
        ("我的猫很大", ""),
    ],
)
def test_a_message_tells_its_language_by_script_and_grammar(text: str, language: str) -> None:
    assert language_of(words_of(text)) == language


@pytest.mark.parametrize(
    ("told", "typed"),
    [("łódź", "lodz"), ("ışık", "isik"), ("smørrebrød", "smorrebrod"), ("cœur", "coeur")],
)
def test_letters_that_a_keyboard_lacks_are_typed_as_others(told: str, typed: str) -> None:
    assert folded(told) == folded(typed) == typed


def test_accents_do_not_matter_and_cyrillic_letters_stay() -> None:
    assert [folded(word) for word in ("película", "über", "ёлка", "мой", "σπίτι")] == (
        ["pelicula", "uber", "елка", "мой", "σπιτι"]
    )


GERMAN = [
    ("Den Ersatzschlüssel habe ich unter dem Blumentopf versteckt.", "Gut."),
    ("Die Katze hat heute die Gardine zerrissen.", "Oh nein."),
    ("Donnerstags rudere ich mit den Kollegen auf dem Kanal.", "Schön."),
    ("Der Vermieter will die Miete ab dem Herbst erhöhen.", "Wirklich?"),
    ("Ich habe das Essen auf der Reise vergessen.", "Schade."),
]


@pytest.mark.parametrize(
    ("asked", "place"),
    [
        ("Wo sind die Schlüssel?", 0),
        ("Was machen unsere Katzen mit den Gardinen?", 1),
        ("Was mache ich am Donnerstagabend?", 2),
        ("Was ist mit der Mieterhöhung?", 3),
    ],
)
def test_compounds_and_endings_are_found(tmp_path: Path, asked: str, place: int) -> None:
    with make_companion(tmp_path / "mira", talk(*([each] for each in GERMAN))) as repo:
        assert said(find(repo, asked), repo)[:1] == [GERMAN[place][0]]


def test_a_beginning_that_is_no_word_makes_no_compound(tmp_path: Path) -> None:
    turns = [("Ich habe das vergessen.", "Ja."), ("Wir haben die Suppe warm gemacht.", "Gut.")]
    with make_companion(tmp_path / "mira", talk(*([each] for each in turns))) as repo:
        assert not find(repo, "Essen")


def test_a_life_in_two_languages_is_asked_in_both(tmp_path: Path) -> None:
    english = [("My cats hid under the sofa with the keys.", "What did they do there?")]
    with make_companion(tmp_path / "mira", talk(english, GERMAN)) as repo:
        assert said(find(repo, "Where is the cat?"), repo)[0] == english[0][0]
        assert said(find(repo, "Wo ist der Schlüssel?"), repo)[0] == GERMAN[0][0]


def test_languages_of_another_branch_change_nothing(tmp_path: Path) -> None:
    english = [("The stars were out at the old mill.", "Which of them did you see?")] * 3
    with make_companion(tmp_path / "mira", talk(english)) as repo:
        query = RecallQuery("What about the star at the mills?")
        alone = RecallIndex.open(repo).find("main", query)
        start_branch(repo, "other", author=AUTHOR)
        grow(repo, talk(english, GERMAN), "other")
        index = RecallIndex.open(repo)
        there = index.find("other", RecallQuery("Schlüssel"))
        assert said(there, repo) or there
        assert RecallIndex.open(repo).find("main", query) == alone


def test_every_language_has_a_stemmer() -> None:
    words = {"cyrillic": "книга", "greek": "γάτα", "arabic": "كتاب", "devanagari": "किताब"}
    words |= {"tamil": "புத்தகம்", "armenian": "գիրք", "latin": "kalender"}
    for name, language in LANGUAGES.items():
        assert stem(name, words[language.script])
