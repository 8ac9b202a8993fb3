from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from perdure.companion.secrets import (
    MASK,
    SecretMasker,
    find_secrets,
    looks_secret,
    mask_secrets,
)

# Shaped as the providers' keys are, and none of them a key.
SHAPED = [
    "sk-ant-" + "api03-" + "Ab1_" * 8,
    "sk-or-v1-" + "0a1b" * 8,
    "sk-proj-" + "Ab1-" * 8,
    "sk_live_" + "a1B2" * 6,
    "AIza" + "Sy0_" * 9,
    "hf_" + "aB3d" * 8,
    "gsk_" + "aB3d" * 8,
    "xai-" + "aB3d" * 8,
    "ghp_" + "aB3d" * 9,
    "github_pat_" + "aB3_" * 9,
    "glpat-" + "aB3-" * 5,
    "AKIA" + "ABCD1234" * 2,
    "xoxb-" + "1234-abcd-" * 2,
    "npm_" + "aB3d" * 9,
    "pypi-" + "AgEI" * 9,
    "AGE-SECRET-KEY-1" + "QPZRY9X8GF2TVDW0S3JN" * 3,
    "eyJ" + "hbGc" * 6 + ".eyJzdWIi0iJ9x." + "c2ln" * 5,
    "123456789:AA" + "aB3d-" * 7,
    "MTEy" + "aB3d" * 5 + ".Gx3Yz_." + "aB3d" * 9,
    "xapp-1-A0B1C2-" + "12ab" * 8,
    "whsec_" + "aB3d" * 8,
    "GOCSPX-" + "aB3d" * 7,
    "ya29." + "aB3_" * 12,
    "AQ.Ab8" + "aB3_" * 12,
    "dop_v1_" + "0a1b" * 16,
    "SG." + "aB3d" * 5 + "ab." + "aB3d" * 10,
    "SK" + "0a1b" * 8,
    "shpat_" + "0a1b" * 8,
    "ntn_" + "aB3d" * 11,
    "lin_api_" + "aB3d" * 10,
    "tvly-" + "aB3d" * 8,
    "fw_" + "aB3d" * 6,
    "sk-" + "0a1b" * 8,
    "secret_" + "aB3d" * 11,
    "dp.pt." + "aB3d" * 10,
    "pscale_tkn_" + "aB3d" * 10,
    "fm2_" + "aB3+" * 12,
    "sk_" + "0a1b" * 12,
    "patAbCdEfGh123456." + "0a1b" * 16,
]


def armoured(kind: str, about: str = "") -> str:
    """A private key in lines, as OpenSSL and GnuPG write one."""
    lines = "\n".join(["MIIE" + "aB3d" * 15] * 3 + ["aB3d=="])
    return f"-----BEGIN {kind}-----\n{about}{lines}\n-----END {kind}-----"


FRAMED = [
    ("", armoured("RSA PRIVATE KEY"), "\nThen"),
    ("", armoured("OPENSSH PRIVATE KEY").replace("\n", "\r\n"), ""),
    ("", armoured("PGP PRIVATE KEY BLOCK", "Version: 1\n\n"), " and"),
    ("", armoured("RSA PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,AB12\n\n"), ""),
    ('{"private_key": "', armoured("PRIVATE KEY").replace("\n", "\\n"), '\\n"}'),
    ("https://hooks.slack.com/services/", "T0A1B2C3/B0A1B2C3/" + "aB3d" * 6, " there"),
    ("https://discord.com/api/webhooks/", "123456789012345678/" + "aB3d-" * 12, ")"),
    ("https://api.telegram.org/bot", "123456789:AA" + "aB3d-" * 7, "/getMe"),
    ("postgres://admin:", "hunter2S3cret", "@db.example.com/prod"),
    ("https://user:", "p4ssw0rdlong", "@example.com/x"),
    ("redis://:", "hunter2", "@localhost:6379"),
    ("mongodb+srv://", "u:Xk29fPq8@cluster0.example.net", " it"),
    ("https://", "a1" * 16, "@sentry.example.org/1"),
    ("Authorization: Bearer ", "aB3d" * 10, "\n"),
    ("Authorization: Basic ", "dXNlcjpwYXNzd29yZA==", ""),
    ("curl -u ana:", "hunter2x", " https://example.org"),
    ("mysqldump --password ", "hunter2x", " prod"),
    ("AccountName=x;AccountKey=", "aB3d" * 21 + "==", ";EndpointSuffix=core"),
    ("aws_secret_access_key = ", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYaB3d", "."),
    ("x-api-key: ", "aB3d" * 8, ""),
    ("password: ", "hunter2hunter2", ". Bye"),
    ("My password is ", "hunter2", ", yes"),
    ("Passwort: ", "Sommer2026!x", " dann"),
    ("mot de passe : ", "\u00e9t\u00e92026", " voil\u00e0"),
    ("contrase\u00f1a: ", "abc12345", ""),
    ("\u043f\u0430\u0440\u043e\u043b\u044c: ", "abc12345", "!"),
    ("\u6211\u7684\u5bc6\u7801\u662f", "abc12345", "\u3002"),
    ("\u30d1\u30b9\u30ef\u30fc\u30c9\uff1a", "abcd1234", ""),
    ('{"password": "', "swordfish", '", "a": 1}'),
    ("export DB_PASSWORD=", "swordfish", "\n"),
    ("dbPassword=", "swordfish", " and"),
    ("machine example.org login ana password ", "hunter2x", "\n"),
    ("\ube44\ubc00\ubc88\ud638\ub294 ", "abcd1234", ""),
    ("<password>", "swordfish", "</password>"),
    ("https://example.org/?api_key=", "abc123def", "&page=2"),
]  # fmt: skip
"""What stands before, the key, and what stands behind; the frame stays."""


@pytest.mark.parametrize("secret", SHAPED)
def test_a_key_in_prose_is_masked_and_the_words_around_it_stay(secret: str) -> None:
    text, count = mask_secrets(f"Here it is: {secret}. Keep it safe!")
    assert count == 1
    assert secret not in text
    assert text.startswith(f"Here it is: {MASK}")
    assert text.endswith("Keep it safe!")


@pytest.mark.parametrize(("before", "secret", "behind"), FRAMED)
def test_a_key_in_a_frame_is_masked_and_the_frame_stays(
    before: str, secret: str, behind: str
) -> None:
    text = f"See: {before}{secret}{behind}"
    assert mask_secrets(text) == (f"See: {before}{MASK}{behind}", 1)
    masker = SecretMasker()
    letters = "".join(masker.feed(letter) for letter in text) + masker.end()
    assert letters == f"See: {before}{MASK}{behind}"


def test_a_key_in_a_frame_of_another_is_masked_too() -> None:
    key = "sk-" + "aB3d" * 8
    text = f"https://{key}:hunter2x@example.org"
    assert mask_secrets(text)[0] == f"https://{MASK}:{MASK}@example.org"


def test_a_loaded_key_without_a_shape_is_masked_wherever_it_stands() -> None:
    text, count = mask_secrets("a 0123456789abcdef b0123456789abcdefc", ["0123456789abcdef"])
    assert (text, count) == (f"a {MASK} b{MASK}c", 2)


@pytest.mark.parametrize(
    "plain",
    [
        "I asked-and-asked about the risk-taking task-force, ask-me-anything-at-all-today.",
        "sk- is a prefix, hf_ too, and AKIA.",
        "The commit is 5f1d0c9be2a74e6f8a0b1c2d3e4f5a6b7c8d9e0f.",
        "See https://example.org/eyJ and desk-lamp-with-a-long-name-and-more.",
        "明天带上 sk 和 hf，别忘了。",
        "import sk-learn-contrib-imbalanced-ensemble and .sk-folding-cube-animation-delay",
        "ASIANAMERICANSTUDIES, AKIAHABARAISAPLACE and rk-45-numerical-integration-method",
        "The password: please remember it. The secret: love. Token: gratitude.",
        "compass: 270N, I pass: 5 times, the ratio is 3:4, version: 2.0.1-beta-build",
        "See https://host:8080/path@x, http://[::1]:8080/ and git@example.org:user/repo.git",
        "bearer of bad news, basic understanding of things, token ring networks",
        "-----BEGIN RSA PRIVATE KEY----- is how it begins, he said. Then came the key.",
        "password=password, password=None, api_key = your_api_key_here, password=getpass()",
        "secret = base_of_the_whole_story, key: value, key=lambda item: item.name",
        "postgres://user:{password}@host and https://user:password@host are forms",
    ],
)
def test_ordinary_talk_is_left_alone(plain: str) -> None:
    assert mask_secrets(plain) == (plain, 0)


@given(st.text())
def test_masking_twice_changes_nothing_more(text: str) -> None:
    once, _ = mask_secrets(text)
    assert mask_secrets(once) == (once, 0)
    assert not looks_secret(once)


KNOWN = ["correct-horse/battery", "0123456789abcdef", "0123456789", "s k-with blanks"]
SNIPPETS = st.sampled_from(
    [
        *SHAPED,
        *KNOWN,
        *(secret[:7] for secret in SHAPED),
        *(before + secret for before, secret, _ in FRAMED),
        *(before[:9] for before, _, _ in FRAMED),
        *(secret[-30:] for _, secret, _ in FRAMED),
        *("password", '"', ":", "=", "@", "://", "-----BEGIN ", "PRIVATE KEY-----", "-----END "),
        *("sk-", "eyJ", "a" * 19, "0" * 30, ".", "-", " ", "\n", "x", "\u660e", "eyJ" + "a" * 1030),
    ]
)


@st.composite
def split_texts(draw: st.DrawFn) -> list[str]:
    """A text full of keys and beginnings of keys, cut anywhere."""
    text = "".join(draw(st.lists(SNIPPETS | st.text(max_size=5), max_size=6)))
    cuts = sorted(draw(st.sets(st.integers(0, len(text)), max_size=12)))
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


@given(split_texts(), st.sets(st.sampled_from(KNOWN)))
@example(["hunter2m", "ongodb+srv://u:Xk29fPq8@cluster0.example.net"], set())
@example(["xm", "ongodb+srv://u:Xk29fPq8@cluster0.example.net"], set())
@example(["my\u5bc6", "\u7801: hunter2"], set())
def test_however_a_text_is_cut_the_same_is_masked(pieces: list[str], known: set[str]) -> None:
    masker = SecretMasker(known)
    streamed = "".join(masker.feed(piece) for piece in pieces) + masker.end()
    assert (streamed, masker.count) == mask_secrets("".join(pieces), known)


@given(split_texts(), st.sets(st.sampled_from(KNOWN)))
@example(["SK0a1b0p", "assword: hunter2hunter2"], set())
def test_no_key_is_ever_shown_and_little_is_held_back(pieces: list[str], known: set[str]) -> None:
    masker, given_, shown = SecretMasker(known), 0, ""
    for piece in pieces:
        given_ += len(piece)
        shown += masker.feed(piece)
        removed = given_ - len(shown.replace(MASK, ""))
        # What was masked is gone for good; the rest is held back, and not more than this of it.
        masked = given_ - len(mask_secrets("".join(pieces)[:given_], known)[0].replace(MASK, ""))
        assert removed - masked <= 3 + 1024 + 1 + 10
    assert not any(secret in shown for secret in known)
    assert not looks_secret(shown)


@pytest.mark.parametrize("secret", SHAPED)
def test_a_key_letter_by_letter_is_masked_when_it_begins_to_be_one(secret: str) -> None:
    masker = SecretMasker()
    assert masker.feed("Here: ") == "Here: "
    assert "".join(masker.feed(letter) for letter in secret) == MASK
    assert masker.feed(". Keep") == ". Keep"
    assert (masker.end(), masker.count) == ("", 1)


def test_ordinary_talk_is_not_held_back() -> None:
    masker = SecretMasker(["0123456789abcdef"])
    for piece in ("The", " house", " by", " the", " sea", ",", " she", " said", "."):
        assert masker.feed(piece) == piece


def test_a_key_without_an_end_is_not_kept_in_memory() -> None:
    masker = SecretMasker()
    assert masker.feed("sk-") + masker.feed("aB3d" * 5) == MASK
    for _ in range(100):
        assert masker.feed("a" * 1000) == ""
    assert masker.feed(" so it ends") == " so it ends"


@pytest.mark.parametrize("key", SHAPED)
def test_a_key_is_known_whatever_stands_around_it(key: str) -> None:
    for before, after in (
        ("\\n", "\\n"), ("_", "_"), ("**", "**"), ("={", "}"), ("\u200b", ""), ("\u5bc6", "\u3002"),
        ("?key=", "&a=1"), ("\t", "\t"), ("<b>", "</b>"), ("\u300c", "\u300d"), ("\r\n", "\r\n"),
    ):  # fmt: skip
        text = f"{before}{key}{after} then"
        masked, count = mask_secrets(text)
        assert (key[-9:] in masked, count) == (False, 1), text
        for step in (1, 3):
            masker = SecretMasker()
            pieces = [masker.feed(text[at : at + step]) for at in range(0, len(text), step)]
            assert "".join(pieces) + masker.end() == masked


def test_a_mark_inside_a_word_begins_no_key() -> None:
    for text in ("my_sk-" + "a1B2" * 8, "task_hf_" + "aB3d" * 8, "nsk-" + "a1B2" * 8):
        assert mask_secrets(text) == (text, 0)


@pytest.mark.parametrize("secret", SHAPED)
def test_a_key_is_found_where_it_stands_with_its_kind_and_its_first_letters(secret: str) -> None:
    text = f"It is\n{secret} they say, or so."
    (found,) = find_secrets(text)
    assert text[found.start : found.end] == secret
    assert secret.startswith(found.head)
    assert found.kind == "key"
    assert found.head


@pytest.mark.parametrize(("before", "secret", "after"), FRAMED)
def test_a_key_in_a_frame_is_found_where_it_stands(before: str, secret: str, after: str) -> None:
    text = f"so {before}{secret}{after}"
    found = [text[each.start : each.end] for each in find_secrets(text)]
    assert found
    assert secret in found or mask_secrets(text)[0].count(MASK) == len(found)


def test_a_loaded_key_without_a_shape_is_found() -> None:
    text = "I found correct-horse/battery in it"
    (found,) = find_secrets(text, ["correct-horse/battery"])
    assert text[found.start : found.end] == "correct-horse/battery"
    assert list(find_secrets(text)) == []


@given(st.lists(SNIPPETS | st.text(max_size=6), max_size=16), st.sets(st.sampled_from(KNOWN)))
def test_as_many_keys_are_found_as_are_masked_and_the_same(
    pieces: list[str], known: set[str]
) -> None:
    text = "".join(pieces)
    found = list(find_secrets(text, known))
    assert bool(found) == (mask_secrets(text, known)[1] > 0)
    assert all(each.start < each.end for each in found)
    assert [each.start for each in found] == sorted(each.start for each in found)
