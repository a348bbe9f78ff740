"""Campaign pages: who may do what, what a mailing needs, whom it reaches, and what is refused."""

import re
from datetime import date, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import localtime, now

from campaigns import planning, recipes
from campaigns.models import Campaign, Delivery, Run
from tests.campaigns.people import open_shop, person
from tests.campaigns.writing import filled
from tests.factories import AssessmentFactory, CampaignFactory, CustomerFactory, DeliveryFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop():
    return open_shop(language="de")


@pytest.fixture
def queries_of():
    def count(action):
        with CaptureQueriesContext(connection) as seen:
            action()
        return len(seen)

    return count


def as_role(role, **more):
    client = Client()
    client.force_login(
        UserFactory(role=role, first_name="Mirjam", last_name="Kästner", **more),
        backend="django.contrib.auth.backends.ModelBackend",
    )
    return client


@pytest.fixture
def marketer(shop):
    return as_role("marketer")


def people(count, stage="repeat", consent=True):
    """Customers in a stage, with an address, who allowed the newsletter or did not."""
    purposes = ("newsletter",) if consent else ()
    made = [person("", *purposes) for _ in range(count)]
    for customer in made:
        AssessmentFactory(customer=customer, stage=stage)
    return made


def text_of(response):
    return " ".join(response.content.decode().split())


# Who may do what


def test_support_sees_no_campaigns(shop):
    client = as_role("support")
    assert client.get("/campaigns/").status_code == 403
    assert client.post("/campaigns/recipes/birthday/switch", {"on": "0"}).status_code == 403
    assert client.get("/campaigns/mailings/new").status_code == 403


def test_nobody_sees_campaigns_without_signing_in(shop):
    assert Client().get("/campaigns/").status_code == 302


# Recipes


def test_a_recipe_is_switched_off_and_on_again(marketer):
    birthday = recipes.standing_campaign(recipes.everything()["birthday"])
    assert birthday.switched_on
    marketer.post("/campaigns/recipes/birthday/switch", {"on": "0"})
    birthday.refresh_from_db()
    assert not birthday.switched_on
    marketer.post("/campaigns/recipes/birthday/switch", {"on": "1"})
    birthday.refresh_from_db()
    assert birthday.switched_on


@pytest.mark.parametrize(
    ("code", "on"), [("newsletter", "1"), ("nonsense", "1"), ("birthday", "maybe"), ("double_opt_in", "0")]
)
def test_what_is_no_switch_is_not_found(marketer, code, on):
    assert marketer.post(f"/campaigns/recipes/{code}/switch", {"on": on}).status_code == 404


def test_what_people_asked_for_is_always_on_and_has_no_switch(marketer):
    double_opt_in = recipes.standing_campaign(recipes.everything()["double_opt_in"])
    Campaign.objects.filter(pk=double_opt_in.pk).update(switched_on=False)  # as an earlier version allowed
    page = text_of(marketer.get("/campaigns/"))
    assert "always on" in page and "/campaigns/recipes/double_opt_in/switch" not in page
    double_opt_in.refresh_from_db()
    assert double_opt_in.switched_on


def test_recipes_stand_in_the_order_of_their_names(marketer):
    shown = re.findall(r"<h3><a [^>]*>([^<]+)</a>", marketer.get("/campaigns/").content.decode())
    assert shown == sorted(shown) and len(shown) > 8


def test_a_recipe_says_how_many_mails_went_and_did_not_in_thirty_days(marketer):
    birthday = recipes.standing_campaign(recipes.everything()["birthday"])
    for state, reason in (("sent", "consent"), ("sent", "consent"), ("suppressed", "withdrawn")):
        DeliveryFactory(campaign=birthday, state=state, reason=reason)
    DeliveryFactory(campaign=birthday, state="sent", planned_at=now() - timedelta(days=31))
    page = text_of(marketer.get("/campaigns/"))
    assert "2 sent" in page
    assert "1 not sent" in page


# Writing


def test_a_draft_is_kept_with_greeting_button_and_signature(marketer):
    signer = UserFactory(first_name="Kim", last_name="Winter")
    response = marketer.post(
        "/campaigns/mailings/new",
        filled(cta_de="Zum Laden", cta_url="https://shop.example/neu", signed_by=signer.pk),
    )
    draft = Campaign.objects.get(standing=False)
    assert response.url == f"/campaigns/mailings/{draft.pk}/"
    assert [block["kind"] for block in draft.template_version.blocks] == [
        "greeting", "appreciation", "benefit", "cta", "closing",
    ]  # fmt: skip
    assert draft.template_version.blocks[0]["text"] == {"de": "{{ opening }},"}
    assert draft.template_version.blocks[3]["url"] == "https://shop.example/neu"
    assert draft.template_version.blocks[4]["text"]["de"] == "Herzliche Grüße\nKim Winter"
    assert draft.status == "draft"
    assert draft.stages == ["repeat"]


def test_a_kept_draft_opens_with_what_was_written(marketer):
    marketer.post("/campaigns/mailings/new", filled(cta_de="Zum Laden", cta_url="https://shop.example/neu"))
    draft = Campaign.objects.get(standing=False)
    form = marketer.get(f"/campaigns/mailings/{draft.pk}/").context["form"]
    blocks = [block.initial for block in form.editor.blocks]
    assert blocks[2] == {"kind": "benefit", "text_de": "Wir bauen um."}
    assert blocks[3]["url"] == "https://shop.example/neu"
    assert blocks[4]["text_de"] == "Herzliche Grüße"
    assert form.initial["stages"] == ["repeat"]


def test_keeping_an_unlaunched_draft_again_changes_its_text_in_place(marketer):
    marketer.post("/campaigns/mailings/new", filled())
    draft = Campaign.objects.get(standing=False)
    marketer.post(f"/campaigns/mailings/{draft.pk}/", filled(message_de="Wir sind fertig."))
    changed = Campaign.objects.get(standing=False)
    assert changed.template_version_id == draft.template_version_id
    assert changed.template_version.blocks[2]["text"]["de"] == "Wir sind fertig."


@pytest.mark.parametrize(
    ("changed", "field", "word"),
    [
        ({"send_on": "2020-01-01"}, "send_on", "past"),
        ({"send_on": "2031-01-01"}, "send_on", "two years"),
        ({"send_on": "", "send_at": "10:00"}, "send_on", "both"),
        ({"stages": []}, "stages", "at least one stage"),
        ({"stages": ["king"]}, "stages", "king"),
        ({"segment": "77"}, "segment", "put away"),
        ({"hold_out": "51"}, "hold_out", "50"),
        ({"window_from": "09:00"}, "window_until", "both hours"),
        ({"window_from": "11:00", "window_until": "10:00"}, "window_until", "later"),
        ({"weekdays": ["8"]}, "weekdays", "8"),
        ({"signed_by": 0}, "signed_by", ""),
        ({"name": ""}, "name", "required"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field_and_nothing_is_kept(marketer, changed, field, word):
    response = marketer.post("/campaigns/mailings/new", filled() | changed)
    assert response.status_code == 422
    assert word in " ".join(response.context["form"].errors[field])
    assert not Campaign.objects.filter(standing=False).exists()


def test_a_time_that_the_clock_change_skips_is_refused(marketer):
    year = now().year + 1
    spring = next(date(year, 3, day) for day in range(25, 32) if date(year, 3, day).weekday() == 6).isoformat()
    response = marketer.post("/campaigns/mailings/new", filled(send_on=spring, send_at="02:30"))
    assert "clocks" in " ".join(response.context["form"].errors["send_at"])


def test_text_that_could_be_code_is_only_text(marketer):
    marketer.post("/campaigns/mailings/new", filled(message_de="<script>alert(1)</script>"))
    draft = Campaign.objects.get(standing=False)
    mail = marketer.get(f"/campaigns/mailings/{draft.pk}/preview").content.decode()
    assert "<script>alert" not in mail
    assert "&lt;script&gt;" in mail


def test_a_placeholder_nobody_knows_keeps_a_draft_from_being_launched(marketer):
    people(1)
    marketer.post("/campaigns/mailings/new", filled())
    draft = Campaign.objects.get(standing=False)
    version = draft.template_version
    version.blocks[2]["text"]["de"] = "Hallo {{ favourite_beer }}"  # as an import could bring it
    version.save()
    marketer.post(f"/campaigns/mailings/{draft.pk}/launch", {"recipients": "1"})
    draft.refresh_from_db()
    assert draft.status == "draft"


# Preview and test mail


def test_the_preview_shows_an_invented_person_in_a_frame_that_can_do_nothing(marketer):
    marketer.post("/campaigns/mailings/new", filled())
    draft = Campaign.objects.get(standing=False)
    response = marketer.get(f"/campaigns/mailings/{draft.pk}/preview")
    assert "Wüstenhagen-Özdemir" in response.content.decode()
    policy = response["Content-Security-Policy"]
    assert "sandbox" in policy
    assert "allow-scripts" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'self'" in policy
    assert response["X-Frame-Options"] == "SAMEORIGIN"
    page = marketer.get(f"/campaigns/mailings/{draft.pk}/").content.decode()
    assert '<iframe sandbox=""' in page


def test_a_test_mail_goes_to_whoever_asks_and_to_nobody_else(shop, smtp_sink):
    client = as_role("marketer", email="mirjam@shop.example")
    people(3)
    client.post("/campaigns/mailings/new", filled())
    draft = Campaign.objects.get(standing=False)
    client.post(f"/campaigns/mailings/{draft.pk}/test")
    assert [envelope.rcpt_tos for envelope in smtp_sink.envelopes] == [["mirjam@shop.example"]]
    assert not Delivery.objects.exists()


def test_without_an_address_of_ones_own_there_is_no_test_mail(marketer, smtp_sink):
    marketer.post("/campaigns/mailings/new", filled())
    draft = Campaign.objects.get(standing=False)
    page = text_of(marketer.post(f"/campaigns/mailings/{draft.pk}/test", follow=True))
    assert "no e-mail address" in page
    assert not smtp_sink.messages


# Audience and launch


def test_the_draft_says_whom_it_reaches_and_why_not_the_others(marketer):
    people(2)
    people(1, consent=False)
    people(4, stage="loyal")
    marketer.post("/campaigns/mailings/new", filled())
    draft = Campaign.objects.get(standing=False)
    reach = marketer.get(f"/campaigns/mailings/{draft.pk}/").context["reach"]
    assert (reach.matched, reach.recipients) == (3, 2)
    assert [(why, n) for why, n, _fill in reach.refused] == [("The person has not agreed to this kind of mail.", 1)]


def test_the_audience_is_counted_for_the_stages_ticked_just_now(marketer):
    people(2)
    people(4, stage="loyal")
    answer = text_of(marketer.get("/campaigns/mailings/audience?stages=repeat&stages=loyal&stages=king"))
    assert "6 of 6" in answer
    assert "Choose stages or a segment" in text_of(marketer.get("/campaigns/mailings/audience"))


def checked(marketer, **changed):
    """A draft that was kept and checked, and in which nothing was found."""
    marketer.post("/campaigns/mailings/new", filled(**changed))
    draft = Campaign.objects.get(standing=False)
    marketer.post(f"/campaigns/mailings/{draft.pk}/check")
    draft.refresh_from_db()
    assert draft.status == "checked"
    return draft


def test_a_check_says_how_many_get_it_and_a_change_makes_it_a_draft_again(marketer):
    people(2)
    draft = checked(marketer)
    page = text_of(marketer.get(f"/campaigns/mailings/{draft.pk}/"))
    assert "Type 2 to launch" in page and "Checked by Mirjam Kästner" in page
    marketer.post(f"/campaigns/mailings/{draft.pk}/", filled(name="Anders"))
    draft.refresh_from_db()
    assert (draft.status, draft.checked_at, draft.checked_recipients) == ("draft", None, None)
    assert "Type" not in text_of(marketer.get(f"/campaigns/mailings/{draft.pk}/"))


def test_checking_and_trying_a_draft_keep_what_stands_in_the_form(shop, smtp_sink):
    client = as_role("marketer", email="mirjam@shop.example")
    people(2)
    client.post("/campaigns/mailings/new", filled(send_on="", send_at=""))
    draft = Campaign.objects.get(standing=False)
    page = text_of(client.post(f"/campaigns/mailings/{draft.pk}/", filled(then="check"), follow=True))
    assert "Type 2 to launch" in page
    client.post(f"/campaigns/mailings/{draft.pk}/", filled(then="test", subject_de="Frisch getippt"))
    assert smtp_sink.messages[0]["Subject"].endswith("Frisch getippt")
    wrong = client.post(f"/campaigns/mailings/{draft.pk}/", filled(then="check", subject_de="{{ beer }}"))
    assert wrong.status_code == 422 and 'value="check"' in wrong.content.decode()


def test_a_check_shows_what_is_wrong_and_nothing_is_launched(marketer):
    people(1)
    marketer.post("/campaigns/mailings/new", filled(send_on="", send_at=""))
    draft = Campaign.objects.get(standing=False)
    page = marketer.post(f"/campaigns/mailings/{draft.pk}/check", follow=True)
    assert "day and time" in text_of(page)
    response = marketer.post(f"/campaigns/mailings/{draft.pk}/launch", {"recipients": "1"})
    assert response.status_code == 422 and "day and time" in text_of(response)
    assert not Run.objects.exists()


def test_an_unchecked_draft_is_not_launched_and_says_what_to_do(marketer):
    people(1)
    marketer.post("/campaigns/mailings/new", filled())
    draft = Campaign.objects.get(standing=False)
    response = marketer.post(f"/campaigns/mailings/{draft.pk}/launch", {"recipients": "1"})
    assert response.status_code == 422 and "Check it" in text_of(response)


def test_a_launched_mailing_is_moved_until_it_starts(marketer):
    people(1)
    draft = checked(marketer)
    marketer.post(f"/campaigns/mailings/{draft.pk}/launch", {"recipients": "1"})
    later = localtime(now()) + timedelta(days=9)
    marketer.post(f"/campaigns/mailings/{draft.pk}/move", {"send_on": later.date().isoformat(), "send_at": "11:30"})
    draft.refresh_from_db()
    assert localtime(draft.send_at).date() == later.date()
    for given in ({"send_on": "2020-01-01", "send_at": "10:00"}, {"send_on": "never"}, {}):
        marketer.post(f"/campaigns/mailings/{draft.pk}/move", given)
    assert Campaign.objects.get(pk=draft.pk).send_at == draft.send_at


def test_a_wrong_number_launches_nothing_and_names_the_right_one(marketer):
    people(2)
    draft = checked(marketer)
    for typed, told in (("3", "not 3."), ("0", "not 0."), ("200000001", "not 200,000,001.")):
        response = marketer.post(f"/campaigns/mailings/{draft.pk}/launch", {"recipients": typed})
        assert response.status_code == 422
        assert "2 people" in text_of(response) and told in text_of(response)
    people(1)
    assert "Type 3 to launch" in text_of(marketer.post(f"/campaigns/mailings/{draft.pk}/launch", {"recipients": "2"}))
    draft.refresh_from_db()
    assert draft.status == "checked"
    assert not Delivery.objects.exists()


@pytest.mark.parametrize("typed", ["", "two", "-2", "0"])
def test_what_is_no_number_launches_nothing(marketer, typed):
    people(2)
    marketer.post("/campaigns/mailings/new", filled())
    draft = Campaign.objects.get(standing=False)
    assert marketer.post(f"/campaigns/mailings/{draft.pk}/launch", {"recipients": typed}).status_code == 422
    assert not Delivery.objects.exists()


def test_the_right_number_schedules_the_mailing(marketer):
    people(2)
    people(1, consent=False)
    draft = checked(marketer)
    marketer.post(f"/campaigns/mailings/{draft.pk}/launch", {"recipients": "2"})
    draft.refresh_from_db()
    assert draft.status == "scheduled"
    assert sorted(Delivery.objects.values_list("state", flat=True)) == ["planned", "planned", "suppressed"]
    page = marketer.get(f"/campaigns/mailings/{draft.pk}/")
    assert page.context["tally"].waiting == 2
    assert page.context["reasons"] == [("The person has not agreed to this kind of mail.", 1, "no_permission")]


def test_a_launched_mailing_cannot_be_rewritten(marketer):
    people(1)
    draft = checked(marketer)
    planning.launch(draft.pk, 1)
    marketer.post(f"/campaigns/mailings/{draft.pk}/", filled(message_de="Etwas anderes"))
    assert Campaign.objects.get(pk=draft.pk).template_version.blocks[2]["text"]["de"] == "Wir bauen um."


def test_a_mailing_is_paused_resumed_and_cancelled(marketer):
    people(2)
    draft = checked(marketer)
    planning.launch(draft.pk, 2)
    for verb, status in (("pause", "paused"), ("resume", "scheduled"), ("cancel", "cancelled")):
        marketer.post(f"/campaigns/mailings/{draft.pk}/{verb}")
        draft.refresh_from_db()
        assert draft.status == status
    assert set(Delivery.objects.values_list("state", "reason")) == {("suppressed", "cancelled")}
    again = text_of(marketer.post(f"/campaigns/mailings/{draft.pk}/resume", follow=True))
    assert "cannot be done" in again


def test_a_copy_is_a_draft_that_sends_nothing(marketer):
    people(1)
    original = checked(marketer)
    planning.launch(original.pk, 1)
    marketer.post(f"/campaigns/mailings/{original.pk}/copy")
    made = Campaign.objects.filter(standing=False).latest("pk")
    assert made.pk != original.pk
    assert (made.status, made.send_at, made.launched_at, made.expected_recipients) == ("draft", None, None, None)
    assert made.template_version_id != original.template_version_id
    assert made.template_version.blocks == original.template_version.blocks
    assert not made.deliveries.exists()


def test_what_nobody_knows_is_listed_with_what_to_do(marketer):
    mailing = CampaignFactory(status="running")
    row = DeliveryFactory(campaign=mailing, state="unknown", reason="consent", sending_at=now())
    page = text_of(marketer.get(f"/campaigns/mailings/{mailing.pk}/"))
    assert row.customer.display_name in page
    assert "may or may not have arrived" in page
    assert "agreed" not in text_of(marketer.get(f"/campaigns/{mailing.pk}/people"))


def test_the_page_asks_again_only_while_something_may_change(marketer):
    mailing = CampaignFactory(status="running")
    assert "every 4s" in text_of(marketer.get(f"/campaigns/mailings/{mailing.pk}/state"))
    Campaign.objects.filter(pk=mailing.pk).update(status="finished")
    assert "every 4s" not in text_of(marketer.get(f"/campaigns/mailings/{mailing.pk}/state"))


# Queries


def test_the_list_costs_the_same_for_two_and_for_forty_mailings(marketer, queries_of):
    for _ in range(2):
        DeliveryFactory(campaign=CampaignFactory(status="finished"), state="sent")
    marketer.get("/campaigns/")
    few = queries_of(lambda: marketer.get("/campaigns/"))
    for _ in range(38):
        DeliveryFactory(campaign=CampaignFactory(status="finished"), state="sent")
    assert queries_of(lambda: marketer.get("/campaigns/")) == few


def test_a_mailing_costs_the_same_for_two_and_for_forty_deliveries(marketer, queries_of):
    mailing = CampaignFactory(status="running")
    rows = ("sent", "unknown")
    for state in rows:
        DeliveryFactory(campaign=mailing, state=state)
    few = queries_of(lambda: marketer.get(f"/campaigns/mailings/{mailing.pk}/"))
    for state in rows * 19:
        DeliveryFactory(campaign=mailing, state=state)
    assert queries_of(lambda: marketer.get(f"/campaigns/mailings/{mailing.pk}/")) == few


# On the customer's page


def test_a_customer_page_says_what_was_mailed_and_what_was_not(marketer):
    customer = CustomerFactory()
    mailing = CampaignFactory(name="Advent", status="finished")
    DeliveryFactory(customer=customer, campaign=mailing, state="suppressed", reason="open_complaint")
    DeliveryFactory(customer=customer, campaign=mailing, state="sent", reason="consent", evidence=4471)
    page = text_of(marketer.get(f"/customers/{customer.pk}/"))
    assert "sent: consent 4471" in page
    assert "not sent: A complaint or an alert is open" in page


def test_a_customer_page_says_whether_the_birthday_greeting_will_go(shop):
    support = as_role("support")
    soon = localtime(now()) + timedelta(days=5)
    nobody = CustomerFactory(birth_month=soon.month, birth_day=soon.day)
    assert "will not go: There is no address" in text_of(support.get(f"/customers/{nobody.pk}/"))
    friend = person("", "birthday", birth_month=soon.month, birth_day=soon.day)
    assert "will go" in text_of(support.get(f"/customers/{friend.pk}/"))


def test_who_may_not_see_birthdays_learns_none_from_the_greeting(marketer):
    soon = localtime(now()) + timedelta(days=5)
    customer = CustomerFactory(birth_month=soon.month, birth_day=soon.day)
    page = marketer.get(f"/customers/{customer.pk}/")
    panel = str(page.context["panels"]["main"])
    assert "Birthday greeting" in panel
    assert "on <" not in panel.split("Birthday greeting")[1][:80]


def test_all_mails_of_a_customer_page_by_page(marketer):
    customer = CustomerFactory()
    mailing = CampaignFactory(status="finished")
    start = now() - timedelta(days=200)
    for day in range(103):
        DeliveryFactory(customer=customer, campaign=mailing, state="sent", planned_at=start + timedelta(days=day))
    first = marketer.get(f"/customers/{customer.pk}/mails")
    assert len(first.context["mails"]) == 100
    second = marketer.get(f"/customers/{customer.pk}/mails", {"before": first.context["older"]})
    assert len(second.context["mails"]) == 3
    assert marketer.get(f"/customers/{customer.pk}/mails?before=nonsense").status_code == 200


def test_an_unknown_mailing_is_not_found(marketer):
    assert marketer.get("/campaigns/mailings/999999/").status_code == 404
    assert marketer.post("/campaigns/mailings/999999/launch", {"recipients": "1"}).status_code == 404
