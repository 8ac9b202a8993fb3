"""The shape that a model's own template takes: rendered by llama.cpp, read from Ollama's."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from perdure.backends.embedded import driver
from perdure.backends.embedded.driver import EmbeddedBackend
from perdure.backends.embedded.settings import server_parameters
from perdure.backends.openai.driver import OpenAIBackend
from perdure.backends.protocol import BackendSpec, Finished, PromptMessage, Request
from perdure.backends.roles.shape import Shape, fold, parse_shape
from perdure.backends.roles.template import is_whole, jinja_shape, ollama_shape, trials
from tests.backends.fake_api import FakeApi
from tests.backends.fake_ollama import Exchange, running

STRICT = """
{%- if messages[0]['role'] == 'system' -%}
{{ messages[0]['content'] }}{% set messages = messages[1:] -%}
{%- endif -%}
{%- for message in messages -%}
{%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}
{%- endif -%}
<{{ message['role'] }}>{{ message['content'] }}
{% endfor -%}
"""
PROMPT = (
    PromptMessage("system", "You are Mira."),
    PromptMessage("assistant", "Hello!"),
    PromptMessage("user", "Say hello."),
)


async def test_the_embedded_model_takes_all_roles(embedded: EmbeddedBackend) -> None:
    assert (await embedded.fingerprint()).shape == ""


async def test_a_strict_template_of_a_gguf_is_found_as_it_loads(
    make_embedded: Callable[..., EmbeddedBackend], monkeypatch: pytest.MonkeyPatch
) -> None:
    def strict(*args: Any, **named: Any) -> Any:
        parameters: Any = server_parameters(*args, **named)
        parameters.chat_template = STRICT
        parameters.use_jinja = True
        return parameters

    monkeypatch.setattr(driver, "server_parameters", strict)
    backend = make_embedded(512)
    try:
        shape = parse_shape((await backend.fingerprint()).shape)
        assert shape == Shape("first", turns=True)
        folded = fold(PROMPT, shape)
        assert (await backend.tokenizer()).count_prompt(folded) > 10
        events = [event async for event in backend.stream(Request(folded, 4))]
        assert isinstance(events[-1], Finished)
    finally:
        await backend.close()


def _renders(shape: Shape) -> Callable[[list[dict[str, str]]], bool]:
    def renders(messages: list[dict[str, str]]) -> bool:
        roles = [each["role"] for each in messages]
        said = roles[1:] if roles[0] == "system" else roles
        turns = all((role == "user") == (at % 2 == 0) for at, role in enumerate(said))
        systems = roles.count("system")
        return (
            (turns or not shape.turns)
            and (systems <= 1 or shape.system == "anywhere")
            and (not systems or shape.system != "none")
        )

    return renders


@pytest.mark.parametrize("wanted", ["", "one-system", "alternate", "no-system alternate"])
async def test_a_llama_cpp_is_asked_to_render_a_trial(wanted: str) -> None:
    takes = _renders(parse_shape(wanted or "plain"))

    async def script(exchange: Exchange) -> None:
        messages = exchange.json["messages"]
        if takes(messages):
            prompt = "\n".join(each["content"] for each in messages)
            await exchange.answer(
                json.dumps({"prompt": prompt}).encode(), Content_Type="application/json"
            )
        else:
            body = b'{"error": {"code": 500, "message": "Jinja Exception: roles"}}'
            await exchange.answer(body, status=500, Content_Type="application/json")

    fake = FakeApi(chat=script, listed={"data": [{"id": "tiny", "owned_by": "llamacpp"}]})
    async with running(fake):
        backend = OpenAIBackend(BackendSpec("far", "openai", "tiny", f"{fake.address}/v1"))
        assert (await backend.fingerprint()).shape == wanted
        await backend.close()
    assert {each.path for each in fake.asked()} == {"/apply-template"}


async def test_other_servers_are_not_asked_to_render() -> None:
    swapped = {"id": "tiny", "owned_by": "llamacpp", "status": {"value": "unloaded"}}
    for entry in ({"id": "tiny", "owned_by": "vllm"}, swapped):
        fake = FakeApi(listed={"data": [entry]})
        async with running(fake):
            backend = OpenAIBackend(BackendSpec("far", "openai", "tiny", f"{fake.address}/v1"))
            assert (await backend.fingerprint()).shape == ""
            await backend.close()
        assert not fake.asked()


def test_a_template_that_drops_or_moves_words_does_not_take_them() -> None:
    _, messages = next(trials())
    words = [each.content for each in messages]
    assert is_whole(" ".join(words))
    assert not is_whole(" ".join(words[1:]))
    assert not is_whole(" ".join([words[4], *words[:4], words[5]]))
    assert not is_whole(None)


BY_ROLES = """{{ range .Messages }}{{ if eq .Role "system" }}<s>{{ .Content }}
{{ else if eq .Role "user" }}<u>{{ .Content }}{{ end }}{{ end }}"""
SYSTEM_APART = """{{ if .System }}<s>{{ .System }}{{ end }}
{{ range .Messages }}{{ if eq .Role "user" }}<u>{{ else }}<a>{{ end }}{{ .Content }}{{ end }}"""


@pytest.mark.parametrize(
    ("template", "shape"),
    [
        ("", ""),
        ("{{ range .Messages }}<|{{ .Role }}|>{{ .Content }}{{ end }}", ""),
        (BY_ROLES, ""),
        (SYSTEM_APART, "one-system"),
        (
            '{{ range .Messages }}{{ if eq .Role "user" }}<u>{{ .Content }}{{ end }}{{ end }}',
            "no-system",
        ),
        ("{{ if .System }}<s>{{ .System }}{{ end }}<u>{{ .Prompt }}<a>{{ .Response }}", ""),
        ("[INST] {{ .Prompt }} [/INST]{{ .Response }}", "no-system"),
        ("x", ""),
    ],
)
def test_templates_of_an_ollama_are_read(template: str, shape: str) -> None:
    assert ollama_shape(template) == shape


def test_a_template_that_an_ollama_does_not_use_says_nothing() -> None:
    assert ollama_shape("{{ .Prompt }}", "FROM x\nTEMPLATE {{ .Prompt }}\n") == "no-system"
    assert ollama_shape("{{ .Prompt }}", "FROM x\nRENDERER qwen3-coder\n") == ""


@pytest.mark.parametrize(
    ("template", "shape"),
    [
        (STRICT, "alternate"),
        ('{{ raise_exception("System role not supported") }}', "no-system"),
        (
            "{{ raise_exception('System role not supported; roles must alternate') }}",
            "no-system alternate",
        ),
        ("{{ raise_exception('System message must be at the beginning.') }}", "one-system"),
        ("{{ raise_exception('Tool calls need ids') }}{{ messages }}", ""),
        ("{{ messages }}", ""),
    ],
)
async def test_an_older_llama_cpp_shows_its_template(template: str, shape: str) -> None:
    assert jinja_shape(template) == shape
    listed = {"data": [{"id": "tiny", "owned_by": "llamacpp"}], "chat_template": template}
    fake = FakeApi(chat=None, listed=listed)

    async def script(exchange: Exchange) -> None:
        if exchange.path == "/props":
            await exchange.answer(json.dumps(listed).encode(), Content_Type="application/json")
        else:
            await exchange.answer(b"File Not Found", status=404)

    fake.chat = script
    async with running(fake):
        backend = OpenAIBackend(BackendSpec("far", "openai", "tiny", f"{fake.address}/v1"))
        assert (await backend.fingerprint()).shape == shape
        await backend.close()
