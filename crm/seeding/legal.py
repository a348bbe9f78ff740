"""What the invented shop says to its customers: what they agree to, imprint, privacy notice and terms, in two languages."""

from crm import texts
from crm.models import LegalText, Purpose, Shop, Wording

WORDING = {
    "de": "Ich bin einverstanden, dass mir die Rösterei Amsel {about} per E-Mail schickt. Das kann ich jederzeit beenden.",
    "en": "I agree that Rösterei Amsel sends me {about} by e-mail. I can end this at any time.",
}
ABOUT = {
    "newsletter": (
        "Neues über ihre Kaffees, Kurse und Angebote",
        "news about its coffees, courses and offers",
    ),
    "birthday": ("einen Gruß zum Geburtstag", "a birthday greeting"),
    "survey": ("Fragen nach meiner Zufriedenheit", "questions about how satisfied I am"),
    "win_back": ("ein Angebot, wenn ich länger nicht da war,", "an offer if I have not been there for a while"),
    "referral": ("ihr Empfehlungsprogramm", "its referral programme"),
    "tracking": (
        "Mails, deren Öffnungen und Klicks gezählt werden,",
        "mails whose openings and clicks are counted",
    ),
    "profiling": (
        "Vorschläge, die zu meinen Einkäufen passen,",
        "suggestions that suit what I bought",
    ),
}
LANGUAGES = ("de", "en")

IMPRINT = {
    "de": """Diesen Laden gibt es nicht: Alle Angaben sind erfunden und dienen der Vorführung.

Rösterei Amsel
Inhaberin: Mirjam Kästner
Röstergasse 7
37073 Göttingen

Telefon: 030 23125 700
E-Mail: hallo@amsel.example.com

Umsatzsteuer-Identifikationsnummer: DE000000000 (erfunden)
Verantwortlich für die Inhalte: Mirjam Kästner, Anschrift wie oben""",
    "en": """This shop does not exist: everything here is invented, for demonstration.

Rösterei Amsel
Owner: Mirjam Kästner
Röstergasse 7
37073 Göttingen, Germany

Phone: +49 30 23125 700
E-mail: hallo@amsel.example.com

VAT number: DE000000000 (invented)
Responsible for the content: Mirjam Kästner, address as above""",
}
PRIVACY = {
    "de": """Diesen Laden gibt es nicht: Der Text ist ein Muster für die Vorführung und keine Rechtsberatung.

Wer verantwortlich ist
Rösterei Amsel, Mirjam Kästner, Röstergasse 7, 37073 Göttingen, hallo@amsel.example.com.

Was wir speichern und wofür
Wenn Sie bei uns kaufen: Name, Anschrift, Kontaktwege und Ihre Einkäufe, um den Vertrag zu erfüllen (Art. 6 Abs. 1 Buchst. b DSGVO) und weil wir Rechnungen aufbewahren müssen (Buchst. c).
Wenn Sie zustimmen: E-Mail-Adresse und die Zwecke, die Sie angekreuzt haben, um Ihnen zu schreiben (Buchst. a). Als Nachweis speichern wir, wann und mit welchem Wortlaut Sie zugestimmt haben, sowie IP-Adresse und Browser.
Wenn Sie es uns sagen: Geburtstag (Tag und Monat genügen), Anrede, Antworten auf Fragen. Alles davon ist freiwillig.

Werbung für Ähnliches
Haben Sie bei uns gekauft und dabei Ihre E-Mail-Adresse angegeben, dürfen wir Ihnen auch ohne Einwilligung Ähnliches anbieten (§ 7 Abs. 3 UWG). Dem können Sie jederzeit widersprechen; dafür entstehen keine anderen Kosten als die Übermittlungskosten nach den Basistarifen.

Wie wir rechnen
Aus Ihren Einkäufen und Antworten errechnen wir, wie oft Sie bei uns einkaufen und wie zufrieden Sie sind, damit wir Sie passend beraten. Nachteile entstehen Ihnen daraus nicht: Niemand wird deswegen abgelehnt, und keine Entscheidung fällt allein durch ein Programm.

Wer Ihre Daten bekommt
Der Dienst, der unsere E-Mails zustellt, und der Betreiber unseres Webshops, beide in unserem Auftrag. Sonst niemand.

Wie lange
Rechnungen 8 Jahre, Geschäftsbriefe 6 Jahre, jeweils vom Ende des Jahres an. Den Nachweis einer Einwilligung bis 3 Jahre nach dem Ende des Jahres, in dem sie endet. Anmeldungen, die niemand bestätigt, 30 Tage. Alles andere, solange Sie Kundin oder Kunde sind.

Ihre Rechte
Auskunft, Berichtigung, Löschung, Einschränkung, Datenübertragbarkeit und Widerspruch. Eine Einwilligung können Sie jederzeit widerrufen, mit dem Link unter jeder E-Mail oder formlos; was vorher geschah, bleibt rechtmäßig. Beschweren können Sie sich bei einer Datenschutzbehörde, für uns bei der Landesbeauftragten für den Datenschutz Niedersachsen.""",
    "en": """This shop does not exist: the text is a sample for demonstration and no legal advice.

Who is responsible
Rösterei Amsel, Mirjam Kästner, Röstergasse 7, 37073 Göttingen, Germany, hallo@amsel.example.com.

What we store, and what for
If you buy from us: name, address, ways to reach you and your purchases, to fulfil the contract (Art. 6(1)(b) GDPR) and because we must keep invoices (c).
If you agree: your e-mail address and the purposes that you ticked, to write to you (a). As proof we store when you agreed and to which words, with IP address and browser.
If you tell us: birthday (day and month will do), form of address, answers to questions. All of it is up to you.

Advertising for similar goods
If you bought from us and gave your e-mail address with it, we may offer you similar goods without your consent (§ 7(3) UWG). You can object at any time, at no cost other than the basic rates of transmission.

How we calculate
From your purchases and answers we work out how often you buy and how satisfied you are, so that we advise you well. You have no disadvantage from it: nobody is refused because of it, and no decision is made by a program alone.

Who gets your data
The service that delivers our e-mails, and the host of our web shop, both on our behalf. Nobody else.

How long
Invoices 8 years, business letters 6 years, each from the end of the year. The proof of a consent until 3 years after the end of the year in which it ends. Sign-ups that nobody confirms, 30 days. Everything else as long as you are our customer.

Your rights
Access, rectification, erasure, restriction, portability and objection. You can withdraw a consent at any time, with the link below every e-mail or in your own words; what happened before remains lawful. You can complain to a data protection authority; ours is the one of Lower Saxony.""",
}
TERMS = {
    "de": """Diesen Laden gibt es nicht: Man kann hier nichts kaufen. Der Text ist ein Muster für die Vorführung.

1. Diese Bedingungen gelten für Einkäufe bei der Rösterei Amsel, Inhaberin Mirjam Kästner.
2. Der Vertrag kommt zustande, wenn wir Ihre Bestellung annehmen.
3. Alle Preise sind Endpreise in Euro mit Umsatzsteuer. Versandkosten nennen wir vor der Bestellung.
4. Wir liefern innerhalb von drei Werktagen in Deutschland, Österreich und der Schweiz.
5. Verbraucher können binnen 14 Tagen ohne Gründe widerrufen. Für Kaffee, den wir eigens für Sie rösten, gilt das nicht.
6. Es gilt die gesetzliche Gewährleistung. Sagen Sie uns, wenn etwas nicht stimmt: Wir finden eine Lösung.""",
    "en": """This shop does not exist: nothing can be bought here. The text is a sample for demonstration.

1. These terms apply to purchases at Rösterei Amsel, owner Mirjam Kästner.
2. The contract is made when we accept your order.
3. All prices are final prices in euro including VAT. We name the costs of delivery before you order.
4. We deliver within three working days in Germany, Austria and Switzerland.
5. Consumers may withdraw within 14 days without giving reasons. This does not apply to coffee that we roast for you alone.
6. The statutory warranty applies. Tell us if something is wrong: we will find a solution.""",
}
LEGAL = {"imprint": IMPRINT, "privacy": PRIVACY, "terms": TERMS}


def wordings() -> dict[str, int]:
    """Publish what people agree to. Returns the id of the German wording by purpose."""
    german: dict[str, int] = {}
    for purpose in Purpose.objects.filter(code__in=ABOUT):
        for language, about in zip(LANGUAGES, ABOUT[purpose.code], strict=True):
            text = WORDING[language].format(about=about)
            made, _new = Wording.objects.get_or_create(
                purpose=purpose, version=1, language=language, defaults={"text": text}
            )
            german.setdefault(purpose.code, made.pk)
    return german


def publish(shop: Shop) -> None:
    """Publish the legal texts where there are none, and let the sign-up form ask for names."""
    for kind, of_languages in LEGAL.items():
        if not LegalText.objects.filter(kind=kind).exists():
            texts.publish_legal(kind, of_languages, None)
    Shop.objects.filter(pk=shop.pk).update(sign_up_names=True, sign_up_salutation=True)
