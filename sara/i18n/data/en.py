"""English."""

from __future__ import annotations

from collections.abc import Mapping

NAME = "English"

TEXTS: Mapping[str, str] = {
    "opted_out": "You will get no more messages from us. Send START to hear from us again.",
    "opted_in": "Welcome back! You will get our answers again.",
    "apology": "Sorry, we cannot answer you right now. Your message is kept, and somebody will look at it.",
    "late": "Sorry, your earlier message was not answered in time. It is kept, and somebody will look at it.",
    "limit": "That was a lot of messages at once. Please wait a little before you write again.",
    "busy": "Sorry, we cannot answer any more today. Your message is kept, and a colleague will look at it.",
    "hand_over": "A colleague takes over from here and will answer you in this chat.",
    "hand_back": "Our assistant is answering again. How can we help you?",
    "away": "We are closed at the moment. We are back: {opens}. Your message is kept and will be answered then.",
    "fallback": "Sorry, I did not understand that or cannot help with it. Could you put it in other words?",
    "unreadable": "Sorry, we cannot read this kind of message here. Could you write it as text?",
    "follow_up": "Are you still there? Can we help you with anything else?",
    "operator_call": (
        "{name} ({number}, {conversation}) asks for a person: {reason}\n\n{words}\n\n"
        'Answer with: sara send {conversation} "…"\n'
        "What you write here does not reach them."
    ),
    "operator_notice": (
        "You are told here when a customer needs a person. What you write here reaches neither customers nor the "
        "assistant. To answer a customer, use the command that stands in the message about them."
    ),
    "operator_reason_customer": "the customer asked for it",
    "operator_reason_assistant": "the assistant asked for it",
    "operator_reason_phone": "somebody answered from the phone app",
}

OPT_OUT: tuple[str, ...] = (
    "stop",
    "stop all",
    "stopall",
    "unsubscribe",
    "unsubscribe me",
    "opt out",
    "opt-out",
    "optout",
    "stop messaging me",
    "stop texting me",
    "stop sending me messages",
    "stop messages",
    "stop promotions",
    "stop promotional messages",
    "stop marketing",
    "unsubscribe from promos",
    "unsubscribe from all",
    "no more messages",
    "do not contact me",
    "don't contact me",
    "remove me from your list",
    "stop texting",
    "stop messaging",
    "stop sending messages",
    "stop contacting me",
    "don't text me",
    "do not text me",
    "don't message me",
    "do not message me",
    "don't send me messages",
    "don't send me any more messages",
)

OPT_OUT_WORDS: tuple[str, ...] = ()

OPT_IN: tuple[str, ...] = ("start", "unstop", "subscribe", "resubscribe", "opt in", "opt-in", "optin", "subscribe me")

HAND_OVER: tuple[str, ...] = (
    "real human",
    "human agent",
    "live agent",
    "real person",
    "customer service",
    "talk to a human",
    "talk to human",
    "talk to a person",
    "talk to a real person",
    "talk to someone",
    "talk to an agent",
    "talk to agent",
    "speak to a human",
    "speak to a person",
    "speak to a real person",
    "speak to someone",
    "speak to an agent",
    "speak with a human",
    "speak with an agent",
    "chat with a human",
    "i want to talk to a human",
    "i want to talk to a person",
    "i want to speak to a human",
    "i want to speak to a person",
    "can i talk to a human",
    "can i talk to a person",
    "can i speak to a human",
    "can i speak to someone",
    "i need a human",
    "connect me to an agent",
    "a real human",
    "a real person",
    "talk to customer service",
    "can i speak to an agent",
    "can i talk to an agent",
    "i want to talk to an agent",
    "i want to speak to an agent",
)

HAND_OVER_WORDS: tuple[str, ...] = (
    "human",
    "a human",
    "agent",
    "an agent",
    "operator",
    "an operator",
    "representative",
    "a representative",
)

POLITE: tuple[str, ...] = ("please", "pls", "plz", "kindly", "thanks", "thank you", "thx", "now", "right now", "immediately")

GREETINGS: tuple[str, ...] = ("hi", "hello", "hey", "good morning", "good afternoon", "good evening")

ASKING: tuple[str, ...] = (
    "can you",
    "could you",
    "would you",
    "can i",
    "could i",
    "may i",
    "i want to",
    "i would like to",
    "i'd like to",
    "i would like",
    "i'd like",
    "i want",
    "i need",
)

WHO: tuple[str, ...] = ("who", "whom", "whose")

WHICH: tuple[str, ...] = ("which",)

ROLES: tuple[str, ...] = ("job", "role", "profession", "occupation", "position", "title", "relationship", "for a living")

REQUESTS: tuple[str, ...] = (
    "tell me",
    "tell us",
    "let me know",
    "let us know",
    "choose",
    "select",
    "please enter",
    "please provide",
    "please give",
    "please state",
    "specify",
)

OFFERS_A_PERSON: tuple[str, ...] = (
    "talk",
    "speak",
    "chat with",
    "connect you",
    "put you through",
    "transfer",
    "hand you over",
    "colleague",
    "get in touch",
)

ABOUT_MESSAGES: tuple[str, ...] = ("message", "unsubscri", "subscri", "newsletter", "notification", "hear from us")

COMMON = """
i 'm 's 't 'd 've 'll 're you your yours he she it its we our they them their this that these those who what when where which
why how whose the an and or but if because with without from for of by at on about into after before until since is are was were
be been being am do does did done doing don didn doesn isn aren wasn won wouldn couldn can could will would should shall may
might must have has had having get got getting give gives gave given take took taken make made want wants wanted need needs
needed know knew think see saw seen look looking find found tell told say said ask asked help helping try tried trying buy
buying bought pay paid paying send sent sending receive received receiving ship shipped shipping deliver delivered arrive
arrived arriving come came coming go going gone went call called change changed works working worked open opened opening closed
closing keep wait waiting waited return returned refund refunded cancelled canceled broken wrong missing lost still yet already
again also too very much many more most some any every each all none nothing something anything someone anyone everything other
another same just only even here there now then today tomorrow yesterday week weeks month months day days year years hour hours
morning afternoon evening tonight night monday tuesday wednesday thursday friday saturday sunday not never always maybe yes yeah
yep nope please thank thx sure great good bad better best nice fine right okay sorry hey hi hello thanks price prices cheap
expensive cost costs money address phone number order orders package parcel invoice receipt bill account password book booking
booked appointment table room size colour color black white red blue green small large big available availability stock shop
store people person question problem issue message messages long later soon ago as so than out up down over off my me his her us
new old first last next free back let like love hope mean means feel pick drop wondering confirm confirmed possible both enough
far near between during through show wear worth own thing things way time times ready understand sold check hat car mon tue wed
thu fri sat sun jam sore bin van soy comment breakfast included include includes location located subscription running stopped
cancel haircut gift wife husband son daughter twice minutes bring neighbour neighbor charged pickup options
"""

LETTERS = ""

ENDINGS: tuple[str, ...] = ("ing", "tion", "ould", "ght", "ly", "ness")
