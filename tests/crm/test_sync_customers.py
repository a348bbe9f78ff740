"""What a row says about its customer: absent is not null, and the last value of each field wins."""

import pytest

from crm import sync
from crm.models import ChangedCustomer, ContactPoint, Customer, CustomerKey, Event
from tests.crm.shop_rows import days_ago, fixed_day, line, purchase
from tests.factories import SourceFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def bring(db):
    """Send one purchase of Anna's per call, each a day after the one before."""
    source, days = SourceFactory(), iter(range(100))

    def send(**fields):
        day = next(days)
        answers = sync.apply(source, [purchase(f"p{day}", {"external_id": "anna"} | fields, fixed_day(day))])
        assert not answers.counts["invalid"], answers
        return Customer.objects.get(keys__external_id="anna")

    return send


def test_a_key_alone_makes_a_placeholder_that_is_filled_later(bring):
    assert bring().is_placeholder
    filled = bring(given_name="Anna")
    assert (filled.is_placeholder, filled.given_name, Customer.objects.count()) == (False, "Anna", 1)


def test_absent_leaves_and_null_clears(bring):
    bring(given_name="Anna", family_name="Beispiel", birthday="1980-05-24", attributes={"club": True})
    kept = bring(given_name=None)
    assert (kept.given_name, kept.family_name, kept.birth_year, kept.attributes) == (
        "",
        "Beispiel",
        1980,
        {"club": True},
    )
    cleared = bring(family_name="", birthday=None, attributes=None)
    assert (cleared.family_name, cleared.birth_month, cleared.birth_year, cleared.attributes) == ("", None, None, {})


def test_an_empty_list_empties_a_list(bring):
    bring(attributes={"sizes": ["S"], "club": True})
    assert bring(attributes={"sizes": [], "club": True}).attributes == {"sizes": [], "club": True}


def test_an_older_row_does_not_overwrite_but_fills_what_is_unknown(bring):
    bring(given_name="Anna", version=fixed_day(9))
    merged = bring(given_name="Änne", family_name="Beispiel", version=fixed_day(3))
    assert (merged.given_name, merged.family_name) == ("Anna", "Beispiel")


def test_names_stay_exactly_as_given_and_the_salutation_is_never_guessed(bring):
    made = bring(given_name="  anna-LENA ", title="Prof. Dr.")
    assert (made.given_name, made.title, made.salutation) == ("  anna-LENA ", "Prof. Dr.", "none")


def test_a_new_address_becomes_the_primary_one_and_the_old_is_kept_as_gone(bring):
    bring(email="Anna@Example.test")
    bring(email="neu@example.test")
    points = dict(ContactPoint.objects.values_list("normal", "state"))
    assert points == {"anna@example.test": "gone", "neu@example.test": "usable"}
    assert ContactPoint.objects.get(is_primary=True).normal == "neu@example.test"
    bring(email="anna@example.test")
    assert ContactPoint.objects.get(is_primary=True).normal == "anna@example.test"
    bring(email=None)
    assert not ContactPoint.objects.filter(is_primary=True).exists()


def test_a_bounced_address_stays_bounced_when_it_is_sent_again(bring):
    bring(email="anna@example.test")
    ContactPoint.objects.update(state="hard_bounced")
    bring(email="anna@example.test")
    assert ContactPoint.objects.get().state == "hard_bounced"


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        ("Anna@Example.TEST", "anna@example.test"),
        ("Anna@Bücher.example.com", "anna@xn--bcher-kva.example.com"),
        ("ünal@example.com", "ünal@example.com"),
    ],
)
def test_an_address_is_compared_in_lower_case_and_with_its_domain_as_on_the_wire(bring, given, normal):
    bring(email=given)
    assert (ContactPoint.objects.get().value, ContactPoint.objects.get().normal) == (given, normal)


@pytest.mark.parametrize(
    ("fields", "normal"),
    [
        ({"phone": "0221 4710123"}, "+492214710123"),
        ({"phone": "+44 20 7946 0018"}, "+442079460018"),
        ({"phone": "020 7946 0018", "postal": {"country": "GB"}}, "+442079460018"),
    ],
)
def test_a_number_is_compared_as_it_is_dialled_from_abroad(bring, fields, normal):
    bring(**fields)
    assert ContactPoint.objects.get(kind="phone").normal == normal


def test_a_notice_is_kept_with_the_first_sale_that_brought_the_address(bring):
    bring(email="anna@example.test")
    bring(email="anna@example.test", notice_version="2026-01")
    bring(email="anna@example.test", notice_version="2026-02")
    kept = ContactPoint.objects.get()
    assert (kept.purchase.external_id, kept.notice_version) == ("p1", "2026-01")


def test_the_postal_address_gives_town_and_country(bring):
    made = bring(postal={"street": "Am Hof 1", "postal_code": "50667", "city": "Köln", "country": "DE"})
    assert (made.city, made.country) == ("Köln", "DE")
    assert ContactPoint.objects.get().value == "Am Hof 1, 50667 Köln, DE"


def test_the_same_key_of_another_source_is_another_customer():
    for name in ("till", "web"):
        sync.apply(SourceFactory(name=name), [purchase()])
    assert CustomerKey.objects.filter(external_id="anna").count() == Customer.objects.count() == 2


def test_a_purchase_without_a_customer_is_anonymous():
    row = purchase(at=days_ago(0.1)) | {"customer": None}
    assert sync.apply(SourceFactory(), [row]).purchases[0].status == "created"
    assert not (Customer.objects.exists() or Event.objects.exists() or ChangedCustomer.objects.exists())


def test_customers_are_marked_when_something_changed_and_only_then():
    source = SourceFactory()
    sync.apply(source, [purchase(customer="anna"), purchase("p2", customer="ben")])
    assert ChangedCustomer.objects.count() == 2
    ChangedCustomer.objects.all().delete()
    sync.apply(source, [purchase(customer="anna"), purchase("p2", customer="ben")])
    assert not ChangedCustomer.objects.exists()
    sync.apply(source, [purchase(customer="ben", version=fixed_day(1))])
    marked = ChangedCustomer.objects.values_list("customer_id", flat=True)
    assert set(marked) == set(Customer.objects.values_list("pk", flat=True))


def test_a_row_that_changes_only_its_customer_is_an_update():
    source = SourceFactory()
    sync.apply(source, [purchase()])
    row = purchase(customer={"external_id": "anna", "given_name": "Anna"})
    assert [sync.apply(source, [row]).purchases[0].status for _repeat in range(2)] == ["updated", "unchanged"]


def test_two_rows_about_one_purchase_in_a_batch_are_each_answered():
    rows = [purchase(place="old"), purchase(place="new", version=fixed_day(2)), purchase(place="old")]
    assert [answer.status for answer in sync.apply(SourceFactory(), rows).purchases] == ["stale", "created", "stale"]


def test_a_later_version_replaces_all_lines_and_a_stale_one_none():
    source = SourceFactory()
    sync.apply(source, [purchase(lines=[line("tea"), line("cup"), line("pot")])])
    sync.apply(source, [purchase(version=fixed_day(2), lines=[line("cup", 2)])])
    answers = sync.apply(source, [purchase(version=fixed_day(1), lines=[line("tea")])])
    assert answers.purchases[0].status == "stale"
    made = Customer.objects.get().purchases.get()
    assert [(each.product.external_id, each.quantity) for each in made.lines.all()] == [("cup", 2)]
    assert made.gross == 20
