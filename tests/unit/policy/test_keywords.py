"""Orders of customers: a whole message, however it is written, and never a word within a sentence."""

from __future__ import annotations

import unicodedata
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from sara.domain.messages import HistoryMessage
from sara.domain.states import Role
from sara.i18n.data import LANGUAGES
from sara.policy.keyword_context import is_answer
from sara.policy.keywords import Command, Keyword, KeywordMatcher, normalised
from tests.fakes import NOW, steady

BUILT_IN = KeywordMatcher()
DAY = 24 * 3_600_000

LISTED: list[tuple[str, Command, str, bool]] = [
    (word, what, code, common)
    for code, language in LANGUAGES.items()
    for what, words, common in (
        ("opt_out", language.opt_out, False),
        ("opt_out", language.opt_out_words, True),
        ("opt_in", language.opt_in, False),
        ("handoff", language.hand_over, False),
        ("handoff", language.hand_over_words, True),
    )
    for word in words
]


def order_of(text: str) -> Command | None:
    """What a whole message orders, by SARA's own words, where nothing was said before."""
    meaning = BUILT_IN.match(text)
    return meaning.what if meaning else None


def told(text: str, role: Role = "assistant", ago: int = 60_000, **content: Any) -> HistoryMessage:
    """What the customer was told last."""
    return HistoryMessage("m1", role, text, NOW - ago, content=content)


def ordered(text: str, said: HistoryMessage | None) -> Command | None:
    """What a message orders after what was said."""
    meaning = BUILT_IN.match(text)
    if meaning is None or (meaning.word is not None and is_answer(meaning.word, meaning.what, said, NOW)):
        return None
    return meaning.what


# ── the words ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_orders_are_understood_in_many_languages_and_ways_of_writing() -> None:
    rows: dict[Command, str] = {
        "opt_out": "STOP|stop|sToP|STOP ALL|stop  all|Unsubscribe|opt out|SAIR|Parar|cancelar inscrição|Cancelar Inscricao|BAJA|"
        "darme de baja|STOPP|Abmelden|Arrêt|ARRETER|arrêter|Désabonner|désinscrire|annulla iscrizione|berhenti|stop berlangganan|"
        "रोकें|बंद करें|बन्द करें|توقف|إيقاف|ايقاف|الغاء الإشتراك|Don't contact me|Don’t contact me|Keine Nachrichten mehr!",
        "opt_in": "START|start|Subscribe|opt in|Começar|VOLTAR|alta|Iniciar|Anmelden|Démarrer|inizia|Mulai|शुरू|ابدأ|ابدا",
        "handoff": "human|Talk to a human!|Can I speak to someone?|Atendente|quero falar com um atendente|AGENTE|"
        "Quiero hablar con una persona|Mensch|mit einem Mitarbeiter sprechen|Conseiller|parler à quelqu’un|Operatore|"
        "posso parlare con un operatore?|manusia|bicara dengan petugas|इंसान|किसी से बात करनी है|موظف|اريد التحدث مع موظف",
    }
    for what, texts in rows.items():
        for text in texts.split("|"):
            assert order_of(text) == what, text


def test_every_word_is_known_in_every_way_of_writing_it() -> None:
    for word, what, _, common in LISTED:
        for written in (
            word,
            word.upper(),
            word.title(),
            f"  {word}! ",
            unicodedata.normalize("NFD", word),
            unicodedata.normalize("NFC", word),
            word.replace("'", "’"),
        ):
            meaning = BUILT_IN.match(written)
            assert meaning is not None, written
            assert (meaning.what, meaning.word is not None) == (what, common), written


def test_punctuation_marks_and_spaces_around_the_word_do_not_matter() -> None:
    for text in (
        *(
            "STOP.",
            "STOP!",
            "stop!!!",
            " stop ",
            "\nStop\n",
            '"STOP"',
            "'stop'",
            "*STOP*",
            "_stop_",
            "~stop~",
            "`stop`",
            "(stop)",
        ),
        *(
            "[stop]",
            "¡Stop!",
            "¿Baja?",
            "Stop,",
            "stop;",
            "stop:",
            "“STOP”",
            "‘Stop’",
            "STOP…",
            "«arrêter»",
            "„Abmelden“",
            "STOP -",
        ),
        *("– stop", "STOP！", "stop。", "रोकें।", "توقف؟", "توقف،", "/stop"),
        *("\u200fتوقف", "\u2068STOP\u2069", "STOP\u200b", "\ufeffSTOP", "STOP\u00a0", "stop\u3000all", "\u2003Stop"),
    ):
        assert order_of(text) == "opt_out", text


def test_a_word_within_a_sentence_never_counts() -> None:
    for text in (
        *("", " ", "!", "...", "stop it", "don't stop", "Stop by our shop!", "when does it start?", "non-stop", "stopp mal kurz"),
        *(
            "nonstop",
            "stop.start",
            "stop start",
            "la alta calidad",
            "quiero darme de baja mañana",
            "je veux arrêter",
            "bus stop 12",
        ),
        *(
            "start stop",
            "STOP\n\nWhere is my order?",
            "s t o p",
            "🛑",
            "are you human?",
            "is a human there",
            "the agent was rude",
        ),
        *(
            "a agente de viagens",
            "un mensch ist da",
            "बात करनी है",
            "please",
            "thanks",
            "por favor",
            "ya",
            "hello",
            "hello please",
        ),
        *("stop please the delivery", "please the human", "is the agent in, please?"),
    ):
        assert order_of(text) is None, text


def test_courtesy_around_an_order_does_not_matter_in_any_language() -> None:
    rows: dict[str, Command] = {
        "please stop": "opt_out",
        "Stop, please!": "opt_out",
        "stop pls, thank you": "opt_out",
        "PLEASE UNSUBSCRIBE ME NOW": "opt_out",
        "por favor, darme de baja": "opt_out",
        "baja por favor, gracias": "opt_out",
        "Parar, por favor": "opt_out",
        "Sair, obrigada": "opt_out",
        "arrêtez s’il vous plaît": "opt_out",
        "stop svp": "opt_out",
        "Bitte abmelden": "opt_out",
        "Stopp bitte, danke": "opt_out",
        "per favore, cancellami": "opt_out",
        "कृपया रोकें": "opt_out",
        "प्लीज़ मैसेज बंद करो": "opt_out",
        "من فضلك توقف": "opt_out",
        "لو سمحت إلغاء الاشتراك": "opt_out",
        "tolong hentikan pesan": "opt_out",
        "stop ya kak": "opt_out",
        "start please": "opt_in",
        "agent please": "handoff",
        "Ein Mensch, bitte": "handoff",
        "un conseiller svp": "handoff",
        "humano por favor": "handoff",
        "operatore, per cortesia": "handoff",
        "minta admin dong": "handoff",
        "Hola, quiero hablar con una persona": "handoff",
        "Bonjour ! Je voudrais parler à un conseiller, merci": "handoff",
        "Guten Tag, kann ich mit jemandem sprechen?": "handoff",
        "hello, stop": "opt_out",
        "could you please stop texting me?": "opt_out",
        "Can you stop": "opt_out",
        "I would like to unsubscribe, thanks": "opt_out",
        "por favor, no me manden más mensajes": "opt_out",
        "Quiero darme de baja por favor": "opt_out",
        "Schickt mir bitte keine Nachrichten mehr": "opt_out",
        "Bitte stoppen!": "opt_out",
        "Vorrei per favore parlare con qualcuno": "handoff",
        "can I please talk to a human": "handoff",
        "I'd like to speak to a person, please": "handoff",
        "Ich möchte bitte mit einem Menschen sprechen": "handoff",
        "Me gustaría hablar con alguien": "handoff",
        "eu quero, por favor, falar com um atendente": "handoff",
        "saya ingin bicara dengan manusia": "handoff",
    }
    for text, what in rows.items():
        assert order_of(text) == what, text
    for text in (
        "STOP STOP",
        "stop! stop! stop!",
        "Stop, stop",
        "stop stop please",
        "no más mensajes no más mensajes",
        "रोकें रोकें",
        "توقف، توقف",
    ):
        assert order_of(text) == "opt_out", text
    for text in (
        "stop start stop",
        "stop the stop",
        "agent human",
        "non stop",
        "can you stop the delivery",
        "quiero parar",
        "ich möchte abbestellen",
    ):
        assert order_of(text) is None, text
    for text in ("hi human", "hello agent", "hallo mensch", "hola humano"):
        assert order_of(text) is None, "a greeting to whoever answers"


def test_metas_ready_made_button_against_advertising_is_an_order() -> None:
    for text in (
        *("Stop promotions", "STOP PROMOTIONS", "Unsubscribe from Promos", "Unsubscribe from All", "Detener promociones"),
        *("Parar promoções", "PARAR PROMOCOES", "Arrêter les promotions", "Werbung stoppen", "Interrompi promozioni"),
        *("प्रमोशन बंद करें", "إيقاف العروض", "Hentikan promosi"),
    ):
        meaning = BUILT_IN.match(text)
        assert meaning is not None, text
        assert (meaning.what, meaning.word) == ("opt_out", None), text


def test_ordinary_nouns_and_adjectives_order_nothing() -> None:
    for text in (
        *("person", "a person", "one person", "people", "tall", "high", "end", "quit", "cancel"),
        *("persona", "una persona", "personas", "alto", "alta calidad", "fin", "ejecutivo", "medio"),
        *("pessoa", "uma pessoa", "alto", "fim", "executivo"),
        *("personne", "une personne", "fin", "haut"),
        *("person", "eine person", "ende", "hoch"),
        *("persona", "una persona", "ferma", "basta", "alto", "fine"),
        *("व्यक्ति", "एक व्यक्ति", "रुकें", "कर्मचारी", "मनुष्य"),
        *("شخص", "شخص واحد", "بشري", "ممثل", "مندوب", "وكيل"),
        *("orang", "satu orang", "dua orang", "staf", "orang asli"),
    ):
        assert order_of(text) is None, text


# ── in context ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_common_word_is_no_order_where_it_answers_a_question() -> None:
    rows: list[tuple[str, str]] = [
        ("¿Para cuántas personas?", "Una persona"),
        ("¿Mediano o alto?", "Alto"),
        ("¿Prefiere la planta alta o baja?", "Baja"),
        ("¿Es usted particular o agente?", "Agente"),
        ("¿Es alimento para perro o humano?", "humano"),
        ("¿Es usted particular o agente?", "Un agente"),
        ("Sind Sie Kunde oder Mitarbeiter?", "ein Mitarbeiter"),
        ("Êtes-vous client ou conseiller ?", "un conseiller"),
        ("Por favor, indique su profesión", "Asesor"),
        ("¿Quiere seguir o parar la máquina?", "parar"),
        ("Você é cliente ou atendente?", "Atendente"),
        ("O que foi ruim: a comida ou o atendimento?", "atendimento"),
        ("Quer continuar ou sair do jogo?", "Sair"),
        ("Escolha: continuar, parar ou voltar", "Parar"),
        ("Are you the owner or an agent? We need it for the form.", "Agent"),
        ("Is the shampoo for human or pet hair?", "human please"),
        ("Great! What is your job?", "operator"),
        ("Please tell me your role.", "Representative"),
        ("Who is the booking for?", "agent"),
        ("We have Basic, Agent and Pro. Which one do you want?", "Agent"),
        ("Hay alta y baja. ¿Cuál prefiere?", "baja"),
        ("Please choose: 1) Owner 2) Buyer 3) Agent", "agent"),
        ("Wer holt die Bestellung ab?", "Mitarbeiter"),
        ("¿Quién recoge el pedido?", "asesor"),
        ("Qual é a sua profissão?", "agente"),
        ("ما هي مهنتك؟", "موظف"),
        ("Apa pekerjaan Anda?", "petugas"),
        ("Sind Sie Kunde oder Mitarbeiter?", "Mitarbeiter"),
        ("Was ist das größte Säugetier an Land? Ein Elefant oder ein Mensch?", "Mensch"),
        ("Möchten Sie Ihr Gerät an- oder abmelden?", "abmelden"),
        ("Quel est votre métier ?", "conseiller"),
        ("À quel arrêt descendez-vous ? Arrêt Opéra ?", "arrêt"),
        ("Qual è il suo lavoro?", "consulente"),
        ("Il cibo è per cane o umano?", "umano"),
        ("मशीन चालू करें या बंद करें?", "बंद करें"),
        ("आप ग्राहक हैं या एजेंट?", "एजेंट"),
        ("هل أنت موظف أم عميل؟", "موظف"),
        ("هل تريد تشغيل الجهاز أم إيقاف الجهاز؟", "إيقاف"),
        ("Anda agen atau reseller?", "agen"),
        ("Mesinnya lanjut atau berhenti?", "berhenti"),
    ]
    for asked, text in rows:
        assert ordered(text, told(asked)) is None, (asked, text)
        assert ordered(text, told(asked, "operator")) is None, (asked, text)


def test_a_common_word_is_no_order_where_it_was_offered_as_a_choice() -> None:
    rows: list[tuple[dict[str, Any], str]] = [
        ({"buttons": [{"id": "1", "title": "Owner"}, {"id": "2", "title": "Agent"}]}, "Agent"),
        ({"buttons": [{"id": "1", "title": "Alta"}, {"id": "2", "title": "Baja"}]}, "baja"),
        ({"sections": [{"rows": [{"title": "Berater:in"}, {"title": "Mitarbeiter"}]}]}, "Mitarbeiter"),
        ({"sections": [{"rows": ["Humano", {"title": "Mascota"}]}]}, "humano"),
    ]
    for content, text in rows:
        assert ordered(text, told("Bien.", **content)) is None, text


def test_a_common_word_is_an_order_where_it_answers_nothing() -> None:
    rows: list[tuple[str, str, Command]] = [
        ("How can I help you today?", "Agent", "handoff"),
        ("What is your order number?", "human", "handoff"),
        ("Please tell me your order number.", "agent please", "handoff"),
        ("I am no human. What would you like to know?", "human", "handoff"),
        ("¿Qué desea?", "agente", "handoff"),
        ("O que você precisa?", "atendente", "handoff"),
        ("Was möchten Sie wissen?", "Mitarbeiter", "handoff"),
        ("Cosa desidera?", "operatore", "handoff"),
        ("ماذا تريد؟", "موظف", "handoff"),
        ("Apa yang Anda butuhkan?", "admin", "handoff"),
        ("Your table is booked. Is there anything else I can do for you?", "human", "handoff"),
        ("Let me know if you need anything else!", "human", "handoff"),
        ("Would you like to talk to a colleague?", "human", "handoff"),
        ("I am sorry about that.", "agent", "handoff"),
        ("Would you like breakfast with it?", "human", "handoff"),
        ("Was the food good, did you like it?", "agent", "handoff"),
        ("Haben Sie am Sonntag offen?", "Mitarbeiter bitte", "handoff"),
        ("Vocês abrem no domingo?", "atendente", "handoff"),
        ("¿Quiere que le reserve una mesa?", "agente", "handoff"),
        ("¿En qué puedo ayudarle?", "Agente", "handoff"),
        ("¿Desea hablar con un agente o seguir aquí?", "agente", "handoff"),
        ("¿Algo más?", "BAJA", "opt_out"),
        ("¿Para cuántas personas?", "BAJA", "opt_out"),
        ("Envíe BAJA para no recibir más mensajes. ¿Qué desea?", "baja", "opt_out"),
        ("¿Quiere recibir mensajes de promociones o parar?", "parar", "opt_out"),
        ("Posso ajudar em mais alguma coisa?", "atendente", "handoff"),
        ("Que horas você quer?", "SAIR", "opt_out"),
        ("Puis-je vous aider ?", "conseiller", "handoff"),
        ("Kann ich Ihnen sonst noch helfen?", "Mitarbeiter", "handoff"),
        ("Soll ich Sie mit jemandem verbinden, Mitarbeiter oder Chef?", "Mitarbeiter", "handoff"),
        ("Posso aiutarla con altro?", "operatore", "handoff"),
        ("क्या मैं और कुछ मदद कर सकता हूँ?", "एजेंट", "handoff"),
        ("كيف يمكنني مساعدتك؟", "موظف", "handoff"),
        ("Ada yang bisa kami bantu?", "admin", "handoff"),
        ("", "admin", "handoff"),
    ]
    for asked, text, what in rows:
        assert ordered(text, told(asked)) == what, (asked, text)
    question = "Are you the owner or an agent?"
    assert ordered("agent", None) == "handoff"
    assert ordered("agent", told(question, "notice")) == "handoff", "SARA's own notices ask nothing of the kind"
    assert ordered("agent", told(question, ago=DAY + 1)) == "handoff", "nobody answers yesterday's question with a word"
    assert ordered("agent", told("Bye.", buttons="odd", sections=[1, {"rows": 2}, {"rows": [{"title": 3}]}])) == "handoff"


def test_what_means_nothing_else_is_an_order_whatever_was_asked() -> None:
    for text, what in (
        ("STOP", "opt_out"),
        ("stop please", "opt_out"),
        ("Unsubscribe", "opt_out"),
        ("darme de baja", "opt_out"),
        ("Stop promotions", "opt_out"),
        ("talk to a human", "handoff"),
        ("quiero hablar con una persona", "handoff"),
        ("START", "opt_in"),
        ("alta", "opt_in"),
    ):
        for asked in ("Shall we go on or stop?", "¿Alta o baja?", "Owner or agent?", "Please choose: stop, start, agent"):
            assert ordered(text, told(asked, buttons=[{"title": text}])) == what, (asked, text)


# ── languages, and a business's own words ─────────────────────────────────────────────────────────────────────────────────


def test_a_word_tells_its_language_unless_several_share_it() -> None:
    rows = {
        "sair": "pt",
        "baja": "es",
        "arrêt": "fr",
        "abmelden": "de",
        "disiscrivimi": "it",
        "unsubscribe": "en",
        "बंद करो": "hi",
        "ايقاف": "ar",
        "berhenti": "id",
        "atendente": "pt",
        "mitarbeiter": "de",
        "stop": None,
        "START": None,
        "parar": None,
        "agente": None,
    }
    for text, language in rows.items():
        meaning = BUILT_IN.match(text)
        assert meaning is not None, text
        assert meaning.language == language, text


def test_a_business_adds_words_of_its_own_and_means_them_whatever_was_asked() -> None:
    words = KeywordMatcher(opt_out=["Chega!", "sair"], opt_in=["Quero sim"], handoff=["Chamar o gerente", "persona", "🙂", ""])
    assert words.match("CHEGA") == Keyword("opt_out", None)
    assert words.match("quero sim.") == Keyword("opt_in", None)
    assert words.match("chamar o gerente, por favor") == Keyword("handoff", None)
    assert words.match("persona") == Keyword("handoff", None)
    assert words.match("sair") == Keyword("opt_out", None)
    assert words.match("🙂") is words.match("") is None
    assert KeywordMatcher().match("chega") is None


def test_a_business_may_add_a_long_phrase() -> None:
    phrase = "eu gostaria muito de falar com alguma pessoa que trabalhe na loja de vocês aqui no centro, perto da praça"
    assert KeywordMatcher(handoff=[phrase]).match(f" {phrase.upper()}! ") == Keyword("handoff", None)


def test_whoever_may_have_asked_to_be_left_alone_is_left_alone() -> None:
    words = KeywordMatcher(opt_out=["start", "agent", "genug"], opt_in=["stop", "genug"], handoff=["stop", "genug", "alta"])
    for text in ("stop", "start", "agent", "genug"):
        meaning = words.match(text)
        assert meaning is not None
        assert meaning.what == "opt_out", text
    assert words.match("alta") == Keyword("opt_in", "es")


# ── whatever strangers write ──────────────────────────────────────────────────────────────────────────────────────────────


@steady
@given(st.sampled_from(LISTED), st.sampled_from(["not", "me", "1", "क", "من", "å"]), st.booleans())
def test_one_more_word_makes_it_a_sentence(known: tuple[str, Command, str, bool], other: str, before: bool) -> None:
    sentence = f"{other} {known[0]}" if before else f"{known[0]} {other}"
    assume(normalised(sentence) not in {normalised(word) for word, *_ in LISTED})
    assert BUILT_IN.match(sentence) is None


@steady
@given(st.text(max_size=200))
def test_whatever_a_stranger_writes_is_judged_and_judged_alike_twice(text: str) -> None:
    assert normalised(normalised(text)) == normalised(text)
    if len(text) <= 32:
        assert BUILT_IN.match(normalised(text)) == BUILT_IN.match(text)


@steady
@given(st.text(max_size=300), st.sampled_from([word for word, _, _, common in LISTED if common]))
def test_whatever_was_said_before_a_common_word_is_judged(said: str, word: str) -> None:
    assert ordered(word, told(said)) in (None, order_of(word))
    assert ordered(f"{word}, please", told(said)) == ordered(word, told(said))


@steady
@given(st.lists(st.text(max_size=20)), st.lists(st.text(max_size=20)), st.text(max_size=20))
def test_whatever_words_a_business_adds_its_messages_are_judged(opt_out: list[str], handoff: list[str], text: str) -> None:
    words = KeywordMatcher(opt_out, (), handoff)
    assert words.match(text) is None or words.match(text) == words.match(normalised(text))
    for word in filter(normalised, opt_out):
        meaning = words.match(word)
        assert meaning is not None
        assert meaning.what == "opt_out"
