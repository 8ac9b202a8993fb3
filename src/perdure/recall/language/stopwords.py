"""Function words, which do not say what a question is about."""

# ruff: noqa: RUF001 - letters of other scripts

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
aber alle allem allen aller als also am an auch auf aus bei beim bevor bin bis bist da dabei dafür
damit dann darf daran darauf daraus das dass davon dein deine deinem deinen deiner dem den denn der
des dich die dies diese diesem diesen dieser dieses dir doch dort du durch ein eine einem einen
einer eines er es etwas euch euer für gegen gern habe haben hast hat hatte hatten hier hin ich ihm
ihn ihnen ihr ihre ihrem ihren ihrer im immer in ins ist ja jetzt kann kannst kein keine keinen
können könnte man mein meine meinem meinen meiner meines mich mir mit nach nein nicht nichts noch
nun nur ob oder ohne schon sehr sein seine seinem seinen seiner seit sich sie sind so soll sonst
über um und uns unser unsere unserem unseren unserer vom von vor wann war waren warst warum was
weil welche welchem welchen welcher welches wem wen wenn wer werde werden wessen wie wieder will
wir wird wo wofür woher wohin womit wovon wovor wozu wurde wurden würde zu zum zur
"""
_SPANISH = """
a al algo ante aunque cada como con cuando cual cuál cuáles cuándo cuánto cuántos cuánta cuántas
cómo de del desde donde dónde e el ella ellas ellos en entre era eran eres es esa ese eso esos esta
estaba están estar estas este esto estos estoy está fue fueron ha hace han has hasta hay he la las
le les lo los me mi mis mucho muy más mí nada ni no nos nosotros nuestra nuestras nuestro nuestros o
para pero por porque que quien quién qué se ser si sin sobre somos son soy su sus sí también tan te
tenía tengo ti tu tus tú un una unas uno unos y ya yo él
"""
_FRENCH = """
a ai as au aux avait avec avez avons c ce ceci cela ces cet cette ceux comme comment d dans de
des du elle elles en es est et eu il ils j je l la le les leur leurs lui m ma mais me mes moi
mon n ne nos notre nous on ont ou où par pas plus pour pourquoi qu quand que quel quelle quelles
quels qui quoi s sa sans se ses si son sont sur t ta te tes toi ton tu un une vos votre vous y à ça
été était êtes être
"""
_ITALIAN = """
a ad ai al alla alle allo anche avevo ben che chi ci ciò come con cosa cui da dai dal dalla delle
dei del della dello di dove e ed era erano essere fa fu gli ha hai hanno ho i il in io la le lei li
lo loro lui ma me mi mia mie miei mio ne nei nel nella no noi non nostra nostro o per perché però
più può quale quali quando quanto quella quelle quello questa queste questo se sei si sia sono sta
sto stata stato su sua sue sul sulla suo te ti tra tu tua tuo un una uno vi voi è
"""
_PORTUGUESE = """
a ao aos as até com como da das de dela dele do dos e ela elas ele eles em entre era essa esse
esta estava este estou está eu foi há isso isto já lhe mais mas me meu meus minha minhas muito na
nas nem no nos nossa nosso não o onde os ou para pela pelas pelo por porque qual quando que quem
quê se sem ser seu seus sou sua suas são só também te tem tenho teu tinha tu tua um uma você à é
"""
_DUTCH = """
aan al alles als altijd ben bij daar dan dat de deze die dit doen door dus een en er geen had heb
hebben hebt heeft hem het hier hij hoe hun iets ik in is ja je jij jou jouw jullie kan kon maar me
meer met mij mijn moet na naar niet nog nu of om omdat ons ook op over te tot u uit van veel voor
waar waarom was wat we welke wel werd wie wij wil worden wordt zal ze zei zich zij zijn zo zonder
"""
_POLISH = """
a aby ale bardzo bez bo był była było były być ci co czy dla do dlaczego gdy gdzie go i ich ile ja
jak jaka jaki jakie jako je jego jej jest jestem jeszcze już kiedy kto która które który lub ma mam
mi mnie moich moim moja moje mojego mojej mój my na nad nam nas nic nie niż no o od oraz po pod
przed przez przy się są ta tak tam te tego tej ten to tu tutaj twoja twoje twój ty tych tylko tym u
w we więc wszystko z za ze że żeby
"""
_TURKISH = """
acaba ama ancak artık asla aslında az bana bazı belki ben beni benim bile bir biraz biri biz bize
bizim bu buna bunu burada çok çünkü da daha de değil diye dolayı en gibi hangi hani hem hep her
hiç için ile ise kadar ki kim kimse mi mı mu mü nasıl ne neden nerede nereye niye o olan olarak
oldu olduğu on ona onlar onu onun orada oysa sana sanki sen seni senin siz sonra şey şu şunu tüm
ve veya ya yani zaten zaman
"""
_RUSSIAN = """
а без более был была были было быть в вам вас весь во вот все всё вы где да даже для до его ее её
если есть еще ещё же за здесь и из или им их к как какая какие какого каким каких какой какое какую
когда кого кому кто куда ли меня мне много моего моей моему моё моем моих мой мои мою моя мы на над
надо нас наша наш наши не него нее неё нет ни них но ну о об он она они оно от по под пока потом
почему при про с сам свой своя свои себя со так также там тебе тебя твой твоя то тогда того тоже
только том ты у уже хочу чего чей чем чему что чтобы чьи эта эти это этого этой этом этот я
"""
_UKRAINIAN = """
а або адже але без був була були було бути в вам вас ви від він вона вони воно все всі де для до
його з за зі і із її їх й коли кого кому ми має мене мені мій моя моє мої моїй моїх на над нам нас
наш не неї нього ні ніж ну о під по при про саме свій своя собі та так там теж ти тільки то того
тому треба тут у хто це цей ця ці чи чого чому що щоб як яка яке який які якого якій якої я є
"""
_SWEDISH = """
allt att av bara blev bli de dem den denna deras dess det detta dig din ditt du där då efter ej
eller en er ett från för förut ha hade han hans har henne hennes hon honom hos hur här i icke inte
jag ju kan kunde man med mig min mina mitt mot mycket många ni nu när någon något några och om oss
på samma sedan sig sin sitt ska skulle som så till under upp ut utan vad var varför vem vi vid
vilken vilka vår åt är över
"""
_DANISH = """
af alle at blev blive da de dem den denne der deres det dette dig din dit dog du efter eller en er
et for fra ham han hans har havde have hende hendes her hos hun hvad hvem hvilken hvis hvor hvordan
hvorfor i ikke ind jeg jer jo kan kunne man mange med meget men mig min mine mit mod ned noget nogle
nu når og også om op os over på sig sin sit skal som så til ud under var ved vi vil ville vor være
været
"""
_NORWEGIAN = """
alle at av bare ble bli da de deg dem den denne der deres det dette din ditt du eller en er et
etter for fra før ha hadde han hans har henne hennes her hos hun hva hvem hvilken hvis hvor hvordan
hvorfor i ikke inn jeg kan kunne man mange med meg meget men mer min mine mitt mot må noe noen nå
når og også om opp oss over på seg sin sitt skal som så til ut under var ved vi vil ville vår være
vært
"""
_FINNISH = """
ei eikä ole olen olet oli olin olivat olla on ovat ja jo joka jos jotta kai kanssa kuin kuinka kun
koska ketä kuka me mihin mikä miksi milloin minun minua minulla minulle minä missä mitä mitkä mutta
myös nyt näin näitä nämä ne niin niitä no olisi paljon se sen siitä siinä sinun sinä sitä sitten
tai te tuo tämä tässä tätä vain vaan vielä voi että he hän hänen
"""
_HUNGARIAN = """
a abban ahol aki akkor ami amikor an az azt azonban azért be csak de e egy egyik ehhez el ennek
erre ez ezt ezért fel hogy hol honnan hova ha hanem hiszen igen is itt jól kell ki kit le lehet lesz
lett meg melyik mert mi mikor milyen mit mint most már még míg nagyon nekem neked nem nincs ott
pedig s sem szerint te tehát úgy valami van vagy vagyok volna volt voltak én és ő ők össze
"""
_ROMANIAN = """
a acea aceasta aceea acest acesta acum ai al ale am ar are as asta au avea avem aveam ca care ce cel
cele cine cu cum când că căci da dacă de deci despre din după e ea ei el ele era este eu fi fost
fără
iar în între îi îl îmi își îți la le li lor lui mai mea mei mele meu mi mult mă ne nici nu o pe
pentru prea prin sa sau se si sunt sunteți să și ta te tu un una unde unei unui va vă vreau
"""
_CZECH = """
a aby ale ani asi až bez bude by byl byla byli bylo být co což do ho i já jak jaká jaké jaký jako je
jeho jej její jen ještě jestli ji jich jsem jsi jsme jsou k kde kdo kdy když která které který ke ma
mám mě mi mně moje mou mého mé můj my na nad nám nás ne nebo něco než ní nic o od po pod podle pro
proč proto před při s se si svůj ta tak také tam te ten to toho tom tu tvoje tvůj ty u už v ve vy z
za ze že
"""
_CATALAN = """
a al als amb aquell aquella aquest aquesta això aquí bé com de del dels des el ella ells els en
encara era és està estic et fa fins ha han he hem hi ho i jo la les li llur los m mai més meu meva
molt no nosaltres o on per perquè però poc qual quan que quin quina qui què s se sense seu seva si
sobre soc són també te tinc tu tot un una uns va vaig vas
"""
_INDONESIAN = """
ada adalah agar akan aku anda apa apakah atau bagaimana bagi bahwa banyak berapa bisa dalam dan dari
dengan di dia hanya harus ini itu jadi jika juga kalau kami kamu kapan karena ke kepada kita lagi
lalu lebih mana masih mereka mengapa mungkin namun oleh pada paling pernah saat saja sama sangat
sampai saya seperti siapa sudah supaya tapi telah tentang tetapi tidak untuk yang ya
"""
_LISTS = {
    "en": _ENGLISH,
    "de": _GERMAN,
    "es": _SPANISH,
    "fr": _FRENCH,
    "it": _ITALIAN,
    "pt": _PORTUGUESE,
    "nl": _DUTCH,
    "pl": _POLISH,
    "tr": _TURKISH,
    "ru": _RUSSIAN,
    "uk": _UKRAINIAN,
    "sv": _SWEDISH,
    "da": _DANISH,
    "no": _NORWEGIAN,
    "fi": _FINNISH,
    "hu": _HUNGARIAN,
    "ro": _ROMANIAN,
    "cs": _CZECH,
    "ca": _CATALAN,
    "id": _INDONESIAN,
}
STOP = {language: frozenset(words.split()) for language, words in _LISTS.items()}
"""By language; lower case, endings that an apostrophe cuts off as words of their own."""

_FRAME = """
ago ask asked discuss discussed mention mentioned recall remember remind reminded said say says
talk talked talking tell telling think told
erinnern erinnere erinnerst weißt erzählt erzählte gesagt sagte erwähnt recuerdas recuerda
recuerdo dije dijiste dijo contado conté souviens rappelles rappelle dit raconté ricordi ricordo
detto raccontato lembra lembras disse contei herinner herinnert gezegd verteld pamiętasz
pamiętam mówiłam mówiłem hatırlıyor hatırlıyorsun musun söyledim помнишь помните помню
рассказывал рассказывала говорил говорила сказал сказала пам'ятаєш пам'ятаю казала казав
"""
FRAME = dict.fromkeys(_FRAME.split(), 0.3)
"""What asks for a memory rather than being in it, and the weight of such a word."""

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
_KOREAN = """
기억 억나 나니 나요 어디 언제 무엇 누구 어떤 어느 뭐지 었지 았지 였지 했지 이지
하지 어요 아요 해요 에요 예요 이에 니다 습니 합니 입니 에서 에게 으로 하고 그리
그런 그래 있어 있는 있었 없어 제가 내가 나는 저는 우리 것은 했어 했던 라고
"""
CJK_STOP = frozenset(f"{_CHINESE} {_JAPANESE} {_KOREAN}".split())
"""Pairs that ask or frame rather than tell."""
