"""The gate: one statement, whose answer for an audience and for one person is the same, against a plain reading."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm import keyed, permission
from crm.models import (
    Complaint,
    ConsentEvent,
    ConsentState,
    ContactPoint,
    Customer,
    Hold,
    MailLog,
    Purpose,
    Shop,
    Suppression,
)
from tests.factories import ComplaintFactory, CustomerFactory, EmailFactory, PurchaseFactory

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 2, 11, tzinfo=UTC)  # 12:00 in Berlin
BEFORE = NOON - timedelta(days=3)


@pytest.fixture(autouse=True)
def purposes() -> None:
    Purpose.objects.bulk_create(
        [Purpose(code=code, label_de=code, label_en=code) for code in ("newsletter", "birthday")], ignore_conflicts=True
    )
    Shop.current()


def make(facts: dict[str, object], at: datetime = NOON) -> Customer:
    """A customer of whom these facts hold; anything else is silent."""
    marks = {name: BEFORE for name in ("erased_at", "deceased_at", "restricted_at") if facts.get(name)}
    customer = CustomerFactory(time_zone=facts.get("zone", ""), **marks)
    customer.refresh_from_db()
    if facts.get("merged"):
        Customer.objects.filter(pk=customer.pk).update(merged_into=CustomerFactory())
    if address := facts.get("address"):
        bought = None
        if facts.get("bought"):
            bought = PurchaseFactory(
                customer=customer, status="cancelled" if facts["bought"] == "cancelled" else "paid"
            )
        point = EmailFactory(
            customer=customer, state=address, purchase=bought, notice_version="2026-1" if facts.get("informed") else ""
        )
        if facts.get("silenced"):
            lifted = NOON if facts["silenced"] == "lifted" else None
            Suppression.objects.create(
                address_hash=keyed.address_hash(point.normal), reason="objected", lifted_at=lifted
            )
    if state := facts.get("consent"):
        event = ConsentEvent.objects.create(
            person_key=customer.person_key, purpose_id="newsletter", channel="email", action="given", method="web",
            occurred_at=BEFORE,
        )  # fmt: skip
        given_for = facts.get("agreed_with") or (point.normal if address else "")
        ConsentState.objects.create(
            customer=customer, purpose_id="newsletter", channel="email", state=state, since=BEFORE, evidence=event,
            address=given_for if state in ("given", "pending") else "",
        )  # fmt: skip
    if facts.get("complaint"):
        ended = NOON if facts["complaint"] == "closed" else None
        ComplaintFactory(customer=customer, state=facts["complaint"], closed_at=ended)
    if facts.get("hold"):
        until = {"ended": BEFORE, "timed": NOON + timedelta(days=1)}.get(str(facts["hold"]))
        lifted = BEFORE if facts["hold"] == "lifted" else None
        Hold.objects.create(customer=customer, reason="alert", until=until, lifted_at=lifted)
    for days, kind in facts.get("mailed", []):  # type: ignore[attr-defined]
        MailLog.objects.create(customer=customer, message_class=kind, at=at - timedelta(days=days))
    return customer


def plain_reading(facts: dict[str, object], message_class: str, purpose: str, at: datetime, shop: Shop) -> str:  # noqa: C901
    """The rules once more, as a lawyer would tick them off."""
    if facts.get("merged"):
        return "merged"
    for mark, code in (("erased_at", "erased"), ("deceased_at", "deceased")):
        if facts.get(mark):
            return code
    if not facts.get("address"):
        return "no_address"
    if facts["address"] in ("hard_bounced", "gone"):
        return "undeliverable"
    if message_class == "transactional":
        return "contract"
    if facts.get("restricted_at"):
        return "restricted"
    if facts.get("silenced") == "silenced":
        return "suppressed"
    declared = facts.get("consent") if purpose == "newsletter" else None
    if declared in ("objected", "withdrawn"):
        return str(declared)
    buyer = purpose == "newsletter" and facts.get("bought") == "paid" and bool(facts.get("informed"))
    elsewhere = declared == "moved" or (declared == "given" and bool(facts.get("agreed_with")))
    holds = declared == "given" and not elsewhere
    if not holds and not buyer:
        if elsewhere:
            return "other_address"
        return "unconfirmed" if declared == "pending" else "no_permission"
    if facts.get("complaint") in ("open", "answered") or facts.get("hold") in ("open", "timed"):
        return "open_complaint"
    recent = [kind for days, kind in facts.get("mailed", []) if kind == "advertising" and days < 14]  # type: ignore[attr-defined]
    if len(recent) >= shop.mails_per_fortnight:
        return "frequency_cap"
    zone = str(facts.get("zone") or shop.time_zone)
    local = at.astimezone(ZoneInfo(shop.time_zone if zone == "No/Where" else zone)).time()
    if local >= shop.quiet_from or local < shop.quiet_until:
        return "quiet_hours"
    return "consent" if holds else "existing_customer"


PEOPLE = st.fixed_dictionaries(
    {"address": st.sampled_from([None, "usable", "usable", "usable", "soft_bounced", "hard_bounced", "gone"])},
    optional={
        "merged": st.just(True),
        "erased_at": st.just(True),
        "deceased_at": st.just(True),
        "restricted_at": st.just(True),
        "bought": st.sampled_from(["paid", "paid", "cancelled"]),
        "informed": st.just(True),
        "silenced": st.sampled_from(["silenced", "lifted"]),
        "consent": st.sampled_from(["given", "given", "given", "pending", "withdrawn", "objected", "moved", "expired"]),
        "agreed_with": st.just("former@example.test"),
        "complaint": st.sampled_from(["open", "answered", "closed"]),
        "hold": st.sampled_from(["open", "timed", "ended", "lifted"]),
        "mailed": st.lists(
            st.tuples(st.sampled_from([0, 1, 13.9, 14.1, 40]), st.sampled_from(["advertising", "transactional"])),
            max_size=5,
        ),
        "zone": st.sampled_from(["", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "No/Where"]),
    },
)


# Most optional facts are left out, or the first of them would hide all later rules.
@st.composite
def crowds(draw: st.DrawFn) -> list[dict[str, object]]:
    crowd = draw(st.lists(PEOPLE, min_size=1, max_size=8))
    hiding = ("merged", "erased_at", "deceased_at", "restricted_at", "silenced", "complaint", "hold")
    kept = draw(st.lists(st.sampled_from(hiding), max_size=2))
    return [{name: fact for name, fact in facts.items() if name not in hiding or name in kept} for facts in crowd]


@given(
    crowd=crowds(),
    message_class=st.sampled_from(["advertising", "advertising", "transactional"]),
    purpose=st.sampled_from(["newsletter", "newsletter", "birthday"]),
    hour=st.sampled_from([0, 6, 7, 11, 12, 18, 19, 23]),
)
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_audience_single_person_and_plain_reading_agree(
    crowd: list[dict[str, object]], message_class: str, purpose: str, hour: int
) -> None:
    at, shop = NOON.replace(hour=hour), Shop.current()
    made = [(make(facts, at).pk, facts) for facts in crowd]
    together = permission.may_send_many([pk for pk, _facts in made], message_class, purpose, at=at)
    for pk, facts in made:
        expected = plain_reading(facts, message_class, purpose, at, shop)
        assert together[pk].code == expected, facts
        assert permission.may_send(pk, message_class, purpose, at=at) == together[pk]
        assert together[pk].allowed == permission.BY_CODE[together[pk].code].allowed


def test_consent_is_the_evidence() -> None:
    customer = make({"address": "usable", "consent": "given"})
    decision = permission.may_send(customer.pk, "advertising", "newsletter", at=NOON)
    assert decision.allowed and decision.evidence_id == ConsentState.objects.get().evidence_id


@pytest.mark.parametrize(
    "lacking",
    [
        {"bought": "cancelled", "informed": True},
        {"informed": True},
        {"bought": "paid"},
        {"bought": "paid", "informed": True, "consent": "withdrawn"},
        {"bought": "paid", "informed": True, "silenced": "silenced"},
    ],
)
def test_a_buyer_is_mailed_only_if_all_four_conditions_hold(lacking: dict[str, object]) -> None:
    whole = {"address": "usable", "bought": "paid", "informed": True}
    assert permission.may_send(make(whole).pk, "advertising", "newsletter", at=NOON).code == "existing_customer"
    assert not permission.may_send(
        make({"address": "usable"} | lacking).pk, "advertising", "newsletter", at=NOON
    ).allowed


def test_a_buyer_is_not_mailed_without_the_notice_nor_for_another_purpose() -> None:
    buyer = make({"address": "usable", "bought": "paid", "informed": True})
    assert permission.may_send(buyer.pk, "advertising", "newsletter", notice=False, at=NOON).code == "no_permission"
    assert permission.may_send(buyer.pk, "advertising", "birthday", at=NOON).code == "no_permission"


@pytest.mark.parametrize(
    ("zone", "hour", "ends"),
    [
        ("", 18, None),  # 19:00 in Berlin
        ("", 19, datetime(2026, 11, 3, 7, tzinfo=UTC)),  # 20:00: quiet until 8:00 of the next day
        ("", 6, datetime(2026, 11, 2, 7, tzinfo=UTC)),
        ("America/New_York", 12, datetime(2026, 11, 2, 13, tzinfo=UTC)),  # 7:00 there
        ("Asia/Kathmandu", 14, None),  # 19:45 there
        ("Asia/Kathmandu", 15, datetime(2026, 11, 3, 2, 15, tzinfo=UTC)),
    ],
)
def test_quiet_hours_are_those_of_the_customer(zone: str, hour: int, ends: datetime | None) -> None:
    customer = make({"address": "usable", "consent": "given", "zone": zone})
    decision = permission.may_send(customer.pk, "advertising", "newsletter", at=NOON.replace(hour=hour))
    assert decision.later == ends
    assert decision.allowed == (ends is None)


@pytest.mark.parametrize(
    ("limits", "hour", "quiet"),
    [
        ((time(12), time(14)), 11, True),
        ((time(12), time(14)), 13, False),
        ((time(0), time(0)), 3, False),
    ],
)
def test_quiet_hours_within_a_day_and_none_at_all(limits: tuple[time, time], hour: int, quiet: bool) -> None:
    Shop.objects.update(quiet_from=limits[0], quiet_until=limits[1])
    customer = make({"address": "usable", "consent": "given"})
    decision = permission.may_send(customer.pk, "advertising", "newsletter", at=NOON.replace(hour=hour))
    assert (decision.code == "quiet_hours") is quiet


def test_what_belongs_to_a_contract_goes_at_night_and_to_who_objected() -> None:
    customer = make({"address": "usable", "consent": "objected", "silenced": "silenced", "complaint": "open"})
    assert permission.may_send(customer.pk, "transactional", "newsletter", at=NOON.replace(hour=2)).code == "contract"


def test_planning_leaves_to_the_gate_what_time_alone_changes() -> None:
    customer = make({"address": "usable", "consent": "given", "complaint": "open", "mailed": [(1, "advertising")] * 9})
    from django.db import connection

    statement = permission.verdicts("(SELECT id AS customer_id FROM crm_customer)", timely=False)
    with connection.cursor() as cursor:
        cursor.execute(statement, permission.parameters("advertising", "newsletter"))
        columns = [column.name for column in cursor.description]
        found = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
    assert [row["code"] for row in found if row["customer_id"] == customer.pk] == ["consent"]


def test_nobody_knows_this_customer() -> None:
    assert permission.may_send(987654321, "advertising", "newsletter").code == "unknown_customer"


def test_the_hash_of_an_address_is_the_same_in_python_and_in_the_database() -> None:
    from django.db import connection

    for normal in ("anna@example.test", "jörg@bücher.example", ""):
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT {keyed.address_hash_sql('%(normal)s')}", keyed.hash_parameters() | {"normal": normal}
            )
            assert cursor.fetchone() == (keyed.address_hash(normal),)


def test_every_reason_has_a_sentence() -> None:
    codes = [reason.code for reason in permission.REASONS]
    assert len(set(codes)) == len(codes)
    assert all(str(reason.sentence) for reason in permission.REASONS)


def test_asking_for_40_takes_one_query_as_for_2(django_assert_num_queries: object) -> None:
    few, many = ([make({"address": "usable", "consent": "given"}).pk for _ in range(n)] for n in (2, 40))
    shop = Shop.current()
    for ids in (few, many):
        with django_assert_num_queries(1):  # type: ignore[operator]
            permission.may_send_many(ids, "advertising", "newsletter", shop=shop)


def test_models_and_gate_name_the_same_states() -> None:
    assert {"hard_bounced", "gone"} <= set(ContactPoint.State.values)
    assert "closed" in Complaint.State.values
