"""The check of a persona: what it finds, what it must not find, and what it never prints."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.companion.persona.check import PersonaReport, check_persona
from perdure.companion.persona.check_tokens import Window
from perdure.companion.persona.findings import Finding
from perdure.companion.templates import templates, templates_folder

SMALL = Window("local", 4_000, 512, 3_488)
BOUNDARIES = {"persona/90-boundaries.md": b"# Boundaries\n\nYou are an AI.\n"}


def check(
    files: dict[str, bytes],
    *,
    name: str = "Mira",
    user: str = "Ana",
    window: Window = SMALL,
    beside: dict[str, bytes] | None = None,
) -> PersonaReport:
    return check_persona(
        BOUNDARIES | files,
        name=name,
        user=user,
        count=lambda text: -(-len(text) // 4),
        windows=[window],
        examples_budget=400,
        beside=beside,
    )


def found(files: dict[str, bytes], *codes: str) -> list[Finding]:
    return [each for each in check(files).findings if each.code in codes or not codes]


@pytest.mark.parametrize("template", [each.name for each in templates()])
@pytest.mark.parametrize(("name", "user"), [("Mira", "Ana"), ("小雨", "安娜"), ("You", "Ben")])
def test_no_template_has_a_finding(template: str, name: str, user: str) -> None:
    folder = templates_folder() / template
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in (folder / "persona").rglob("*")
        if path.is_file()
    }
    report = check(files, name=name, user=user)
    assert report.findings == ()
    assert report.sizes.left is not None
    assert report.sizes.left > 1_500


def test_files_that_other_disks_take_for_one_are_named() -> None:
    files = {f"persona/{name}.md": b"# A\n\nSome words.\n" for name in ("Voice", "voice", "who")}
    files |= {"persona/caf\u00e9.md": b"# B\n\nOne.\n", "persona/cafe\u0301.md": b"# C\n\nTwo.\n"}
    told = found(files, "collision")
    assert [each.path for each in told] == ["persona/caf\u00e9.md", "persona/voice.md"]
    assert all("the same file as" in each.what for each in told)
    assert check({}, beside={"lore/A.md": b"", "lore/a.md": b""}).findings != ()


NAMES = [
    # Text in persona/10-who.md, code and the name that is told; "" for none.
    ("Your name is Iris.", "name", "Iris"),
    ("Your name is **Iris Blake**, and you write.", "name", "Iris Blake"),
    ("your name's “Iris”.", "name", "Iris"),
    ("You are called Iris by everybody.", "name", "Iris"),
    ("You are Iris, a friend of {{user}}.", "name", "Iris"),
    ("You go by the name of Iris.", "name", "Iris"),
    ("My name is Iris.", "name", "Iris"),
    ("Dein Name ist Iris.", "name", "Iris"),
    ("Du heißt Iris und bist freundlich.", "name", "Iris"),
    ("你的名字是小雪，喜欢下雨。", "name", "小雪"),
    ("あなたの名前は「ゆき」です。", "name", "ゆき"),
    ("The user is called Anna.", "user-name", "Anna"),
    ("{{user}}'s name is Anna.", "user-name", "Anna"),
    ("用户叫小安。", "user-name", "小安"),
    ("Der Nutzer heißt Anna.", "user-name", "Anna"),
    ("Your name is {{user}}.", "name-swapped", ""),
    ("The user is called {{char}}.", "name-swapped", ""),
    ("Your name is Mira.", "", ""),
    ("Your name is Mira Blake.", "", ""),
    ("Your name is MIRA.", "", ""),
    ("Your name is {{char}}.", "", ""),
    ("Your name is Miranda, but everyone calls you Mira.", "", ""),
    ("Your name is Admiral Winterbottom, {{char}} to friends.", "", ""),
    ("If somebody says that your name is Iris, you laugh.", "", ""),
    ("You never say: your name is Iris.", "", ""),
    ("Your name is short and you like that.", "", ""),
    ("Your name is a secret.", "", ""),
    ("You are French, a lover of soup.", "", ""),
    ("You are an AI.", "", ""),
    ("You are {{user}}'s tutor.", "", ""),
    ("You are Christian. You are English.", "", ""),
    ("The user is called Ana.", "", ""),
    ("Iris is your sister, and Anna is her friend.", "", ""),
    ("The name of the boat is Iris.", "", ""),
    ("Du heißt Gäste mit Kuchen willkommen, du heißt ja {{char}}.", "", ""),
]


@pytest.mark.parametrize(("text", "code", "name"), NAMES)
def test_names_that_contradict_companion_yaml(text: str, code: str, name: str) -> None:
    findings = found({"persona/10-who.md": f"# Who\n\n{text}\n".encode()})
    assert [(each.code, each.line) for each in findings] == ([(code, 3)] if code else [])
    if name:
        assert f" is called {name} here" in findings[0].what


def test_names_of_greetings_and_sample_talk() -> None:
    files = {
        "persona/greetings/10.md": b"Hello, I'm Iris!\n",
        "persona/greetings/20.md": b'"My name is Bob," says the man. Hi, I\'m glad.\n',
        "persona/examples/10.md": (
            b"{{user}}: my name is Anna\n{{char}}: Mine is better. My name is Luna.\n"
            b'{{char}}: The man says, "my name is Otto."\n'
        ),
    }
    findings = found(files)
    assert [(each.code, each.path, each.line) for each in findings if each.path in files] == [
        ("user-name", "persona/examples/10.md", 1),
        ("name", "persona/examples/10.md", 2),
        ("name", "persona/greetings/10.md", 1),
    ]
    assert [each.what for each in findings if each.code == "names-differ"] == [
        (
            "the persona uses 2 other names for Mira: Luna (persona/examples/10.md),"
            " Iris (persona/greetings/10.md)"
        )
    ]


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("{{character}} sings", "{{char}}"),
        ("{{Cahr}} sings", "{{char}}"),
        ("{{usr}} sings", "{{user}}"),
        ("{{ username }} sings", "{{user}}"),
        ("{char} sings", "{{char}}"),
        ("{{user} sings", "{{user}}"),
        ("{{{user}}} sings", "{{user}}"),
        ("[[char]] sings", "{{char}}"),
        ("<CHR> sings, and <CHR> dances", "{{char}}"),
        ("{{random: a, b}}", "remove it"),
        ("{{Char }} {{ USER }} <USER> <BOT> { } {a} [[link]]", ""),
        ("<user>said</user>", ""),
    ],
)
def test_marks_that_no_name_is_put_in_for(text: str, right: str) -> None:
    findings = found({"persona/10-who.md": text.encode()}, "mark")
    assert [right in each.next_step for each in findings] == ([True] if right else [])


def test_speakers_of_sample_talk() -> None:
    talk = (
        b"Mira: Hello.\nana: hi\n---\n{{user}}: to buy\nBread: two\n{{char}}: Noted.\n---\n"
        b"{{user}}: who is there?\nBob: me\nBob: me again\n---\nAssistant: ok\n"
    )
    findings = found({"persona/examples/10.md": talk}, "example-speaker")
    assert [(each.line, each.severity, each.next_step[-9:]) for each in findings] == [
        (1, "problem", "{{char}}:"),
        (2, "problem", "{{user}}:"),
        (12, "problem", "{{char}}:"),
        (9, "advice", "peak here"),
    ]


FILES = [
    ("persona/50-empty.md", b" \n", "empty", 0),
    ("persona/50.md", b"---\nfoo: [\n---\nhi\n", "unreadable", 2),
    ("persona/50.md", b"fine\n\xff\n", "unreadable", 2),
    ("persona/50.md", b"x" * (1 << 21), "unreadable", 0),
    ("persona/reminder.md", b"---\ndepth: four\n---\nhi\n", "unreadable", 2),
    ("persona/50.md", b"---\nfoo: a\nhi\n", "front-matter", 1),
    ("persona/50.md", b"---\nmood: calm\n---\nhi\n", "left-out", 2),
    ("persona/50.md", b"\n---\nmood: calm\n---\nhi\n", "", 0),
    ("persona/reminder.md", b"---\ndepth: 3\n---\nhi\n", "", 0),
    ("persona/reminder.md", b"---\ndepth: 3\nmood: calm\n---\nhi\n", "left-out", 3),
    ("persona/greetings/10.md", b"---\nmood: calm\n---\nhi\n", "left-out", 2),
    ("persona/50.md", b"a\n<<<<<<< HEAD\nb\n=======\nc\n", "conflict", 2),
    ("persona/50.md", "a\nb\u200bc\n".encode(), "unseen", 2),
    ("persona/50.md", "a\nb\U000e0041c\n".encode(), "unseen", 2),
    ("persona/50.md", "a\n\u202ebc\n".encode(), "bidi", 2),
    ("persona/50.md", "🏴\U000e0067\U000e007f 👩‍🚀 نیم\u200cفاصله\n".encode(), "", 0),
    ("persona/50.md", b"a\n" + b"word " * 500, "long-line", 2),
    ("persona/50.MD", b"a", "not-read", 0),
    ("persona/notes.txt", b"a", "not-read", 0),
    ("persona/.50.md", b"a", "not-read", 0),
    ("persona/.gitkeep", b"", "", 0),
    ("persona/greeting/10.md", b"a", "not-read", 0),
    ("persona/Reminder.md", b"a", "case", 0),
    ("persona/greetings/10.md", b"{{char}}: Hi.", "greeting-speaker", 1),
]


@pytest.mark.parametrize(("path", "data", "code", "line"), FILES, ids=range(len(FILES)))
def test_files_that_are_not_as_they_should_be(path: str, data: bytes, code: str, line: int) -> None:
    findings = found({path: data})
    assert [(each.code, each.path, each.line) for each in findings] == (
        [(code, path, line)] if code else []
    )


def test_boundaries() -> None:
    def codes(files: dict[str, bytes]) -> list[tuple[str, str]]:
        report = check_persona(files, name="Mira", user="Ana", count=len)
        return [(each.code, each.path) for each in report.findings]

    assert codes({"persona/10.md": b"a"}) == [("boundaries", "persona")]
    wrong = {"persona/90-Boundaries.md": b"a"}
    assert codes(wrong) == [("boundaries", "persona/90-Boundaries.md")]
    assert codes(BOUNDARIES) == []


def test_a_paragraph_that_stands_there_twice() -> None:
    words = b"You come back to what {{user}} told you\nand ask how it went, every single time."
    files = {
        "persona/10.md": b"# A\n\n" + words + b"\n",
        "persona/20.md": b"Short.\n\nShort.\n\n" + words.replace(b"\n", b" ") + b"\n",
        "persona/reminder.md": words,
    }
    [finding] = found(files)
    assert (finding.code, finding.path, finding.line) == ("twice", "persona/20.md", 5)
    assert "persona/10.md, line 3" in finding.what


def test_what_costs_too_much() -> None:
    def codes(files: dict[str, bytes], window: Window = SMALL) -> list[tuple[str, str]]:
        found = check(files, window=window).findings
        return [(each.code, each.path) for each in found]

    half = b"word \n" * 1200  # 1,800 tokens
    assert codes({"persona/10.md": half}) == [
        ("large", "persona"),
        ("large-prompt", "persona/10.md"),
    ]
    assert codes({"persona/10.md": half}, Window("big", 200_000, 2048, 64_000)) == []
    assert codes({"persona/10.md": half * 3})[0] == ("too-large", "persona")
    assert codes({"persona/reminder.md": b"word \n" * 200}) == [
        ("large-reminder", "persona/reminder.md")
    ]
    assert codes({"persona/greetings/10.md": b"word \n" * 400}) == [
        ("large-greeting", "persona/greetings/10.md")
    ]
    one, two = (
        b"{{user}}: hi\n{{char}}: " + word * 200 + b"\n---\n" for word in (b"one ", b"two ")
    )
    report = check({"persona/examples/10.md": one, "persona/examples/20.md": two})
    [finding] = report.findings
    assert (finding.code, finding.path) == ("examples", "persona/examples/20.md")
    assert "the last 1 of 2" in finding.what
    assert report.sizes.examples == 400


def test_broken_lore_and_facts_are_named() -> None:
    beside = {"lore/x.md": b"---\nkeys: [\n---\nx\n", "memory/facts/x.md": b"\xff\n"}
    findings = check({}, beside=beside).findings
    assert [(each.code, each.path) for each in findings] == [
        ("unreadable", "lore/x.md"),
        ("unreadable", "memory/facts/x.md"),
    ]


SECRETS = st.sampled_from(
    [
        "sk-ant-api03-Q7vX2mN8pL4kJ6hG3fD5",
        "ghp_Q7vX2mN8pL4kJ6hG3fD5sA9zW1eR0tYu",
        "AKIAQ7VX2MN8PL4KJ6HG",
        "hunter22-and-more",
    ]
)
AROUND = st.sampled_from(
    [
        "Your name is {}",
        "your name is Iris {}, and",
        "You are Iris, a {}",
        "the user is called {}",
        "{{{{{}}}}}",
        "{{{{char {}}}}}",
        "{}: hi\n{}: again",
        "Mira {}: hi",
        "<<<<<<< {}",
        "---\n{}: [\n---\nhi",
        "---\ndepth: {}\n---\nhi",
        "x" * 30 + " {} " + "long words of a paragraph that stands there twice, in full\n\n" * 2,
        "\u202e{}",
        "\ufeff\u200b{}",
    ]
)
PATHS = st.sampled_from(
    ["10.md", "reminder.md", "greetings/10.md", "examples/10.md", "{}.md", "{}.txt", "old/{}.md"]
)


@given(SECRETS, AROUND, PATHS, st.integers(0, 45), st.sampled_from(["lore/x.md", "companion.yaml"]))
def test_no_finding_repeats_a_secret(
    secret: str, around: str, path: str, shift: int, other: str
) -> None:
    written = f"https://ana:{secret}@example.org" if secret.startswith("hunter") else secret
    name = "x" if secret.startswith("hunter") else secret
    text = "y" * shift + " " * bool(shift) + around.replace("{}", written)
    if around.count("{{{{"):
        text = around.format(written)
    files = {f"persona/{path.replace('{}', name)}": text.encode()}
    report = check(files, beside={other: f"keys: {written}\n".encode()})
    told = json.dumps([each.to_dict() for each in report.findings]) + str(report.sizes)
    for length in range(12, len(secret) + 1):
        assert secret[:length] not in told
    assert any(each.code == "secret" and each.path == other for each in report.findings)


@given(st.text(), st.sampled_from(["10.md", "reminder.md", "greetings/a.md", "examples/a.md"]))
def test_any_text_can_be_checked(text: str, path: str) -> None:
    files = {f"persona/{path}": text.encode("utf-8", "surrogatepass")}
    first = check(files)
    assert first == check(files)
    lines = text.count("\n") + 1
    assert all(0 <= each.line <= lines for each in first.findings)


@pytest.mark.parametrize(
    "piece", ["your name is A. ", "my name is A b ", "{{char", "Hello, I'm ", '"', "a:b ", "\n\n"]
)
def test_a_large_file_is_checked_in_a_pass(piece: str) -> None:
    """A pattern that tries every way to read a line would take minutes here."""
    data = (piece * (60_000 // len(piece))).encode()
    report = check({f"persona/{at}.md": data for at in ("10", "greetings/1", "examples/1")})
    assert len(report.findings) < 60
