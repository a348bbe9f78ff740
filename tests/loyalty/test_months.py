"""Past month ends: judged from what was known by then, kept compactly, and every number opens its people."""

import csv
import io
import re
from datetime import UTC, date, datetime

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from loyalty import figures, month_counts, months, scoring
from loyalty.models import MonthEnd, RuleSet, Standing, StoredFigure
from tests.factories import NOW, BarrierFactFactory, CustomerFactory, PurchaseFactory, UserFactory
from tests.loyalty.shop import ago, buyer, fond

pytestmark = pytest.mark.django_db

PAGES = ["/insights/", "/insights/stages/", "/insights/migration/", "/insights/bond/"]


@pytest.fixture
def support():
    client = Client()
    client.force_login(UserFactory(role="support"), backend="django.contrib.auth.backends.ModelBackend")
    return client


def at(text):
    return datetime.fromisoformat(f"{text}T12:00:00").replace(tzinfo=UTC)


def bought(*days, customer=None):
    customer = customer or CustomerFactory()
    for day in days:
        PurchaseFactory(customer=customer, ordered_at=at(day))
    return customer


def first_of(n):
    """The first day of the month n months before this one."""
    return months.plus(months.first_day(NOW.date()), -n)


def in_month(n, day=10):
    return first_of(n).replace(day=day).isoformat()


def words(html):
    return " ".join(re.sub(r"<[^>]+>", " ", str(html)).split())


def stages_of(customer):
    return Standing.objects.get(customer=customer).stages


def test_each_month_holds_what_was_known_by_its_end():
    one = bought(in_month(4), in_month(3), in_month(2))
    later = bought(in_month(1))
    assert months.fill().judged == 4
    assert stages_of(one) == "1233"
    assert stages_of(later) == "---1"
    assert [end.month for end in MonthEnd.objects.order_by("place")] == [first_of(n) for n in (4, 3, 2, 1)]


def test_a_prospect_is_known_from_the_day_of_their_record():
    bought(in_month(3))
    from crm.models import Customer

    known = CustomerFactory()
    Customer.objects.filter(pk=known.pk).update(since=first_of(2))
    stranger = CustomerFactory()
    Customer.objects.filter(pk=stranger.pk).update(created_at=NOW)
    months.fill()
    assert stages_of(known) == "-00"
    assert not Standing.objects.filter(customer=stranger).exists()


def test_months_agree_with_the_judgement_of_that_day():
    for n in range(12):
        fond(buyer(*range(20 + n, 300, 17 + n)), 8)
    months.fill()
    for end in MonthEnd.objects.all():
        _outcome, standing = scoring.score_past(months.last_day(end.month))
        expected = {}
        for stage, _status, n in standing:
            expected[stage] = expected.get(stage, 0) + n
        counted = month_counts.by_code(end, "stage")
        for stage in set(expected) - {"prospect"}:
            assert counted[stage] == expected[stage]


def test_filling_can_stop_and_goes_on():
    bought(in_month(5), in_month(2))
    done = months.fill(seconds=0)
    assert (done.judged, done.left) == (1, 4)
    assert months.fill(seconds=0) == months.Progress(1, 3)
    months.fill()
    assert months.fill(facts=True) == months.Progress(0, 0)


def test_a_late_purchase_makes_its_months_due_again():
    customer = bought(in_month(4))
    months.fill()
    assert stages_of(customer) == "1111"
    bought(in_month(2), customer=customer)
    assert months.fill().judged == 0
    assert months.fill(facts=True).judged == 2
    assert stages_of(customer) == "1122"
    older = bought(in_month(6))
    months.fill(facts=True)
    assert stages_of(older) == "111111"
    assert stages_of(customer) == "--1122"


def test_other_rules_judge_all_months_again():
    customer = bought(in_month(3), in_month(2))
    months.fill()
    RuleSet.objects.create(version=2, values={"regular_orders": 2, "regular_orders_short_cycle": 2})
    assert months.fill().judged == 3
    assert stages_of(customer) == "133"
    assert set(MonthEnd.objects.values_list("rules_version", flat=True)) == {2}


def test_who_is_no_longer_known_then_is_blanked():
    customer = bought(in_month(2))
    bought(in_month(3))
    months.fill()
    customer.purchases.update(ordered_on=first_of(1), ordered_at=at(in_month(1)))
    months.judge(first_of(2))
    assert stages_of(customer) == "--1"


def test_a_shop_without_a_whole_month_has_no_history():
    assert months.fill() == months.Progress(0, 0)
    buyer(0)
    assert months.fill(facts=True) == months.Progress(0, 0)


def test_two_who_fill_do_it_once():
    import psycopg2

    bought(in_month(2))
    other = psycopg2.connect(**{
        key: value for key, value in connection.get_connection_params().items()
        if key in ("dbname", "user", "password", "host", "port")
    })  # fmt: skip
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [months.LOCK])
    assert months.fill() == months.Progress(0, 0)
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_unlock(%s)", [months.LOCK])
    other.close()
    assert months.fill().judged == 2


def test_a_pinned_day_has_no_month_ends():
    bought(in_month(3))
    scoring.score_past(first_of(1), store=True)
    assert months.fill(facts=True) == months.Progress(0, 0)


def test_more_months_do_not_shift_the_old_ones():
    import time_machine as machine

    customer = bought(in_month(2))
    months.fill()
    with machine.travel(datetime(NOW.year + 1, 2, 3, tzinfo=UTC), tick=False):
        assert months.fill(facts=True).judged >= 2
        assert stages_of(customer).startswith("11")
        assert MonthEnd.objects.order_by("place").first().place == 0


# The pages


@pytest.fixture
def shop():
    for n in range(3):
        bought(in_month(4), in_month(3, 11), in_month(2), in_month(1))
        bought(in_month(3 - n))
        fond(buyer(5, 25, 45), 8)
    captive = fond(buyer(5, 25, 45), 2)
    for signal in ("exit_fee", "prepaid_term", "owns_system", "only_supplier"):
        BarrierFactFactory(customer=captive, signal=signal, recorded_at=ago(80))
    BarrierFactFactory(customer=captive, signal="remaining_months", value=24, recorded_at=ago(80))
    CustomerFactory()
    buyer(2000, 2100)
    scoring.score_all()
    months.fill()


def tables_of(client, address):
    page = client.get(address)
    assert page.status_code == 200
    return [picture.table for picture in page.context["pictures"]]


def linked(table):
    return [cell for row in table.cells for _column, cell in row if cell.url]


@pytest.mark.parametrize("address", ["/insights/stages/?months=12", "/insights/bond/"])
def test_every_number_opens_as_many_people_as_it_says(shop, support, address):
    opened = set()
    for table in tables_of(support, address):
        for cell in linked(table)[-12:]:
            if cell.url in opened:
                continue
            opened.add(cell.url)
            context = support.get(cell.url).context
            assert not any(field.errors for field, _chosen in context["filters"])
            assert context["total"] == cell.value, (cell.url, cell.value)
    assert len(opened) > 20


@pytest.mark.parametrize("span", [1, 3, 12])
def test_every_movement_opens_those_who_moved(shop, support, span):
    opened = 0
    for table in tables_of(support, f"/insights/migration/?span={span}"):
        for cell in linked(table)[:30]:
            assert support.get(cell.url).context["total"] == cell.value, (cell.url, cell.value)
            opened += 1
    assert opened > 20


def test_rows_of_the_matrix_sum_to_who_stood_there(shop, support):
    matrix = tables_of(support, "/insights/migration/?span=1")[0]
    for row in matrix.cells:
        assert sum(cell.value for _column, cell in row[1:-1]) == row[-1][1].value


def test_the_list_says_in_words_what_was_chosen(shop, support):
    month = month_counts.address(first_of(1))
    page = words(support.get(f"/customers/?stood={month}.stage.regular").content.decode())
    assert "Regular customer at the end of" in page
    assert "Stood" not in words(support.get("/customers/").content.decode())


@pytest.mark.parametrize(
    "query",
    ["stood=2026-13.stage.regular", "stood=x", "stood=2026-09.stage.nothing", "stood=2026-09.hair.red",
     "moved=2026-09.up", "moved=2026-09.2026-10.sideways", "score=contractual.12", "score=..", "stood=%00",
     "stood=9999999-01.stage.regular", "stood=" + "x" * 500, "rfm=m~1e999~2", "rfm=m~NaN~1"],
)  # fmt: skip
def test_a_broken_filter_is_said_and_breaks_nothing(shop, support, query):
    page = support.get(f"/customers/?{query}")
    assert page.status_code == 200
    assert any(field.errors for field, _chosen in page.context["filters"])


def test_pages_cost_the_same_for_two_and_for_forty_customers(support):
    bought(in_month(4), in_month(1))
    scoring.score_all()
    months.fill()
    few = {}
    for page in PAGES:
        with CaptureQueriesContext(connection) as seen:
            assert support.get(page).status_code == 200
        few[page] = len(seen)
    for _ in range(38):
        bought(in_month(4), in_month(1))
    scoring.score_all()
    months.fill(again=True)
    for page in PAGES:
        with CaptureQueriesContext(connection) as seen:
            support.get(page)
        assert len(seen) == few[page], page


@pytest.mark.parametrize("page", PAGES)
def test_pages_stand_in_an_empty_shop_and_with_one_customer(support, page):
    assert support.get(page).status_code == 200
    CustomerFactory()
    scoring.score_all()
    assert support.get(page).status_code == 200
    bought(in_month(1))
    scoring.score_all()
    assert support.get(page).status_code == 200
    months.fill()
    assert support.get(page).status_code == 200


@pytest.mark.parametrize("page", PAGES)
def test_nobody_sees_a_page_without_signing_in(page):
    assert Client().get(page).status_code == 302


@pytest.mark.parametrize("query", ["?months=0", "?months=x", "?span=-1&month=2026-99", "?span=²"])
def test_a_broken_choice_is_the_first_one(shop, support, query):
    for page in PAGES:
        assert support.get(page + query).status_code == 200


# Files


def file_of(client, address):
    response = client.get(address)
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response.content.startswith("\ufeff".encode())
    return list(csv.reader(io.StringIO(response.content.decode("utf-8-sig"))))


def test_every_table_can_be_taken_as_a_file(shop, support):
    for page in PAGES[1:]:
        for table in tables_of(support, page):
            rows = file_of(support, f"{page}?format=csv&table={table.code}")
            assert len(rows) == len(table.rows) + 1
            assert {len(row) for row in rows} == {len(rows[0])}
    assert support.get("/insights/stages/?format=csv&table=nothing").status_code == 404


def test_the_overview_hands_out_its_tables_too(shop, support):
    for code, rows in (("stages-now", 6), ("statuses-now", 5), ("bonds-now", 4)):
        found = file_of(support, f"/insights/?format=csv&table={code}")
        assert len(found) == rows + 1
    assert found[0][2:] == ["Share", "Share (low)", "Share (high)"]


def test_files_are_the_same_in_every_language(shop):
    found = []
    for language in ("de", "en"):
        client = Client()
        user = UserFactory(role="support", language=language)
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        found.append([row[1:] for row in file_of(client, "/insights/bond/?format=csv&table=captive")[1:]])
    assert found[0] == found[1]


def test_no_text_of_a_file_is_a_formula():
    from loyalty.insights import Column, Table, as_csv

    table = Table("t", "t", [Column("=A", "text"), Column("n")], [["=cmd()", -5], ["@x", 0.25], ["-1", None]])
    rows = list(csv.reader(io.StringIO(as_csv([table], "t").content.decode("utf-8-sig"))))
    assert rows == [["'=A", "n"], ["'=cmd()", "-5"], ["'@x", "0.25"], ["'-1", ""]]


# Stored figures


def large(monkeypatch):
    monkeypatch.setattr(figures, "SMALL", -1)


def test_a_large_shop_never_computes_for_a_page(shop, support, monkeypatch):
    StoredFigure.objects.all().delete()
    large(monkeypatch)
    page = words(support.get("/insights/").content.decode())
    assert "Being computed" in page
    assert StoredFigure.objects.get(name="overview").wanted_at is not None
    assert figures.refresh_wanted() == 1
    assert "regular" in words(support.get("/insights/").content.decode())
    assert figures.refresh_wanted() == 0


def test_an_outdated_figure_says_so_and_can_be_asked_for_anew(shop, support, monkeypatch):
    large(monkeypatch)
    figures.refresh("overview")
    StoredFigure.objects.filter(name="overview").update(computed_at=ago(2), as_of=date(2026, 1, 1))
    page = support.get("/insights/").content.decode()
    assert "Customers have been judged since." in words(page)
    answer = support.post("/insights/refresh/", {"name": "overview", "parameters": "", "next": "/insights/"})
    assert (answer.status_code, answer["Location"]) == (302, "/insights/")
    assert figures.refresh_wanted() == 1
    assert "Customers have been judged since." not in words(support.get("/insights/").content.decode())


def test_asking_for_a_strange_figure_is_refused(support):
    assert support.post("/insights/refresh/", {"name": "passwords"}).status_code == 404
    answer = support.post("/insights/refresh/", {"name": "overview", "next": "https://evil.example/"})
    assert answer["Location"] == "/insights/"


def test_stored_and_live_figures_are_alike(shop):
    stored = figures.refresh("overview")
    assert StoredFigure.objects.get(pk=stored.pk).value == figures.show("overview").value


def test_figures_nobody_looks_at_are_dropped():
    figures.refresh("overview")
    StoredFigure.objects.update(asked_at=ago(60).date())
    StoredFigure.objects.create(name="gone with an update", asked_at=NOW.date())
    figures.due_figures()
    assert not StoredFigure.objects.exists()


def test_the_application_may_write_what_it_computes(app_cursor):
    for table in ("loyalty_storedfigure", "loyalty_monthend", "loyalty_standing"):
        app_cursor.execute("SELECT has_table_privilege(%s, 'INSERT, DELETE')", [table])
        assert app_cursor.fetchone()[0]
