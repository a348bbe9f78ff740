"""Mails that bring a coupon: one code for each mail, all its terms in it, and no open code without a mail."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from campaigns import checks, composing, couponing, launching, planning, recipes, rendering, resolving, warnings
from campaigns.drafting import copy
from campaigns.models import Campaign, Delivery, TemplateVersion
from campaigns.planning import LaunchError
from campaigns.sending import Sender
from crm.days import today
from crm.invariants import verify
from crm.models import Category, Customer, Shop
from loyalty.coupons import ledger
from loyalty.models import Coupon, CouponBatch, CouponEntry
from tests.campaigns.people import buys, deliver, mailing, open_shop, person
from tests.campaigns.test_pages import as_role, filled
from tests.factories import UserFactory
from tests.loyalty import coupons as made

pytestmark = pytest.mark.django_db(transaction=True)

TERMS = {"minimum": 20, "valid_days": 30, "note": "Nicht für Sonderangebote."}


@pytest.fixture
def shop():
    return open_shop(language="de")


@pytest.fixture
def outbox(smtp_sink):
    return smtp_sink


def brings(batch: CouponBatch, **more) -> Campaign:
    """A draft of the coupon recipe that brings codes of a batch."""
    version = recipes.first_version(recipes.everything()["coupon"])
    return mailing(recipe="coupon", name="Herbstgruß", template_version=version, options={"coupon": batch.pk}, **more)


def used_before(code: Coupon) -> None:
    """Its customer used another code of the batch, which one customer may use once."""
    CouponBatch.objects.update(per_customer=1)
    code.batch.refresh_from_db()
    ledger.redeem(made.coupon(code.batch, code.customer).code, made.basket(50), made.till())


def launch(campaign: Campaign) -> None:
    planning.launch(campaign.pk, planning.preview(campaign).recipients)
    planning.advance_campaigns()


def code_of(delivery: Delivery) -> Coupon:
    return Coupon.objects.get(cause=f"delivery/{delivery.pk}")


def claimed(name: str = "test") -> tuple[Sender, object]:
    sender = Sender(name)
    return sender, sender.claim(50)


def compose_all(sender: Sender, claim) -> list:
    return list(sender._composed(claim, Shop.current()))


def test_each_mail_brings_a_code_of_its_own_and_says_all_terms(shop, outbox):
    batch = made.batch(
        not_categories=[Category.objects.create(source=made.till().source, external_id="c", name="Bücher").pk], **TERMS
    )
    people = [person(f"p{n}@example.test", "newsletter", language=("de", "en")[n]) for n in range(2)]
    launch(brings(batch))
    deliver()
    codes = {coupon.customer_id: coupon for coupon in Coupon.objects.all()}
    assert set(codes) == {one.pk for one in people}
    german, english = (next(m for m in outbox.messages if f"p{n}@" in m["To"]) for n in range(2))
    for mail, words in (
        (german, ("5,00 €", "20,00 €", "Bücher", "Ihr Code")),
        (english, ("€5.00", "€20.00", "Bücher", "Your code")),
    ):
        for part in ("plain", "html"):
            text = mail.get_body((part,)).get_content().replace("\xa0", " ")
            owner = people[0] if mail is german else people[1]
            assert couponing.shown(codes[owner.pk]) in text
            for word in (*words[: 4 if part == "plain" else 3], "Nicht für Sonderangebote."):
                assert word in text, (word, part)


def test_the_mail_says_the_last_day_that_stands_in_the_code(shop, outbox):
    person("a@example.test", "newsletter", language="de")
    launch(brings(made.batch(**TERMS)))
    deliver()
    end = Coupon.objects.get().valid_until
    assert end == today() + timedelta(days=29)
    (mail,) = outbox.messages
    assert f"{end:%d.%m.%Y}" in mail.get_body(("plain",)).get_content()


def test_a_mail_tried_again_brings_the_same_code_and_the_same_bytes(shop):
    person("a@example.test", "newsletter")
    launch(brings(made.batch(**TERMS)))
    sender, claim = claimed()
    ((first, _order),) = compose_all(sender, claim)
    Delivery.objects.update(state="planned", token=None, lease_until=None)
    again = Sender("other")
    claim = again.claim(1, suspects=True)
    ((second, _order),) = compose_all(again, claim)
    assert first.wire == second.wire
    assert Coupon.objects.count() == 1


def test_codes_cost_the_same_statements_for_two_and_for_forty_mails(shop):
    for n in range(2):
        person(f"a{n}@example.test", "newsletter")
    batch = made.batch(**TERMS)
    launch(brings(batch))
    counts = []
    composing.load([], "advertising", "newsletter", Shop.current())  # its statement is planned once a connection
    for more in (38, 0):
        sender, claim = claimed()
        with CaptureQueriesContext(connection) as seen:
            assert len(compose_all(sender, claim)) == len(claim.rows) > 0
        counts.append(len(seen))
        for n in range(more):
            person(f"b{n}@example.test", "newsletter")
        if more:
            launch(brings(batch))
    assert Coupon.objects.count() == 42
    assert counts[0] == counts[1]


def test_the_reason_in_the_ledger_names_the_campaign_and_the_cause_the_mail(shop):
    person("a@example.test", "newsletter")
    launch(brings(made.batch()))
    deliver()
    delivery = Delivery.objects.get()
    assert CouponEntry.objects.get(coupon=code_of(delivery), step="issued").reason == "Herbstgruß"


@pytest.mark.parametrize(
    ("happens", "reason"),
    [
        (lambda code: CouponBatch.objects.update(stopped_at=now()), "coupon_stopped"),
        (lambda code: ledger.void([code.pk], made.till(), "lost"), "coupon_voided"),
        (lambda code: ledger.redeem(code.code, made.basket(50), made.till()), "coupon_redeemed"),
        (lambda code: Coupon.objects.update(valid_until=today() - timedelta(days=1)), "coupon_expired"),
        (lambda code: CouponBatch.objects.update(budget=5, spent=5), "coupon_spent"),
        (lambda code: used_before(code), "coupon_limit"),
    ],
)
def test_the_gate_refuses_a_mail_whose_coupon_holds_no_longer(shop, outbox, happens, reason):
    person("a@example.test", "newsletter")
    launch(brings(made.batch()))
    sender, claim = claimed()
    ((mail, order),) = compose_all(sender, claim)
    happens(Coupon.objects.get())
    sender._send_one(mail, order, claim.token, shop)
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.reason) == ("suppressed", reason)
    assert not outbox.messages
    page = as_role("marketer").get(f"/campaigns/mailings/{delivery.campaign_id}/").content.decode()
    assert f">{reason}" not in page


def test_a_batch_stopped_before_the_first_claim_makes_no_code_and_no_mail(shop, outbox):
    person("a@example.test", "newsletter")
    launch(brings(made.batch()))
    CouponBatch.objects.update(stopped_at=now())
    deliver()
    assert Delivery.objects.get().reason == "coupon_stopped"
    assert not Coupon.objects.exists() and not outbox.messages


def test_control_without_the_gates_question_the_mail_would_go(shop, outbox, monkeypatch):
    from campaigns import gating

    monkeypatch.setitem(
        gating._PARTS, "coupon", "SELECT '' AS trouble WHERE %(coupon_batch)s >= 0 AND %(day)s::date IS NOT NULL"
    )
    person("a@example.test", "newsletter")
    launch(brings(made.batch()))
    sender, claim = claimed()
    ((mail, order),) = compose_all(sender, claim)
    CouponBatch.objects.update(stopped_at=now())
    sender._send_one(mail, order, claim.token, shop)
    assert len(outbox.messages) == 1


def test_a_mail_that_does_not_go_leaves_no_open_code(shop, outbox):
    customer = person("a@example.test", "newsletter")
    launch(brings(made.batch()))
    sender, claim = claimed()
    compose_all(sender, claim)
    from crm import consent

    consent.withdraw(customer.pk, ["newsletter"], consent.How("paper", occurred_at=now()))
    assert Delivery.objects.get().state == "suppressed"
    assert Coupon.objects.get().voided_at is None
    assert resolving.resolve()["coupons"] == 1
    assert Coupon.objects.get().voided_at is not None
    assert resolving.resolve()["coupons"] == 0
    assert [found for found in verify() if found[1]] == []


def test_a_mail_that_may_have_arrived_keeps_its_code(shop):
    person("a@example.test", "newsletter")
    launch(brings(made.batch()))
    sender, claim = claimed()
    compose_all(sender, claim)
    Delivery.objects.update(state="unknown", sending_at=now() - timedelta(hours=1))
    assert couponing.take_back() == 0
    assert Coupon.objects.get().voided_at is None


def test_who_may_not_be_mailed_gets_no_code(shop, outbox):
    person("a@example.test", "newsletter")
    person("b@example.test")
    launch(brings(made.batch()))
    deliver()
    assert Coupon.objects.count() == 1 and len(outbox.messages) == 1


def test_a_thank_you_brings_a_coupon_once_one_is_chosen(shop, outbox):
    customer = person("a@example.test", "newsletter", language="de")
    campaign = recipes.standing_campaign(recipes.everything()["thank_you"])
    buys(customer)
    planning.plan_due()
    deliver()
    assert not Coupon.objects.exists()
    batch = made.batch("percent", 10, **TERMS)
    page = as_role("marketer").post("/campaigns/recipes/thank_you/coupon", {"coupon": batch.pk}, follow=True)
    assert page.status_code == 200
    buys(customer)
    planning.plan_due()
    deliver()
    coupon = Coupon.objects.get()
    first, second = (mail.get_body(("plain",)).get_content() for mail in outbox.messages)
    assert couponing.shown(coupon) in second and "10 %" in second.replace("\xa0", " ")
    assert "Gutschein" not in first
    as_role("marketer").post("/campaigns/recipes/thank_you/coupon", {"coupon": ""})
    buys(customer)
    planning.plan_due()
    deliver()
    assert Coupon.objects.count() == 1 and len(outbox.messages) == 3
    campaign.refresh_from_db()
    assert TemplateVersion.objects.filter(template=campaign.template_version.template).count() == 2


@pytest.mark.parametrize("gone", [{"stopped_at": now()}, {"valid_until": "yesterday"}])
def test_a_stopped_or_ended_coupon_is_refused_with_a_sentence(shop, gone):
    batch = made.batch(valid_until=None)
    if "valid_until" in gone:
        gone = {"valid_until": today() - timedelta(days=1)}
    CouponBatch.objects.filter(pk=batch.pk).update(**gone)
    client = as_role("marketer")
    page = client.post("/campaigns/recipes/birthday/coupon", {"coupon": batch.pk})
    assert page.status_code == 422
    assert "gestoppt" in page.content.decode() or "was stopped" in page.content.decode()
    written = client.post("/campaigns/mailings/new?recipe=coupon", filled(coupon=batch.pk))
    assert written.status_code == 422 and not Campaign.objects.filter(standing=False).exists()
    person("a@example.test", "newsletter")
    batch.refresh_from_db()
    with pytest.raises(LaunchError, match="stopped|ended"):
        planning.launch(brings(batch).pk, 1)


def test_a_coupon_mailing_without_a_coupon_is_not_kept_and_not_launched(shop):
    client = as_role("marketer")
    assert client.post("/campaigns/mailings/new?recipe=coupon", filled()).status_code == 422
    version = recipes.first_version(recipes.everything()["coupon"])
    with pytest.raises(LaunchError, match="Choose the coupon"):
        planning.launch(mailing(recipe="coupon", template_version=version).pk, 0)


def test_a_mailing_with_a_coupon_is_written_kept_shown_and_copied(shop):
    batch, client = made.batch(**TERMS), as_role("marketer")
    client.post("/campaigns/mailings/new?recipe=coupon", filled(coupon=batch.pk))
    draft = Campaign.objects.get(standing=False)
    assert draft.recipe == "coupon" and draft.options["coupon"] == batch.pk
    assert [block["kind"] for block in draft.template_version.blocks if block.get("coupon")] == ["benefit"]
    page = client.get(f"/campaigns/mailings/{draft.pk}/").content.decode()
    assert f'<option value="{batch.pk}" selected>' in page and "Wir bauen um." in page
    preview = client.get(f"/campaigns/mailings/{draft.pk}/preview?language=de").content.decode()
    assert couponing.shown(Coupon(code=couponing.EXAMPLE)) in preview and "Sonderangebote" in preview
    again = copy(draft, UserFactory())
    assert again.recipe == "coupon" and again.options["coupon"] == batch.pk
    client.post(f"/campaigns/mailings/{draft.pk}/", filled())
    assert client.get("/campaigns/mailings/new?recipe=birthday").status_code == 404


class TestBudget:
    """The check says before the launch whether everybody could redeem what the mail promises."""

    def draft(self, batch: CouponBatch, *people: str) -> Campaign:
        for name in people:
            person(f"{name}@example.test", "newsletter")
        return brings(batch, send_at=now() + timedelta(days=1))

    def test_a_budget_that_pays_for_every_mail_passes_and_one_cent_less_does_not(self, shop):
        draft = self.draft(made.batch(budget=15), "a", "b", "c")
        assert not launching.check(draft.pk).problems
        CouponBatch.objects.update(budget="14.99")
        (said,) = launching.check(draft.pk).problems
        assert "3 mails promise €15.00, and €14.99" in said
        with pytest.raises(LaunchError, match="budget is too small"):
            planning.launch(draft.pk, 3)

    def test_what_is_spent_open_or_planned_elsewhere_is_promised_already(self, shop):
        batch = made.batch(budget=20)
        draft = self.draft(batch, "a")
        ledger.redeem(made.coupon(batch).code, made.basket(50), made.till())
        made.coupon(batch)
        launch(brings(batch))
        assert not launching.check(draft.pk).problems
        made.coupon(batch)
        assert "€0.00 are not promised yet" in launching.check(draft.pk).problems[0]

    def test_a_code_of_many_uses_promises_each_of_them_and_one_spent_in_parts_itself_once(self, shop):
        draft = self.draft(made.batch(budget=10, uses=3), "a")
        assert "promises €15.00" in launching.check(draft.pk).problems[0]
        assert not launching.check(brings(made.batch(budget=10, in_parts=True), send_at=draft.send_at).pk).problems

    def test_a_spent_budget_is_promised_by_nobody(self, shop):
        draft = self.draft(made.batch("percent", 10, budget=20, spent=20), "a")
        assert "is used up" in launching.check(draft.pk).problems[0]

    def test_where_the_worth_is_unknown_it_is_a_warning_and_so_are_those_who_used_it(self, shop):
        batch = made.batch("percent", 10, budget=20, per_customer=1)
        draft = self.draft(batch, "a", "b")
        used = made.coupon(batch, Customer.objects.earliest("pk"))
        ledger.redeem(used.code, made.basket(50), made.till())
        assert not launching.check(draft.pk).problems
        draft.refresh_from_db()
        said = " ".join(warnings.of_draft(checks.Draft(draft, shop)).warnings)
        assert "1 person has used its coupon" in said and "€15.00 of the budget are left for 2 mails" in said


def test_lint_l19_a_text_that_hides_the_terms_is_not_launched(shop):
    batch = made.batch(**TERMS)
    person("a@example.test", "newsletter")
    good = brings(batch)
    assert couponing.problems(good) == []
    version = good.template_version
    shown = next(n for n, block in enumerate(version.blocks) if block.get("coupon"))
    version.blocks[shown - 1]["text"] = {code: "{% if false %}" for code in ("de", "en")}
    version.blocks[shown + 1]["text"] = {code: "{% endif %}Gruß" for code in ("de", "en")}
    version.save()
    (german, english) = (problem.replace("\xa0", " ") for problem in couponing.problems(good))
    assert "20,00 €" in german and "Sonderangebote" in german and "€20.00" in english
    with pytest.raises(LaunchError, match="terms"):
        planning.launch(good.pk, 1)


def test_lint_l19_a_text_that_promises_a_coupon_without_one_is_not_launched(shop):
    version = TemplateVersion(
        subject={"de": "Für Sie: {{ coupon_worth }}"}, blocks=[{"kind": "benefit", "text": {"de": "Hallo"}}]
    )
    assert any("speaks of a coupon" in problem for problem in rendering.problems(version))


@pytest.mark.parametrize("code", ["thank_you", "birthday", "newsletter", "coupon"])
def test_every_recipe_that_may_bring_a_coupon_reads_well_with_and_without(shop, code):
    recipe = recipes.everything()[code]
    text = recipes.first_version(recipe)
    for blocks in (text.blocks, couponing.with_block(text.blocks, ["de", "en"])):
        if code == "coupon" and blocks is not text.blocks:
            continue
        version = TemplateVersion(subject=text.subject, blocks=blocks)
        assert rendering.problems(version, recipe.values) == []


def test_from_the_customer_to_mail_code_and_what_became_of_it(shop):
    customer = person("a@example.test", "newsletter")
    launch(brings(made.batch()))
    deliver()
    coupon = code_of(Delivery.objects.get())
    client = as_role("marketer")
    page = client.get(f"/customers/{customer.pk}/mails").content.decode()
    assert couponing.shown(coupon) in page and f"/coupons/codes/{coupon.code}/" in page
    ledger.redeem(coupon.code, made.basket(50), made.till(), reference="A-1")
    coupon.refresh_from_db()
    assert couponing.standing(coupon) == "coupon redeemed"
    assert "Herbstgruß" in client.get(f"/coupons/codes/{coupon.code}/").content.decode()


def test_mails_of_a_customer_cost_the_same_for_two_and_for_forty(shop):
    customer = person("a@example.test", "newsletter")
    batch, client = made.batch(), as_role("marketer")
    counts = []
    for more in (2, 38):
        for _n in range(more):
            launch(brings(batch))
        deliver()
        with CaptureQueriesContext(connection) as seen:
            assert client.get(f"/customers/{customer.pk}/mails").status_code == 200
        counts.append(len(seen))
    assert counts[0] == counts[1] and Coupon.objects.count() == 40


def test_the_overview_says_what_a_recipe_brings_and_that_it_has_ended(shop):
    batch = made.batch()
    campaign = recipes.standing_campaign(recipes.everything()["birthday"])
    couponing.choose(campaign, batch, UserFactory())
    client = as_role("marketer")
    assert "Five off" in client.get("/campaigns/").content.decode()
    with CaptureQueriesContext(connection) as seen:
        client.get("/campaigns/")
    CouponBatch.objects.update(stopped_at=now())
    page = client.get("/campaigns/").content.decode()
    assert "gestoppt" in page or "was stopped" in page
    assert len(seen) < 20
