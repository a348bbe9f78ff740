"""The page of each recipe: law and limits, switch, settings, text, coupon, history, and a test mail."""

from datetime import timedelta

import pytest
from django.utils.timezone import localtime, now

from campaigns import recipe_care, recipes
from campaigns.models import Campaign, TemplateVersion
from crm.models import AuditEntry
from tests.campaigns.people import open_shop
from tests.campaigns.test_pages import as_role, text_of
from tests.campaigns.writing import filled, posted
from tests.factories import DeliveryFactory
from tests.loyalty import coupons as made

pytestmark = pytest.mark.django_db
PAGE = "/campaigns/recipes/birthday/"


@pytest.fixture
def marketer():
    open_shop(language="de")
    return as_role("marketer", email="mirjam@shop.example")


def campaign():
    return recipes.standing_campaign(recipes.everything()["birthday"])


def written(closing="Gruß", **changed):
    """A text of the birthday greeting as its editor posts it."""
    rows = [
        {"kind": "greeting", "text_de": "{{ opening }},"},
        {"kind": "appreciation", "text_de": "alles Gute!"},
        {"kind": "closing", "text_de": closing},
    ]
    return {"base": str(campaign().template_version.number), "subject_de": "Alles Gute"} | posted(rows) | changed


def test_it_says_what_the_law_says_of_it(marketer):
    assert "agreed to this very purpose" in text_of(marketer.get(PAGE))
    assert "§ 7(3) UWG" in text_of(marketer.get("/campaigns/recipes/thank_you/"))
    page = text_of(marketer.get("/campaigns/recipes/double_opt_in/"))
    assert "needs no consent" in page and "hold_out" not in page and "recipes/double_opt_in/switch" not in page
    assert "Write one" in text_of(marketer.get("/campaigns/recipes/newsletter/"))
    assert marketer.get("/campaigns/recipes/nonsense/").status_code == 404


def test_support_sees_no_recipe(marketer):
    assert as_role("support").get(PAGE).status_code == 403


def test_it_counts_the_mails_of_thirty_days_and_says_why_some_did_not_go(marketer):
    for state, reason in (
        ("sent", "consent"),
        ("suppressed", "withdrawn"),
        ("suppressed", "withdrawn"),
        ("unknown", ""),
    ):
        DeliveryFactory(campaign=campaign(), state=state, reason=reason)
    DeliveryFactory(campaign=campaign(), state="sent", planned_at=now() - timedelta(days=31))
    page = marketer.get(PAGE).context
    assert (page["tally"].sent, page["tally"].unknown) == (1, 1)
    assert page["reasons"] == [("The person withdrew the permission.", 2, "withdrawn")]


def test_its_settings_come_from_the_recipe_and_are_kept(marketer):
    given = {
        "set_leap_day": "01-03",
        "hold_out": "20",
        "window_from": "09:00",
        "window_until": "12:00",
        "weekdays": ["1", "2"],
    }
    assert marketer.post(f"{PAGE}settings", given).status_code == 302
    kept = campaign()
    assert (kept.options["leap_day"], kept.hold_out, kept.weekdays) == ("01-03", 20, [1, 2])
    assert (kept.window_from.hour, kept.window_until.hour) == (9, 12)
    assert "Settings changed" in text_of(marketer.get(PAGE))


@pytest.mark.parametrize(
    ("given", "field"),
    [({"set_leap_day": "30-02"}, "set_leap_day"), ({"hold_out": "99"}, "hold_out"), ({"coupon": "7"}, "coupon")],
)
def test_a_setting_that_cannot_be_is_refused(marketer, given, field):
    page = marketer.post(f"{PAGE}settings", {"set_leap_day": "28-02"} | given)
    assert page.status_code == 422 and page.context["form"].errors[field]
    assert not AuditEntry.objects.exists()


def test_a_new_text_is_the_next_version_and_what_is_planned_keeps_its_own(marketer):
    planned = DeliveryFactory(campaign=campaign(), state="planned")
    assert marketer.post(f"{PAGE}text", written()).status_code == 302
    version = campaign().template_version
    assert (version.number, version.subject, bool(version.frozen_at)) == (2, {"de": "Alles Gute"}, True)
    planned.refresh_from_db()
    assert planned.template_version.number == 1
    page = marketer.get(PAGE)
    assert [change.version for change in page.context["history"]][:2] == [2, 1]
    assert "alles Gute zum Geburtstag" in marketer.get(f"{PAGE}preview?version=1").content.decode()
    assert marketer.get(f"{PAGE}preview?version=9").status_code == 404


@pytest.mark.parametrize(("code", "said"), [("thank_you", "on 2 November 2026"), ("coupon", "Worth: €5.00.")])
def test_an_english_preview_has_english_examples(marketer, code, said):
    shown = marketer.get(f"/campaigns/recipes/{code}/preview?language=en&form=text").content.decode()
    assert said in shown and "Wert" not in shown


def test_back_to_the_text_it_came_with(marketer):
    marketer.post(f"{PAGE}text", written())
    marketer.post(f"{PAGE}reset")
    version = campaign().template_version
    assert version.number == 3 and version.subject == dict(recipes.everything()["birthday"].subject)
    assert marketer.get(PAGE).context["own_text"]


def test_two_who_write_at_once_are_told(marketer):
    mine = written()
    marketer.post(f"{PAGE}text", written(closing="Von jemand anderem"))
    page = marketer.post(f"{PAGE}text", mine)
    assert page.status_code == 422 and "Somebody kept version 2" in text_of(page)
    assert TemplateVersion.objects.filter(template=campaign().template_version.template).count() == 2
    assert marketer.post(f"{PAGE}text", mine | {"base": "2"}).status_code == 302


def test_a_button_keeps_no_version(marketer):
    page = marketer.post(f"{PAGE}text", written() | {"do": "up-1"})
    assert page.status_code == 200
    assert campaign().template_version.number == 1


def test_a_text_with_a_value_of_another_recipe_is_refused(marketer):
    page = marketer.post(f"{PAGE}text", written(closing="Zu {{ purchase_number }}"))
    assert page.status_code == 422 and campaign().template_version.number == 1


@pytest.mark.parametrize("kind", ["benefit", "surprise", "request", "cta"])
def test_what_needs_no_permission_cannot_be_made_to_advertise(marketer, kind):
    """Rule L24."""
    row = {"kind": kind, "text_de": "Jetzt neu"} | (
        {"url": "https://shop.example/", "promo": "on"} if kind == "cta" else {}
    )
    rows = [{"kind": "greeting", "text_de": "{{ opening }},"}, row, {"kind": "closing", "text_de": "Gruß"}]
    page = marketer.post(
        "/campaigns/recipes/double_opt_in/text", {"base": "1", "subject_de": "Bitte bestätigen"} | posted(rows)
    )
    assert page.status_code == 422 and "advertises nothing" in text_of(page)


def test_a_coupon_is_shown_and_cannot_go_while_the_text_speaks_of_it(marketer):
    batch = made.batch("amount", 5)
    given = {"set_leap_day": "28-02", "coupon": str(batch.pk)}
    marketer.post(f"{PAGE}settings", given)
    assert [block for block in campaign().template_version.blocks if block.get("coupon")]
    marketer.post(f"{PAGE}text", written(closing="Bis {{ coupon_valid_until }}"))
    assert [block for block in campaign().template_version.blocks if block.get("coupon")]
    page = marketer.post(f"{PAGE}settings", given | {"coupon": ""})
    assert page.status_code == 422 and "speaks of a coupon" in " ".join(page.context["form"].errors["coupon"])
    marketer.post(f"{PAGE}text", written())
    assert marketer.post(f"{PAGE}settings", given | {"coupon": ""}).status_code == 302
    assert campaign().options["coupon"] is None


def test_switch_settings_coupon_and_text_are_traceable(marketer):
    marketer.post(f"{PAGE}switch", {"on": "0", "back": "recipe"})
    marketer.post(f"{PAGE}text", written())
    marketer.post(f"{PAGE}settings", {"set_leap_day": "01-03"})
    found = list(AuditEntry.objects.order_by("pk").values_list("action", "kind", "object_id"))
    assert found == [
        ("switched_off", "recipe:birthday", None), ("text_kept", "recipe:birthday", 2), ("changed", "recipe:birthday", None),
    ]  # fmt: skip
    said = [(change.what, change.who) for change in recipe_care.history(recipes.everything()["birthday"], campaign())]
    assert {what for what, _who in said} == {"Switched off", "Text, version 2", "Settings changed", "Text it came with"}
    assert all(who == "Mirjam Kästner" for what, who in said if what != "Text it came with")


@pytest.mark.parametrize("code", ["birthday", "thank_you", "survey", "win_back"])
def test_a_test_mail_of_a_recipe_goes_to_whoever_asks(marketer, smtp_sink, code):
    marketer.post(f"/campaigns/recipes/{code}/test")
    assert [envelope.rcpt_tos for envelope in smtp_sink.envelopes] == [["mirjam@shop.example"]]


def test_the_page_costs_the_same_for_two_and_for_forty_mails(marketer, django_assert_num_queries):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    counted = []
    for more in (2, 38):
        for n in range(more):
            DeliveryFactory(campaign=campaign(), state="suppressed", reason=("withdrawn", "objected")[n % 2])
            recipe_care.switch(recipes.everything()["birthday"], bool(n % 2), marketer_user())
        marketer.get(PAGE)
        with CaptureQueriesContext(connection) as seen:
            marketer.get(PAGE)
        counted.append(len(seen))
    assert counted[0] == counted[1]


def marketer_user():
    from crm.models import User

    return User.objects.get(role="marketer")


def test_a_mailing_carries_the_settings_of_its_recipe_into_its_text(marketer):
    day = (localtime(now()) + timedelta(days=30)).date()
    written = filled(message_de="{{ gathering_title }}: {{ gathering_day }}, {{ gathering_place }}") | {
        "set_gathering_title": "Verkostung", "set_gathering_day": day.isoformat(), "set_gathering_time": "18:30",
        "set_gathering_place": "Laden Ost",
    }  # fmt: skip
    assert marketer.post("/campaigns/mailings/new?recipe=invitation", written).status_code == 302
    draft = Campaign.objects.get(standing=False)
    assert draft.options["gathering_title"] == "Verkostung"
    shown = marketer.get(f"/campaigns/mailings/{draft.pk}/preview?form=text").content.decode()
    assert "Verkostung: " in shown and str(day.year) in shown and "Laden Ost" in shown
    page = marketer.get(f"/campaigns/mailings/{draft.pk}/")
    assert page.context["form"].initial["set_gathering_time"] == "18:30"
    refused = marketer.post("/campaigns/mailings/new?recipe=invitation", written | {"set_gathering_time": "25:99"})
    assert refused.status_code == 422 and "set_gathering_time" in refused.context["form"].errors
