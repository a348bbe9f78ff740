"""The invented shop: the same for the same seed, consistent, and with an example of everything."""

import io
import re
from collections.abc import Iterator
from datetime import date, timedelta

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.models import Count, F, Q, Sum

from crm import consent, days, emotions, permission, returns
from crm.models import (
    AdvocacyAct,
    Answer,
    BarrierFact,
    Complaint,
    ConsentEvent,
    ConsentState,
    ContactPoint,
    Customer,
    CustomerKey,
    Event,
    Hold,
    Interaction,
    InteractionEmotion,
    MotivatorEvidence,
    Participation,
    Product,
    Purchase,
    PurchaseLine,
    Quarantine,
    Return,
    Shop,
    Suppression,
    User,
)
from crm.seeding import story
from tests.factories import NOW

pytestmark = pytest.mark.django_db

# Numbers that a database hands out differ from one filling to the next; everything else must not.
TABLES = [f"crm_{name}" for name in (
    "customer customerkey contactpoint purchase purchaseline return returnline returnallocation consentevent "
    "consenttrace consentstate suppression interaction interactionemotion answer complaint hold participation "
    "motivatorevidence advocacyact barrierfact maillog quarantine product category"
).split()]  # fmt: skip
DIGEST = """
    SELECT md5(string_agg(content, '' ORDER BY content)) FROM (
      SELECT (SELECT jsonb_object_agg(key, value)::text FROM jsonb_each(to_jsonb(row))
              WHERE key <> 'id' AND key NOT LIKE '%%\\_id' AND key NOT IN ('categories', 'received_at')) AS content
      FROM {table} row) rows"""


def seed(customers: int = 300, number: int = 7, until: date | None = None) -> str:
    said = io.StringIO()
    more = {"until": until} if until else {}
    call_command("seed", customers=customers, seed=number, stdout=said, **more)
    return said.getvalue()


def digests() -> dict[str, str]:
    found = {}
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(DIGEST.format(table=table))
            found[table] = cursor.fetchone()[0]
    return found


def digest_of(**how: object) -> dict[str, str]:
    """What a filling looks like; it is undone afterwards."""
    with transaction.atomic():
        seed(**how)  # type: ignore[arg-type]
        found = digests()
        transaction.set_rollback(True)
    return found


@pytest.fixture
def shop() -> Iterator[None]:
    """The shop on a certain day, so that what chance brings is the same every day."""
    with time_machine.travel(NOW, tick=False):
        seed()
        yield


def test_the_same_seed_and_day_tell_the_same_story() -> None:
    day = date(2025, 5, 17)
    told = digest_of(customers=120, until=day)
    assert told["crm_purchaseline"] and told["crm_answer"]
    assert digest_of(customers=120, until=day) == told
    other = digest_of(customers=120, number=8, until=day)
    assert all(other[table] != told[table] for table in ("crm_customer", "crm_purchase", "crm_answer"))


SCHEMA = """
    SELECT conrelid::regclass::text || conname || pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'"""


def schema() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(SCHEMA)
        # PostgreSQL puts casts and brackets in other places when it reads a definition that it wrote itself.
        return {re.sub(r"::(character varying|text)(\[\])?|[()]", "", row[0]) for row in cursor.fetchall()}


def test_a_large_shop_is_told_the_same_story_and_keeps_every_index(monkeypatch: pytest.MonkeyPatch) -> None:
    day = date(2025, 5, 17)
    chunk_by_chunk, before = digest_of(customers=120, until=day), schema()
    monkeypatch.setattr(story, "BULK_FROM", 100)
    monkeypatch.setattr(story, "RETURNS_AT_ONCE", 5)
    with transaction.atomic():
        said = seed(customers=120, until=day)
        assert "foreign keys of crm_purchaseline" in said
        assert digests() == chunk_by_chunk
        assert schema() == before
        transaction.set_rollback(True)
    assert schema() == before


def test_a_shop_with_customers_is_not_mixed_with_invented_ones() -> None:
    Customer.objects.create(family_name="Echt")
    with pytest.raises(CommandError, match="already has customers"):
        seed()
    assert Customer.objects.count() == 1


def test_the_shop_is_named_unless_somebody_named_it() -> None:
    shop = Shop.current()
    seed(customers=1)
    shop.refresh_from_db()
    assert shop.name == "Rösterei Amsel"
    assert "erfunden" in shop.imprint and shop.sender_email.endswith("example.com")


def test_a_name_that_somebody_gave_stays() -> None:
    Shop.objects.update_or_create(pk=1, defaults={"name": "Teeladen"})
    seed(customers=1)
    assert Shop.objects.get().name == "Teeladen"


@pytest.mark.usefixtures("shop")
def test_stored_sums_are_those_of_the_lines() -> None:
    wrong = Purchase.objects.annotate(total=Sum("lines__net")).exclude(gross=F("total"))
    assert not wrong.exists()
    assert not PurchaseLine.objects.exclude(net=F("quantity") * F("unit_price")).exists()
    zone = days.shop_zone()
    for purchase in Purchase.objects.order_by("id")[:400]:
        assert purchase.ordered_on == purchase.ordered_at.astimezone(zone).date()


@pytest.mark.usefixtures("shop")
def test_categories_are_those_of_lines_that_were_kept() -> None:
    for purchase in Purchase.objects.prefetch_related("lines__product"):
        kept = {
            line.product.category_id
            for line in purchase.lines.all()
            if line.returned_quantity < line.quantity and line.product
        }
        assert purchase.categories == sorted(kept)


@pytest.mark.usefixtures("shop")
def test_returns_are_allocated_as_sync_would_allocate_them() -> None:
    before = digests()
    assert before["crm_returnallocation"]
    with connection.cursor() as cursor:
        cursor.execute(returns.STAGING)
        everything = list(Return.objects.values_list("pk", flat=True))
        returns.reallocate(cursor, created=(), updated=(), returns=everything, customers=())
    assert digests() == before
    assert set(Return.objects.values_list("held", flat=True)) == {"", "unknown_purchase", "exceeds_purchase"}
    partly = PurchaseLine.objects.filter(returned_quantity__gt=0, returned_quantity__lt=F("quantity"))
    assert partly.exists() and PurchaseLine.objects.filter(returned_quantity=F("quantity")).exists()


@pytest.mark.usefixtures("shop")
def test_the_gate_has_an_answer_of_most_kinds() -> None:
    """Somebody may be written to by consent, somebody as a buyer; the others may not, for different reasons."""
    everybody = Customer.objects.values_list("pk", flat=True)
    answered = permission.may_send_many(everybody, "advertising", "newsletter", at=NOW)
    wanted = "consent existing_customer suppressed withdrawn unconfirmed no_permission no_address open_complaint"
    assert set(wanted.split()) - {decision.code for decision in answered.values()} == set()
    greeted = Customer.objects.filter(birth_day=days.today().day, birth_month=days.today().month)
    birthday = permission.may_send_many(greeted.values_list("pk", flat=True), "advertising", "birthday", at=NOW)
    assert any(decision.allowed for decision in birthday.values())


@pytest.mark.usefixtures("shop")
def test_nothing_lies_in_the_future_and_all_within_three_years() -> None:
    today = days.today()
    assert not Purchase.objects.filter(ordered_on__gte=today).exists()
    assert not Purchase.objects.filter(ordered_on__lt=today - timedelta(days=3 * 365 + 2)).exists()
    assert Purchase.objects.filter(ordered_on=today - timedelta(days=1)).exists()


@pytest.mark.usefixtures("shop")
def test_consent_states_are_those_the_ledger_gives() -> None:
    assert ConsentState.objects.exists()
    assert consent.refresh(Customer.objects.values_list("pk", flat=True)) == 0


@pytest.mark.usefixtures("shop")
def test_new_rows_get_ids_that_are_free() -> None:
    last = Customer.objects.order_by("-pk").values_list("pk", flat=True)[0]
    assert Customer.objects.create(family_name="Neu").pk > last


@pytest.mark.usefixtures("shop")
def test_all_addresses_and_numbers_belong_to_nobody() -> None:
    reserved = r"@(example\.(com|org|net)|[a-z]+\.test)$"
    points = ContactPoint.objects.all()
    assert not points.filter(kind="email").exclude(normal__regex=reserved).exists()
    fiction = r"^\+49(3023125\d{3}|6990009\d{3}|4066969\d{3}|2214710\d{3}|8999998\d{3}|17139200\d{2})$"
    assert points.filter(kind="phone").exists()
    assert not points.filter(kind="phone").exclude(normal__regex=fiction).exists()
    assert not User.objects.filter(is_active=True).exists()


EXAMPLES = {
    "prospect": lambda: Customer.objects.filter(purchases=None, is_placeholder=False),
    "test account": lambda: Customer.objects.filter(is_test=True, purchases__isnull=False),
    "placeholder": lambda: Customer.objects.filter(is_placeholder=True, keys__isnull=False, family_name=""),
    "company": lambda: Customer.objects.filter(kind="company").exclude(company_name=""),
    "company with a person": lambda: Customer.objects.filter(kind="company").exclude(family_name=""),
    "umlaut": lambda: Customer.objects.filter(family_name__regex="[äöüß]"),
    "title": lambda: Customer.objects.filter(title="Dr."),
    "noble name": lambda: Customer.objects.filter(family_name__regex="^(von|van|zu|de|dos|Freiherr|Gräfin) "),
    "double name": lambda: Customer.objects.filter(family_name__contains="-"),
    "long name": lambda: Customer.objects.filter(family_name__regex="^.{36,}$"),
    "no language": lambda: Customer.objects.filter(language="", attributes__has_key="Sprache"),
    "English": lambda: Customer.objects.filter(language="en"),
    "29 February": lambda: Customer.objects.filter(birth_day=29, birth_month=2),
    "birthday without year": lambda: Customer.objects.filter(birth_day__isnull=False, birth_year=None),
    "birthday with year": lambda: Customer.objects.filter(birth_year__isnull=False),
    "birthday today": lambda: Customer.objects.filter(birth_day=days.today().day, birth_month=days.today().month),
    "two sources": lambda: Customer.objects.annotate(many=Count("keys__source", distinct=True)).filter(many=2),
    "shared mailbox": lambda: ContactPoint.objects.filter(kind="email").values("normal").annotate(n=Count("customer"))
    .filter(n=2),
    "bounced address": lambda: ContactPoint.objects.filter(state="hard_bounced"),
    "address collected at a sale": lambda: ContactPoint.objects.filter(purchase__isnull=False).exclude(notice_version=""),
    "anonymous purchase": lambda: Purchase.objects.filter(customer=None),
    "cancelled": lambda: Purchase.objects.filter(status="cancelled"),
    "refunded": lambda: Purchase.objects.filter(status="refunded"),
    "placed": lambda: Purchase.objects.filter(status__in=["placed", "paid"]),
    "return naming its purchase": lambda: Return.objects.filter(held="", purchase__isnull=False).exclude(purchase_ref=""),
    "return naming none": lambda: Return.objects.filter(held="", purchase_ref=""),
    "return of an unknown purchase": lambda: Return.objects.filter(held="unknown_purchase", purchase=None),
    "return of too much": lambda: Return.objects.filter(held="exceeds_purchase"),
    "refused row": lambda: Quarantine.objects.exclude(errors=[]),
    "complaint open and severe": lambda: Complaint.objects.filter(state="open", severity="high", hold__lifted_at=None),
    "complaint answered": lambda: Complaint.objects.filter(state="answered"),
    "complaint closed": lambda: Complaint.objects.filter(state="closed").exclude(resolution=""),
    "live purchase": lambda: Event.objects.filter(kind="purchase.created", planned_at=None, purchase__isnull=False),
    "consent on paper": lambda: ConsentEvent.objects.filter(method="paper", action="given"),
    "consent with proof": lambda: ConsentEvent.objects.filter(method="import", double_opt_in=True),
    "consent for the phone": lambda: ConsentState.objects.filter(channel="phone"),
    "silenced address": lambda: Suppression.objects.filter(reason="objected"),
    "contract": lambda: BarrierFact.objects.filter(signal="remaining_months", value__gt=12),
    "referred customer": lambda: AdvocacyAct.objects.filter(kind="referred_order", referred__isnull=False),
    "self-reported motivator": lambda: MotivatorEvidence.objects.filter(origin="self_report", fulfilment__gte=8),
    "club": lambda: Participation.objects.filter(kind="member"),
    "evening": lambda: Participation.objects.filter(kind="gathering"),
    "rated contact with staff": lambda: Interaction.objects.filter(rating__gte=7, staff__isnull=False).exclude(note=""),
}  # fmt: skip


@pytest.mark.usefixtures("shop")
def test_there_is_an_example_of_everything() -> None:
    missing = [name for name, found in EXAMPLES.items() if not found().exists()]
    assert not missing


@pytest.mark.usefixtures("shop")
def test_every_choice_that_the_facts_offer_occurs() -> None:
    assert set(Customer.objects.values_list("salutation", flat=True)) == set(Customer.Salutation.values)
    assert set(ConsentState.objects.values_list("state", flat=True)) == set(ConsentState.State.values)
    assert set(InteractionEmotion.objects.values_list("origin", flat=True)) == set(InteractionEmotion.Origin.values)
    assert set(InteractionEmotion.objects.values_list("slot", flat=True)) == {1, 2, 3}
    items = set(Answer.objects.values_list("item", flat=True))
    plain = {"csat", "trust", "commitment", "involvement", "repurchase_intent", "nps", "disconfirmation", "comparison"}
    assert items == plain | {f"nev_{code}" for code in emotions.BY_CODE}
    assert set(Answer.objects.values_list("form", flat=True)) == {"", "short", "full"}
    assert Product.objects.count() > 100 and CustomerKey.objects.values("source").distinct().count() == 3


@pytest.mark.usefixtures("shop")
def test_every_open_complaint_lets_advertising_rest() -> None:
    unsettled = Complaint.objects.exclude(state="closed")
    assert unsettled.exists()
    assert not unsettled.exclude(hold__lifted_at=None, hold__isnull=False).exists()
    assert not Hold.objects.filter(complaint__state="closed", lifted_at=None).exists()


@pytest.mark.usefixtures("shop")
def test_attitude_goes_with_behaviour() -> None:
    """Who named the shop to others is content; who is tied by a contract alone is not."""
    fond = Answer.objects.filter(item="csat", customer__advocacy_acts__kind="referred_order")
    tied = Answer.objects.filter(Q(item="csat"), customer__barrier_facts__signal="exit_fee", value__lt=5)
    assert fond.filter(value__gte=7).exists() and tied.exists()


def test_no_event_is_made_for_a_history_that_ended_long_ago() -> None:
    seed(customers=60, until=date(2024, 2, 29))
    assert Purchase.objects.exists() and not Event.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_story_is_told_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(story, "CHUNK", 50)
    said = seed(customers=120)
    assert Customer.objects.count() == 120
    assert "40%" in said.replace(" ", "") or "42%" in said.replace(" ", "")
    assert Purchase.objects.values("external_id").distinct().count() == Purchase.objects.count()
