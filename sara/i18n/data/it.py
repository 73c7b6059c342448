"""Italian."""

from __future__ import annotations

from collections.abc import Mapping

NAME = "Italian"

TEXTS: Mapping[str, str] = {
    "opted_out": "Non riceverà più messaggi da noi. Per riceverli di nuovo, invii INIZIA.",
    "opted_in": "Che bello ritrovarla! Riceverà di nuovo le nostre risposte.",
    "apology": "Ci dispiace, al momento non possiamo rispondere. Il suo messaggio è conservato e qualcuno lo leggerà.",
    "late": "Ci scusiamo, il suo messaggio precedente non ha avuto risposta in tempo. È conservato e qualcuno lo leggerà.",
    "limit": "Sono arrivati molti messaggi insieme. Per favore, attenda un momento prima di scrivere ancora.",
    "busy": "Ci dispiace, per oggi non possiamo più rispondere. Il suo messaggio è conservato e una persona del team lo leggerà.",
    "hand_over": "Da qui in poi la segue una persona del nostro team, che le risponderà in questa chat.",
    "hand_back": "Il nostro assistente ha ripreso a rispondere. Come possiamo aiutarla?",
    "away": "In questo momento siamo chiusi. Torniamo: {opens}. Il suo messaggio è conservato e avrà risposta allora.",
    "fallback": "Mi scusi, non ho capito o non posso aiutarla in questo. Può dirlo in un altro modo?",
    "unreadable": "Ci dispiace, qui non possiamo leggere questo tipo di messaggio. Può scriverlo come testo?",
    "follow_up": "È ancora lì? Possiamo aiutarla in altro?",
    "operator_call": (
        "{name} ({number}, {conversation}) chiede di parlare con una persona: {reason}\n\n{words}\n\n"
        'Rispondere con: sara send {conversation} "…"\n'
        "Quello che scrive qui non arriva al cliente."
    ),
    "operator_notice": (
        "Qui riceve un avviso quando un cliente ha bisogno di una persona. Quello che scrive qui non arriva né ai "
        "clienti né all'assistente. Per rispondere a un cliente, usi il comando indicato nel messaggio che lo riguarda."
    ),
    "operator_reason_customer": "su richiesta del cliente",
    "operator_reason_assistant": "su richiesta dell'assistente",
    "operator_reason_phone": "qualcuno ha risposto dall'app del telefono",
}

OPT_OUT: tuple[str, ...] = (
    "stop",
    "annulla iscrizione",
    "annullare iscrizione",
    "disiscrivi",
    "disiscrivimi",
    "disiscrizione",
    "cancellami",
    "cancella iscrizione",
    "basta messaggi",
    "niente più messaggi",
    "non scrivetemi più",
    "non voglio più messaggi",
    "non voglio più ricevere messaggi",
    "non voglio ricevere messaggi",
    "interrompi promozioni",
    "interrompi le promozioni",
    "stop promozioni",
    "blocca promozioni",
    "basta promozioni",
    "basta pubblicità",
    "non mandatemi più messaggi",
    "non inviatemi più messaggi",
    "smettetela di scrivermi",
    "smettete di scrivermi",
)

OPT_OUT_WORDS: tuple[str, ...] = ()

OPT_IN: tuple[str, ...] = ("start", "inizia", "iscrivimi", "riprendi", "voglio ricevere i messaggi", "riattiva")

HAND_OVER: tuple[str, ...] = (
    "operatore umano",
    "persona reale",
    "persona vera",
    "una persona vera",
    "assistenza clienti",
    "servizio clienti",
    "parlare con un umano",
    "parlare con operatore",
    "parlare con un operatore",
    "parlare con una persona",
    "parlare con una persona vera",
    "parlare con qualcuno",
    "parlare con un agente",
    "parlare con un consulente",
    "parla con operatore",
    "parla con un operatore",
    "voglio parlare con un operatore",
    "voglio parlare con una persona",
    "voglio parlare con qualcuno",
    "vorrei parlare con un operatore",
    "vorrei parlare con una persona",
    "vorrei parlare con qualcuno",
    "posso parlare con un operatore",
    "posso parlare con una persona",
    "posso parlare con qualcuno",
    "una persona reale",
    "un essere umano vero",
    "un operatore umano",
    "parlare con il servizio clienti",
    "voglio un operatore",
    "vorrei un operatore",
    "posso avere un operatore",
)

HAND_OVER_WORDS: tuple[str, ...] = (
    "umano",
    "un umano",
    "operatore",
    "un operatore",
    "operatrice",
    "un'operatrice",
    "agente",
    "un agente",
    "consulente",
    "un consulente",
)

POLITE: tuple[str, ...] = (
    "per favore",
    "perfavore",
    "per piacere",
    "per cortesia",
    "grazie",
    "grazie mille",
    "adesso",
    "ora",
    "subito",
)

GREETINGS: tuple[str, ...] = ("ciao", "salve", "buongiorno", "buonasera", "buon giorno", "buona sera")

ASKING: tuple[str, ...] = (
    "voglio",
    "vorrei",
    "mi piacerebbe",
    "può",
    "potete",
    "potrebbe",
    "potreste",
    "puoi",
    "posso",
    "potrei",
    "desidero",
)

WHO: tuple[str, ...] = ("chi",)

WHICH: tuple[str, ...] = ("quale", "quali")

ROLES: tuple[str, ...] = ("lavor", "profession", "ruolo", "mansion", "mestiere")

REQUESTS: tuple[str, ...] = (
    "mi dica",
    "ci dica",
    "dimmi",
    "indichi",
    "indica",
    "scelga",
    "scegli",
    "selezioni",
    "specifichi",
    "precisi",
)

OFFERS_A_PERSON: tuple[str, ...] = ("parlare", "parli", "trasfer", "in contatto", "contattare", "metter", "passar", "collega")

ABOUT_MESSAGES: tuple[str, ...] = ("messagg", "iscri", "iscrizione", "notific", "newsletter", "pubblicità", "promozioni")

COMMON = """
io tu lui lei noi voi loro mi ti ci vi mio mia miei mie tuo tua suo sua nostro nostra vostro vostra il lo la i gli le l' un' un
una uno del dello della dei degli delle dell' nell' dall' sull' quell' quest' quant' al allo alla ai agli alle all' dal dalla
dai dalle nel nella nei nelle sul sulla sui sulle di da in con su per tra fra senza fino e o ma perché perche che chi cosa cos'
quale quali quando quanto quanta quanti quante dove dov' come c' è sono sei siete siamo era erano stato stata stati essere ho
hai ha abbiamo avete hanno aveva avere avrei vado va andiamo vanno andare faccio fa fate fanno fare fatto può posso puoi
possiamo potete possono potrei potrebbe potreste voglio vuole vorrei vorremmo volevo volete vogliono devo deve dovrei bisogno
serve so sapere sa dire dirmi detto dare vedere vedo comprare comprato pagare pagato pagamento mandare mandato inviare inviato
ricevere ricevuto arrivare arrivato arrivata arriva arrivano arriverà consegnare consegnato consegna consegne spedire spedito
spedizione spedizioni cambiare cambio restituire reso rimborso rimborsare annullare annullato ordinare ordinato ordine ordini
prenotare prenotato prenotazione aprire aperto aperti apre aprite apertura chiuso chiusi chiude chiudete funziona chiamare
chiamato aiutare aiuto aiutarmi parlare chiedere domanda buongiorno buonasera buona buon buono giorno giornata sera notte salve
ciao grazie mille prego favore scusi scusa scusate piacere sì no non più meno molto molta tanto poco bene qui qua lì là allora
così anche ancora già sempre mai adesso ora oggi domani ieri dopo prima poi qualche qualcuno nessuno niente nulla qualcosa altro
altra altri altre stesso stessa ogni tutto tutta tutti tutte settimana mese mesi anno anni ore lunedì martedì mercoledì giovedì
venerdì sabato domenica mattina pomeriggio prezzo prezzi costa costano caro soldi sconto fattura carta pacco pacchi negozio
indirizzo telefono cellulare numero conto taglia misura colore nero nera bianco rosso blu verde piccolo grande rotto rotta
sbagliato sbagliata manca ritardo disponibile disponibili disponibilità prodotto prodotti orario orari problema messaggio
appuntamento tavolo camera persone gente cliente certo perfetto questo questa questi queste quello quella quel si se ne vostri
vostre tornare torna vorrebbe nuovo nuova veloce tempi tracciamento spostare modificare possibile ordinazione riesco riuscite
sapete avevo solo due tre quattro cinque qual capito dimenticato inclusa incluso colazione abbonamento pronto regalo trovate
richiamate chiamatemi figlio figlia moglie marito cerco arrivo volta volte minuto minuti portare opzioni penso pensare spegne
ritirare domicilio messaggi riceve invii inviate risposta
"""

LETTERS = "èìòùà"

ENDINGS: tuple[str, ...] = (
    "zione",
    "zioni",
    "mento",
    "tà",
    "ando",
    "endo",
    "ione",
    "ello",
    "ella",
    "aggio",
    "ezza",
    "ato",
    "ata",
    "ati",
    "are",
    "ire",
)
