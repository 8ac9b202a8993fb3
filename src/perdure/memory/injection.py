"""Recognise text that reads like an instruction, which a stranger may have planted to be obeyed."""

from __future__ import annotations

import re
import unicodedata

# What turns a record into an order. Rather too much than too little: what it finds is shown.
_ENGLISH = (
    r"(?:from now on|from this (?:point|moment) on|henceforth|hereafter|going forward)\b",
    (
        r"\b(?:ignore|disregard|forget|override|bypass|overrule)\b.{0,40}"
        r"\b(?:instruction|rule|prompt|previous|prior|above|earlier|everything|boundar|guideline"
        r"|persona)"
    ),
    (
        r"^(?:please )?(?:always|never|do not|don'?t|make sure|be sure|remember to|ensure|pretend"
        r"|act as|behave|respond|reply|answer|say|tell|send|write|print|output|repeat|reveal"
        r"|call me|call the|refer to|address|treat|use|run|execute|visit|open|click|follow|obey"
        r"|comply|stop|start|keep|avoid|refuse|assume|imagine|speak|talk|mention|recommend)\b"
    ),
    r"^(?:you are|you're|your (?:\w+ )?(?:name|task|job|role|goal|purpose|instruction))",
    r"\b(?:act|behave) (?:as|like)\b",
    (
        r"\b(?:you|assistant|ai|bot|model|chatbot|companion|\{\{char\}\})"
        r" (?:must|should|shall|will|are to|is to|has to|have to|need to|needs to|may not|can ?not"
        r"|always|never|are now|is now)\b"
    ),
    r"\bmust (?:always|never|not|be|do|say|answer|reply|respond|obey)\b",
    r"\b(?:system|developer) (?:prompt|message|note|override|instruction)",
    r"\b(?:jailbreak|developer mode|dan mode|admin(?:istrator)? mode)\b",
    r"\b(?:new|updated|secret|hidden|important) (?:instruction|rule|directive|order)",
    r"\b(?:without|no) (?:restriction|filter|limit|censor)",
)
_GERMAN = (
    r"\bab (?:jetzt|sofort|nun)\b|\bvon (?:jetzt|nun|heute) an\b",
    r"\b(?:künftig|zukünftig|fortan|in zukunft)\b",
    (
        r"\b(?:vergiss|(?:ignorier|missacht|umgeh|überschreib)\w*)\b.{0,40}"
        r"(?:anweisung|regel|vorgabe|prompt|vorherig|bisherig|oben|alles|grenzen)"
    ),
    (
        r"^(?:bitte )?(?:immer|nie|niemals|stets|antworte|sag|sage|schreib|schreibe|nenn|nenne|gib"
        r"|tu|handle|verhalte|befolge|gehorche|benutze|verwende|sprich|behandle|erwähne|öffne"
        r"|du bist|dein (?:\w+ )?(?:name|auftrag|ziel|zweck))\b"
    ),
    r"\b(?:du|der assistent|die assistentin|die ki) (?:musst|muss|sollst|soll|darfst|darf|wirst)\b",
    r"\bsie (?:müssen|sollen|dürfen)\b",
    r"\bsystem-?(?:prompt|nachricht|anweisung)",
)
_CHINESE = (
    r"从现在(?:起|开始)|從現在(?:起|開始)|今后|今後|以后(?:都|请|要|必须)|从此",
    r"(?:忽略|无视|無視|忘记|忘掉|忘記|跳过|绕过).{0,20}(?:指令|指示|规则|規則|之前|以上|前面|提示|设定|一切)",
    r"^(?:请|請|你是|您是|你的(?:名字|任务|角色)|必须|务必|永远|总是|始终|一律|不要|不得|别|禁止|绝不|切勿|回答|回复|假装|扮演|称呼)",
    r"(?:你|您|助手|AI|ai|模型)(?:必须|应该|應該|要|不能|不得|不可以|将|只能|现在是)",
    r"系统(?:提示|指令|消息)|系統(?:提示|指令|訊息)|开发者模式|越狱",
)
_JAPANESE = (
    r"(?:今|これ|いま)から(?:は|、|ずっと|常に)|今後(?:は|、)|以後(?:は|、)",
    r"(?:指示|ルール|規則|命令|プロンプト|設定|これまで|以前|上記|すべて|全て).{0,12}(?:無視|忘れ|破棄|従わ)",
    (
        r"(?:してください|して下さい|しなさい|するな|ようにすること|せよ|しろ|ようにして|てはいけない|てはならない"
        r"|なければならない|ないでください)[。.!]?$"
    ),
    r"^(?:必ず|絶対に|常に|決して|いつも)",
    r"(?:あなた|君|アシスタント|AI|ai)は.{0,20}(?:べき|しなければ|てはいけ|必ず|常に|今から)",
    r"システム(?:プロンプト|メッセージ|指示)|開発者モード|脱獄",
)
# The marks by which chat templates and cards tell roles apart.
_MARKUP = (
    r"<\|.{0,30}\|>|\[/?inst\]|<</?sys>>|</?s>|\{\{.{0,60}\}\}",
    r"^(?:#+ *)?(?:system|assistant|user|developer|human|instructions?|系统|助手|システム) *:",
    r"```|<(?:script|system|tool|function|instructions?)\b",
)
_INSTRUCTION = re.compile(
    "|".join((*_ENGLISH, *_GERMAN, *_CHINESE, *_JAPANESE, *_MARKUP)), re.IGNORECASE
)


def instruction_shaped(text: str) -> bool:
    """Whether a text reads as something to obey rather than something to know.

    English, German, Chinese and Japanese. Wide letters, invisible characters and spaces between
    letters do not hide it.
    """
    folded = "".join(
        character
        for character in unicodedata.normalize("NFKC", text)
        if unicodedata.category(character) != "Cf"
    )
    plain = " ".join(folded.replace("\u2019", "'").split()).strip(" \"'“”„«»「」*_>-")
    if _INSTRUCTION.search(plain):
        return True
    # "i g n o r e": letters set apart one by one.
    joined = re.sub(r"\b(\w) (?=\w\b)", r"\1", plain)
    return joined != plain and bool(_INSTRUCTION.search(joined))
