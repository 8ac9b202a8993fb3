"""What keys and passwords look like: by provider prefix, by frame, by the word before them.

A shape is a head, a literal by which it is found, and parts that follow. From the parts come the
expression for its beginning, and the one that tells whether the end of a text may still become it.
A beginning has a fixed end (a window of so many characters, or a mark such as ``@``), and whether
it counts is decided by its characters alone: so it does not matter in which pieces a text comes.
Prefixes are those that the providers document.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import NamedTuple, TypeAlias

Part: TypeAlias = "str | Run | Either"
Parts: TypeAlias = tuple[Part, ...]


class Run(NamedTuple):
    """A run of characters from a class, which is written as in a regular expression."""

    of: str
    least: int
    most: int


class Either(NamedTuple):
    """One of several sequences of parts."""

    rows: tuple[Parts, ...]


def _whole(parts: Parts) -> str:
    """The expression for parts in sequence."""
    found = []
    for part in parts:
        if isinstance(part, str):
            found.append(re.escape(part))
        elif isinstance(part, Run):
            found.append(f"{part.of}{{{part.least},{part.most}}}")
        else:
            found.append(f"(?:{'|'.join(map(_whole, part.rows))})")
    return "".join(found)


def _least(part: Part) -> int:
    """Characters of a part at least."""
    if isinstance(part, str):
        return len(part)
    if isinstance(part, Run):
        return part.least
    return min(sum(map(_least, row)) for row in part.rows)


def _begun(parts: Parts, *, is_last: bool = True) -> str:
    """The expression for every proper prefix of the parts, the empty one included."""
    pattern = ""
    for place in range(len(parts) - 1, -1, -1):
        part = parts[place]
        ends = is_last and place == len(parts) - 1
        begun = _part_begun(part, is_last=ends)
        is_only = place == len(parts) - 1
        pattern = begun if is_only else f"(?:{_whole((part,))}{pattern}|{begun})"
    return pattern


def _part_begun(part: Part, *, is_last: bool) -> str:
    if isinstance(part, str):
        pattern = ""
        for letter in reversed(part[:-1] if is_last else part):
            pattern = f"(?:{re.escape(letter)}{pattern})?"
        return pattern
    if isinstance(part, Run):
        most = part.least - 1 if is_last and part.least == part.most else part.most
        return f"{part.of}{{0,{most}}}"
    return f"(?:{'|'.join(_begun(row, is_last=is_last) for row in part.rows)})"


def _texts(*texts: str) -> Either:
    return Either(tuple((text,) for text in texts))


# What goes on behind a beginning

LETTER = "[A-Za-z0-9_-]"
_BASE64 = "[A-Za-z0-9_+/=-]"
_VALUE = r"""[^\s"'`<>,;(){}\[\]&|\\]"""
_VALUE_INNER = r"""[^\s"'`<>,;(){}\[\]&|\\.!?:\u2026\u3002\uff01\uff1f\uff0c]"""
_GAP = r"""[\s\\"',]"""


class Rest(NamedTuple):
    """The part of a key after its beginning.

    ``goes_on`` is as much of it as is there, its group ``closed`` the mark that ends it for good;
    ``open`` is what, at the end of a text, may be a part of it with what follows.
    """

    goes_on: str
    open: str


_TOKEN_REST = Rest(rf"{LETTER}*(?:\.{LETTER}+)*", r"\.?")
_BASE64_REST = Rest(rf"{_BASE64}*", "")
_PATH_REST = Rest(r"[A-Za-z0-9_/%=&?.~-]*", "")
_VALUE_REST = Rest(rf"{_VALUE_INNER}*(?:[.!?:]{{1,8}}{_VALUE_INNER}+)*", r"[.!?:]{0,8}")
_NO_REST = Rest("", r"(?!)")
_ARMOUR = "[A-Za-z0-9+/=]"
_ARMOUR_END: Parts = (
    Run(_GAP, 0, 16), Run(_ARMOUR, 0, 15), Run(_GAP[:-1] + "nr]", 0, 16), "-----END ",
    Run("[A-Z0-9 ]", 0, 40), "-----",
)  # fmt: skip
_ARMOUR_REST = Rest(
    rf"{_ARMOUR}*(?:{_GAP}{{1,16}}{_ARMOUR}{{16,}})*(?P<closed>{_whole(_ARMOUR_END)})?",
    _begun(_ARMOUR_END),
)


Check = Callable[[str], bool]


class Shape:
    """One kind of key.

    Attributes:
        heads: the literals that one of its kind begins with.
        place: where a head may stand: "word" not behind a letter, digit, ``_`` or ``-``; "name" not
            inside a word, whatever its case; "" anywhere.
        rest: what belongs to the key behind its beginning.
        counts: whether what matched as the beginning is one.
        kind: what people call it.
    """

    kind = "key"

    def __init__(
        self,
        heads: tuple[str, ...],
        key: Parts,
        *,
        frame: Parts | None = None,
        after: Parts = (),
        rest: Rest = _TOKEN_REST,
        counts: Check | None = None,
        place: str = "word",
    ) -> None:
        self.heads = heads
        self.place = place
        self.counts = counts
        self._frame, self._key, self._after, self._rest = frame, key, after, rest

    def __repr__(self) -> str:
        counts = self.counts.__name__ if self.counts else ""
        parts = (self._frame, self._key, self._after, self._rest)
        return f"{self.place} {self.heads} {parts} {counts}"

    @cached_property
    def keeps_head(self) -> bool:
        """Whether the head is a frame, which is not masked."""
        return self._frame is not None

    @property
    def shortest(self) -> int:
        """Characters of the shortest one, head and frame included."""
        parts = (*(self._frame or ()), *self._key, *self._after)
        return min(map(len, self.heads)) + sum(map(_least, parts))

    @cached_property
    def tail(self) -> re.Pattern[str]:
        """What follows a head; its group ``key`` is the start of the key."""
        frame, after = _whole(self._frame or ()), _whole(self._after)
        return re.compile(f"{frame}(?P<key>{_whole(self._key)}){after}")

    @cached_property
    def unfinished(self) -> re.Pattern[str]:
        """Every prefix of `tail`."""
        return re.compile(_begun((*(self._frame or ()), *self._key, *self._after)))

    @cached_property
    def goes_on(self) -> re.Pattern[str]:
        """The rest of the key after its beginning."""
        return re.compile(self._rest.goes_on)

    @cached_property
    def open(self) -> re.Pattern[str]:
        """What may still become the rest of the key."""
        return re.compile(self._rest.open)


def _is_mixed(window: str) -> bool:
    """Whether letters and digits mix as in no ordinary word: ``a1B2c3``, not ``my-page-2``."""
    mixed = 0
    for word in re.split(r"[^A-Za-z0-9]+", window):
        kinds = sum(
            (
                any(each.isdigit() for each in word),
                any(each.islower() for each in word),
                any(each.isupper() for each in word) and not word.istitle(),
            )
        )
        mixed += len(word) if kinds > 1 else 0
    return mixed >= 5


def _has_digit(window: str) -> bool:
    return any(each.isdigit() for each in window)


def _is_random(window: str) -> bool:
    """Whether a value mixes digits into letters, or capitals as no variable name does."""
    letters = [each for each in window if each.isalpha()]
    if _has_digit(window):
        return bool(letters)
    capitals = sum(each.isupper() for each in letters)
    return capitals >= 5 and len(letters) - capitals >= 3


_STAND_INS = (
    "none", "null", "true", "fals", "str", "int", "bool", "your", "my", "<", "{", "$", "%", "*",
    "xxx", "...", "os.", "env", "self", "proces", "get", "input", "change", "exampl", "placeh",
    "redact", "hidden", "passwo", "secret", "token", "string", "undefi", "reques", "config",
    "settin", "data", "args", "option", "field", "value", "name", "user", "test", "the",
)  # fmt: skip
"""Beginnings of what stands in programs and letters where a password would."""


def _is_literal(window: str) -> bool:
    """Whether a value is real, rather than a placeholder."""
    plain = window.casefold()
    is_variable = "_" in window and window.islower() and not _has_digit(window)
    is_written = any(each.isalnum() for each in plain) and not is_variable
    return is_written and not plain.startswith(_STAND_INS)


def _is_digits_and_letters(window: str) -> bool:
    return _has_digit(window) and any(each.isalpha() for each in window) and _is_literal(window)


def _is_shown(window: str) -> bool:
    """Whether a password is real, rather than a placeholder in an example."""
    return (
        window.strip("*.x") != ""
        and window.casefold() not in ("password", "passwd")
        and (not window.startswith(("{", "$", "<", "%")))
    )


_ALNUM, _HEX = "[A-Za-z0-9]", "[0-9a-f]"
_PREFIXES: tuple[tuple[tuple[str, ...], str, int], ...] = (
    (("sk-or-v1-",), _ALNUM, 16),  # OpenRouter
    (tuple(f"{kind}_{mode}_" for kind in ("sk", "rk", "pk") for mode in ("live", "test")),
     _ALNUM, 16),  # Stripe
    (("AIza",), LETTER, 30),  # Google
    (("GOCSPX-", "ya29."), LETTER, 20),
    (("AQ.Ab",), LETTER, 30),
    # Hugging Face, Groq, xAI, Perplexity, Replicate
    (tuple(f"{who}{c}" for who in ("hf", "gsk", "xai", "pplx", "r8") for c in "_-"), _ALNUM, 20),
    (("nvapi-", "tvly-", "csk-", "voyage-"), LETTER, 20),  # NVIDIA, Tavily, Cerebras
    (("tgp_v1_", "pcsk_", "jina_", "lsv2_pt_", "lsv2_sk_"), LETTER, 24),
    (tuple(f"gh{kind}_" for kind in "pousr"), _ALNUM, 30),  # GitHub
    (("github_pat_",), "[A-Za-z0-9_]", 30),
    (("glpat-", "gldt-", "glrt-", "glptt-", "gloas-"), LETTER, 16),  # GitLab
    (tuple(f"xox{kind}-" for kind in "abeoprs"), "[A-Za-z0-9-]", 10),  # Slack
    (("xapp-", "xoxe.xoxp-"), "[A-Za-z0-9-]", 20),
    (("npm_",), _ALNUM, 30),
    (("pypi-",), LETTER, 30),
    (("rubygems_",), _HEX, 40),
    (("dckr_pat_", "dckr_oat_"), LETTER, 20),
    (("dop_v1_", "doo_v1_", "dor_v1_"), _HEX, 40),  # DigitalOcean
    (tuple(f"shp{kind}_" for kind in ("at", "ca", "pa", "ss", "ua")), "[A-Fa-f0-9]", 24),  # Shopify
    (("ntn_",), _ALNUM, 30),  # Notion
    (("lin_api_", "lin_oauth_"), _ALNUM, 30),  # Linear
    (("figd_", "figu_"), LETTER, 30),
    (("glsa_", "glc_", "sntrys_", "sntryu_", "phx_", "rnd_", "vercel_blob_rw_"), LETTER, 24),
    (("PMAK-", "NRAK-", "xkeysib-", "CFPAT-", "tskey-", "pat-na1-", "pat-eu1-"), LETTER, 24),
    (("sbp_", "sb_secret_", "sgp_", "dapi"), "[A-Za-z0-9_]", 32),  # Supabase, Databricks
    (("hvs.", "hvb.", "hvr."), LETTER, 24),  # Vault
    (("ATATT3", "ATCTT3", "ATBB"), LETTER, 28),  # Atlassian
    (("EAAC", "EAAG", "EAAB", "EAAJ"), _ALNUM, 60),  # Facebook
    (("sq0atp-", "sq0csp-"), LETTER, 22),
    (("key-",), _HEX, 32),  # Mailgun
    (("secret_",), _ALNUM, 40),  # Notion's of before
    (("dp.pt.", "dp.st.", "pscale_tkn_", "pscale_pw_", "HRKU-", "esecret_", "nfp_"), LETTER, 30),
    (("sk_",), _HEX, 40),  # ElevenLabs
    (("AC", "SK"), _HEX, 32),  # Twilio
    (("AGE-SECRET-KEY-1",), "[0-9A-Z]", 50),
    (("nsec1",), "[ac-hj-np-z02-9]", 50),
    (("xprv", "yprv", "zprv"), "[1-9A-HJ-NP-Za-km-z]", 90),
)  # fmt: skip
"""Prefixes, the characters that follow, and how many of them make it a key."""

TOKEN_HEAD = 1024
"""A web token's first part: the bound keeps short what a stream holds back."""

_ADDRESSES = (
    "hooks.slack.com/services/", "hooks.slack.com/workflows/", "hooks.slack.com/triggers/",
    "discord.com/api/webhooks/", "discordapp.com/api/webhooks/",
    "discord.com/api/v10/webhooks/", "discord.com/api/v9/webhooks/",
    "webhook.office.com/webhookb2/",
    "hooks.zapier.com/hooks/catch/", "open.feishu.cn/open-apis/bot/v2/hook/",
    "maker.ifttt.com/use/",
)  # fmt: skip
"""Addresses that are secrets themselves: who knows one can write there."""

_OPTIONS = ("--password", "--passwd", "--pass", "--token", "--secret", "--api-key", "--pw")

_PASSWORDS = (
    "password", "passwd", "passphrase", "passcode", "passwort", "kennwort", "mot de passe",
    "contrase\u00f1a", "contrasena", "clave", "senha", "palavra-passe", "wachtwoord",
    "l\u00f6senord", "adgangskode", "kodeord", "passord", "salasana", "has\u0142o", "haslo",
    "heslo", "jelsz\u00f3", "parol\u0103", "parola", "\u015fifre", "sifre", "mdp", "pwd", "pass",
    "\u043f\u0430\u0440\u043e\u043b\u044c", "\u043f\u0430\u0440\u043e\u043b\u0430",
    "\u03ba\u03c9\u03b4\u03b9\u03ba\u03cc\u03c2", "m\u1eadt kh\u1ea9u", "kata sandi",
    "pgpassword", "mysql_pwd", "dbpassword", "userpassword", "rootpassword",
)  # fmt: skip
_COMMON = ("pass", "pwd", "clave", "parola", "passcode", "heslo")
"""Words for a password that mean other things as well."""
# Of scripts that put no gap between words.
_PASSWORDS_UNSPACED = (
    "\u5bc6\u7801", "\u5bc6\u78bc", "\u53e3\u4ee4", "\u30d1\u30b9\u30ef\u30fc\u30c9",
    "\u6697\u8a3c\u756a\u53f7", "\ube44\ubc00\ubc88\ud638", "\uc554\ud638",
    "\u0e23\u0e2b\u0e31\u0e2a\u0e1c\u0e48\u0e32\u0e19",
    "\u0643\u0644\u0645\u0629 \u0627\u0644\u0645\u0631\u0648\u0631",
    "\u0643\u0644\u0645\u0629 \u0627\u0644\u0633\u0631", "\u05e1\u05d9\u05e1\u05de\u05d4",
    "\u092a\u093e\u0938\u0935\u0930\u094d\u0921",
)  # fmt: skip
_SECRETS = (
    "secret", "secret_key", "secretkey", "secret-key", "secret key", "secret_access_key",
    "secretaccesskey", "secret access key", "client_secret", "clientsecret", "client-secret",
    "client secret", "api_key", "apikey", "api-key", "api key", "api_token", "api-token",
    "api token", "access_key", "accesskey", "access-key", "access key", "access_token",
    "accesstoken", "access-token", "access token", "auth_token", "authtoken", "auth-token",
    "refresh_token", "refreshtoken", "bearer_token", "private_key", "privatekey", "private-key",
    "accountkey", "account_key", "account-key", "sharedaccesskey", "sharedaccesssignature",
    "encryption_key", "encryptionkey", "signing_key", "webhook_secret", "session_token",
    "sessiontoken", "session_id", "sessionid", "token", "credentials", "credential",
    "authorization",
    "x-api-key", "x-auth-token", "private-token", "connectionstring", "_auth", "_authtoken", "sig",
)  # fmt: skip

_KEYS = (
    "key",
    "schl\u00fcssel",
    "cl\u00e9",
    "chiave",
    "llave",
    "chave",
    "\u043a\u043b\u044e\u0447",
)
_KEYS_UNSPACED = ("\u5bc6\u94a5", "\u79d8\u94a5", "\u5bc6\u9470", "\u91d1\u9470", "\u30ad\u30fc")

_QUOTE = "[\"'`\u201c\u201d\u201e\u00ab]"
_SPACE = "[ \t\u00a0\u202f]"
_COLON = "[:=\uff1a]"

_ATTACHED: Parts = (Run(_QUOTE, 0, 1), Run(_COLON, 1, 1))
_QUOTED: Parts = (
    Run(_QUOTE, 0, 1), Run(_SPACE, 0, 3), Run(_COLON, 1, 1), Run("[>]", 0, 1),
    Run(_SPACE, 0, 3), Run(_QUOTE, 1, 1),
)  # fmt: skip
_SPACED: Parts = (
    Run(_QUOTE, 0, 1), Run("[*_]", 0, 2), Run(_SPACE, 0, 3), Run(_COLON, 1, 1), Run("[>*_]", 0, 2),
    Run(r"\s", 0, 3), Run(_QUOTE, 0, 1),
)  # fmt: skip
_TAGGED: Parts = (">",)
_SAID: Parts = (
    _texts(
        " is ", " is: ", " is now ", " ist ", " lautet ", " lautet: ", " es ", " est ",
        " \u00e8 ", " \u00e9 ",
        " \u0446\u0435 ", " \u044d\u0442\u043e ", " \u2014 ", " - ", "\u662f", "\u306f",
        "\ub294 ", "\uc740 ",
    ),
    Run(_QUOTE, 0, 1),
)  # fmt: skip
_NO_DIGIT = _VALUE.replace("[^", r"[^\d")
# Four characters or more, a digit among them.
_WITH_DIGIT: Parts = (
    Either(
        (
            (Run(_NO_DIGIT, 3, 40), Run(r"\d", 1, 1)),
            (Run(_NO_DIGIT, 0, 2), Run(r"\d", 1, 1), Run(_VALUE, 3, 3)),
        )
    ),
)


def _passwords(names: tuple[str, ...], place: str) -> Iterator[Shape]:
    """What may follow a word for "password"."""
    for frame, key, counts in (
        (_QUOTED, (Run(_VALUE, 4, 4),), _is_literal),
        (_ATTACHED, (Run(_VALUE, 6, 6),), _is_literal),
        (_TAGGED, (Run(_VALUE, 4, 4),), _is_literal),
        (_SPACED, _WITH_DIGIT, None),
        (_SAID, _WITH_DIGIT, _is_digits_and_letters),
    ):
        yield Shape(names, key, frame=frame, rest=_VALUE_REST, counts=counts, place=place)


def _secrets() -> Iterator[Shape]:
    """What may follow a word for "key": longer, or directly after it."""
    long, short = (Run(_VALUE, 16, 16),), (Run(_VALUE, 8, 8),)
    for frame, key, counts in (
        (_QUOTED, long, _is_random),
        (_SPACED, long, _is_random),
        (_QUOTED, short, _is_digits_and_letters),
        (_ATTACHED, short, _is_digits_and_letters),
    ):
        yield Shape(_SECRETS, key, frame=frame, rest=_VALUE_REST, counts=counts, place="name")
    for frame in (_QUOTED, _SPACED):
        for names, place in ((_KEYS, "name"), (_KEYS_UNSPACED, "")):
            yield Shape(
                names, long, frame=frame, rest=_VALUE_REST, counts=_is_mixed, place=place
            )  # fmt: skip


def _armoured() -> Iterator[Shape]:
    """Private keys in base64 lines."""
    first = (Run("[A-Z0-9 ]", 0, 40), "PRIVATE KEY", _texts(" BLOCK-----", "-----"))
    # RFC 1421's and OpenPGP's lines between the header and the key: "Proc-Type: 4,ENCRYPTED".
    line_end: Parts = (Run(r"[\r\n\\]", 1, 1), Run(_GAP, 0, 15))
    line = (*line_end, Run("[A-Za-z-]", 4, 20), ": ", Run(r"[^\r\n\\]", 0, 120))
    for count in range(3):
        gap = line_end if count else (Run(_GAP, 0, 16),)
        key: Parts = (*first, *(line * count), *gap, Run(_ARMOUR, 16, 16))
        yield Shape(("-----BEGIN ",), key, rest=_ARMOUR_REST, place="")
    frame = (Run(r"\d", 1, 4), Run(_GAP, 1, 4))
    key = (Run(_ARMOUR, 16, 16),)
    yield Shape(("Private-Lines: ",), key, frame=frame, rest=_ARMOUR_REST)


def _marked() -> Iterator[Shape]:
    """Keys with a distinctive prefix."""
    for heads, of, count in _PREFIXES:
        yield Shape(heads, (Run(of, count, count),))
    yield Shape(("sk-", "pk-", "rk-"), (Run(LETTER, 16, 16),), counts=_is_mixed)
    yield Shape(("fw_",), (Run(_ALNUM, 20, 20),), counts=_is_mixed)
    yield Shape(("pat",), (Run(_ALNUM, 14, 14), ".", Run(_HEX, 40, 40)))  # Airtable
    yield Shape(("AKIA", "ASIA", "ABIA"), (Run("[A-Z0-9]", 16, 16),), counts=_has_digit)
    yield Shape(("LTAI",), (Run(_ALNUM, 16, 16),), counts=_is_mixed)
    yield Shape(("fm2_", "fo1_"), (Run(_BASE64, 40, 40),), rest=_BASE64_REST)  # Fly.io
    yield Shape(("whsec_", "v1.0-"), (Run("[A-Za-z0-9+/=]", 20, 20),), rest=_BASE64_REST)
    yield Shape(("SG.",), (Run(LETTER, 16, 32), ".", Run(LETTER, 20, 20)))
    # RFC 7519: base64url of `{"`, a dot, and the beginning of what it claims.
    yield Shape(("eyJ",), (Run(LETTER, 20, TOKEN_HEAD), ".", Run(LETTER, 10, 10)))
    telegram = (Run("[0-9]", 8, 10), ":AA", Run(LETTER, 30, 30))
    yield Shape(("/bot",), telegram, frame=(), place="")
    for digit in "123456789":
        yield Shape((digit,), (Run("[0-9]", 7, 9), ":AA", Run(LETTER, 30, 30)))
    # Discord: base64 of the bot's number, a time, a signature.
    starts = tuple(a + b for a in "MNO" for b in "DTjz")
    yield Shape(
        starts, (Run(LETTER, 20, 30), ".", Run(LETTER, 6, 7), ".", Run(LETTER, 24, 24))
    )  # fmt: skip
    path = (Run("[A-Za-z0-9_/=-]", 20, 20),)
    yield Shape(_ADDRESSES, path, frame=(), rest=_PATH_REST, place="name")


def _sent() -> Iterator[Shape]:
    """Credentials in addresses, headers and command options."""
    host, word = r"""[^\s/:@"'`<>\[\]?#]""", r"""[^\s/@"'`<>\[\]?#]"""
    # A connection string names the very database, and is secret as a whole.
    yield Shape(
        ("mongodb+srv://", "mongodb://"), (Run(host, 1, 64), ":", Run(word, 1, 256), "@"),
        frame=(), rest=_PATH_REST, place="name",
    )  # fmt: skip
    # RFC 3986's userinfo: what stands between the colon and the @ is a password.
    yield Shape(
        ("://",), (Run(word, 1, 256),), frame=(Run(host, 0, 64), ":"), after=("@",),
        rest=_NO_REST, counts=_is_shown, place="",
    )  # fmt: skip
    yield Shape(
        ("://",), (Run(host, 20, 256),), frame=(), after=("@",), rest=_NO_REST, counts=_is_random,
        place="",
    )  # fmt: skip
    for head, size in (("bearer ", 16), ("basic ", 12), ("token ", 24), ("apikey ", 16)):
        yield Shape(
            (head,), (Run(r"[\w.~+/=-]", size, size),), frame=(), rest=_BASE64_REST,
            counts=_is_random, place="name",
        )  # fmt: skip
    options = (Run("[ =]", 1, 1), Run(_QUOTE, 0, 1))
    counts = _is_digits_and_letters
    yield Shape(_OPTIONS, _WITH_DIGIT, frame=options, rest=_VALUE_REST, counts=counts)
    user = (Run(_QUOTE, 0, 1), Run("[A-Za-z]", 1, 1), Run(r"[^\s:'\"]", 0, 40), ":")
    yield Shape(
        ("-u ", "--user ", "--user="), _WITH_DIGIT, frame=user, rest=_VALUE_REST, counts=counts
    )


def _called(kind: str, shapes: Iterable[Shape]) -> Iterator[Shape]:
    for shape in shapes:
        shape.kind = kind
        yield shape


def _shapes() -> Iterator[Shape]:
    yield from _called("private key", _armoured())
    yield from _called("key", _marked())
    yield from _called("password or key in an address or a header", _sent())
    yield from _called("password", _said_passwords())
    yield from _called("key", _secrets())


def _said_passwords() -> Iterator[Shape]:
    yield from _passwords(_PASSWORDS, "name")
    names = tuple(name for name in _PASSWORDS if name not in _COMMON)
    # "password hunter2", as in a .netrc file.
    yield Shape(names, _WITH_DIGIT, frame=(" ",), rest=_VALUE_REST, counts=_is_mixed, place="name")
    yield from _passwords(_PASSWORDS_UNSPACED, "")


SHAPES = tuple(_shapes())
"""Every kind; where two begin at the same place, the first one that matches is meant."""
