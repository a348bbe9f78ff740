"""The pages of crm: what stands on them, for whom, and what happens when something is written down."""

import json
import re
from datetime import date, timedelta

import pytest
import time_machine
from django.urls import reverse
from django.utils import timezone, translation

from crm import contacts
from crm.models import (
    ApiKey,
    ChangedCustomer,
    Complaint,
    ConsentEvent,
    ConsentState,
    ContactPoint,
    Customer,
    CustomerKey,
    Event,
    Hold,
    Interaction,
    Quarantine,
    Return,
    Shop,
    Task,
)
from crm.paging import PAGE
from tests.factories import (
    NOW,
    ComplaintFactory,
    CustomerFactory,
    EmailFactory,
    PurchaseFactory,
    SourceFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db


def text_of(response) -> str:
    """What the page says, without its tags."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def rows_of(response) -> list[str]:
    return re.findall(r'<a class="sk-person"[^>]*>([^<]+)</a>', response.content.decode())


# ---- the list


def test_an_empty_shop_is_told_how_customers_come(as_staff):
    page = text_of(as_staff("admin").get("/customers/"))
    assert "No customers yet" in page and "See sources and keys" in page
    assert "See sources and keys" not in text_of(as_staff("support").get("/customers/"))


def test_nobody_found_is_not_nobody_there_and_has_a_way_out(as_staff):
    CustomerFactory()
    page = as_staff().get("/customers/?q=zzzz")
    assert "Nobody fits" in text_of(page) and "“zzzz”" in text_of(page)
    assert 'href="/customers/"' in page.content.decode()


def test_the_list_is_sorted_as_a_german_reader_expects(as_staff):
    nameless = CustomerFactory(given_name="", family_name="")
    for family in ("Zander", "Özdemir", "Mueller", "Müllner", "Olsen", "Ähle", "Adler", "Ярослав"):
        CustomerFactory(given_name="", family_name=family)
    assert rows_of(as_staff().get("/customers/")) == [
        "Adler",
        "Ähle",
        "Mueller",
        "Müllner",
        "Olsen",
        "Özdemir",
        "Zander",
        "Ярослав",
        nameless.number,
    ]


def test_pages_go_forth_and_back_over_everybody_once(as_staff):
    for n in range(2 * PAGE + 5):
        CustomerFactory(given_name="Anna", family_name=f"Same{n % 3}")
    browser, seen, url, visited = as_staff(), [], "/customers/?kind=person", []
    while url:
        response = browser.get(url)
        seen += [row.pk for row in response.context["page"].rows]
        visited.append([row.pk for row in response.context["page"].rows])
        url = response.context["next"]
    assert len(seen) == len(set(seen)) == 2 * PAGE + 5
    assert "kind=person" in response.context["previous"]
    for expected in reversed(visited[:-1]):
        response = browser.get(response.context["previous"])
        assert [row.pk for row in response.context["page"].rows] == expected
    assert response.context["previous"] == ""


@pytest.mark.parametrize("cursor", ["nonsense", "WzEsMl0", "eyJhIjoxfQ", "WyJmIiwgMSwgMl0", "%00", "🦊"])
def test_a_broken_cursor_shows_the_first_page(as_staff, cursor):
    CustomerFactory()
    assert len(rows_of(as_staff().get("/customers/", {"at": cursor}))) == 1


def test_a_number_over_the_limit_is_not_counted_out(as_staff):
    Customer.objects.bulk_create(Customer(family_name=f"Many{n}") for n in range(1001))
    assert "Over 1,000 customers" in text_of(as_staff().get("/customers/"))
    assert "Über" not in text_of(as_staff().get("/customers/"))
    assert "1.000" in text_of(as_staff(language="de").get("/customers/"))


def test_the_list_costs_the_same_for_2_and_for_40_customers(as_staff, count_queries):
    def fill(number):
        for n in range(number):
            customer = EmailFactory().customer
            CustomerKey.objects.create(source=SourceFactory(), external_id=f"{customer.pk}", customer=customer)
            ComplaintFactory(customer=customer)
            PurchaseFactory(customer=customer)
            Customer.objects.filter(pk=customer.pk).update(assigned_to=UserFactory())

    browser = as_staff("admin")
    fill(2)
    few = count_queries(lambda: browser.get("/customers/"))
    fill(38)
    assert len(rows_of(browser.get("/customers/"))) == 40
    assert count_queries(lambda: browser.get("/customers/")) == few <= 20


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("kind=company", {"Café Zwölf"}),
        ("email=yes", {"Anna Adler"}),
        ("email=no", {"Café Zwölf", "Bernd Bär"}),
        ("complaint=open", {"Bernd Bär"}),
        ("complaint=none", {"Anna Adler", "Café Zwölf"}),
        ("newsletter=given", {"Anna Adler"}),
        ("newsletter=ended", {"Bernd Bär"}),
        ("newsletter=never", {"Café Zwölf"}),
        ("assigned=none", {"Café Zwölf", "Bernd Bär"}),
        ("assigned=STAFF", {"Anna Adler"}),
        ("assigned=none&kind=person", {"Bernd Bär"}),
        ("q=bar&email=yes", set()),
        ("q=bär&complaint=open", {"Bernd Bär"}),
        ("kind=martian", {"Anna Adler", "Café Zwölf", "Bernd Bär"}),
    ],
)
def test_filters_stand_in_the_url(as_staff, query, expected):
    staff = UserFactory()
    anna = EmailFactory(customer=CustomerFactory(given_name="Anna", family_name="Adler", assigned_to=staff)).customer
    bernd = CustomerFactory(given_name="Bernd", family_name="Bär")
    CustomerFactory(given_name="", family_name="", company_name="Café Zwölf", kind="company")
    ComplaintFactory(customer=bernd)
    ComplaintFactory(customer=anna, state="closed", closed_at=NOW)
    allow(anna, "given")
    allow(bernd, "withdrawn")
    page = as_staff().get("/customers/?" + query.replace("STAFF", str(staff.pk)))
    assert set(rows_of(page)) == expected


def allow(customer, state, purpose="newsletter"):
    key = Customer.objects.get(pk=customer.pk).person_key
    event = ConsentEvent.objects.create(
        person_key=key, purpose_id=purpose, channel="email", action="given", method="web", occurred_at=NOW
    )
    ConsentState.objects.create(
        customer=customer, purpose_id=purpose, channel="email", state=state, since=NOW, evidence=event
    )


def test_merged_and_erased_customers_are_gone_from_the_list(as_staff):
    kept = CustomerFactory(family_name="Kept")
    CustomerFactory(family_name="Merged", merged_into=kept)
    CustomerFactory(family_name="Erased", erased_at=NOW)
    assert rows_of(as_staff().get("/customers/")) == ["Anna Kept"]


def test_htmx_gets_the_rows_alone_and_the_clean_address(as_staff):
    CustomerFactory(family_name="Adler")
    browser = as_staff()
    part = browser.get("/customers/?q=adl&kind=&email=", headers={"HX-Request": "true", "HX-Target": "div#rows"})
    assert rows_of(part) == ["Anna Adler"] and "<html" not in part.content.decode()
    assert "HX-Request" in part["Vary"]
    assert part["HX-Replace-Url"] == "/customers/?q=adl"
    assert "<html" in browser.get("/customers/?q=adl").content.decode()


# ---- who sees what


def test_who_may_not_see_addresses_sees_them_shortened(as_staff):
    customer = EmailFactory(
        customer=CustomerFactory(birth_day=3, birth_month=12), value="joerdis@beispiel.test"
    ).customer
    ContactPoint.objects.create(customer=customer, kind="phone", value="0551 4970 118", normal="+495514970118")
    for url in ("/customers/", f"/customers/{customer.pk}/"):
        page = as_staff("marketer").get(url).content.decode()
        for secret in ("joerdis", "beispiel.test", "4970", "495514970118", "3 December"):
            assert secret not in page
        assert "j•••@b•••" in page
        assert "joerdis@beispiel.test" in as_staff("support").get(url).content.decode()
    assert "3 December" in text_of(as_staff("support").get(f"/customers/{customer.pk}/"))


def test_forms_stand_only_where_they_may_be_sent(as_staff):
    customer = ComplaintFactory().customer
    for url in (f"/customers/{customer.pk}/", f"/complaints/{customer.complaints.get().pk}/"):
        assert 'method="post" action="/c' in as_staff("support").get(url).content.decode()
        assert 'method="post" action="/c' not in as_staff("marketer").get(url).content.decode()


# ---- the profile


def test_the_open_complaint_stands_before_the_name(as_staff):
    customer = ComplaintFactory(text="It grinds unevenly.").customer
    page = text_of(as_staff().get(f"/customers/{customer.pk}/"))
    assert page.index("Open complaint") < page.index("It grinds unevenly.") < page.index("May be mailed:")


def test_permissions_are_yes_no_waiting_or_never(as_staff):
    customer = CustomerFactory()
    allow(customer, "given", "newsletter")
    allow(customer, "withdrawn", "birthday")
    allow(customer, "pending", "survey")
    page = text_of(as_staff().get(f"/customers/{customer.pk}/"))
    for told in ("Newsletter yes", "Birthday no", "Survey not confirmed", "Win-back never asked"):
        assert told in page
    assert "withdrawn 2 Nov 2026" in page


@pytest.mark.parametrize(
    ("today", "born", "told"),
    [
        ("2026-11-23", (3, 12), "in 10 days"),
        ("2026-12-03", (3, 12), "today"),
        ("2026-12-04", (3, 12), "in 364 days"),
        ("2027-02-20", (29, 2), "in 8 days"),
    ],
)
def test_the_birthday_is_counted_in_days(as_staff, today, born, told):
    customer = CustomerFactory(birth_day=born[0], birth_month=born[1])
    with time_machine.travel(f"{today}T12:00:00+00:00", tick=False):
        page = text_of(as_staff().get(f"/customers/{customer.pk}/"))
    assert told in page


def test_the_salutation_is_the_one_that_mails_use(as_staff):
    customer = CustomerFactory(title="Dr.", family_name="Müller", salutation="ms", language="de")
    assert "Sehr geehrte Frau Dr. Müller" in text_of(as_staff().get(f"/customers/{customer.pk}/"))
    unknown = CustomerFactory(given_name="Kim", family_name="Meyer")
    assert "form of address not given" in text_of(as_staff().get(f"/customers/{unknown.pk}/"))


def test_nothing_known_is_said_and_not_left_empty(as_staff):
    customer = CustomerFactory(given_name="", family_name="", is_placeholder=True)
    page = text_of(as_staff().get(f"/customers/{customer.pk}/"))
    for told in (customer.number, "Known only by number", "No purchase yet", "Neither address nor number is known"):
        assert told in page


def test_names_of_120_letters_and_markup_stay_what_they_are(as_staff):
    name = "Freifrau-" * 8
    customer = CustomerFactory(given_name="<b>Anna</b>", family_name=name, company_name="{{ 7*7 }} & Söhne")
    page = as_staff().get(f"/customers/{customer.pk}/").content.decode()
    assert name in page and "&lt;b&gt;Anna&lt;/b&gt;" in page and "<b>Anna</b>" not in page and "49 &amp;" not in page


def test_words_of_customers_are_escaped_in_the_timeline(as_staff):
    customer = ComplaintFactory(text="<script>alert(1)</script>").customer
    contacts.record_interaction(customer, channel="shop", touchpoint="order", staff=None, note="<img src=x>")
    page = as_staff().get(f"/customers/{customer.pk}/").content.decode()
    assert "<script>alert(1)" not in page and "<img src=x>" not in page and "&lt;img src=x&gt;" in page


def test_a_merged_record_leads_to_the_one_it_became_and_an_erased_one_is_gone(as_staff):
    kept = CustomerFactory()
    merged, erased = CustomerFactory(merged_into=kept), CustomerFactory(erased_at=NOW)
    browser = as_staff()
    assert browser.get(f"/customers/{merged.pk}/").url == f"/customers/{kept.pk}/"
    assert browser.get(f"/customers/{erased.pk}/").status_code == 404
    assert browser.get("/customers/999999/").status_code == 404
    assert browser.post(f"/customers/{merged.pk}/contacts/", CONTACT).status_code == 404


def test_the_profile_costs_the_same_for_2_and_for_40_purchases(as_staff, count_queries):
    def bought(number):
        customer = EmailFactory().customer
        for n in range(number):
            PurchaseFactory(customer=customer, ordered_at=NOW - timedelta(days=n))
            contacts.record_interaction(
                customer, channel="shop", touchpoint="order", staff=UserFactory(), felt=["pleased"], occurred_at=NOW
            )
        return customer

    browser, few, many = as_staff("admin"), bought(2), bought(40)
    browser.get(f"/customers/{few.pk}/")
    cost = count_queries(lambda: browser.get(f"/customers/{few.pk}/"))
    assert count_queries(lambda: browser.get(f"/customers/{many.pk}/")) == cost <= 60


def test_the_history_is_filtered_and_goes_on_by_links(as_staff):
    customer = CustomerFactory()
    for n in range(30):
        PurchaseFactory(customer=customer, external_id=f"B{n}", ordered_at=NOW - timedelta(days=n))
    contacts.record_interaction(customer, channel="phone", touchpoint="order", staff=None, note="Called once.")
    browser = as_staff()
    page = browser.get(f"/customers/{customer.pk}/?kind=purchase").content.decode()
    assert "Purchase B0<" in page and "Purchase B29<" not in page and "Called once." not in page
    older = re.search(r'href="(/customers/\d+/\?kind=purchase&amp;before=[^"#]+)', page)[1].replace("&amp;", "&")
    assert "Purchase B29<" in browser.get(older).content.decode()
    part = browser.get(older, headers={"HX-Request": "true"}).content.decode()
    assert "Purchase B29<" in part and "<html" not in part and "May be mailed" not in part
    assert browser.get(f"/customers/{customer.pk}/?kind=nonsense").status_code == 404
    assert browser.get(f"/customers/{customer.pk}/?before=nonsense").status_code == 200


# ---- writing things down

CONTACT = {"channel": "phone", "touchpoint": "service", "note": "Asked.", "origin": "staff_estimate", "rating": ""}


def test_a_contact_is_recorded_with_what_was_felt(as_staff):
    customer, browser = CustomerFactory(), as_staff()
    answer = browser.post(
        f"/customers/{customer.pk}/contacts/",
        CONTACT | {"emotions": ["trusting", "safe"], "origin": "customer_self", "rating": "9"},
        follow=True,
    )
    assert "The contact is recorded." in text_of(answer) and "Asked." in text_of(answer)
    contact = Interaction.objects.get(customer=customer)
    assert (contact.channel, contact.touchpoint, contact.rating, contact.staff) == ("phone", "service", 9, browser.user)
    felt = list(contact.emotions.order_by("slot").values_list("emotion", "origin"))
    assert felt == [("trusting", "customer_self"), ("safe", "customer_self")]
    assert ChangedCustomer.objects.filter(customer_id=customer.pk).exists()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"emotions": ["happy", "pleased", "safe", "valued"]}, "Choose three emotions at most"),
        ({"emotions": ["bored"]}, "bored"),
        ({"note": "  "}, "Write a note, or choose an emotion or a rating."),
        ({"channel": "pigeon"}, "pigeon"),
        ({"rating": "11"}, "11"),
        ({"note": "x" * 5001}, "5000"),
        ({"touchpoint": ""}, "required"),
    ],
)
def test_a_wrong_contact_is_answered_beside_the_form_and_nothing_is_kept(as_staff, changes, problem):
    customer = CustomerFactory()
    answer = as_staff().post(f"/customers/{customer.pk}/contacts/", CONTACT | changes)
    assert answer.status_code == 422 and problem in text_of(answer)
    assert not Interaction.objects.exists() and not ChangedCustomer.objects.exists()
    if changes.get("emotions") and "happy" in changes["emotions"]:
        assert 'value="happy" checked' in answer.content.decode() and "Asked." in answer.content.decode()


def test_a_complaint_from_its_opening_to_its_end(as_staff):
    customer, browser = CustomerFactory(), as_staff()
    due = timezone.localdate() + timedelta(days=2)
    browser.post(
        f"/customers/{customer.pk}/complaints/",
        {"text": "It grinds unevenly.", "severity": "high", "due_at": due.isoformat(), "owner": browser.user.pk},
    )
    case, hold = Complaint.objects.get(), Hold.objects.get()
    assert (case.state, case.owner, timezone.localtime(case.due_at).date()) == ("open", browser.user, due)
    assert (hold.complaint, hold.lifted_at, hold.reason) == (case, None, "complaint")
    url = case.get_absolute_url()
    browser.post(f"{url}change/", {"severity": "low", "due_at": (due + timedelta(days=1)).isoformat(), "owner": ""})
    case.refresh_from_db()
    assert (case.severity, case.owner) == ("low", None)
    browser.post(f"{url}answer/", {"channel": "mail", "note": "New discs are on their way."})
    case.refresh_from_db()
    assert case.state == "answered" and Interaction.objects.get().touchpoint == "complaint"
    assert Hold.objects.get().lifted_at is None
    page = browser.post(f"{url}close/", {"resolution": "Exchanged."}, follow=True)
    case.refresh_from_db()
    assert (case.state, case.resolution, Hold.objects.get().lifted_at) == ("closed", "Exchanged.", case.closed_at)
    assert "Open complaint" not in text_of(page)
    kinds = ["complaint.opened", "complaint.answered", "complaint.closed"]
    assert list(Event.objects.order_by("pk").values_list("kind", flat=True)) == kinds
    browser.post(f"{url}close/", {"resolution": "Again."})
    case.refresh_from_db()
    assert case.resolution == "Exchanged." and Event.objects.count() == 3


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"text": ""}, "required"),
        ({"due_at": "2001-01-01"}, "This day has passed"),
        ({"due_at": "soon"}, "valid date"),
        ({"severity": "awful"}, "awful"),
    ],
)
def test_a_wrong_complaint_holds_nothing(as_staff, changes, problem):
    customer = CustomerFactory()
    given = {"text": "Late.", "severity": "low", "due_at": timezone.localdate().isoformat(), "owner": ""}
    answer = as_staff().post(f"/customers/{customer.pk}/complaints/", given | changes)
    assert answer.status_code == 422 and problem in text_of(answer)
    assert not Complaint.objects.exists() and not Hold.objects.exists()


def test_an_alert_stands_on_top_until_somebody_got_in_touch(as_staff):
    customer, browser = CustomerFactory(), as_staff()
    contacts.record_interaction(customer, channel="phone", touchpoint="order", staff=None, felt=["stressed", "hurried"])
    assert "We got in touch" in text_of(browser.get(f"/customers/{customer.pk}/"))
    page = browser.post(reverse("finish_task", args=[Task.objects.get().pk]), {"outcome": "spoke"}, follow=True)
    assert "We got in touch" not in text_of(page) and Hold.objects.get().lifted_at


def test_forms_need_the_token_of_their_page(as_staff):
    from django.test import Client

    customer, browser = CustomerFactory(), as_staff()
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = browser.cookies
    assert strict.post(f"/customers/{customer.pk}/contacts/", CONTACT).status_code == 403
    assert not Interaction.objects.exists()


# ---- settings

SHOP = {
    "name": "Rösterei Amsel", "language": "de", "time_zone": "Europe/Vienna", "currency": "chf", "sender_name": "Amsel",
    "sender_email": "post@amsel.test", "reply_to": "", "imprint": "Amsel, Göttingen", "quiet_from": "21:00",
    "quiet_until": "07:30", "mails_per_fortnight": "2", "event_window_hours": "48", "exports_per_day": "5",
}  # fmt: skip


def test_the_settings_are_saved_and_shown_again(as_staff):
    browser = as_staff("admin")
    page = browser.post("/settings/", SHOP, follow=True)
    shop = Shop.current()
    assert (shop.name, shop.time_zone, shop.currency) == ("Rösterei Amsel", "Europe/Vienna", "CHF")
    assert (shop.mails_per_fortnight, shop.event_window_hours, str(shop.quiet_until)) == (2, 48, "07:30:00")
    assert "The settings are saved." in text_of(page) and 'value="07:30"' in page.content.decode()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"currency": "E1R"}, "three capital letters"),
        ({"currency": "Euro"}, "at most 3"),
        ({"time_zone": "Berlin"}, "Berlin"),
        ({"sender_email": "amsel"}, "valid email"),
        ({"imprint": " "}, "needs an imprint"),
        ({"quiet_from": "25:00"}, "valid time"),
        ({"event_window_hours": "0"}, "Between 1 hour and 720"),
        ({"mails_per_fortnight": "-1"}, "greater than or equal to 0"),
        ({"name": ""}, "required"),
    ],
)
def test_a_wrong_setting_is_named_and_nothing_is_saved(as_staff, changes, problem):
    answer = as_staff("admin").post("/settings/", SHOP | changes)
    assert answer.status_code == 422 and problem in text_of(answer) and "Nothing was saved" in text_of(answer)
    assert Shop.current().name != SHOP["name"]


def test_zone_and_currency_are_fixed_by_the_first_purchase(as_staff):
    PurchaseFactory()
    browser = as_staff("admin")
    assert "It cannot change any more" in text_of(browser.get("/settings/"))
    browser.post("/settings/", SHOP)
    shop = Shop.current()
    assert (shop.name, shop.time_zone, shop.currency) == ("Rösterei Amsel", "Europe/Berlin", "EUR")


def test_a_purchase_that_arrives_while_the_form_is_open_wins(db):
    from crm.forms_settings import ShopForm

    form = ShopForm(SHOP, instance=Shop.current())
    assert form.is_valid()
    PurchaseFactory()
    with translation.override("en"), pytest.raises(Exception, match="have just arrived"):
        form.save()
    assert Shop.current().currency == "EUR"


def test_sources_show_keys_refused_rows_and_waiting_returns(as_staff):
    source = SourceFactory(name="Webshop")
    key, plain = ApiKey.issue(source, ["purchases:write"], timezone.now() + timedelta(days=9))
    Quarantine.objects.create(
        source=source, position=3, external_id="B-99", payload={"email": "secret@example.test"},
        errors=[{"code": "unknown_currency", "field": "currency", "message": "XYZ is no currency."}],
    )  # fmt: skip
    old = Quarantine.objects.create(source=source, position=1, external_id="old", payload={}, errors=[])
    Quarantine.objects.filter(pk=old.pk).update(received_at=timezone.now() - timedelta(days=31))
    Return.objects.create(
        source=source, external_id="R-7", purchase_ref="B-1", returned_at=NOW, returned_on=date(2026, 11, 2),
        held="exceeds_purchase", currency="EUR", net=12, version=NOW,
    )  # fmt: skip
    browser = as_staff("admin")
    page = browser.get("/settings/sources/")
    for told in (
        key.prefix,
        "purchases:write",
        "XYZ is no currency.",
        "B-99",
        "R-7",
        "more is returned than was bought",
    ):
        assert told in text_of(page)
    for hidden in (plain, "secret@example.test", ">old<"):
        assert hidden not in page.content.decode()
    browser.post(f"/settings/keys/{key.pk}/revoke/")
    key.refresh_from_db()
    assert not key.usable


def test_pages_speak_the_language_of_who_reads(as_staff):
    customer = PurchaseFactory(gross="1234.50").customer
    assert "1.234,50" in text_of(as_staff(language="de").get(f"/customers/{customer.pk}/"))
    assert "€1,234.50" in text_of(as_staff(language="en").get(f"/customers/{customer.pk}/"))


def test_no_page_carries_inline_style_or_script(as_staff):
    customer, browser = ComplaintFactory().customer, as_staff("admin")
    case = customer.complaints.get()
    for url in (
        "/customers/",
        f"/customers/{customer.pk}/",
        case.get_absolute_url(),
        "/settings/",
        "/settings/sources/",
    ):
        page = browser.get(url).content.decode()
        assert " style=" not in page and "<style" not in page and not re.search(r"\son\w+=", page)
        assert all("src=" in tag or "nonce=" in tag for tag in re.findall(r"<script[^>]*>", page))
        assert json.dumps(browser.get(url).headers["Cache-Control"]) == '"no-store"'
