"""Names exactly as given; Frau and Herr only if somebody said so."""

import pytest

from crm.salutation import Address, address_of, opening, person_name
from tests.factories import CustomerFactory


@pytest.mark.parametrize(
    ("who", "german", "english"),
    [
        (Address(salutation="ms", title="Dr.", given_name="Ayşe", family_name="Müller"),
         "Sehr geehrte Frau Dr. Müller", "Dear Dr. Müller"),
        (Address(salutation="mr", family_name="von der Weiß-Özdemir"),
         "Sehr geehrter Herr von der Weiß-Özdemir", "Dear Mr von der Weiß-Özdemir"),
        (Address(salutation="ms", family_name="O’Neill"), "Sehr geehrte Frau O’Neill", "Dear Ms O’Neill"),
        (Address(salutation="neutral", given_name="Kim", family_name="Beispiel"),
         "Guten Tag Kim Beispiel", "Dear Kim Beispiel"),
        (Address(salutation="none", title="Prof. Dr.", given_name="Anna", family_name="Groß"),
         "Guten Tag Prof. Dr. Anna Groß", "Dear Prof. Dr. Anna Groß"),
        (Address(salutation="ms", given_name="Anna"), "Guten Tag Anna", "Dear Anna"),
        (Address(salutation="mr"), "Guten Tag", "Hello"),
        (Address(title="Dr."), "Guten Tag", "Hello"),
        (Address(kind="company", company_name="Beispiel & Söhne GmbH"),
         "Guten Tag Beispiel & Söhne GmbH", "Dear Beispiel & Söhne GmbH"),
        (Address(kind="company", company_name="Beispiel GmbH", salutation="mr", family_name="Groß"),
         "Sehr geehrter Herr Groß", "Dear Mr Groß"),
        (Address(), "Guten Tag", "Hello"),
    ],
)  # fmt: skip
def test_opening(who: Address, german: str, english: str) -> None:
    assert opening(who, "de") == german
    assert opening(who, "en") == english


@pytest.mark.parametrize("given_name", ["Andrea", "Kim", "Maria", "Thomas"])
def test_no_gender_is_inferred_from_a_first_name(given_name: str) -> None:
    assert opening(Address(given_name=given_name, family_name="Beispiel"), "de") == f"Guten Tag {given_name} Beispiel"


@pytest.mark.parametrize("name", ["McDONALD", "d’Ávila", "ṄGUYỄN", "müller", "de la Cruz  y Vega"])
def test_names_are_never_mended(name: str) -> None:
    assert name in opening(Address(salutation="ms", family_name=name), "de")


@pytest.mark.django_db
def test_a_customer_is_addressed_by_what_is_stored() -> None:
    customer = CustomerFactory(salutation="ms", title="Dr.", given_name="Jördis", family_name="Weiß")
    assert opening(address_of(customer), "de") == "Sehr geehrte Frau Dr. Weiß"
    assert person_name(address_of(customer)) == "Dr. Jördis Weiß"
