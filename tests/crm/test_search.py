"""Whatever somebody has at hand finds the customer, and nothing else does."""

import pytest

from crm import search
from crm.models import ContactPoint, Customer, CustomerKey
from tests.factories import CustomerFactory, EmailFactory, PurchaseFactory, SourceFactory

pytestmark = pytest.mark.django_db


def found(text: str, **options: bool) -> set[str]:
    return {str(one) for one in search.matching(Customer.objects.all(), text, **options)}


@pytest.fixture
def people() -> dict[str, Customer]:
    names = [
        ("Jürgen", "Müller-Lüdenscheidt", ""),
        ("Jörg", "Mueller", ""),
        ("Zoë", "Groß", ""),
        ("Bülent", "Şahin", "Café Zwölf GmbH"),
        ("", "", "Röstwerk 24 GmbH"),
        ("Jo", "Li", ""),
    ]
    made = [CustomerFactory(given_name=given, family_name=family, company_name=firm) for given, family, firm in names]
    return {str(customer): customer for customer in made}


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("müller", {"Jürgen Müller-Lüdenscheidt", "Jörg Mueller"}),
        ("Mueller", {"Jürgen Müller-Lüdenscheidt", "Jörg Mueller"}),
        ("MULLER", {"Jürgen Müller-Lüdenscheidt", "Jörg Mueller"}),
        ("mull", {"Jürgen Müller-Lüdenscheidt", "Jörg Mueller"}),
        ("denscheid", {"Jürgen Müller-Lüdenscheidt"}),
        ("Jörg Müller", {"Jörg Mueller"}),
        ("Herr Dr. Müller, Jörg", {"Jörg Mueller"}),
        ("gross zoe", {"Zoë Groß"}),
        ("groß", {"Zoë Groß"}),
        ("sahin", {"Bülent Şahin"}),
        ("cafe zwolf", {"Bülent Şahin"}),
        ("Röstwerk 24", {"Röstwerk 24 GmbH"}),
        ("m", {"Jürgen Müller-Lüdenscheidt", "Jörg Mueller"}),
        ("gr", {"Zoë Groß"}),
        ("li", {"Jo Li"}),
        ("jo li", {"Jo Li"}),
        ("müller jü", {"Jürgen Müller-Lüdenscheidt"}),
        ("100%", set()),
        ("_ü_", set()),
        ("%%%", set()),
        ("nobody", set()),
        ("\0mull\0er", {"Jürgen Müller-Lüdenscheidt", "Jörg Mueller"}),
        (". ,", set()),
    ],
)
def test_a_name_is_found_in_any_umlaut_form(people, typed, meant):
    assert found(typed) == meant


def test_a_blank_search_narrows_nothing(people):
    assert len(found("   ")) == len(people)


def test_the_number_said_on_the_phone_finds_exactly_one(people):
    zoe = people["Zoë Groß"]
    for typed in (zoe.number, zoe.number.lower(), f"K {zoe.pk}", str(zoe.pk)):
        assert "Zoë Groß" in found(typed)
    assert found(zoe.number) == {"Zoë Groß"}
    assert found("K-999999999999999999") == set()


def test_an_address_is_found_by_its_beginning():
    anna = EmailFactory(value="Anna.Beispiel@example.test", normal="anna.beispiel@example.test").customer
    EmailFactory(value="hannah@example.test")
    assert found("ANNA.BEISPIEL@") == found("anna.beispiel@example.t") == {str(anna)}
    assert found("beispiel@example.test") == set()


def test_who_may_not_see_addresses_finds_whole_ones_only():
    anna = EmailFactory(value="anna@example.test").customer
    ContactPoint.objects.create(customer=anna, kind="phone", value="+49 551 123456", normal="+49551123456")
    assert found("anna@exam", beginnings=False) == found("+4955112", beginnings=False) == set()
    assert found("anna@example.test", beginnings=False) == found("+49551123456", beginnings=False) == {str(anna)}


@pytest.mark.parametrize(
    "typed", ["0551 4970-118", "+49 551 4970118", "0049 551 4970118", "+495514970", "(0551) 4970118"]
)
def test_a_phone_number_is_found_however_it_is_dialled(typed):
    anna = CustomerFactory()
    ContactPoint.objects.create(customer=anna, kind="phone", value="0551 4970 118", normal="+495514970118")
    assert found(typed) == {str(anna)}


def test_an_order_or_a_shops_own_number_finds_its_customer():
    buyer = PurchaseFactory(external_id="B-88412").customer
    PurchaseFactory(external_id="536365", customer=buyer)
    other = CustomerFactory()
    CustomerKey.objects.create(source=SourceFactory(name="till"), external_id="17850", customer=other)
    assert found("B-88412") == found("b-88412") == found("536365") == {str(buyer)}
    assert found("17850") == {str(other)}


@pytest.mark.parametrize(
    "typed", ["9" * 40, "K-" + "9" * 30, "@", "'; DROP TABLE crm_customer; --", "a" * 500, "٣٤", "²"]
)
def test_nonsense_finds_nobody_and_breaks_nothing(people, typed):
    assert found(typed) == set()


def test_names_and_addresses_are_found_by_an_index(people):
    """With a table large enough for a scan to be slow, neither search reads it whole."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO crm_customer (given_name, family_name)"
            " SELECT md5(n::text), md5((n * 7)::text) FROM generate_series(1, 4000) n"
        )
        cursor.execute(
            "INSERT INTO crm_contactpoint (customer_id, kind, value, normal)"
            " SELECT id, 'email', id || '@example.test', id || '@example.test' FROM crm_customer"
        )
        cursor.execute("SELECT gin_clean_pending_list('crm_customer_name_grams')")  # what autovacuum does in the end
        cursor.execute("ANALYZE crm_customer, crm_contactpoint")
    plan = search.matching(Customer.objects.all(), "lüdenscheidt").explain()
    assert "crm_customer_name_grams" in plan and "Seq Scan" not in plan
    assert "crm_customer_by_name" in search.matching(Customer.objects.all(), "gr").order_by("sort_key", "pk").explain()
    assert "crm_contact_point_lookup" in search.matching(Customer.objects.all(), "77@ex").explain()
