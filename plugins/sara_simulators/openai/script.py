"""The demo shop's answers by key words, in English, Portuguese and Spanish."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence

from sara_simulators.openai.protocol import Call, ToolCalls, text_of

LANGUAGES = ("en", "pt", "es")

# In the order in which they are looked for; a message may hit several. Words are without accents, as `_words` leaves them.
_TOPICS: Mapping[str, str] = {
    # Not the bare "ai" and "ia": in Portuguese these are everyday words.
    "robot": r"bots?|robots?|robo|(an|you|real) ai|uma ia|una ia|llm|chatgpt|artificial|script|simulator|real person"
    r"|pessoa de verdade|persona real",
    "human": r"human|humano|agent|operator|manager|colleague|atendente|gerente|pessoa|persona|encargado"
    r"|someone (else|real)|talk to (a |some)\w+",
    "order": r"(my|your|an) order|order (status|number)|tracking|pedido|encomenda",
    "hours": r"open|opening|opens|hours?|close[sd]?|closing|sunday|saturday|aberto|abre|abrem|horario|horarios|fecha|fecham"
    r"|domingo|sabado|abierto|abren|cierran|cierra|abris",
    "prices": r"prices?|cost|costs|how much|expensive|cheap|menu|precos?|quanto|custa|custam|cardapio|precios?"
    r"|cuanto|cuesta|cuestan",
    "delivery": r"deliver|delivers|delivery|deliveries|ship|entrega|entregam|entregas|entregais|envio|envios|reparto|domicilio",
    "place": r"where|address|location|directions|find you|onde|endereco|fica|donde|direccion|ubicacion",
    "cake": r"cakes?|birthday|wedding|bolos?|aniversario|tartas?|pastel(es)?|torta|cumpleanos|(for|para) \d+",
    "thanks": r"thanks|thank|thx|cheers|obrigad[oa]|valeu|gracias",
    "bye": r"bye|goodbye|see you|tchau|ate logo|adios|hasta (luego|pronto)",
    "greeting": r"hi|hello|hey|good (morning|afternoon|evening)|oi|ola|bom dia|boa (tarde|noite)|hola"
    r"|buen[oa]s( dias| tardes| noches)?",
}
_PATTERNS = {topic: re.compile(rf"\b({words})\b") for topic, words in _TOPICS.items()}

# What only one of the languages says; the accents are gone, so "nao" and "esta" stand for themselves.
_TELLS = {
    "pt": re.compile(
        r"\b(oi|ola|bom|boa|voces?|nao|obrigad[oa]|quanto|custam?|abrem?|aberto|fecham?|onde|fica|entregam|bolos?|precos?|cardapio"
        r"|tchau|valeu|ate logo|atendente|pessoa|robo|qual|sao|um|uma|tem|endereco)\b"
    ),
    "es": re.compile(
        r"\b(hola|buen[oa]s|usted(es)?|gracias|cuanto|cuestan?|abren|abris|abierto|cierran?|donde|entregais|tartas?|pasteles|precios?"
        r"|adios|hasta|encargado|persona|cual|son|una|tienen|teneis|direccion|cumpleanos|domicilio)\b"
    ),
}

_SAYS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "intro": "Hello, this is the Corner Bakery! (I am a small script for trying things out, not an AI.)",
        "greeting": "How can I help? Ask me about opening hours, prices, delivery or cakes.",
        "robot": "Neither a person nor an AI: I am a script that looks for key words. With a key, a real model answers here.",
        "human": "Of course. In a real shop a colleague would take over this conversation now.",
        "order": "This shop is invented, and so are its orders: there is nothing to look up.",
        "hours": "We are open **Tuesday to Saturday, 7:30 to 18:00**, and on Sunday until 13:00. On Monday the oven rests.",
        "prices": "Today:\n- Sourdough loaf **€4.80**\n- Cinnamon bun **€2.90**\n- Filter coffee **€2.50**",
        "delivery": "We deliver in town from Tuesday to Friday before 10:00, for €3.50; from €30 on it is free.",
        "place": "You find us at Harbour Lane 12, two minutes from the ferry. The blue door is always open while we bake.",
        "cake": "Gladly! Cakes need **two days** of notice and start at €28. For how many people, and when?",
        "thanks": "You are welcome!",
        "bye": "See you soon, we keep a bun warm.",
        "unknown": "That is not in my script. I know opening hours, prices, delivery, cakes and the way to us.",
    },
    "pt": {
        "intro": "Olá, aqui é a Corner Bakery! (Sou um pequeno roteiro para testes, não uma IA.)",
        "greeting": "Como posso ajudar? Pergunte sobre horários, preços, entregas ou bolos.",
        "robot": "Nem pessoa nem IA: sou um roteiro que procura palavras-chave. Com uma chave, um modelo real responde aqui.",
        "human": "Claro. Numa loja de verdade, um colega assumiria esta conversa agora.",
        "order": "Esta loja é inventada, e os pedidos também: não há nada para consultar.",
        "hours": "Abrimos **de terça a sábado, das 7h30 às 18h**, e domingo até as 13h. Segunda o forno descansa.",
        "prices": "Hoje:\n- Pão de fermentação natural **€ 4,80**\n- Rolinho de canela **€ 2,90**\n- Café coado **€ 2,50**",
        "delivery": "Entregamos na cidade de terça a sexta antes das 10h, por € 3,50; a partir de € 30 é grátis.",
        "place": "Estamos na Harbour Lane, 12, a dois minutos da balsa. A porta azul fica aberta enquanto assamos.",
        "cake": "Com prazer! Bolos pedem **dois dias** de antecedência e custam desde € 28. Para quantos, e quando?",
        "thanks": "De nada!",
        "bye": "Até logo, guardamos um pãozinho quente.",
        "unknown": "Isso não está no meu roteiro. Sei de horários, preços, entregas, bolos e como chegar.",
    },
    "es": {
        "intro": "¡Hola, somos la Corner Bakery! (Soy un pequeño guion para pruebas, no una IA.)",
        "greeting": "¿En qué puedo ayudar? Pregunta por horarios, precios, entregas o tartas.",
        "robot": "Ni persona ni IA: soy un guion que busca palabras clave. Con una clave, aquí responde un modelo de verdad.",
        "human": "Claro. En una tienda de verdad, un compañero seguiría ahora esta conversación.",
        "order": "Esta tienda es inventada, y sus pedidos también: no hay nada que consultar.",
        "hours": "Abrimos **de martes a sábado, de 7:30 a 18:00**, y el domingo hasta las 13:00. El lunes descansa el horno.",
        "prices": "Hoy:\n- Pan de masa madre **4,80 €**\n- Rollo de canela **2,90 €**\n- Café de filtro **2,50 €**",
        "delivery": "Entregamos en la ciudad de martes a viernes antes de las 10:00, por 3,50 €; desde 30 € es gratis.",
        "place": "Estamos en Harbour Lane 12, a dos minutos del ferri. La puerta azul está abierta mientras horneamos.",
        "cake": "¡Con gusto! Las tartas piden **dos días** de antelación y cuestan desde 28 €. ¿Para cuántas personas, y cuándo?",
        "thanks": "¡De nada!",
        "bye": "Hasta pronto, te guardamos un bollo caliente.",
        "unknown": "Eso no está en mi guion. Sé de horarios, precios, entregas, tartas y cómo llegar.",
    },
}


_REASONS = {
    "en": "The customer asks for a person.",
    "pt": "O cliente pede para falar com uma pessoa.",
    "es": "El cliente pide hablar con una persona.",
}
_LONGEST_SUMMARY = 200


def choose_reply(call: Call) -> str | ToolCalls:
    """Return the shop's reply: a handoff where the customer asks for a person and the tool is offered, otherwise an answer."""
    if call.is_summary_request:
        return summarise(call)
    asks_for_a_person = any("human" in topics_of(text) for text in call.asked)
    if asks_for_a_person and "handoff" in call.tools and not call.results:
        return ToolCalls([("handoff", {"reason": _REASONS[_language(call)]})])
    return answer_topics(call)


def summarise(call: Call) -> str:
    """Return a short summary of the customer's messages; the same each time."""
    lines = [json.loads(line) for line in "\n".join(call.asked).splitlines() if line.startswith('{"at"')]
    said = [line["text"] for line in lines if line["from"] == "customer"]
    listed = " / ".join(said)
    shown = listed if len(listed) <= _LONGEST_SUMMARY else listed[: _LONGEST_SUMMARY - 1] + "…"
    return f"The customer wrote, in {len(said)} of {len(lines)} lines: {shown}"


def answer_topics(call: Call) -> str:
    """Return the answer to everything that was asked since the shop last spoke, each topic once."""
    says = _SAYS[_language(call)]
    topics = list(dict.fromkeys(topic for text in call.asked for topic in topics_of(text)))
    if len(topics) > 1:  # a greeting beside a question is answered by the answer
        topics = [topic for topic in topics if topic not in ("greeting", "unknown")] or topics[:1]
    said = [says[topic] for topic in topics or ["unknown"]]
    return "\n\n".join([says["intro"], *said] if call.is_first_contact else said)


def topics_of(text: str) -> list[str]:
    """Return the topics of a message; `unknown` if none is found."""
    words = _words(text)
    return [topic for topic, pattern in _PATTERNS.items() if pattern.search(words)] or ["unknown"]


def language_of(texts: Sequence[str]) -> str:
    """Return the language of the newest message that reveals one; English if none does."""
    for text in reversed(texts):
        words = _words(text)
        hits = {language: len(tell.findall(words)) for language, tell in _TELLS.items()}
        best = max(hits, key=lambda language: hits[language])
        if hits[best]:
            return best
        if re.search(r"\b(the|you|your|is|are|what|how|when|where|hello|hi|please|thanks)\b", words):
            return "en"
    return "en"


def _language(call: Call) -> str:
    return language_of([text_of(message.get("content")) for message in call.messages if message.get("role") == "user"])


def _words(text: str) -> str:
    """Return the text in lower case, without accents."""
    return "".join(char for char in unicodedata.normalize("NFD", text.lower()) if not unicodedata.combining(char))
