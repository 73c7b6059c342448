"""Spanish, written so that Spain and Latin America both find it natural."""

from __future__ import annotations

from collections.abc import Mapping

NAME = "Spanish"

TEXTS: Mapping[str, str] = {
    "opted_out": "Ya no recibirá más mensajes nuestros. Para volver a recibirlos, envíe ALTA.",
    "opted_in": "¡Qué bueno tenerle de vuelta! Volverá a recibir nuestras respuestas.",
    "apology": "Lo sentimos, ahora no podemos responderle. Su mensaje queda guardado y alguien del equipo lo verá.",
    "late": "Lo sentimos, su mensaje anterior no se respondió a tiempo. Queda guardado y alguien del equipo lo verá.",
    "limit": "Han sido muchos mensajes a la vez. Por favor, espere un poco antes de volver a escribir.",
    "busy": "Lo sentimos, hoy ya no podemos responder más. Su mensaje queda guardado y alguien del equipo lo verá.",
    "hand_over": "Una persona de nuestro equipo se hace cargo de la conversación y le responderá aquí.",
    "hand_back": "Nuestro asistente vuelve a responder. ¿En qué podemos ayudarle?",
    "away": "En este momento estamos cerrados. Volvemos: {opens}. Su mensaje queda guardado y se responderá entonces.",
    "fallback": "Perdón, no lo he entendido o no puedo ayudarle con eso. ¿Podría decirlo de otra manera?",
    "unreadable": "Lo sentimos, aquí no podemos leer este tipo de mensaje. ¿Podría escribirlo como texto?",
    "follow_up": "¿Sigue ahí? ¿Podemos ayudarle en algo más?",
    "operator_call": (
        "{name} ({number}, {conversation}) pide hablar con una persona: {reason}\n\n{words}\n\n"
        'Responda con: sara send {conversation} "…"\n'
        "Lo que escriba aquí no le llega al cliente."
    ),
    "operator_notice": (
        "Aquí se le avisa cuando un cliente necesita a una persona. Lo que escriba aquí no llega ni a los clientes ni "
        "al asistente. Para responder a un cliente, use la orden que figura en el mensaje sobre él."
    ),
    "operator_reason_customer": "lo ha pedido el cliente",
    "operator_reason_assistant": "lo ha pedido el asistente",
    "operator_reason_phone": "alguien ha respondido desde la aplicación del teléfono",
}

OPT_OUT: tuple[str, ...] = (
    "stop",
    "darme de baja",
    "dar de baja",
    "quiero darme de baja",
    "cancelar suscripción",
    "cancelar la suscripción",
    "no más mensajes",
    "no quiero más mensajes",
    "no quiero recibir mensajes",
    "no quiero recibir más mensajes",
    "no me escriban más",
    "dejen de escribirme",
    "detener promociones",
    "parar promociones",
    "cancelar promociones",
    "no quiero promociones",
    "no quiero recibir promociones",
    "no me escriban",
    "no me manden mensajes",
    "no me manden más mensajes",
    "no me envíen mensajes",
    "no me envíen más mensajes",
    "dejen de mandarme mensajes",
    "dejen de enviarme mensajes",
)

OPT_OUT_WORDS: tuple[str, ...] = ("parar", "pare", "paren", "baja", "detener")

OPT_IN: tuple[str, ...] = ("start", "alta", "iniciar", "darme de alta", "suscribirme", "comenzar", "quiero recibir mensajes")

HAND_OVER: tuple[str, ...] = (
    "agente humano",
    "persona real",
    "una persona real",
    "asesor humano",
    "atención al cliente",
    "hablar con alguien",
    "hablar con un humano",
    "hablar con humano",
    "hablar con una persona",
    "hablar con una persona real",
    "hablar con un agente",
    "hablar con agente",
    "hablar con un asesor",
    "hablar con asesor",
    "hablar con un operador",
    "hablar con un representante",
    "quiero hablar con alguien",
    "quiero hablar con una persona",
    "quiero hablar con un humano",
    "quiero hablar con un agente",
    "quiero hablar con un asesor",
    "puedo hablar con una persona",
    "puedo hablar con alguien",
    "necesito hablar con una persona",
    "necesito hablar con alguien",
    "necesito un agente",
    "un agente humano",
    "un asesor humano",
    "humano real",
    "hablar con atención al cliente",
    "necesito un asesor",
    "quiero un agente",
    "quiero un asesor",
    "puedo hablar con un agente",
    "puedo hablar con un asesor",
)

HAND_OVER_WORDS: tuple[str, ...] = (
    "humano",
    "un humano",
    "agente",
    "un agente",
    "operador",
    "un operador",
    "operadora",
    "asesor",
    "un asesor",
    "asesora",
    "una asesora",
    "representante",
    "un representante",
)

POLITE: tuple[str, ...] = ("por favor", "porfavor", "porfa", "gracias", "muchas gracias", "ya", "ahora")

GREETINGS: tuple[str, ...] = ("hola", "buenas", "buenos días", "buenas tardes", "buenas noches")

ASKING: tuple[str, ...] = (
    "quiero",
    "quisiera",
    "me gustaría",
    "necesito",
    "deseo",
    "puede",
    "pueden",
    "puedes",
    "podría",
    "podrían",
    "puedo",
    "podría yo",
)

WHO: tuple[str, ...] = ("quién", "quiénes")

WHICH: tuple[str, ...] = ("cuál", "cuáles")

ROLES: tuple[str, ...] = ("profesi", "cargo", "puesto", "ocupaci", "rol", "trabaja", "dedica", "oficio")

REQUESTS: tuple[str, ...] = (
    "dígame",
    "díganos",
    "dime",
    "indique",
    "indíqueme",
    "indícanos",
    "indica",
    "elija",
    "elige",
    "escoja",
    "seleccione",
    "especifique",
)

OFFERS_A_PERSON: tuple[str, ...] = (
    "hablar",
    "hable",
    "hablas",
    "comunic",
    "conectar",
    "contactar",
    "transfer",
    "pasarle con",
    "pase con",
    "compañer",
)

ABOUT_MESSAGES: tuple[str, ...] = ("mensaje", "suscri", "notificaci", "boletín", "publicidad", "promociones")

COMMON = """
yo tú usted ustedes él ella ellos ellas nosotros mi mis tu tus su sus nuestro nuestra el la los las lo un una unos unas del al
con sin para por de en entre hasta sobre desde y o pero porque pues que qué quien quién cual cuál cuáles cuando cuándo cuanto
cuánto cuánta cuántos cuántas donde dónde adónde como cómo es son era fue fueron ser está están estoy estaba estamos estar hay
tiene tienen tengo tenemos tenía tener haber he ha han hemos hace hago hacer hacen hizo hecho voy va vamos van ir fui puede
pueden puedo podemos podría podrían poder quiero quiere quería quisiera queremos quieren gustaría necesito necesita necesitaba
debo debe sé saber sabe decir dijo dice decirme dar ver veo comprar compré pagar pagué pago mandar mandé mandaron enviar envié
enviaron enviado envío envíos recibir recibí recibido llegar llegó llega llegado llegará cambiar cambio devolver devolución
cancelar cancelé agendar reservar reserva abrir abren abre cerrar cierran cierra funciona llamar llamé ayudar ayuda ayudarme
hablar habla preguntar hola buenas buenos buen bueno buena día días tarde tardes noche noches gracias muchas favor perdón
disculpe disculpa sí no ya aún todavía ahora hoy mañana ayer después luego antes siempre nunca también sólo solo más menos muy
mucho mucha muchos poco bien mal aquí ahí allí acá allá entonces así algún alguna alguien nadie nada algo otro otra otros otras
mismo misma cada todo toda todos todas semana semanas mes meses año años hora horas lunes martes miércoles jueves viernes sábado
domingo precio precios valor barato caro dinero cuesta cuestan descuento factura tarjeta entrega entregan entregado pedido
pedidos paquete tienda dirección calle teléfono celular móvil número cuenta contraseña talla tamaño color negro blanco rojo azul
pequeño grande roto rota equivocado falta retrasado disponible producto horario horarios atienden problema duda pregunta mensaje
cita consulta mesa habitación persona personas gente cliente claro vale ese esa eso este esta esto aquel aquella le les me te se
nos soy somos eres sigo sigue siguen ningún ninguna nuevo nueva rápido demora plazo seguimiento vosotros tenéis podéis pelo
verde dos tres cuatro cinco perfecto entendido parece desayuno incluido suscripción ubicación ubicados regalo clave olvidé
devolvieron avisa avisen hijo hija esposa esposo busco llego llegan veces vez minuto minutos apaga llevar vecino vecina dejó
pensar recoger retirar domicilio envíe envíen envía recibirá recibe mensajes respuesta
"""

LETTERS = "ñ¿¡"

ENDINGS: tuple[str, ...] = (
    "ción",
    "ciones",
    "cion",
    "miento",
    "dad",
    "dades",
    "ando",
    "iendo",
    "ería",
    "ito",
    "ita",
    "illo",
    "ero",
)
