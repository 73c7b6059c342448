"""Portuguese, written so that Brazil and Portugal both find it natural."""

from __future__ import annotations

from collections.abc import Mapping

NAME = "Portuguese"

TEXTS: Mapping[str, str] = {
    "opted_out": "Você não receberá mais mensagens nossas. Para recebê-las de novo, envie VOLTAR.",
    "opted_in": "Que bom ter você de volta! Você voltará a receber nossas respostas.",
    "apology": "Desculpe, não conseguimos responder agora. Sua mensagem está guardada e alguém da equipe vai vê-la.",
    "late": "Desculpe, sua mensagem anterior não foi respondida a tempo. Ela está guardada e alguém da equipe vai vê-la.",
    "limit": "Foram muitas mensagens de uma vez. Por favor, espere um pouco antes de escrever de novo.",
    "busy": "Desculpe, hoje não conseguimos mais responder. Sua mensagem está guardada e alguém da equipe vai vê-la.",
    "hand_over": "Uma pessoa da nossa equipe assume a conversa a partir de agora e vai responder por aqui.",
    "hand_back": "Nosso assistente voltou a responder. Como podemos ajudar?",
    "away": "Estamos fechados no momento. Voltamos: {opens}. Sua mensagem está guardada e será respondida então.",
    "fallback": "Desculpe, não entendi ou não posso ajudar com isso. Pode dizer de outra forma?",
    "unreadable": "Desculpe, não conseguimos ler este tipo de mensagem aqui. Pode escrever em texto?",
    "follow_up": "Você ainda está por aí? Podemos ajudar em mais alguma coisa?",
    "operator_call": (
        "{name} ({number}, {conversation}) pede atendimento humano: {reason}\n\n{words}\n\n"
        'Responda com: sara send {conversation} "…"\n'
        "O que você escrever aqui não chega ao cliente."
    ),
    "operator_notice": (
        "Aqui você é avisado quando um cliente precisa de uma pessoa. O que você escreve aqui não chega nem aos "
        "clientes nem ao assistente. Para responder a um cliente, use o comando que está na mensagem sobre ele."
    ),
    "operator_reason_customer": "a pedido do cliente",
    "operator_reason_assistant": "a pedido do assistente",
    "operator_reason_phone": "alguém respondeu pelo aplicativo do telefone",
}

OPT_OUT: tuple[str, ...] = (
    "stop",
    "cancelar inscrição",
    "cancelar a inscrição",
    "descadastrar",
    "me descadastre",
    "parar mensagens",
    "pare de enviar mensagens",
    "pare de me mandar mensagens",
    "não quero mais receber mensagens",
    "não quero receber mensagens",
    "parar promoções",
    "interromper promoções",
    "cancelar promoções",
    "não quero promoções",
    "não quero receber promoções",
    "não me mande mais mensagens",
    "não me mandem mais mensagens",
    "não me envie mais mensagens",
    "não me enviem mais mensagens",
    "parem de me mandar mensagens",
    "pare de me mandar mensagem",
)

OPT_OUT_WORDS: tuple[str, ...] = ("sair", "parar", "pare")

OPT_IN: tuple[str, ...] = ("start", "começar", "voltar", "iniciar", "inscrever", "quero receber mensagens", "voltar a receber")

HAND_OVER: tuple[str, ...] = (
    "atendente humano",
    "atendimento humano",
    "agente humano",
    "pessoa real",
    "assistente humano",
    "falar com atendente",
    "falar com um atendente",
    "falar com uma atendente",
    "falar com o atendente",
    "falar com humano",
    "falar com um humano",
    "falar com uma pessoa",
    "falar com pessoa",
    "falar com alguém",
    "falar com um agente",
    "falar com um operador",
    "falar com um assistente",
    "quero falar com atendente",
    "quero falar com um atendente",
    "quero falar com uma pessoa",
    "quero falar com um humano",
    "quero falar com alguém",
    "queria falar com um atendente",
    "gostaria de falar com um atendente",
    "gostaria de falar com uma pessoa",
    "posso falar com um atendente",
    "posso falar com uma pessoa",
    "preciso de um atendente",
    "uma pessoa real",
    "humano de verdade",
    "pessoa de verdade",
    "uma pessoa de verdade",
    "posso falar com alguém",
    "preciso falar com alguém",
    "preciso falar com uma pessoa",
    "quero um atendente",
    "quero atendimento humano",
)

HAND_OVER_WORDS: tuple[str, ...] = (
    "humano",
    "um humano",
    "atendente",
    "um atendente",
    "uma atendente",
    "atendimento",
    "agente",
    "um agente",
    "operador",
    "um operador",
)

POLITE: tuple[str, ...] = (
    "por favor",
    "porfavor",
    "pfv",
    "por gentileza",
    "obrigado",
    "obrigada",
    "muito obrigado",
    "muito obrigada",
    "já",
    "agora",
)

GREETINGS: tuple[str, ...] = ("olá", "oi", "bom dia", "boa tarde", "boa noite")

ASKING: tuple[str, ...] = (
    "eu quero",
    "quero",
    "queria",
    "eu queria",
    "gostaria de",
    "eu gostaria de",
    "preciso",
    "pode",
    "podem",
    "poderia",
    "poderiam",
    "posso",
)

WHO: tuple[str, ...] = ("quem",)

WHICH: tuple[str, ...] = ("qual", "quais")

ROLES: tuple[str, ...] = ("profiss", "cargo", "função", "ocupaç", "trabalha", "papel")

REQUESTS: tuple[str, ...] = ("me diga", "diga-me", "nos diga", "informe", "escolha", "selecione", "indique", "especifique")

OFFERS_A_PERSON: tuple[str, ...] = ("falar", "fale", "conversar", "transfer", "encaminh", "conectar", "contato com", "colega")

ABOUT_MESSAGES: tuple[str, ...] = ("mensage", "inscri", "notificaç", "newsletter", "publicidade", "promoções")

COMMON = """
eu você vocês vc vcs ele ela eles elas nós meu minha meus minhas seu sua seus suas nosso nossa o os as um uma uns umas do da dos
das no na nos nas ao aos à às pelo pela pelos pelas num numa dum duma deste desta desse dessa isto isso aquilo este esta esse
essa aquele aquela com sem para pra pro por de em entre até sobre desde e ou mas porque pois que quem qual quais quando quanto
quanta quantos quantas onde como é são era foi foram ser está estão estou estava estamos estar tá tô tem têm tenho temos tinha
ter há vou vai vamos vão ir fui faz faço fazer fazem fez feito pode podem posso podemos poder quero quer queria queremos querem
gostaria gostava preciso precisa precisava devo deve sei sabe saber dizer disse diz dá dar ver vejo viu comprar comprei pagar
paguei pago pagamento mandar mandei mandou enviar enviei enviou enviado receber recebi recebeu chegar chegou chega chegará
trocar troca troco devolver devolução cancelar cancelei marcar marquei agendar agendamento reservar abrir abre abrem fechar
fecha fecham funciona funcionam ligar liguei ajudar ajuda falar fala perguntar gostei oi olá opa bom boa bons boas dia tarde
noite tudo obrigado obrigada obg brigado valeu favor pfv desculpe desculpa sim não já ainda agora hoje amanhã ontem depois antes
sempre nunca também só mais menos muito muita muitos muitas pouco bem mal aqui lá então assim algum alguma alguém ninguém nada
outro outra outros outras mesmo mesma cada todo toda todos todas semana mês meses ano anos hora horas segunda terça quarta
quinta sexta sábado domingo feira preço preços valor barato caro dinheiro custa desconto boleto pix nota fiscal cartão frete
entrega entregam entregue entregador pedido pedidos encomenda encomendas loja endereço rua telefone celular número conta senha
tamanho cor preto branco vermelho azul pequeno grande quebrado quebrada errado errada faltando atrasado atrasada disponível
estoque produto horário horários atendimento problema dúvida pergunta mensagem reserva consulta mesa quarto pessoas gente
cliente certo beleza claro gostaríamos seria consigo consegue conseguir consegui comigo contigo lhe lhes me te dele dela deles
delas aí sou somos és novo nova rápido demora demorando prazo rastreio rastreamento remarcar alterar mudar deixar deixei verde
dois três quatro cinco incluso incluído perfeito entendi cadê café manhã assinatura aplicativo localização presente filho filha
esposa esposo procuro chego duas vez vezes minuto minutos levar deixou pensar desligar buscar retirar domicílio nossas nossos
mensagens recebe recebem envie mande manda
"""

LETTERS = "ãõ"

ENDINGS: tuple[str, ...] = (
    "ção",
    "ções",
    "cao",
    "coes",
    "ão",
    "ões",
    "inho",
    "inha",
    "ável",
    "ando",
    "endo",
    "aria",
    "eiro",
    "eira",
    "agem",
)
