"""How a customer is addressed: names exactly as given, Frau and Herr only if the customer said so.

Never guessed from a first name (ECJ C-394/23), never "Sehr geehrte/r".
"""

from dataclasses import dataclass

from crm.models import Customer


@dataclass(frozen=True)
class Address:
    """What an opening needs of a customer. All texts as given."""

    kind: str = "person"
    salutation: str = "none"
    title: str = ""
    given_name: str = ""
    family_name: str = ""
    company_name: str = ""


def address_of(customer: Customer) -> Address:
    return Address(
        customer.kind,
        customer.salutation,
        customer.title,
        customer.given_name,
        customer.family_name,
        customer.company_name,
    )


def opening(who: Address, language: str) -> str:
    """The first line of a letter without its comma, such as "Sehr geehrte Frau Dr. Müller".

    With the salutation unknown, neutral, or no last name: "Guten Tag" and the name as given. Without any name the
    company is greeted; without that, "Guten Tag" alone. `language` is "de" or "en"; any other is answered in English.
    """
    german = language == "de"
    titled = _words(who.title, who.family_name)
    if who.family_name and who.salutation == "ms":
        return f"Sehr geehrte Frau {titled}" if german else f"Dear {who.title or 'Ms'} {who.family_name}"
    if who.family_name and who.salutation == "mr":
        return f"Sehr geehrter Herr {titled}" if german else f"Dear {who.title or 'Mr'} {who.family_name}"
    name = person_name(who) or who.company_name
    if german:
        return _words("Guten Tag", name)
    return f"Dear {name}" if name else "Hello"


def person_name(who: Address) -> str:
    """Title, first and last name as given; empty if none of the names is known."""
    return _words(who.title, who.given_name, who.family_name) if who.given_name or who.family_name else ""


def _words(*parts: str) -> str:
    return " ".join(part for part in parts if part)
