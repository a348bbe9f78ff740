"""What must stand below every mail: who sends it, and below advertising why one gets it and how to stop it.

Source: § 5 DDG (imprint), § 7(3) Nr. 4 UWG (notice at every use). Written in the customer's language, which is not the
language of the process, so it does not go through gettext.
"""

from dataclasses import dataclass

IMPRINT = "{{ imprint }}"
UNSUBSCRIBE = "{{ unsubscribe_url }}"
PREFERENCES = "{{ preferences_url }}"
PRIVACY = "{{ privacy_url }}"

WHY = {
    "de": "{% if ground == 'consent' %}Sie erhalten diese Mail, weil Sie dem zugestimmt haben."
    "{% else %}Sie erhalten diese Mail, weil Sie bei {{ shop_name }} gekauft haben.{% endif %} "
    "Sie können der Verwendung Ihrer Adresse für Werbung jederzeit widersprechen, ohne dass dafür andere als die "
    "Übermittlungskosten nach den Basistarifen entstehen.",
    "en": "{% if ground == 'consent' %}You get this mail because you agreed to it."
    "{% else %}You get this mail because you bought from {{ shop_name }}.{% endif %} "
    "You may object to the use of your address for advertising at any time; this costs no more than sending the "
    "message at basic rates.",
}
STOP = {
    "de": ("Keine solchen Mails mehr:", "Von diesen Mails abmelden"),
    "en": ("No more mails like this:", "Unsubscribe from these mails"),
}
CHOOSE = {
    "de": ("Wählen, was und wie oft:", "Meine Mails und Daten"),
    "en": ("Choose what and how often:", "My mails and data"),
}
INFORM = {
    "de": ("Was mit Ihren Daten geschieht:", "Datenschutzhinweise"),
    "en": ("What happens with your data:", "Privacy notice"),
}


@dataclass(frozen=True)
class Sentence:
    """A sentence of the notice; with `url`, `text` stands before it in plain text and `link` is the link in HTML.

    `html` is its form in HTML where that differs.
    """

    text: str
    url: str = ""
    link: str = ""
    html: str = ""


def notice(language: str, message_class: str) -> list[Sentence]:
    """The sentences below a mail, as templates. Whatever is not transactional carries the whole notice."""
    imprint = Sentence(IMPRINT, html="{{ imprint | newline_to_br }}")
    if message_class == "transactional":
        return [imprint]
    links = ((STOP, UNSUBSCRIBE), (CHOOSE, PREFERENCES), (INFORM, PRIVACY))
    return [
        Sentence(WHY[language]),
        *(Sentence(words[language][0], url, words[language][1]) for words, url in links),
        imprint,
    ]
