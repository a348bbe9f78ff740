"""Invented people whose names and values break careless texts: every text is tried on them before anybody gets it."""

from crm import salutation
from crm.salutation import Address

# Who it is, in a few words, and what is known of them. All invented.
PEOPLE: dict[str, Address] = {
    "Dr. Jördis Wüstenhagen-Özdemir": Address("person", "ms", "Dr.", "Jördis", "Wüstenhagen-Özdemir"),
    "Freiherr von und zu Beispiel": Address("person", "mr", "", "Karl-Theodor", "Freiherr von und zu Beispiel-Muster"),
    "Prof. Dr. Dr. h. c.": Address("person", "neutral", "Prof. Dr. Dr. h. c.", "Çiğdem", "Şahin-Łukasiewicz"),
    "only a first name": Address("person", "none", "", "Kim", ""),
    "only a last name": Address("person", "ms", "", "", "Nguyễn"),
    "no name at all": Address("person", "none", "", "", ""),
    "a company alone": Address("company", "none", "", "", "", "Beispiel & Söhne <Import/Export> GmbH & Co. KG"),
    "a person in a company": Address("company", "mr", "", "Aßlan", "O’Muster", "Müller “Süd” AG"),
    "markup in the name": Address("person", "none", "", "<b>Jörg</b>", "<script>alert(1)</script>"),
    "a placeholder in the name": Address("person", "none", "", "{{ name }}", "{% for i in (1..100) %}"),
    "signs of formats": Address("person", "none", "", "%(name)s", "{0} $x \\1 &amp;"),
    "quotes and backslashes": Address("person", "none", "", '"Jo\\', "d'Exemple\\\""),
    "lines in the name": Address("person", "none", "", "Eva\r\nBcc: x@example.com", "Zwei\nZeilen"),
    "signs that turn the direction": Address("person", "none", "", "\u202eEva", "Bei\u2066spiel\u2069"),
    "right to left": Address("person", "none", "", "دانا", "مثال"),
    "other letters": Address("person", "none", "", "桜", "見本"),
    "emoji": Address("person", "none", "", "👩🏽‍🚒 Jo", "🦄"),
    "a very long name": Address("person", "ms", "Dr.", "Anna" * 38, "Beispiel-" * 18),
    "signs that join": Address("person", "none", "", "Zoe\u0308", "Z\u0335\u0321\u0322a\u0336\u0317l\u0334\u0318go"),
    "blanks": Address("person", "ms", " ", "\u00a0", "\u2003"),
}
SHOP = {
    "shop_name": "Rösterei „Am Markt“ <Süd> & Söhne",
    "sender_name": "Mirjam {Kästner} 100 %",
    "signed_by": "Mirjam {Kästner} 100 %",
}


def worst_cases(language: str) -> dict[str, dict[str, str]]:
    """The common values of a text for each of them, by who it is."""
    return {
        who: {
            "opening": salutation.opening(person, language),
            "title": person.title,
            "given_name": person.given_name,
            "family_name": person.family_name,
            "company_name": person.company_name,
            "name": salutation.person_name(person) or person.company_name,
            **SHOP,
        }
        for who, person in PEOPLE.items()
    }
