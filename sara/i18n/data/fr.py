"""French."""

from __future__ import annotations

from collections.abc import Mapping

NAME = "French"

TEXTS: Mapping[str, str] = {
    "opted_out": "Vous ne recevrez plus de messages de notre part. Pour en recevoir à nouveau, envoyez REPRENDRE.",
    "opted_in": "Bon retour parmi nous ! Vous recevrez à nouveau nos réponses.",
    "apology": "Toutes nos excuses, nous ne pouvons pas vous répondre pour le moment. Votre message est conservé et quelqu'un le lira.",
    "late": "Toutes nos excuses, votre message précédent n'a pas reçu de réponse à temps. Il est conservé et quelqu'un le lira.",
    "limit": "Cela fait beaucoup de messages à la fois. Merci de patienter un peu avant d'écrire à nouveau.",
    "busy": "Toutes nos excuses, nous ne pouvons plus répondre aujourd'hui. Votre message est conservé et un membre de l'équipe le lira.",
    "hand_over": "Une personne de notre équipe prend le relais et vous répondra ici.",
    "hand_back": "Notre assistant vous répond à nouveau. Comment pouvons-nous vous aider ?",
    "away": "Nous sommes fermés pour le moment. De retour : {opens}. Votre message est conservé et recevra alors une réponse.",
    "fallback": "Pardon, je n'ai pas compris ou je ne peux pas vous aider sur ce point. Pouvez-vous le dire autrement ?",
    "unreadable": "Désolés, nous ne pouvons pas lire ce type de message ici. Pouvez-vous l'écrire sous forme de texte ?",
    "follow_up": "Êtes-vous toujours là ? Pouvons-nous vous aider pour autre chose ?",
    "operator_call": (
        "{name} ({number}, {conversation}) demande à parler à une personne : {reason}\n\n{words}\n\n"
        'Répondre avec : sara send {conversation} "…"\n'
        "Ce que vous écrivez ici ne parvient pas au client."
    ),
    "operator_notice": (
        "Vous êtes averti ici quand un client a besoin d'une personne. Ce que vous écrivez ici ne parvient ni aux "
        "clients ni à l'assistant. Pour répondre à un client, utilisez la commande qui figure dans le message à son "
        "sujet."
    ),
    "operator_reason_customer": "à la demande du client",
    "operator_reason_assistant": "à la demande de l'assistant",
    "operator_reason_phone": "quelqu'un a répondu depuis l'application du téléphone",
}

OPT_OUT: tuple[str, ...] = (
    "stop",
    "désabonner",
    "me désabonner",
    "désabonnement",
    "désabonnez-moi",
    "désinscrire",
    "me désinscrire",
    "désinscription",
    "plus de messages",
    "ne m'écrivez plus",
    "ne me contactez plus",
    "je ne veux plus de messages",
    "je ne veux plus recevoir de messages",
    "je ne souhaite plus recevoir de messages",
    "arrêter les promotions",
    "arrêter les promos",
    "stopper les promotions",
    "plus de promotions",
    "plus de publicité",
    "ne m'envoyez plus de messages",
    "arrêtez de m'écrire",
    "arrêtez de m'envoyer des messages",
    "arrêtez les messages",
)

OPT_OUT_WORDS: tuple[str, ...] = ("arrêt", "arrêter", "arrêtez")

OPT_IN: tuple[str, ...] = (
    "start",
    "commencer",
    "démarrer",
    "reprendre",
    "m'abonner",
    "s'abonner",
    "je veux recevoir vos messages",
)

HAND_OVER: tuple[str, ...] = (
    "agent humain",
    "personne réelle",
    "une vraie personne",
    "service client",
    "parler à un humain",
    "parler avec un humain",
    "parler à une personne",
    "parler à une vraie personne",
    "parler à quelqu'un",
    "parler avec quelqu'un",
    "parler à un conseiller",
    "parler avec un conseiller",
    "parler à un agent",
    "parler à un opérateur",
    "je veux parler à un humain",
    "je veux parler à quelqu'un",
    "je veux parler à une personne",
    "je veux parler à un conseiller",
    "je voudrais parler à quelqu'un",
    "je voudrais parler à un conseiller",
    "je voudrais parler à une personne",
    "je souhaite parler à un conseiller",
    "puis-je parler à un conseiller",
    "puis-je parler à quelqu'un",
    "un agent humain",
    "une personne réelle",
    "vraie personne",
    "parler au service client",
    "je veux un conseiller",
    "je voudrais un conseiller",
)

HAND_OVER_WORDS: tuple[str, ...] = (
    "humain",
    "un humain",
    "agent",
    "un agent",
    "conseiller",
    "un conseiller",
    "conseillère",
    "une conseillère",
    "opérateur",
    "un opérateur",
    "opératrice",
)

POLITE: tuple[str, ...] = (
    "s'il vous plaît",
    "s'il te plaît",
    "svp",
    "stp",
    "merci",
    "merci beaucoup",
    "maintenant",
    "tout de suite",
)

GREETINGS: tuple[str, ...] = ("bonjour", "bonsoir", "salut", "coucou")

ASKING: tuple[str, ...] = (
    "je veux",
    "je voudrais",
    "j'aimerais",
    "je souhaite",
    "je souhaiterais",
    "pouvez-vous",
    "pourriez-vous",
    "peux-tu",
    "puis-je",
    "est-ce que je peux",
)

WHO: tuple[str, ...] = ("qui",)

WHICH: tuple[str, ...] = ("lequel", "laquelle", "quel", "quelle", "quels", "quelles")

ROLES: tuple[str, ...] = ("métier", "profession", "fonction", "poste", "rôle", "travaillez")

REQUESTS: tuple[str, ...] = ("dites-moi", "dites-nous", "indiquez", "choisissez", "précisez", "sélectionnez", "donnez-moi")

OFFERS_A_PERSON: tuple[str, ...] = (
    "parler",
    "mettre en relation",
    "mise en relation",
    "transfér",
    "échanger avec",
    "discuter",
    "contacter",
    "joindre",
    "collègue",
)

ABOUT_MESSAGES: tuple[str, ...] = ("message", "abonn", "inscri", "notification", "newsletter", "publicité")

COMMON = """
je j' tu il elle on nous vous ils elles moi toi lui leur leurs mon ma mes ton ta tes son sa ses notre nos votre vos le la les l'
d' c' n' s' m' t' qu' quelqu' aujourd' puisqu' un une des du de au aux et ou mais donc car parce que qui quoi quel quelle quels
quelles quand combien où comment pourquoi est êtes sont suis était étais été être ai as a avez avons ont avait avoir aurais
aurait auriez vais va allez allons vont aller fait faire faites peut peux pouvez pouvons pourrais pourriez pourrait pouvoir veux
veut voulez voudrais voudrait souhaite souhaiterais aimerais dois doit devez faut besoin sais savez savoir dire dites dit donner
voir vois acheter acheté payer payé paiement commander commandé commande commandes envoyer envoyé envoyez reçu recevoir recevrai
arriver arrivé arrivée arrive livré livrée livrer livrez livraison livraisons échanger retourner retour rembourser remboursement
remboursé annuler annulé réserver réservation réservé ouvrir ouvert ouverte ouverts ouvrez ouverture fermé fermer fermez
fonctionne appeler appelé aider aidez aide parler demander bonjour bonsoir salut coucou merci beaucoup svp stp plaît plait
désolé désolée pardon excusez oui non pas plus moins très trop peu bien mal ici là alors ainsi aussi encore déjà toujours jamais
maintenant hui demain hier après avant puis quelque personne rien autre autres même chaque tout toute tous toutes semaine
semaines mois an ans année heure heures matin midi soir nuit jour jours lundi mardi mercredi jeudi vendredi samedi dimanche prix
tarif cher chère argent coûte coute facture carte colis paquet magasin boutique adresse rue téléphone numéro compte taille
couleur noir noire blanc rouge bleu vert petit petite grand grande cassé cassée abîmé manque manquant retard disponible
disponibles produit horaires horaire problème question renseignement rendez rdv chambre personnes gens client avec sans pour par
dans en entre jusqu depuis chez sur sous contre ce cet cette ces ça cela ceci ne se si comme y serait possible bonne journée
soirée voilà voici entendu accord nouveau nouvelle rapidement délai délais suivi changer modifier sera message table deux trois
quatre cinq compris parfait bientôt abonnement inclus situé situés cadeau oublié marche appelez rappelez déjeuner fils fille
femme mari cherche fois minute minutes apporter passer laissé réfléchir penser domicile options recevrez messages réponse
"""

LETTERS = "œêèûîôëùàâç"

ENDINGS: tuple[str, ...] = ("tion", "ement", "eur", "eux", "euse", "aux", "ais", "ait", "ez", "ique", "ée", "ées", "és")
