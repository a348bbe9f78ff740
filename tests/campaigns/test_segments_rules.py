"""Rules of segments: whom they mean, how unknown is neither yes nor no, what is refused, how they read."""

from datetime import UTC, date, datetime

import pytest
from django.db import connection
from django.utils.timezone import now
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campaigns import segments
from campaigns.models import MailUse, Segment, SegmentMember
from campaigns.models.tracking import Link
from campaigns.segments import days, kinds, members
from campaigns.segments.checking import Known
from campaigns.segments.compiling import EVERYBODY, asking, table_of
from campaigns.segments.fields import FIELDS
from crm.models import Category, Customer, CustomerKey, Product, PurchaseLine, Shop
from loyalty.barriers import place_of
from loyalty.models import LifetimeValue, Metrics, Transition
from tests.campaigns.people import open_shop, person
from tests.factories import (
    AnswerFactory,
    AssessmentFactory,
    CampaignFactory,
    ComplaintFactory,
    CustomerFactory,
    DeliveryFactory,
    InteractionFactory,
    PurchaseFactory,
    SourceFactory,
    UserFactory,
)  # fmt: skip

pytestmark = pytest.mark.django_db

TODAY = date(2026, 3, 1)


def found(rule):
    """The customers of whom a rule holds, as a set of ids."""
    sql, parameters = segments.matching(rule)
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        rows = [pk for (pk,) in cursor.fetchall()]
    assert len(rows) == len(set(rows))
    return set(rows)


def that(pk):
    return Customer.objects.get(pk=pk)


def unknown(rule):
    asked, bind = asking(rule)
    with connection.cursor() as cursor:
        cursor.execute(f"{table_of(asked)} AND ({asked}) IS NULL", bind.parameters)
        return {pk for (pk,) in cursor.fetchall()}


def everybody():
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id FROM crm_customer customer WHERE {EVERYBODY}")
        return {pk for (pk,) in cursor.fetchall()}


def one(field, operator, value=None, **more):
    return {"field": field, "operator": operator, "value": value, **more}


def group(match, *rules):
    return {"match": match, "rules": list(rules)}


def metrics_of(customer, **more):
    empty = dict.fromkeys(
        ("orders", "purchases", "categories", "place_orders", "good_contacts", "strong_acts", "medium_acts",
         "severe_complaints", "value", "value_year"), 0,
    )  # fmt: skip
    return Metrics.objects.create(customer=customer, **(empty | {"order_days": [], "takes_part": False} | more))


@pytest.fixture
def today(monkeypatch):
    """The shop's day stands still, at the end of a February without a 29th."""
    monkeypatch.setattr("loyalty.scoring.today", lambda: TODAY)
    return TODAY


@pytest.fixture
def people(today):
    """Three customers of whom different things are known."""
    open_shop(time_zone="Europe/Berlin")
    anna = person("anna@example.test", "newsletter", city="Köln", birth_month=2, birth_day=29, language="de")
    metrics_of(anna, orders=3, purchases=4, value=200, value_year=80, first_order_on=date(2020, 1, 1),
               previous_order_on=date(2025, 5, 5), last_order_on=TODAY, nev=75)  # fmt: skip
    AssessmentFactory(customer=anna, stage="regular", last_order_on=TODAY, bond=70, lock_in=10, at_risk_until=date(2030, 1, 1),
                      active_until=date(2030, 1, 1), scores=[None, 40, None, None, None, None, 5])  # fmt: skip
    ben = CustomerFactory(given_name="Ben", city="Bonn", birth_month=3, birth_day=7)
    metrics_of(ben)
    AssessmentFactory(customer=ben, stage="prospect", orders=0)
    return {"anna": anna.pk, "ben": ben.pk, "new": CustomerFactory(given_name="Neu").pk}


def test_each_kind_of_fact_is_read_as_python_reads_it(people):
    anna, ben, new = people["anna"], people["ben"], people["new"]
    month = {"anna": 2, "ben": 3}
    assert found(one("city", "is", "KÖLN")) == {anna}
    assert found(one("city", "begins", "b")) == {ben}
    assert found(one("city", "unknown")) == {new}
    assert found(one("birth_month", "one_of", ["2", "3"])) == {
        people[name] for name, at in month.items() if at in (2, 3)
    }
    assert found(one("purchases", "at_least", 4)) == {anna}
    assert found(one("value", "between", [0, 200])) == {anna, ben}
    assert found(one("nev", "is", 5)) == {anna}
    assert found(one("barrier_technical", "at_least", 40)) == {anna}
    assert place_of("technical") == 1
    assert found(one("last_purchase", "in_last", 1)) == {anna}
    assert found(one("last_purchase", "longer_ago", 1)) == set()
    assert found(one("last_purchase", "unknown")) == {ben, new}
    assert found(one("status", "is", "active")) == {anna}
    assert found(one("email", "is", True)) == {anna}
    assert found(one("buyer", "is", False)) == {ben}
    assert found(one("consent", "is", "given", of="newsletter/email")) == {anna}
    assert found(one("consent", "one_of", ["never"], of="newsletter/email")) == {ben, new}


def test_of_whom_something_is_unknown_they_are_neither_in_nor_out(people):
    asked = one("stage", "is", "regular")
    assert found(asked) == {people["anna"]}
    assert found(one("stage", "is_not", "regular")) == {people["ben"]}
    assert found(group("none", asked)) == {people["ben"]}
    assert unknown(asked) == {people["new"]}
    assert found(group("any", asked, one("city", "unknown"))) == {people["anna"], people["new"]}
    counted = members.count(asked)
    assert (counted.number, counted.unknown, counted.everybody, counted.exact) == (1, 1, 3, True)


@pytest.mark.parametrize(("number", "names"), [(1, ""), (6, ""), (7, "ben"), (365, "anna ben"), (366, "anna ben")])
def test_the_next_birthdays_begin_today(people, number, names):
    """On 1 March: 29 February was yesterday, 7 March is the seventh day."""
    assert found(one("birthday", "in_next", number)) == {people[name] for name in names.split()}


def test_a_leapling_counts_on_28_february_and_around_the_new_year(people, monkeypatch):
    for day, number in [
        (date(2026, 2, 28), 1),
        (date(2028, 2, 29), 1),
        (date(2025, 12, 31), 60),
        (date(2027, 2, 20), 9),
    ]:
        monkeypatch.setattr("loyalty.scoring.today", lambda day=day: day)
        assert people["anna"] in found(one("birthday", "in_next", number)), day
    monkeypatch.setattr("loyalty.scoring.today", lambda: date(2028, 2, 28))
    assert people["ben"] not in found(one("birthday", "in_next", 8))
    assert people["ben"] in found(one("birthday", "in_next", 9))


def test_days_are_those_of_the_shops_zone(people):
    """A complaint at 23:30 UTC of 28 February came on 1 March in Berlin."""
    late = ComplaintFactory(
        customer=that(people["ben"]), opened_at=datetime(2026, 2, 28, 23, 30, tzinfo=UTC)
    ).customer_id
    assert found(one("complained", "in_last", 1)) == {late}
    assert found(one("complained", "before", "2026-03-01")) == set()
    Shop.objects.update(time_zone="America/New_York")
    assert found(one("complained", "in_last", 1)) == set()
    assert found(one("complained", "before", "2026-03-01")) == {late}
    assert late not in found(one("complained", "not_since", "2026-02-28"))
    assert found(one("open_complaint", "is", True)) == {late}


def test_what_was_bought_and_brought(people):
    beans = Category.objects.create(source=SourceFactory(), external_id="c", name="Beans")
    mill = Product.objects.create(source=SourceFactory(), external_id="M-1", name="Mühle", category=beans)
    bought = PurchaseFactory(
        customer=that(people["anna"]), ordered_at=datetime(2026, 2, 1, 9, tzinfo=UTC), categories=[beans.pk]
    )
    PurchaseLine.objects.create(purchase=bought, position=1, product=mill, quantity=1, unit_price=10, net=10)
    PurchaseFactory(customer=that(people["ben"]), status="cancelled", categories=[beans.pk])
    of = str(beans.pk)
    assert found(one("bought", "ever", of=of)) == {people["anna"]}
    assert found(one("bought", "in_last", 28, of=of)) == set()
    assert found(one("bought", "in_last", 29, of="any")) == {people["anna"]}
    assert found(one("product", "ever", of="mühle")) == found(one("product", "ever", of="m-1")) == {people["anna"]}
    assert people["ben"] in found(one("bought", "never", of=of))
    assert segments.sentence(one("product", "never", of="m-1")) == (
        "Everyone for whom this holds: did not buy the product “Mühle” so far."
    )


def test_who_got_a_mail_and_who_is_known_to_have_clicked(people):
    campaign = CampaignFactory(name="Spring")
    sent = {"campaign": campaign, "state": "sent", "settled_at": datetime(2026, 2, 20, 9, tzinfo=UTC)}
    seen = DeliveryFactory(customer=that(people["anna"]), tracking="person", **sent)
    DeliveryFactory(customer=that(people["ben"]), tracking="totals", **sent)
    of = str(campaign.pk)
    assert found(one("got", "ever", of=of)) == {people["anna"], people["ben"]}
    assert found(one("got_recipe", "not_in_last", 9, of="newsletter")) == set(people.values())
    assert found(one("got_recipe", "never", of="birthday")) == set(people.values())
    assert found(one("clicked", "never", of=of)) == {people["anna"]}, "of Ben nobody may know"
    link = Link.objects.create(code="a", campaign=campaign, position=0, target="https://shop.test", good_until=now())
    MailUse.objects.create(delivery=seen, kind="click", link=link, at=datetime(2026, 2, 21, 9, tzinfo=UTC))
    assert found(one("clicked", "ever", of=of)) == {people["anna"]}
    assert found(one("clicked", "never", of=of)) == set()
    assert unknown(one("clicked", "ever", of="any")) == {people["ben"], people["new"]}


# Every field can be asked


@pytest.fixture
def stock(people):
    """One of everything that a rule can name."""
    beans = Category.objects.create(source=SourceFactory(), external_id="c", name="Beans")
    Product.objects.create(source=SourceFactory(), external_id="M-1", name="Mill", category=beans)
    CustomerKey.objects.create(source=SourceFactory(), external_id="k", customer_id=people["anna"])
    CampaignFactory(launched_at=now())
    UserFactory(first_name="Kim", last_name="Winter")
    from loyalty.models import CouponBatch

    CouponBatch.objects.create(title="Ten", kind="amount", value=10)
    regulars = Segment.objects.create(name="Regulars", rule=group("all", one("stage", "is", "regular")))
    chosen = Segment.objects.create(name="Chosen", kind="list")
    SegmentMember.objects.create(segment=chosen, customer_id=people["ben"])
    Transition.objects.create(customer_id=people["anna"], from_stage="repeat", to_stage="regular", happened_on=TODAY,
                              inputs={}, rules_version=1)  # fmt: skip
    LifetimeValue.objects.create(customer_id=people["anna"], orders=2, chance=0.5, value=30)
    InteractionFactory(customer=that(people["anna"]))
    AnswerFactory(customer=that(people["anna"]))
    return {"segment": regulars, "list": chosen}


def value_for(field, operator, draw):
    """A value that a field takes."""
    kind = field.kind
    if operator in ("known", "unknown", "ever", "never"):
        return None
    if isinstance(kind, kinds.YesNo):
        return draw(st.booleans())
    if field.options and not field.of_text:
        codes = sorted(Known().of(field.options))
        if operator in ("one_of", "none_of"):
            return draw(st.lists(st.sampled_from(codes), min_size=1, max_size=3, unique=True))
        return draw(st.sampled_from(codes))
    if isinstance(kind, kinds.Text):
        word = st.text(
            st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=9
        ).filter(str.strip)
        return draw(st.lists(word, min_size=1, max_size=3)) if operator == "one_of" else draw(word)
    if isinstance(kind, kinds.Number):
        number = st.integers(-300, 300) | st.floats(-1e12, 1e12)
        return sorted(draw(st.tuples(number, number))) if operator == "between" else draw(number)
    if operator in days.RELATIVE:
        return draw(st.integers(1, 366))
    day = st.dates(days.FIRST, days.LAST).map(date.isoformat)
    return sorted(draw(st.tuples(day, day))) if operator == "between" else draw(day)


@st.composite
def any_condition(draw, fields=FIELDS):
    field = draw(st.sampled_from(fields))
    operator = draw(st.sampled_from(field.kind.operators))
    made = {"field": field.code, "operator": operator, "value": value_for(field, operator, draw)}
    if field.of:
        made["of"] = draw(st.sampled_from(sorted(Known().of(field.of))))
    if field.of_text:
        made["of"] = "M-1" if field.options else draw(st.sampled_from(["colour", "it's; \"%(x)s %"]))
    return made


def any_tree(fields=FIELDS, deep=2):
    inner = any_condition(fields) if deep == 0 else any_condition(fields) | any_tree(fields, deep - 1)
    return st.builds(
        lambda match, rules: {"match": match, "rules": rules},
        st.sampled_from(["all", "any", "none"]),
        st.lists(inner, min_size=1, max_size=3),
    )


quickly = settings(
    max_examples=20, deadline=None, suppress_health_check=list(HealthCheck), database=None, derandomize=True
)


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.code)
@settings(parent=quickly, max_examples=3)
@given(data=st.data())
def test_every_field_can_be_asked_and_read(stock, field, data):
    rule = data.draw(any_condition([field]))
    assert segments.problems(rule) == []
    assert found(rule) | found(group("none", rule)) | unknown(rule) == everybody()
    assert "(gone)" not in segments.sentence(rule)
    assert segments.sentence(rule).count("%") == str(rule).count("%") or "%" not in str(rule)


@quickly
@given(data=st.data())
def test_every_tree_divides_the_customers_into_yes_no_and_unknown(stock, data):
    rule = data.draw(any_tree())
    yes, no, rest = found(rule), found(group("none", rule)), unknown(rule)
    assert yes | no | rest == everybody()
    assert len(yes) + len(no) + len(rest) == len(everybody())
    for pk in everybody():
        met = segments.explain(rule, pk)[0].met
        assert {"yes": yes, "no": no, "unknown": rest}[met] >= {pk}
