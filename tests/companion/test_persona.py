from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.companion.errors import BadFile
from perdure.companion.persona.persona import (
    Example,
    ExampleLine,
    Greeting,
    Reminder,
    fill,
    read_examples,
    read_persona,
)

FILES = {
    "persona/20-voice.md": b"Short.\r\nWarm.\n",
    "persona/10-who.md": b"# Who you are\n\nYou are {{char}}.\n\n",
    "persona/90-boundaries.md": b"# Boundaries\n\nYou are an AI.\n",
    "persona/reminder.md": b"---\ndepth: 2\n---\n\nYou are {{char}}.\n",
    "persona/greetings/b.md": b"Hello, {{user}}.\n",
    "persona/greetings/a.md": b"---\ntags: [notes]\n---\nHi.\n",
    "persona/examples/10.md": b"{{user}}: hi\n{{char}}: Good evening.\nAnd?\n---\n{{User}}: bye\n",
    "persona/empty.md": b" \n",
    "persona/.hidden.md": b"x",
    "persona/notes.txt": b"x",
    "persona/old/10-who.md": b"x",
    "memory/facts/x.md": b"x",
}


def test_a_persona_is_its_files_in_the_order_of_their_names() -> None:
    persona = read_persona(FILES)
    assert [(part.title, part.text) for part in persona.files] == [
        ("Who you are", "# Who you are\n\nYou are {{char}}."),
        ("voice", "Short.\nWarm."),
        ("Boundaries", "# Boundaries\n\nYou are an AI."),
    ]
    assert persona.greetings == (
        Greeting("persona/greetings/a.md", "Hi."),
        Greeting("persona/greetings/b.md", "Hello, {{user}}."),
    )
    path = "persona/examples/10.md"
    assert persona.examples == (
        Example(path, (ExampleLine(True, "hi"), ExampleLine(False, "Good evening.\nAnd?"))),
        Example(path, (ExampleLine(True, "bye"),)),
    )
    assert persona.reminder == Reminder("persona/reminder.md", "You are {{char}}.", 2)
    assert persona.boundaries


def test_an_empty_boundaries_file_is_none() -> None:
    assert not read_persona({"persona/90-boundaries.md": b"---\na: b\n---\n\n"}).boundaries
    assert not read_persona({}).boundaries
    assert read_persona({"persona/my-boundaries.md": b"x"}).boundaries


@pytest.mark.parametrize(
    ("path", "data", "line"),
    [
        ("persona/10-who.md", b"ok\nnot \xff", 2),
        ("persona/reminder.md", b"---\nx: 1\ndepth: deep\n---\nhi", 3),
        ("persona/reminder.md", b"---\ndepth: [1]\n---\nhi", 2),
        ("persona/greetings/a.md", b"---\na: *b\n---\nhi", 2),
    ],
)
def test_what_is_wrong_has_file_and_line(path: str, data: bytes, line: int) -> None:
    with pytest.raises(BadFile) as caught:
        read_persona({path: data})
    assert (caught.value.file, caught.value.line) == (path, line)


def test_a_ruled_line_at_the_top_is_no_front_matter() -> None:
    text = "---\nNever closed."
    assert read_persona({"persona/a.md": text.encode()}).files[0].text == text


def test_names_are_filled_in_once_and_in_any_case() -> None:
    text = "{{char}} {{CHAR}} {{ User }} <USER> <BOT> <user> </user> {{time}} {char}"
    assert fill(text, char="{{user}}", user="A\\1") == (
        "{{user}} {{user}} A\\1 A\\1 {{user}} <user> </user> {{time}} {char}"
    )


def test_example_talk_of_other_tools_is_read() -> None:
    text = (
        "<START>\n<USER>: hi\n<BOT>:hello\n\nwell\n<START>\nA dark night.\n{{char}}: boo\n---\n\n"
    )
    assert read_examples(text) == [
        (ExampleLine(True, "hi"), ExampleLine(False, "hello\n\nwell")),
        (ExampleLine(False, "A dark night."), ExampleLine(False, "boo")),
    ]


@given(st.text())
def test_no_example_text_raises_or_drops_a_word(text: str) -> None:
    said = "\n".join(line.text for talk in read_examples(text) for line in talk)
    for word in text.replace("<START>", " ").split():
        if word.isalpha():
            assert word in said
