from __future__ import annotations

from pathlib import Path

import pytest

from perdure.backends import errors
from perdure.backends.errors import Action, BackendError, ContextExceeded
from perdure.backends.http.errors import retry_after


def every_error() -> list[type[BackendError]]:
    return [
        each
        for each in vars(errors).values()
        if isinstance(each, type) and issubclass(each, BackendError)
    ]


def test_an_error_is_one_line_of_what_what_is_kept_and_what_next() -> None:
    error = BackendError("no\nanswer.", kept="your message is kept", next_step="perdure say x")
    assert str(error) == "no answer. Your message is kept. perdure say x"
    assert str(ContextExceeded(900, 512)).startswith("the prompt has 900 tokens")


@pytest.mark.parametrize("kind", every_error(), ids=lambda kind: kind.__name__)
def test_every_error_says_what_to_do_as_the_documentation_has_it(kind: type[BackendError]) -> None:
    assert isinstance(kind.action, Action)
    if kind is BackendError:
        return
    table = (Path(__file__).parents[2] / "docs/backends.md").read_text()
    (row,) = [line for line in table.splitlines() if line.startswith(f"| `{kind.__name__}`")]
    assert row.split("|")[2].strip() == kind.action.value


def test_a_date_that_has_passed_names_no_pause() -> None:
    assert retry_after({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) is None
    assert retry_after({"retry-after": "7"}) == 7
    assert (retry_after({"retry-after": "Wed, 21 Oct 2065 07:28:00 GMT"}) or 0) > 1000
