"""crm without the apps above it, and each hook by which they may add to it.

`PLUGIN_TESTS` names the test of every hook, so that a new hook without one is noticed.
"""

import json
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from io import StringIO

import django_filters
import pytest
from django.conf import settings as django_settings
from django.core.management import call_command
from django.db.models import Value
from django.utils import timezone

from crm import invariants, plugins, worklist
from crm.models import BarrierFact, ChangedCustomer, Customer
from crm.plugins import BarrierSignal, Column, ListAction, NavEntry, Notice, Panel, Plugin, TimelineEntry
from crm.privacy import erasure, export, registry, retention, sealed
from crm.privacy.registry import Fate, Table
from crm.privacy.retention import Rule
from crm.privacy.sections import Section
from crm.worklist_rows import Entry
from tests.factories import NOW, ComplaintFactory, CustomerFactory, EmailFactory, PurchaseFactory, UserFactory

pytestmark = pytest.mark.django_db

PLUGIN_TESTS = {
    "panels": "test_panels_stand_in_their_slots",
    "timeline": "test_moments_of_a_plugin_stand_between_our_own",
    "timeline_counts": "test_moments_of_a_plugin_stand_between_our_own",
    "list_columns": "test_a_plugins_column_is_shown_from_its_own_query",
    "list_queryset": "test_a_plugins_column_is_shown_from_its_own_query",
    "list_actions": "test_a_plugins_action_takes_the_lists_filters_along",
    "filters": "test_a_plugins_filter_narrows_the_list",
    "worklist": "test_what_a_plugin_asks_for_waits_with_the_rest",
    "notices": "test_what_a_plugin_wants_known_stands_on_today",
    "greetings": "test_whom_a_plugin_greets_waits_for_nobody",
    "labels": "test_what_a_plugin_calls_things_is_what_pages_say",
    "barrier_signals": "test_staff_record_the_facts_a_plugin_asks_for",
    "invariants": "test_a_plugins_invariants_are_proved_too",
    "readiness": "test_a_plugin_that_is_not_ready_is_named",
    "on_withdraw": "test_a_withdrawal_tells_the_plugins",
    "after_withdraw": "test_a_withdrawal_tells_the_plugins",
    "personal_data": "test_a_plugins_tables_are_classified_with_ours",
    "export": "test_what_a_plugin_knows_is_handed_out",
    "code_words": "test_a_plugins_words_stand_for_its_codes",
    "letters": "test_an_erasure_seals_a_plugins_letters",
    "seed": "test_a_plugin_adds_to_the_invented_shop",
    "before_erase": "test_an_erasure_reaches_the_plugins",
    "erase": "test_an_erasure_reaches_the_plugins",
    "retention": "test_a_plugins_rule_of_retention_is_reported",
}


class TestPlugin(Plugin):
    """A tiny upper app."""

    __test__ = False
    timeline_kinds = {"echo": "Echoes"}
    nav = (NavEntry("Echo page", "customers", "bell", "customers.view", 30),)

    def __init__(self) -> None:
        self.told: list[tuple] = []

    def panels(self, customer, user):
        # Templates of crm, used as the upper apps use their own.
        for slot in ("side", "alert", "main", "standing"):
            yield Panel(slot, "components/brand.html", {"small": f"slot {slot} for {customer.pk}"})

    def timeline(self, customer, kinds, before, limit):
        moments = [
            TimelineEntry(NOW - timedelta(days=n, hours=1), "echo", "bell", f"Echo {n}", text="of <b>it</b>")
            for n in range(3)
        ]
        return [moment for moment in moments if "echo" in kinds and moment.at < before][:limit]

    def timeline_counts(self, customer):
        return {"echo": 3}

    def list_columns(self):
        return [Column("loud", "Loudness", "components/brand.html", 10)]

    def list_queryset(self, customers):
        return customers.annotate(small=Value("very loud"))

    def list_actions(self, user):
        return [ListAction("Shout at them", "/shout/", "bell")]

    def filters(self):
        return {
            "family": django_filters.CharFilter(label="Family", field_name="family_name", lookup_expr="iexact"),
        }

    def barrier_signals(self):
        return [
            BarrierSignal("term", "Remaining term", "months", "From the contract."),
            BarrierSignal("parts", "Needs our parts", "flag"),
            BarrierSignal("share", "Share of spending", "share"),
            BarrierSignal("fee", "Exit fee", "money"),
        ]

    def worklist(self, user, limit):
        return [
            Entry("echo-1", "data", Customer.objects.earliest("pk").pk, "users", "now", "Echoes.", "Listen", "eye", url="/"),
        ] if Customer.objects.exists() else []  # fmt: skip

    def greetings(self, day, customer_ids):
        self.told.append(("greet", day, tuple(customer_ids)))
        return {}

    def labels(self):
        return {"touchpoint.service": {"en": "Echo desk"}}

    def readiness(self):
        return [("echo", "no wall")]

    def on_withdraw(self, customer_id, purposes, channel):
        self.told.append(("on", customer_id, tuple(purposes), channel))

    def after_withdraw(self, customer_id):
        self.told.append(("after", customer_id))

    def personal_data(self):
        return [Table("crm.Echo", Fate.DELETE)]

    def export(self, customer, customer_ids):
        return [Section("echoes", "Echoes", ["of"], [[one] for one in customer_ids])]

    def code_words(self):
        return {"crm.MotivatorEvidence.motivator": {"echo": "Hearing oneself"}}

    def letters(self, customer_ids):
        return [(NOW, {"kind": "echo", "subject": "Echo letter", "at": NOW.isoformat(), "text": "It echoed."})]

    def before_erase(self):
        self.told.append(("before erase",))

    def erase(self, customer_ids, shell_id):
        self.told.append(("erase", list(customer_ids), shell_id))
        return 5

    def seed(self, seed, until):
        self.told.append(("seed", seed, until, Customer.objects.exists()))

    def retention(self):
        return [Rule("echoes", "Echoes", "1 day", "", Customer.objects.all, lambda rows: 0, "created_at")]


@pytest.fixture
def plugin(alone) -> TestPlugin:
    added = TestPlugin()
    plugins.register(added)
    return added


def full_customer() -> Customer:
    customer = EmailFactory().customer
    PurchaseFactory(customer=customer)
    ComplaintFactory(customer=customer)
    return customer


def test_the_pages_of_crm_work_with_nothing_above(alone, as_staff):
    customer, browser = full_customer(), as_staff("admin")
    for url in (
        "/customers/", "/customers/?q=beispiel", f"/customers/{customer.pk}/", f"/customers/{customer.pk}/?kind=purchase",
        customer.complaints.get().get_absolute_url(), "/settings/", "/settings/sources/", "/readyz",
    ):  # fmt: skip
        assert browser.get(url).status_code == 200, url
    assert "What no system knows" not in browser.get(f"/customers/{customer.pk}/").content.decode()


ALONE = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
import json, sys
from django.conf import settings
settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app not in ("loyalty", "campaigns")]
settings.ROOT_URLCONF = "tests.crm.alone_urls"
settings.ALLOWED_HOSTS = ["testserver"]
import django
django.setup()
from django.core.management import call_command
from django.test import Client
from crm.models import User
call_command("check")
browser = Client()
browser.force_login(User.objects.get(username="alone"), backend="django.contrib.auth.backends.ModelBackend")
print(json.dumps({
    "loaded": [name for name in sys.modules if name.split(".")[0] in ("loyalty", "campaigns")],
    "answers": {url: browser.get(url).status_code for url in sys.argv[1:]},
}))
"""


@pytest.mark.django_db(transaction=True)
def test_a_process_without_the_upper_apps_serves_the_pages(process_environment):
    """Not merely without their plugins: they are not installed, and nothing imports them."""
    from tests.factories import UserFactory

    UserFactory(username="alone", role="admin")
    customer = full_customer()
    urls = ["/customers/", f"/customers/{customer.pk}/", "/settings/", "/settings/sources/", "/healthz"]
    ran = subprocess.run(
        [sys.executable, "-c", ALONE, *urls],
        env=process_environment,
        cwd=django_settings.BASE_DIR,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout.splitlines()[-1])
    assert told["loaded"] == []
    assert told["answers"] == dict.fromkeys(urls, 200)


def test_every_hook_has_its_test():
    hooks = {name for name, one in vars(Plugin).items() if callable(one) and not name.startswith("_")}
    assert hooks == set(PLUGIN_TESTS)
    assert all(name in globals() for name in PLUGIN_TESTS.values())


def test_a_plugin_that_overrides_nothing_changes_nothing(alone, as_staff, count_queries):
    customer, browser = full_customer(), as_staff("admin")
    urls = ("/customers/", f"/customers/{customer.pk}/")
    before = [browser.get(url).content for url in urls]
    plugins.register(Plugin())
    masked = [without_tokens(page) for page in before]
    assert [without_tokens(browser.get(url).content) for url in urls] == masked


def without_tokens(page: bytes) -> str:
    import re

    return re.sub(r'("csrfmiddlewaretoken" value|X-CSRFToken"|nonce)[=:] ?"[^"]*"', "", page.decode())


def test_a_plugin_registered_twice_is_asked_once(plugin):
    plugins.register(TestPlugin())
    assert [type(one) for one in plugins.registered()] == [TestPlugin]


def test_panels_stand_in_their_slots(plugin, as_staff):
    customer = full_customer()
    page = as_staff().get(f"/customers/{customer.pk}/").content.decode()
    places = [page.index(f"slot {slot} for {customer.pk}") for slot in ("alert", "standing", "main", "side")]
    assert places == sorted(places)
    assert page.index("Open complaint") < places[0] < page.index("May be mailed:") < places[1] < page.index("History")


def test_moments_of_a_plugin_stand_between_our_own(plugin, as_staff):
    customer = CustomerFactory()
    for n in range(2):
        PurchaseFactory(customer=customer, external_id=f"B{n}", ordered_at=NOW - timedelta(days=n))
    browser = as_staff()
    page = browser.get(f"/customers/{customer.pk}/").content.decode()
    places = [page.index(told) for told in ("Purchase B0", "Echo 0", "Purchase B1", "Echo 1", "Echo 2")]
    assert places == sorted(places) and "of &lt;b&gt;it" in page
    assert 'Echoes <span class="sk-count">3</span>' in page
    assert "Purchase B0" not in browser.get(f"/customers/{customer.pk}/?kind=echo").content.decode()
    assert "Echo 0" not in browser.get(f"/customers/{customer.pk}/?kind=purchase").content.decode()


def test_a_plugins_column_is_shown_from_its_own_query(plugin, as_staff):
    CustomerFactory()
    page = as_staff().get("/customers/")
    assert "Loudness" in page.content.decode()
    assert page.context["page"].rows[0].small == "very loud"


def test_a_plugins_filter_narrows_the_list(plugin, as_staff):
    CustomerFactory(family_name="Adler")
    CustomerFactory(family_name="Bär")
    page = as_staff().get("/customers/?family=adler&kind=person")
    assert [str(row) for row in page.context["page"].rows] == ["Anna Adler"]
    assert 'name="family" value="adler"' in page.content.decode()


def test_a_plugins_action_takes_the_lists_filters_along(plugin, as_staff):
    CustomerFactory(family_name="Adler")
    page = as_staff().get("/customers/?family=adler&kind=")
    assert 'href="/shout/?family=adler"' in page.content.decode()


def test_the_menu_shows_a_plugins_page_to_those_who_may(plugin, as_staff):
    assert "Echo page" in as_staff("support").get("/customers/").content.decode()


def test_what_a_plugin_calls_things_is_what_pages_say(plugin, as_staff):
    customer = CustomerFactory()
    assert "Echo desk" in as_staff("support", language="en").get(f"/customers/{customer.pk}/").content.decode()


def test_staff_record_the_facts_a_plugin_asks_for(plugin, as_staff):
    customer, browser = CustomerFactory(), as_staff()
    url = f"/customers/{customer.pk}/facts/"
    assert "Nothing is recorded yet" in browser.get(f"/customers/{customer.pk}/").content.decode()
    page = browser.post(
        url,
        {"term": "7", "parts": "0", "share": "35", "fee": "", "note": "Contract", "valid_until": "2099-12-31"},
        follow=True,
    ).content.decode()
    facts = {fact.signal: fact for fact in BarrierFact.objects.filter(customer=customer)}
    assert {code: float(fact.value) for code, fact in facts.items()} == {"term": 7, "parts": 0, "share": 0.35}
    assert facts["term"].recorded_by == browser.user and facts["term"].expires_at > datetime(2099, 12, 31, tzinfo=UTC)
    assert ChangedCustomer.objects.filter(customer_id=customer.pk).count() == 1
    for told in ("7 months", "35%", "Contract", "until 31 Dec 2099"):
        assert told in page


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({}, "Fill in at least one fact."),
        ({"share": "120"}, "less than or equal to 100"),
        ({"term": "-1"}, "greater than or equal to 0"),
        ({"parts": "perhaps"}, "perhaps"),
        ({"fee": "much"}, "Enter a number"),
        ({"term": "3", "valid_until": "2001-01-01"}, "This day has passed"),
        ({"unheard_of": "1"}, "Fill in at least one fact."),
    ],
)
def test_a_wrong_fact_is_answered_beside_its_field(plugin, as_staff, given, problem):
    answer = as_staff().post(f"/customers/{CustomerFactory().pk}/facts/", given)
    assert answer.status_code == 422 and problem in answer.content.decode()
    assert not BarrierFact.objects.exists()


def test_a_database_that_is_away_is_named_alone(process_environment):
    asked = (
        "import django; django.setup()\n"
        "from django.test import Client\n"
        "answer = Client().get('/readyz', headers={'host': 'localhost'})\n"
        "print(answer.status_code, answer.content.decode())"
    )
    away = process_environment | {"DATABASE_URL": "postgres://app@127.0.0.1:9/none"}
    done = subprocess.run(
        [sys.executable, "-c", asked], env=away, capture_output=True, text=True, cwd=django_settings.BASE_DIR, check=False
    )
    assert done.stdout.split(" ", 1)[0] == "503", done.stderr[-500:]
    assert json.loads(done.stdout.split(" ", 1)[1]) == {"ready": False, "database": "unreachable"}


def test_a_plugin_that_is_not_ready_is_named(plugin, client):
    answer = client.get("/readyz")
    assert answer.status_code == 503 and answer.json()["echo"] == "no wall" and answer.json()["database"] == "ok"


def test_a_withdrawal_tells_the_plugins(plugin, django_capture_on_commit_callbacks):
    from crm import consent

    customer = EmailFactory().customer
    how = consent.How(method="staff")
    with django_capture_on_commit_callbacks(execute=True):
        consent.give(customer.pk, ["newsletter"], consent.How(method="paper"))
        consent.withdraw(customer.pk, ["newsletter"], how)
    assert ("on", customer.pk, ("newsletter",), "email") in plugin.told
    assert ("after", customer.pk) in plugin.told


def test_a_plugins_tables_are_classified_with_ours(plugin):
    assert Table("crm.Echo", Fate.DELETE) in registry.tables()
    assert "crm.Echo is no model" in registry.gaps()


def test_what_a_plugin_asks_for_waits_with_the_rest(plugin):
    customer, user = CustomerFactory(), UserFactory()
    found = worklist.waiting(user)
    assert [(rows[0].text, rows[0].customer) for _title, _n, rows, _more in found.groups] == [("Echoes.", customer)]
    assert found.waiting == 1


def test_whom_a_plugin_greets_waits_for_nobody(plugin, monkeypatch):
    day = timezone.localdate()
    EmailFactory(customer=(customer := CustomerFactory(birth_month=day.month, birth_day=day.day)), is_primary=True)
    monkeypatch.setattr(plugin, "worklist", lambda user, limit: [])
    assert worklist.waiting(UserFactory()).waiting == 1
    monkeypatch.setattr(plugin, "greetings", lambda day, ids: {customer.pk: timezone.now()})
    found = worklist.waiting(UserFactory())
    assert (found.waiting, found.greeted_count, found.greeted[0][0]) == (0, 1, customer)


def test_what_a_plugin_knows_is_handed_out(plugin):
    customer = full_customer()
    echoes = [section for section in export.collect(customer) if section.code == "echoes"]
    assert [section.rows for section in echoes] == [[[customer.pk]]]


def test_a_plugins_words_stand_for_its_codes(plugin, monkeypatch):
    customer = full_customer()
    customer.motivators.create(motivator="echo", importance=8, origin="staff_note", recorded_at=NOW)
    monkeypatch.setattr(plugin, "personal_data", lambda: [])
    [section] = [one for one in export.collect(customer) if one.code == "motivatorevidence"]
    assert "Hearing oneself" in section.rows[0]


def test_an_erasure_seals_a_plugins_letters(plugin, monkeypatch):
    customer = full_customer()
    monkeypatch.setattr(plugin, "personal_data", lambda: [])
    log = erasure.erase(customer.pk)
    content = sealed.opened(log.sealed.get(kind="letters", year=NOW.year), None)
    assert "It echoed." in [letter.get("text") for letter in content["letters"]]


def test_a_plugin_adds_to_the_invented_shop(plugin):
    call_command("seed", customers=20, seed=3, until=date(2026, 11, 1), stdout=StringIO())
    assert [entry for entry in plugin.told if entry[0] == "seed"] == [("seed", 3, date(2026, 11, 1), True)]


def test_an_erasure_reaches_the_plugins(plugin, monkeypatch):
    customer = full_customer()
    monkeypatch.setattr(plugin, "personal_data", lambda: [])
    erasure.erase(customer.pk)
    told = [entry for entry in plugin.told if "erase" in entry[0]]
    assert told[0] == ("before erase",)
    assert told[1][:2] == ("erase", [customer.pk]) and told[1][2] != customer.pk
    assert not Customer.objects.filter(pk=customer.pk).exists()


def test_a_plugins_rule_of_retention_is_reported(plugin):
    full_customer()
    assert [(found.due, found.rule.code) for found in retention.report()][-1] == (1, "echoes")


def test_a_plugins_invariants_are_proved_too(alone, capsys):
    class Doubtful(Plugin):
        def invariants(self):
            yield invariants.rows_of("nobody_is_called_beispiel", "SELECT 1 FROM crm_customer WHERE family_name <> ''")

    CustomerFactory()
    call_command("verify_invariants", "--json")
    assert json.loads(capsys.readouterr().out)["ok"]
    plugins.register(Doubtful())
    with pytest.raises(SystemExit) as ended:
        call_command("verify_invariants", "--json")
    assert ended.value.code == 1
    assert {"name": "nobody_is_called_beispiel", "violations": 1} in json.loads(capsys.readouterr().out)["checks"]


def test_what_a_plugin_wants_known_stands_on_today(plugin, as_staff, monkeypatch):
    browser = as_staff()
    asked: list[str] = []
    notice = Notice("Echoes <stopped>", "Listen again.", url="/echo/", tone="due")
    monkeypatch.setattr(plugin, "notices", lambda user: asked.append(user.role) or [notice], raising=False)
    page = browser.get("/today/").content.decode()
    assert asked == ["support"]
    assert '<a class="sk-strong" href="/echo/">Echoes &lt;stopped&gt;</a>: Listen again.' in page and "sk-note is-due" in page
