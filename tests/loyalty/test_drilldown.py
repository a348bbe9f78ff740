"""Every number of every insights page that counts customers opens exactly these customers."""

from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.http import QueryDict
from django.test import Client

from crm.filters import customer_filter
from crm.models import Answer, Category, Customer, Purchase
from crm.paging import counted, page_of
from loyalty import months, scoring
from loyalty.models import LifetimeFit, LifetimeValue
from tests.factories import NOW, CustomerFactory, InteractionFactory, UserFactory
from tests.loyalty.crowd import crowd, shoppers
from tests.loyalty.shop import answers, fond
from tests.loyalty.test_motivators import says
from tests.loyalty.test_nev import felt

pytestmark = pytest.mark.django_db

PAGES = (
    "stages/", "migration/?span=3", "bond/", "feelings/?form=short", "feelings/?form=tags&by=quarter", "motivators/",
    "cohorts/", "cohorts/?show=customers", "cohorts/?show=revenue", "behaviour/?days=60", "what-if/",
)  # fmt: skip
# Numbers that count something else than customers, by table and column; they open nobody or the customers behind them.
NO_PEOPLE = {("cohorts-coming-back", "Cohorts")}
OTHER_COUNT = {("nev-touchpoints", "Answers"), ("nev-time", "Answers")}


@pytest.fixture
def shop(monkeypatch):
    made = crowd(shoppers(40, 700))
    source = Purchase.objects.first().source
    coffee, tea = (Category.objects.create(source=source, external_id=name, name=name).pk for name in ("Kaffee", "Tee"))
    Purchase.objects.filter(customer__in=made[::3]).update(categories=[coffee, tea])
    Purchase.objects.filter(customer__in=made[1::3]).update(categories=[tea])
    recent = Purchase.objects.filter(customer__in=made[1::3], ordered_on__gt=(NOW - timedelta(days=200)).date())
    recent.update(categories=[coffee])
    for at, customer in enumerate(made[:14]):
        felt(customer, 3 + at % 7, 2, 5 + 9 * at)
        Answer.objects.filter(customer=customer).update(touchpoint="advice" if at < 8 else "delivery")
        fond(customer, 2 + at % 9, 20)
        answers(customer, 30, nps=at % 11, disconfirmation=at % 3 - 1, ces=4, wallet_share=40)
        says(customer, "secure" if at % 2 else "thrill", 5 + at % 6, at % 11)
        contact = InteractionFactory(customer=customer, touchpoint="service")
        contact.emotions.create(slot=1, emotion="happy", origin="customer_self" if at < 9 else "staff_estimate")
    for _ in range(6):
        felt(CustomerFactory(), 1, 9, origin="staff_estimate")
    CustomerFactory(since=(NOW - timedelta(days=90)).date())
    scoring.score_all()
    monkeypatch.setattr(months, "KEPT", 5)
    months.fill()
    LifetimeFit.objects.create(
        as_of=NOW.date(), since=NOW.date(), customers=40, repeaters=40, months=12, margin=1, discount_rate=0.1,
        rules_version=1, predicted=95, actual=100, test_from=NOW.date(), spending={"p": 6, "q": 4, "gamma": 15},
        parameters={"r": 0.2, "alpha": 4, "a": 0.8, "b": 2},
    )  # fmt: skip
    LifetimeValue.objects.bulk_create(LifetimeValue(customer=one, orders=1, chance=0.5, value=10) for one in made)


def tables_of(context):
    pictures = [*context.get("pictures", []), context.get("everything"), context.get("answered")]
    if "expected" in context:
        pictures += context["expected"].pictures
    return [picture.table for picture in pictures if picture]


def counts(table):
    """(row, column, cell) of whole numbers of the first and the last rows."""
    rows = table.cells
    for row in [*rows[:4], *rows[4:][-2:]]:
        for column, cell in row[1:]:
            if column.kind == "number" and not column.places and isinstance(cell.value, int) and cell.value:
                yield row[0][1].value, str(column.label), cell


def people(url):
    found = customer_filter(QueryDict(urlsplit(url).query), Customer.objects.filter(merged_into=None, erased_at=None))
    assert not found.form.errors, (url, found.form.errors)
    return found.qs.count()


def test_every_number_of_customers_opens_them(shop):
    client = Client()
    client.force_login(UserFactory(role="marketer"), backend="django.contrib.auth.backends.ModelBackend")
    opened: dict[str, int] = {}
    codes = set()
    for page in PAGES:
        response = client.get(f"/insights/{page}")
        assert response.status_code == 200
        for table in tables_of(response.context):
            codes.add(table.code)
            for row, label, cell in counts(table):
                where = (page, table.code, row, label, cell.value, cell.url)
                if (table.code, label) in NO_PEOPLE or (table.code == "intervals" and not cell.url):
                    continue
                assert cell.url, where
                if cell.url not in opened:
                    opened[cell.url] = people(cell.url)
                if (table.code, label) in OTHER_COUNT or counts_orders(table, row, label):
                    assert 0 < opened[cell.url] <= cell.value, where
                else:
                    assert opened[cell.url] == cell.value, where
    assert {
        "stages", "statuses", "migration", "moves", "bonds", "lock_in", "will", "bonds-by-month", "captive", "high-scores",
        "nev-touchpoints", "nev-time", "nev-team", "answers", "motivators", "cohorts-coming-back", "cohorts-customers",
        "repurchase", "repurchase-cohorts", "intervals", "cross-buying", "rfm", "rfm-classes", "lifetime", "retention-base",
        "stage-values",
    } <= codes  # fmt: skip
    assert len(opened) > 100


def test_a_list_gathers_its_customers_once(shop, django_assert_max_num_queries):
    """What costs seconds for a million customers is asked neither for the count nor for the page again."""
    for chosen, table in (
        ("said=nps", "crm_answer"), ("felt=short...", "crm_answer"), ("moved_by=secure", "crm_motivatorevidence"),
        ("connected=no", "crm_motivatorevidence"), ("stood=2026-10.stage.first_time", "loyalty_standing"),
    ):  # fmt: skip
        with django_assert_max_num_queries(20) as asked:
            found = customer_filter(QueryDict(chosen), Customer.objects.filter(merged_into=None, erased_at=None)).qs
            assert counted(found)[0] == len(page_of(found, "sort_key").rows) > 0, chosen
        gathered = [one["sql"] for one in asked.captured_queries if table in one["sql"]]
        assert len(gathered) == 1, (chosen, gathered)


@pytest.mark.parametrize(("chosen", "index"), [("said=nps", "crm_answer_latest"), ("felt=short...", "crm_answer_felt")])
def test_an_index_alone_tells_who_answered(chosen, index, db, django_assert_max_num_queries):
    with django_assert_max_num_queries(20) as asked:
        assert not customer_filter(QueryDict(chosen), Customer.objects.all()).qs
    (statement,) = (one["sql"] for one in asked.captured_queries if "FROM crm_answer" in one["sql"])
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        cursor.execute(f"EXPLAIN {statement}")
        assert any(f"Index Only Scan using {index}" in line for (line,) in cursor.fetchall())


def counts_orders(table, row, label):
    return (table.code == "repurchase" and row.startswith("WKR-B")) or (
        table.code == "intervals" and label == "Completed"
    )
