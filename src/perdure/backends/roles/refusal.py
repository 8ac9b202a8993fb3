"""What an error message says about the roles of a prompt, from a server or a chat template."""

from __future__ import annotations

import re


def _pattern(*alternatives: str) -> re.Pattern[str]:
    return re.compile("|".join(alternatives), re.IGNORECASE | re.DOTALL)


_OPEN, _SHUT = r"['\"`\u2018\u201c«]", r"['\"`\u2019\u201d»]"
_SYSTEM = (
    rf"(?:\bsystem[- _]?(?:roles?|messages?|prompts?|instructions?)\b|{_OPEN}system{_SHUT}"
    r"|(?:roles?:?|messages?|got) system\b|developer instruction"
    r"|(?:system|系统)\s*(?:角色|消息|提示))"
)
_REFUSED = (
    r"(?:(?:\bnot\b|n't|\bcannot\b|\bno)[- ](?:be )?(?:support(?:ed)?|allow(?:ed)?|enabled"
    r"|available|valid|accept(?:ed)?|permit(?:ted)?|recogni[sz]ed?|take|handle|use|one of)\b"
    r"|\b(?:unsupported|unknown|invalid|unexpected|unrecogni[sz]ed|unavailable|disabled|forbidden"
    r"|without)\b|\bno(?= system)|不支持|无效|不允许)"
)
_SIDES = (
    rf"(?<!system, ){_OPEN}?\buser{_SHUT}?\s*(?:,|\bor\b|\band\b|\||、|\uff0c|和|或)"
    r"\s*(?:or |and )?"
    rf"{_OPEN}?(?:assistant|model)\b(?!.{{0,80}}system)"
)
"""A list of the roles that there are, without the one in question."""
NO_SYSTEM = _pattern(
    rf"{_SYSTEM}.{{0,60}}{_REFUSED}",
    rf"{_REFUSED}.{{0,40}}{_SYSTEM}",
    rf"\b(?:only|expected|permitted|should|must|one of|allowed|enum\w*)(?:(?!alternat).){{0,30}}"
    rf"{_SIDES}",
    "developer instruction",
)
"""Words that mean that there is no system role."""
ONE_SYSTEM = _pattern(
    rf"{_SYSTEM}.{{0,80}}\b(?:first|beginning|start|front|once|one(?! of)|single|only|before|lead"
    r"|merged?|after|follow|(?:index|position) \d)",
    r"\b(?:multiple|second|more than one|two|several|duplicate|single|one|1|first) "
    rf".{{0,30}}{_SYSTEM}",
    r"messages?[.\[](?!0)\d+.{0,30}system",
    rf"{_SYSTEM}.{{0,20}}(?:最前|开头|第一|首|之后)",
)
"""Words that mean that only the first message may be a system message."""
TURNS_WANTED = _pattern(
    r"alternat(?!ive)|interleav|successive|consecutive|back[- ]to[- ]back|in a row|\bturns\b",
    r"multi-?turn",
    r"\b(?:first|last|initial|start|begin|open|end)\w*\b.{0,60}\buser",
    r"\buser.{0,60}\b(?:first|last|start|begin|open)",
    r"交替|(?:第一|首|开头|开始).{0,12}(?:user|用户)|(?:user|用户).{0,12}(?:开头|开始)",
)
"""Words that mean that user and assistant must alternate."""
NAMES_ROLES = _pattern(
    NO_SYSTEM.pattern,
    ONE_SYSTEM.pattern,
    r"\broles?\b.{0,60}\b(?:alternat(?!ive)|interleav|must|should|expected|order|after|in a row)",
    r"\b(?:invalid|unexpected|unsupported|unknown|only|last|same|alternating|repeated|multiple)"
    r" (?:\w+ )?roles?\b",
    r"alternat(?!ive)\w* .{0,40}\b(?:user|assistant|roles?)\b",
    r"\b(?:user|assistant)\b.{0,40}\balternat(?!ive)",
    r"(?:successive|consecutive) .{0,20}\b(?:user|assistant|messages|roles)\b",
    r"\b(?:first|last|initial) (?:\S+ ){0,4}(?:message|role|turn)\b.{0,40}\b(?:user|assistant)\b",
    r"\b(?:start|begin|end|open)s? with (?:an? |the )?(?:user|assistant)\b",
    r"multi-?turn requests?|messages?[.\[]\d+\]?\.role\b",
    r"\bjinja|raise_exception|TemplateError|chat.?template",
)
"""Words of a refusal that is about the roles of a prompt, or about the template that has them."""
MAY_NAME_ROLES = _pattern(
    NAMES_ROLES.pattern,
    r"\broles?\b|\brôles?\b|\brolle|角色|template|(?<![a-z])(?:assistant|SystemMessage)(?![a-z])",
    rf"{_OPEN}system{_SHUT}|\bsystem.?(?:role|rolle|message|prompt|instruction)|系统|system\s*消息",
    r"user message|back[- ]to[- ]back|alternat(?!ive)|consecutive|successive|\bturns\b",
    r"(?:message|conversation)s?.{0,20}(?:order|sequence)|(?:order|sequence) of .{0,20}messages",
    r"(?:start|begin|open)\w* with .{0,20}user",
)
"""Words that may be about roles, or about anything else: only a call of our own proves them."""
