"""Words of grammar: what a question consists of besides what it is about."""

from __future__ import annotations

_ENGLISH = """
a about after again all also although am an and any anyone anything are aren as at be because
been before being both but by can cannot could couldn d did didn do does doesn doing don done
down during each either else ever every for from get gets getting go goes going gone got had
hadn has hasn have haven having he her here hers herself him himself his how however i if in
into is isn it its itself just kind ll m may maybe me might mine more most much must my myself
no nor not now of off oh ok okay on once only onto or other our ours ourselves out over own
please quite rather re really s same shall she should shouldn since so some someone something
still such t than that the their theirs them themselves then there these they thing things this
those though through to too under until up upon us ve very was wasn we well were weren what
whatever when where whether which while who whom whose why will with within without won would
wouldn yeah yes yet you your yours yourself yourselves
"""
_GERMAN = """
aber alle als also am an auch auf aus bei bin bis bist da damit dann das dass dein deine dem den
der des dich die dir doch du ein eine einem einen einer es für habe haben hast hat hatte hier
ich ihm ihn ihr im in ist ja kann kein keine man mein meine meinem meinen meiner mich mir mit
nach nein nicht noch nur ob oder schon sein sich sie sind so und uns unser von vor war waren
warum was weil welche wem wen wenn wer werden wie wir wird wo zu zum zur über
"""
_SPANISH = """
a al algo aunque como con cuando cual cuál cuándo cómo de del desde donde dónde el ella ellas
ellos en era eres es esa ese eso esta estaba estas este esto estoy está fue ha han has hay he la
las le les lo los me mi mis muy más nada ni no nos o para pero por porque que quien quién qué se
ser si sin sobre somos son soy su sus sí también te tenía ti tu tus tú un una uno unos y ya yo
él
"""
_FRENCH = """
a ai as au aux avait avec avez avons c ce ceci cela ces cet cette ceux comme comment d dans de
des du elle elles en es est et eu il ils j je l la le les leur leurs lui m ma mais me mes moi
mon n ne nos notre nous on ont ou où par pas plus pour pourquoi qu quand que quel quelle qui
quoi s sa sans se ses si son sont sur t ta te tes toi ton tu un une vos votre vous y à ça été
était êtes être
"""
STOP = {
    "en": frozenset(_ENGLISH.split()),
    "de": frozenset(_GERMAN.split()),
    "es": frozenset(_SPANISH.split()),
    "fr": frozenset(_FRENCH.split()),
}
"""By language; lower case, endings that an apostrophe cuts off as words of their own."""

FRAME = dict.fromkeys(
    [
        "ago",
        "ask",
        "asked",
        "discuss",
        "discussed",
        "mention",
        "mentioned",
        "recall",
        "remember",
        "remind",
        "reminded",
        "said",
        "say",
        "says",
        "talk",
        "talked",
        "talking",
        "tell",
        "telling",
        "think",
        "told",
    ],
    0.3,
)
"""What asks for a memory rather than being in it, and what such a word weighs."""

CJK_PARTICLES = frozenset(
    "的了吗呢吧啊呀和与也都就还很是在我你您他她它们这那哪谁什怎几有没不会要想说过着给把被跟对从到让"
    "嘛么をはがにでともへやのねよわかしてたなだまいうれるらりすさこそあどんせ何私僕君"
)
"""Characters that hold a sentence together; a pair of two of them says nothing."""
_CHINESE = """
什么 怎么 哪里 哪个 哪儿 时候 为什 记得 得我 我说 说过 告诉 诉我 诉你 以前 之前 起来 觉得 知道 可以
因为 所以 如果 但是 我们 你们 他们 一个 一下 一些 现在
"""
_JAPANESE = """
です ます ました でし して した ない いる ある なに どこ いつ だれ どう こと もの ため から まで
について 覚え えて てる 言っ った って 話し 教え 今日
"""
CJK_STOP = frozenset(f"{_CHINESE} {_JAPANESE}".split())
"""Pairs that ask or frame rather than tell."""
