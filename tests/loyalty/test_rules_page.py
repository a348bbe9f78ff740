"""Settings → Rules: values in people's units, mistakes at their field, a real preview, versions that can come back."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from crm.models import AuditEntry
from loyalty import preview as previewing
from loyalty import rulebook, rules, scoring
from loyalty.forms_rules import RulesForm, changes, in_form
from loyalty.models import Assessment, Calibration, RuleSet, Transition
from loyalty.rules import Rules
from tests.factories import BarrierFactFactory, CustomerFactory, UserFactory
from tests.loyalty.shop import after_gaps, answers, buyer, fond

pytestmark = pytest.mark.django_db

URL = "/settings/rules/"


@pytest.fixture
def admin():
    return signed_in("admin", "en")


@pytest.fixture
def queries_of():
    def count(action) -> int:
        with CaptureQueriesContext(connection) as seen:
            action()
        return len(seen)

    return count


def signed_in(role: str, language: str) -> Client:
    client = Client()
    user = UserFactory(role=role, language=language)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    client.user = user
    return client


def filled(shown: Rules | None = None, language: str = "en", base: int = 1, **own: object) -> dict[str, object]:
    """The form as a browser sends it, with some fields typed over. Dots of names are written as two underscores."""
    with translation.override(language):
        form = RulesForm(shown=shown or Rules(), base=base)
        sent = {name: form[name].value() for name in form.fields}
    typed = {name.replace("__", "-"): text for name, text in own.items()}
    return {name: "" if text is None else text for name, text in sent.items()} | typed


def save(client: Client, **own: object):
    """Preview, then save what was previewed."""
    sent = filled(**own)
    shown = client.post(URL, sent)
    assert shown.status_code == 200, shown.context["form"].errors
    return client.post(URL, sent | {"seen": shown.context["seen"]})


def test_every_rule_has_its_place_on_the_page():
    assert rulebook.uncovered() == set()
    assert {value.name for value in rulebook.listed()} == set(dict.fromkeys(v.name for v in rulebook.listed()))


def test_only_who_manages_settings_sees_the_rules(admin):
    assert admin.get(URL).status_code == 200
    assert signed_in("support", "en").get(URL).status_code == 403
    assert signed_in("marketer", "en").post(URL, filled()).status_code == 403
    assert "/settings/rules/" in admin.get("/settings/").content.decode()


def test_nothing_is_saved_before_it_was_previewed(admin):
    shown = admin.post(URL, filled(regular_orders="2"))
    assert shown.status_code == 200
    assert not RuleSet.objects.exists()
    assert shown.context["seen"]


def test_what_was_changed_after_the_preview_is_previewed_anew(admin):
    seen = admin.post(URL, filled(regular_orders="2")).context["seen"]
    again = admin.post(URL, filled(regular_orders="4") | {"seen": seen})
    assert again.status_code == 200
    assert again.context["seen"] != seen
    assert not RuleSet.objects.exists()


def test_a_saved_version_names_its_author_and_judges_everybody(admin):
    customer = buyer(10, 20)
    scoring.score_all()
    assert save(admin, regular_orders="2", note="Small town").status_code == 302
    kept = RuleSet.objects.get()
    assert (kept.version, kept.values, kept.created_by, kept.note) == (
        2,
        {"regular_orders": 2},
        admin.user,
        "Small town",
    )
    assert AuditEntry.objects.filter(actor=admin.user, action="rules_saved", kind="rules", object_id=2).exists()
    assert "being judged by the latest version" in admin.get(URL).content.decode()
    assert scoring.score_changed() == 1  # nobody's facts changed, and still everybody is judged
    assert Assessment.objects.get(customer=customer).stage == "regular"
    assert Transition.objects.get().rules_version == 2
    assert "being judged by the latest version" not in admin.get(URL).content.decode()
    assert scoring.score_changed() == 0


def test_saving_what_is_in_force_makes_no_version(admin):
    assert save(admin).status_code == 302
    assert not RuleSet.objects.exists()


def test_two_editors_cannot_overwrite_each_other(admin):
    other = signed_in("admin", "en")
    first = filled(regular_orders="2")
    seen = admin.post(URL, first).context["seen"]
    assert save(other, regular_orders="4").status_code == 302
    late = admin.post(URL, first | {"seen": seen})
    assert late.status_code == 422
    assert f"{other.user} saved version 2 while you were editing" in late.content.decode()
    assert late.context["form"]["regular_orders"].value() == "2"
    assert RuleSet.objects.get().values == {"regular_orders": 4}


@pytest.mark.parametrize(
    ("field", "typed", "message"),
    [
        ("active", "soon", "Write a number such as 1.5."),
        ("active", "", "Write a number; the preset is 1.5."),
        ("active", "4", None),
        ("overdue", "1.2", "Must be above the value before it."),
        ("regular_orders", "2.5", "Write a whole number such as 3."),
        ("regular_orders", "0", "Must be above 0."),
        ("weights__contractual", "1.5", "A weight is at most 1: then it counts in full."),
        ("weights__social", "0.95", "their weights exceed 1."),
        ("half_life_days", "3", "At least 7 days."),
        ("winsor_share", "120", "That is too much: at most 100."),
        ("cycle_months", "999999", "That is too much: at most 240."),
        ("recent_intervals", "999999", "That is too much: at most 100."),
        ("least_interval_days", "99999", "That is too much: at most 3,650."),
        ("active", "NaN", "Write a number such as 1.5."),
        ("prior_intervals", "-1", "Write 0 or more."),
        ("active_bounds__0", "5", "First the lower bound, above 0, then the upper one."),
        ("overdue_bounds__1", "2.5", "Must be above the same bound of the status before it."),
        ("attitude_mid", "80", None),
    ],
)
def test_a_wrong_value_is_answered_at_its_field(admin, field, typed, message):
    answer = admin.post(URL, filled(**{field: typed}))
    assert answer.status_code == 422
    page = answer.content.decode()
    assert "Nothing was saved." in page
    if message:
        said = [str(one) for errors in answer.context["form"].errors.values() for one in errors]
        assert any(message in one for one in said), said
        assert field.replace("__", "-") in answer.context["form"].errors
    assert not RuleSet.objects.exists()


def test_the_largest_values_of_all_can_be_judged_by(admin):
    """What may be entered must not lead past the end of the calendar."""
    customer = buyer(10, 20, 400)
    scoring.score_all()
    names = (
        "least_interval_days", "default_cycle_days", "recent_intervals", "recent_days", "hysteresis_days",
        "hysteresis_intervals", "cycle_months", "calibrate_months", "term_months", "tenure_months", "evidence_days",
        "nev_window_days", "half_life_days", "at_risk", "at_risk_bounds__1",
    )  # fmt: skip
    most = {value.field: value.most for value in rulebook.listed()}
    assert save(admin, **{name: str(most[name.replace("__", "-")]) for name in names}).status_code == 302
    scoring.score_all()
    assert admin.get(f"/customers/{customer.pk}/").status_code == 200
    assert admin.get("/insights/feelings/").status_code == 200


def test_weights_that_sum_to_nothing_are_refused(admin):
    none = {f"attitude__{code}": "0" for code in ("satisfaction", "trust", "commitment", "nev", "involvement")}
    answer = admin.post(URL, filled(**none))
    assert "All weights of the attitude are 0." in str(answer.context["form"].errors)
    lock_in = ("contractual", "technical", "monetary_loss", "procedural", "situational")
    answer = admin.post(URL, filled(**{f"weights__{code}": "0" for code in lock_in}))
    assert "All weights of the lock-in are 0." in str(answer.context["form"].errors)


def test_german_editors_write_a_comma():
    admin = signed_in("admin", "de")
    shown = admin.get(URL).context["form"]
    with translation.override("de"):
        assert 'value="1,5"' in str(shown["active"])
        assert 'value="97,5"' in str(shown["at_risk_share"])
    assert save(admin, language="de", active="1,4", at_risk_share="98,5").status_code == 302
    assert RuleSet.objects.get().values == {"active": 1.4, "at_risk_share": 0.985}


def test_a_former_version_can_come_back(admin):
    save(admin, regular_orders="2")
    save(admin, shown=rules.current(), base=2, regular_orders="4")
    form = admin.get(f"{URL}?version=2").context["form"]
    assert form["regular_orders"].value() == 2
    assert save(admin, shown=rules.of_version(2), base=3).status_code == 302
    assert [one.values for one in RuleSet.objects.order_by("version")] == [
        {"regular_orders": 2}, {"regular_orders": 4}, {"regular_orders": 2},
    ]  # fmt: skip
    assert admin.get(f"{URL}?version=1").context["form"]["regular_orders"].value() == 3
    for unknown in ("9", "x", "0", "9" * 30):
        assert admin.get(f"{URL}?version={unknown}").status_code == 404, unknown


def test_the_list_says_who_changed_what_when(admin):
    save(admin, active="1.4", further_share="30")
    page = admin.get(URL).content.decode()
    assert "Active up to: 1.5 → <b" in page
    assert "What each further lock counts: 25% → <b" in page
    assert str(admin.user) in page


def test_versions_cost_the_same_for_two_and_for_forty(admin, queries_of):
    RuleSet.objects.create(version=2, values={"active": 1.4}, created_by=UserFactory())
    RuleSet.objects.create(version=3, values={"active": 1.3}, created_by=UserFactory())
    few = queries_of(lambda: admin.get(URL))
    for version in range(4, 44):
        RuleSet.objects.create(version=version, values={"active": 1 + version / 100}, created_by=UserFactory())
    assert queries_of(lambda: admin.get(URL)) == few


# What would change


def test_the_preview_is_what_judging_then_finds(admin):
    soon, never = buyer(10, 20), buyer(10)
    fond(soon, 8)
    BarrierFactFactory(customer=never, signal="exit_fee")
    scoring.score_all()
    found = previewing.preview(rules.parse({"regular_orders": 2}, 2))
    assert (found.customers, found.judged, found.sampled) == (2, 2, False)
    stages = {pair: cell.n for pair, cell in found.moves["stage"].cells.items()}
    assert stages == {("repeat", "loyal"): 1, ("first_time", "first_time"): 1}
    assert found.moves["stage"].cells["repeat", "loyal"].examples == [soon]
    assert found.moves["type"].cells["latent", "true"].n == 1
    assert found.moves["status"].n == 0
    RuleSet.objects.create(version=2, values={"regular_orders": 2})
    scoring.score_all()
    assert set(Assessment.objects.values_list("raw_stage", flat=True)) == {"loyal", "first_time"}


def test_the_page_shows_from_where_to_where_with_examples(admin):
    customer = buyer(10, 20, customer=CustomerFactory(given_name="Ada", family_name="Muster"))
    scoring.score_all()
    page = admin.post(URL, filled(regular_orders="2")).content.decode()
    assert "1 customer would change stage" in page
    assert f'href="/customers/{customer.pk}/">' in page
    assert "Nobody would change status" in page
    assert "Computed for the one customer there is." in page
    assert "Save as version 2" in page


def test_a_preview_stores_nothing(admin):
    customer = buyer(10, 20)
    scoring.score_all()
    before = (Assessment.objects.values().get(), Calibration.objects.values().get())
    admin.post(URL, filled(regular_orders="2", half_life_days="30", default_cycle_days="20"))
    assert (Assessment.objects.values().get(), Calibration.objects.values().get()) == before
    assert not Transition.objects.exists()
    assert customer.metrics.orders == 2


def test_a_preview_of_another_rhythm_and_another_memory(admin):
    customer = buyer(140)
    scoring.score_all()
    found = previewing.preview(rules.parse({"default_cycle_days": 20}, 2))
    assert {pair: cell.n for pair, cell in found.moves["status"].cells.items()} == {("overdue", "lapsed"): 1}
    answers(customer, 300, csat=2, trust=2)
    answers(customer, 1, csat=9, trust=9)
    scoring.score_all()
    found = previewing.preview(rules.parse({"half_life_days": 3650}, 2))
    assert found.moves["type"].cells["latent", "developing"].n == 1


def test_a_large_shop_is_sampled_and_the_page_says_so(admin, monkeypatch):
    for _ in range(60):
        buyer(10, 50)
    scoring.score_all()
    found = previewing.preview(rules.parse({"regular_orders": 2}, 2), sample=20)
    assert found.customers == 60
    assert 0 < found.judged < 60
    assert found.moves["stage"].cells["repeat", "regular"].n == 60
    monkeypatch.setattr("loyalty.views.rules.previewed", lambda draft: found)
    page = admin.post(URL, filled(regular_orders="2")).content.decode()
    assert "of 60 customers, chosen at random, and extrapolated." in page
    assert "About 60 customers would change stage (95 percent sure:" in page


def test_a_preview_that_takes_too_long_says_so_and_blocks_nobody(admin, monkeypatch):
    buyer(10, 20)
    scoring.score_all()
    monkeypatch.setattr(previewing, "TIME_LIMIT", "1ms")
    monkeypatch.setattr(previewing.scoring, "ROOM", "SELECT pg_sleep(1)")
    sent = filled(regular_orders="2")
    shown = admin.post(URL, sent)
    assert "The preview took too long" in shown.content.decode()
    monkeypatch.undo()
    assert admin.post(URL, sent | {"seen": shown.context["seen"]}).status_code == 302


def test_a_shop_that_nobody_was_judged_in(admin):
    assert "Nobody has been judged yet" in admin.post(URL, filled(regular_orders="2")).content.decode()


# Names of one's own


def test_the_merchants_words_stand_everywhere_in_both_languages(admin):
    customer = after_gaps([20, 20], 5)
    scoring.score_all()
    own = {
        "labels-stage-regular-de": "Stammgast",
        "labels-stage-regular-en": "House guest",
        "labels-status-active-en": "here",
    }
    assert save(admin, **own).status_code == 302
    scoring.score_changed()
    page = admin.get(f"/customers/{customer.pk}/").content.decode()
    assert "House guest" in page and "Regular customer" not in page
    german = signed_in("support", "de").get(f"/customers/{customer.pk}/").content.decode()
    assert "Stammgast" in german
    assert "House guest" in admin.get("/customers/").content.decode()
    form = admin.get(URL).context["form"]
    assert form["labels-stage-regular-en"].value() == "House guest"
    assert 'placeholder="Regular customer"' in str(form["labels-stage-regular-en"])
    assert rules.current().labels["stage.regular"] == {"de": "Stammgast", "en": "House guest"}


def test_two_stages_cannot_bear_one_name(admin):
    answer = admin.post(URL, filled(**{"labels-stage-regular-en": "loyal customer"}))
    assert answer.status_code == 422
    assert "Another one is called that already." in answer.content.decode()


def test_a_name_that_is_too_long_or_is_markup_does_no_harm(admin):
    assert admin.post(URL, filled(**{"labels-stage-regular-en": "x" * 31})).status_code == 422
    assert save(admin, **{"labels-stage-regular-en": "<b>%(n)s"}).status_code == 302
    customer = after_gaps([20, 20], 5)
    scoring.score_all()
    page = admin.get(f"/customers/{customer.pk}/").content.decode()
    assert "&lt;b&gt;%(n)s" in page
    assert "<b>%(n)s" not in page


def test_names_that_are_the_products_own_are_not_stored(admin):
    save(admin, **{"labels-stage-regular-en": "Regular customer", "active": "1.4"})
    assert RuleSet.objects.get().values == {"active": 1.4}


# Values as they are written


def test_a_version_keeps_only_what_differs_and_reads_it_back():
    values = {
        "active": 1.4,
        "weights": {"social": 0.2},
        "active_bounds": [1, 2.5],
        "labels": {"stage.loyal": {"de": "Fan"}},
    }
    read = rules.parse(values, 5)
    assert rules.differences(read) == values
    assert rules.differences(Rules()) == {}


def test_a_barrier_that_is_gone_does_not_spoil_a_version():
    read = rules.parse({"weights": {"abolished": 0.5, "social": 0.2}, "points": {"gone": 3}}, 2)
    assert rules.differences(read) == {"weights": {"social": 0.2}}


@pytest.mark.parametrize(("stored", "shown"), [(0.25, 25), (0.975, "97.5"), (0.1, 10), (0.07, 7)])
def test_shares_are_shown_in_percent(stored, shown):
    value = next(one for one in rulebook.listed() if one.name == "further_share")
    assert str(in_form(value, stored)) == str(shown)


@translation.override("en")
def test_differences_in_words():
    found = changes(Rules(), rules.parse({"overdue": 3.25, "labels": {"stage.loyal": {"de": "Fan"}}}, 2))
    assert found[0][1:] == ("3", "3.25")
    assert found[1][2] == "Fan"
