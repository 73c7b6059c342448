"""German."""

from __future__ import annotations

from collections.abc import Mapping

NAME = "German"

TEXTS: Mapping[str, str] = {
    "opted_out": "Sie erhalten keine Nachrichten mehr von uns. Senden Sie START, um wieder Antworten zu bekommen.",
    "opted_in": "Schön, dass Sie wieder da sind! Sie erhalten nun wieder unsere Antworten.",
    "apology": "Leider können wir Ihnen gerade nicht antworten. Ihre Nachricht ist gespeichert, und jemand sieht sie sich an.",
    "late": "Entschuldigung, Ihre frühere Nachricht blieb zu lange ohne Antwort. Sie ist gespeichert, und jemand sieht sie sich an.",
    "limit": "Das waren viele Nachrichten auf einmal. Bitte warten Sie einen Moment, bevor Sie wieder schreiben.",
    "busy": "Leider können wir heute nicht mehr antworten. Ihre Nachricht ist gespeichert, und jemand aus unserem Team sieht sie sich an.",
    "hand_over": "Ab hier übernimmt jemand aus unserem Team und antwortet Ihnen in diesem Chat.",
    "hand_back": "Unser Assistent antwortet Ihnen wieder. Wie können wir helfen?",
    "away": "Wir haben gerade geschlossen. Wir sind wieder da: {opens}. Ihre Nachricht ist gespeichert und wird dann beantwortet.",
    "fallback": "Entschuldigung, das habe ich nicht verstanden oder kann dabei nicht helfen. Können Sie es anders sagen?",
    "unreadable": "Diese Art von Nachricht können wir hier leider nicht lesen. Können Sie es als Text schreiben?",
    "follow_up": "Sind Sie noch da? Können wir Ihnen sonst noch helfen?",
    "operator_call": (
        "{name} ({number}, {conversation}) möchte mit einem Menschen sprechen: {reason}\n\n{words}\n\n"
        'Antworten mit: sara send {conversation} "…"\n'
        "Was Sie hier schreiben, kommt dort nicht an."
    ),
    "operator_notice": (
        "Hier erfahren Sie, wenn jemand einen Menschen braucht. Was Sie hier schreiben, erreicht weder Kunden noch den "
        "Assistenten. Antworten Sie mit dem Befehl, der in der Nachricht über den Kunden steht."
    ),
    "operator_reason_customer": "auf Wunsch des Kunden",
    "operator_reason_assistant": "auf Wunsch des Assistenten",
    "operator_reason_phone": "jemand hat aus der Telefon-App geantwortet",
}

OPT_OUT: tuple[str, ...] = (
    "stop",
    "stopp",
    "newsletter abbestellen",
    "mich abmelden",
    "keine nachrichten mehr",
    "ich möchte keine nachrichten mehr",
    "ich will keine nachrichten mehr",
    "schreiben sie mir nicht mehr",
    "schreibt mir nicht mehr",
    "werbung stoppen",
    "angebote stoppen",
    "promotions stoppen",
    "werbeaktionen stoppen",
    "werbung abbestellen",
    "keine werbung mehr",
    "schickt mir keine nachrichten mehr",
    "schicken sie mir keine nachrichten mehr",
    "senden sie mir keine nachrichten mehr",
    "hört auf mir zu schreiben",
)

OPT_OUT_WORDS: tuple[str, ...] = ("abmelden", "abbestellen", "austragen", "stoppen")

OPT_IN: tuple[str, ...] = ("start", "anmelden", "abonnieren", "wieder anmelden", "mich anmelden", "ich möchte wieder nachrichten")

HAND_OVER: tuple[str, ...] = (
    "echter mensch",
    "kundenservice",
    "kundendienst",
    "mit einem menschen sprechen",
    "mit einem menschen reden",
    "mit mensch sprechen",
    "mit einem mitarbeiter sprechen",
    "mit mitarbeiter sprechen",
    "mit einem berater sprechen",
    "mit jemandem sprechen",
    "mit jemandem reden",
    "mit einer person sprechen",
    "mit einer echten person sprechen",
    "ich möchte mit einem menschen sprechen",
    "ich möchte mit einem mitarbeiter sprechen",
    "ich möchte mit jemandem sprechen",
    "ich will mit einem menschen sprechen",
    "ich will mit einem menschen reden",
    "ich will mit einem mitarbeiter sprechen",
    "kann ich mit einem menschen sprechen",
    "kann ich mit einem mitarbeiter sprechen",
    "kann ich mit jemandem sprechen",
    "ich brauche einen mitarbeiter",
    "ein echter mensch",
    "einen echten menschen",
    "echte person",
    "eine echte person",
    "mit einem echten menschen sprechen",
    "ich brauche einen menschen",
)

HAND_OVER_WORDS: tuple[str, ...] = (
    "mensch",
    "ein mensch",
    "einen menschen",
    "mitarbeiter",
    "ein mitarbeiter",
    "einen mitarbeiter",
    "mitarbeiterin",
    "kundenberater",
    "berater",
    "ansprechpartner",
    "agent",
)

POLITE: tuple[str, ...] = ("bitte", "danke", "dankeschön", "danke schön", "vielen dank", "jetzt", "sofort")

GREETINGS: tuple[str, ...] = ("hallo", "hi", "guten tag", "guten morgen", "guten abend", "moin", "servus")

ASKING: tuple[str, ...] = (
    "ich möchte",
    "ich will",
    "ich würde gerne",
    "ich würde gern",
    "können sie",
    "könnten sie",
    "könnt ihr",
    "kannst du",
    "kann ich",
    "könnte ich",
    "darf ich",
)

WHO: tuple[str, ...] = ("wer", "wen", "wem")

WHICH: tuple[str, ...] = ("welche", "welcher", "welches", "welchen", "welchem")

ROLES: tuple[str, ...] = ("beruf", "funktion", "rolle", "tätig", "position", "arbeiten sie als")

REQUESTS: tuple[str, ...] = (
    "sagen sie",
    "nennen sie",
    "geben sie",
    "wählen sie",
    "teilen sie",
    "sag mir",
    "nenn mir",
    "gib mir",
    "wähle",
)

OFFERS_A_PERSON: tuple[str, ...] = ("sprechen", "reden", "verbind", "weiterleit", "chatten", "übergeb", "kolleg")

ABOUT_MESSAGES: tuple[str, ...] = ("nachricht", "newsletter", "benachrichtig", "abo", "werbung")

COMMON = """
ich du er sie es wir ihr mich mir dich dir ihn ihm ihnen uns euch mein meine meinen meiner meinem dein deine sein seine unser
unsere euer eure der die das den dem des ein eine einen einem einer eines kein keine keinen und oder aber denn weil dass ob wenn
als mit ohne für von vom zu zum zur bei beim nach vor seit bis aus auf an am im in ins über unter zwischen durch gegen um wer
was wann wo wohin woher wie warum wieso weshalb welche welcher welches wieviel viel viele vielen ist sind bin bist war waren
wäre gewesen habe hast hat haben hatte hatten hätte hätten gehabt werde wird werden wurde worden würde würden kann kannst können
könnt könnte könnten muss müssen musste soll sollte sollen darf dürfen will wollen wollte möchte möchten mag brauche brauchen
braucht weiß wissen sagen gesagt geben gibt gegeben sehen kaufen gekauft zahlen bezahlen bezahlt bestellen bestellt bestellung
bestellungen schicken geschickt senden gesendet verschickt erhalten bekommen bekomme bekommt kommt kommen gekommen angekommen
liefern geliefert lieferung lieferzeit tauschen umtauschen umtausch zurück zurückgeben zurückschicken rückgabe stornieren
storniert absagen verschieben reservieren reservierung buchen gebucht buchung öffnen geöffnet öffnungszeiten offen geschlossen
schließen funktioniert anrufen angerufen helfen hilfe sprechen reden fragen frage hallo guten gute gut guter morgen tag abend
nacht moin servus grüß gruß grüße liebe danke dankeschön bitte entschuldigung ja nein nicht nichts noch schon immer nie jetzt
heute gestern übermorgen später früher bald gleich dann danach auch nur mehr weniger sehr hier da dort so etwas jemand niemand
andere anderen anderer anderes gleiche jede jeder jedes alle alles woche wochen monat monate jahr jahre stunde stunden uhr
montag dienstag mittwoch donnerstag freitag samstag sonntag preis preise kosten kostet teuer günstig geld rechnung karte versand
versandkosten paket paketnummer sendung laden geschäft adresse straße telefon nummer konto passwort größe farbe schwarz rot blau
klein groß kaputt defekt falsch falsche fehlt verspätet verfügbar lager produkt artikel nachricht termin termine tisch zimmer
personen leute kunde genau klar geht gerne wieder neu neue schnell dauert lange wegen ändern leider eigentlich mal doch bereits
immernoch 's damit dafür davon dazu ihre ihren ihrem ihrer also zwei drei vier fünf verstanden perfekt passt vergessen frühstück
geschenk abo seid nachmittag warte sohn tochter frau mann suche zehn minute minuten mitbringen abholen überlegen ausschalten
einschalten nachrichten antwort antworten
"""

LETTERS = "ßäöü"

ENDINGS: tuple[str, ...] = (
    "ung",
    "ungen",
    "lich",
    "liche",
    "lichen",
    "keit",
    "heit",
    "schaft",
    "chen",
    "tisch",
    "isch",
    "ieren",
    "iert",
    "zeug",
)
