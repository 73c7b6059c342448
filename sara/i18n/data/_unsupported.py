"""Words that must not mislead who tells languages apart.

`COMMON` are everyday words of languages that SARA has no texts in. They keep a message in one of these from being taken for a neighbour:
Dutch for German, Catalan for Spanish, Malay for Indonesian, Marathi for Hindi, Persian for Arabic, romanised Hindi for English.
`BORROWED` are words that travel, as greetings, in shops, in names of people and products: few of them prove nothing.
`LETTERS` are used in some of those languages, and in some of SARA's too.
"""

from __future__ import annotations

from collections.abc import Mapping

COMMON: Mapping[str, str] = {
    "Dutch": """
        ik jij je jullie wij het een van niet wel ook maar naar mijn jouw zijn hoe waar wanneer waarom wat hebben heb heeft hebt
        kan kunnen graag bedankt dank goedemorgen goedemiddag goedendag hoi alstublieft bestelling geen nog mag moet voor uit bij
        dit dat dan 's
    """,
    "Scandinavian": """
        jag du är och inte det har kan hej tack min mitt var när hur jeg ikke og hvor når hvad takk tak vil mit er til med på av
        för komma idag ja nei nej missä milloin kiitos hei minun tilaus ei on
    """,
    "Slavic": """
        jestem jest nie tak czy gdzie kiedy jak ile dzień dobry proszę dziękuję moje zamówienie mogę chcę się na se jsem není kde
        kdy prosím děkuji dobrý den objednávka
    """,
    "Hungarian": "hol van nem kérem köszönöm mikor rendelésem és hogy",
    "Turkish": """
        ben bir ve bu için değil var yok nasıl nerede ne zaman merhaba teşekkürler lütfen sipariş siparişim kadar mi mı
    """,
    "Romanian": "eu sunt este nu și si unde când cât cum bună ziua mulțumesc comanda mea vreau pentru îmi",
    "Catalan": """
        jo tinc vull quan què és amb això bon gràcies si us plau meva meu on són aquest però també fins molt demà dona per tot
    """,
    "Galician": "ola grazas moi onde está a miña unha",
    "Malay": """
        awak kita boleh sahaja encik puan bila macam mana tak nak hendak kerana berapakah sila sudahkah dah kedai anak
    """,
    "Filipino": """
        ang ng sa po ako ikaw siya kami natin kayo sila ito iyon hindi oo wala meron magkano saan kailan paano salamat naman lang
        mga opo gusto yung ano nasaan
    """,
    "Swahili": """
        mimi wewe yeye sisi ninyi hii hiyo nini lini wapi vipi gani ngapi habari asante tafadhali ninataka agizo langu bei
    """,
    "Vietnamese": "không tôi bạn có là bao nhiêu cảm ơn xin chào đơn hàng khi nào",
    "romanised Hindi and Urdu": """
        hai hain kya kyu kyun kab kahan kaise kitna kitne kitni mera meri mere mujhe aap apka aapka apki aapki nahi nahin haan ji
        karo karna karni chahiye raha rahi kar ka ko bhai hua gaya batao bata bhej kripya dhanyavad shukriya namaste acha accha
    """,
    "romanised Arabic": "ana inta anta enta fein feen wein shukran salam kifak marhaba habibi aiwa yalla",
    "Marathi": """
        आहे आहेत मला माझा माझी माझे तुम्ही तुमचे तुमची आणि काय कधी कुठे कसे किती नाही होय धन्यवाद कृपया नको पाहिजे करा झाला झाली
    """,
    "Nepali": """
        छ छन् हुन्छ हो मलाई मेरो तपाईं तपाईंको कति कहिले कहाँ किन छैन गर्नुहोस् गर्न भयो र यो दिनुहोस्
    """,
    "Persian": """
        است هست من شما ما چه چطور چرا سفارش ممنون مرسی سلام خوب بله خیر را این آن برای با از در شد دادم هستم هستید باشد لطفا
    """,
}

BORROWED = """
hello hi hey ok okay yes no please thanks sorry good nice love help check message call send number address price cost free new
order orders size stock shop store ready book booking phone password account invoice bill refund return returned available cancel black
white red blue green large small grand one first best day time man fashion open sale question table problem service
hola hallo halo prego friday ciao salve mia dove camera nero bianco merci plus petite noir rouge blanc carte client prix boutique
sim nova grande pro claro lager klein tag mai dan hari solo uno vale
"""

LETTERS = "öäüçàèòêîâïåøæłşğıăâșțőűčřšžěůđơưạếđņļķėįųąęćńśźżŀळ"
