"""A mailbox confirms: once, in time, and only what its own request asked for."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.utils.timezone import now

from crm import consent, double_opt_in, keyed, permission, wordings
from crm.consent import ConsentError, How
from crm.models import (
    ConsentEvent,
    ConsentState,
    ConsentTrace,
    Customer,
    DoubleOptIn,
    Event,
    Purpose,
    Suppression,
)
from crm.privacy import retention
from tests.campaigns.people import deliver, open_shop
from tests.crm.at_once import at_once
from tests.factories import CustomerFactory, EmailFactory, PurchaseFactory

pytestmark = pytest.mark.django_db

WEB = How("web", ip="192.0.2.7", user_agent="Browser/1", form="sign-up 1", notice_version="3 de")
CLICK = How("mail_link", ip="192.0.2.8", user_agent="Browser/2")


@pytest.fixture(autouse=True)
def shop() -> None:
    open_shop()


def asked(email: str = "anna@example.test", *purposes: str, how: How = WEB) -> DoubleOptIn:
    made = double_opt_in.request(email, purposes or ("newsletter",), "de", how)
    assert made.state == "pending"
    return DoubleOptIn.objects.get(pk=made.request_id)


def token(of: DoubleOptIn) -> str:
    return double_opt_in.token_of(of)


def state(customer_id: int, purpose: str = "newsletter") -> str:
    found = ConsentState.objects.filter(customer=customer_id, purpose_id=purpose, channel="email").first()
    return found.state if found else ""


def test_asked_and_confirmed_with_all_that_proves_it() -> None:
    shown = wordings.publish("newsletter", {"de": "Ja, die Rösterei darf mir Neues mailen."}, None)["de"]
    request = asked(how=How("web", ip="192.0.2.7", form="sign-up 1", notice_version="3 de", wording_id=shown.pk))
    assert state(request.customer_id) == "pending"
    assert Event.objects.get(kind="consent.requested").detail["double_opt_in"] == request.pk
    assert double_opt_in.confirm(token(request), CLICK).state == "confirmed"
    assert state(request.customer_id) == "given"
    given, confirmed = ConsentEvent.objects.order_by("pk")
    assert (given.action, confirmed.action) == ("given", "confirmed")
    assert given.wording_hash == confirmed.wording_hash == shown.hash and len(shown.hash) == 64
    assert confirmed.form == "sign-up 1" and confirmed.notice_version == "3 de"
    assert confirmed.token_hash == request.token_hash
    assert (given.trace.ip, confirmed.trace.ip) == ("192.0.2.7", "192.0.2.8")
    assert permission.may_send(request.customer_id, "advertising", "newsletter").evidence_id == confirmed.pk


def test_the_database_alone_makes_no_token() -> None:
    request = asked()
    stored = " ".join(map(str, [*DoubleOptIn.objects.values_list().get(), *Event.objects.values_list("detail")]))
    assert token(request) not in stored and len(token(request)) == 27
    assert request.token_hash in stored


def test_a_token_outlives_a_change_of_the_key_that_keeps_the_former(settings: Any) -> None:
    request = asked()
    before = token(request)
    settings.LINK_KEY_FALLBACKS = [settings.LINK_KEY]
    settings.LINK_KEY = "another-key-another-key-another-key"
    assert token(request) == before


@pytest.mark.parametrize("forged", ["", "x", "A" * 27, "ä" * 27, "../" * 9, "A" * 5000])
def test_a_forged_token_changes_nothing(forged: str) -> None:
    request = asked()
    assert double_opt_in.confirm(forged, CLICK).state == double_opt_in.look(forged).state == "unknown"
    assert double_opt_in.ask_again(forged, CLICK).state == "silent"
    assert state(request.customer_id) == "pending" and DoubleOptIn.objects.count() == 1


def test_looking_confirms_nothing_and_a_second_click_is_told_so() -> None:
    request = asked()
    assert double_opt_in.look(token(request)).state == "open" and state(request.customer_id) == "pending"
    assert double_opt_in.confirm(token(request), CLICK).state == "confirmed"
    assert double_opt_in.confirm(token(request), CLICK).state == double_opt_in.look(token(request)).state == "done"
    assert ConsentEvent.objects.filter(action="confirmed").count() == 1


def test_an_expired_link_confirms_nothing_and_another_mail_may_be_asked_for() -> None:
    request = asked()
    DoubleOptIn.objects.update(expires_at=now() - timedelta(seconds=1))
    answer = double_opt_in.confirm(token(request), CLICK)
    assert answer.state == "expired" and answer.purposes == ("newsletter",)
    again = double_opt_in.ask_again(token(request), CLICK)
    fresh = DoubleOptIn.objects.get(pk=again.request_id)
    assert fresh.form == "sign-up 1" and ConsentEvent.objects.count() == 1
    assert double_opt_in.confirm(token(fresh), CLICK).state == "confirmed"


def test_what_was_taken_back_meanwhile_is_not_revived() -> None:
    request = asked()
    consent.withdraw(request.customer_id, ["newsletter"], How("staff"))
    assert double_opt_in.confirm(token(request), CLICK).state == "ended"
    assert state(request.customer_id) == "withdrawn"


def test_a_mailbox_confirms_for_itself_only() -> None:
    request = asked()
    request.customer.contact_points.update(value="other@example.test", normal="other@example.test")
    assert double_opt_in.confirm(token(request), CLICK).state == "ended"
    assert state(request.customer_id) == "pending"


def test_three_mails_a_day_and_no_more() -> None:
    requests = [asked("Anna@Example.TEST"), asked(), asked(" anna@example.test ")]
    assert len({request.customer_id for request in requests}) == 1
    refused = double_opt_in.request("anna@example.test", ["newsletter"], "de", WEB)
    assert refused.state == "limited" and refused.retry_at > now() + timedelta(hours=23)  # type: ignore[operator]
    assert ConsentEvent.objects.count() == 3, "a refused request leaves nothing"
    asked("ben@example.test")
    DoubleOptIn.objects.update(requested_at=now() - timedelta(hours=25))
    asked()


@pytest.mark.parametrize(
    ("email", "normal"),
    [
        ("ANNA@Example.Test", "anna@example.test"),
        ("anna+shop@example.test", "anna+shop@example.test"),
        ("anna@köln.example", "anna@xn--kln-sna.example"),
    ],
)
def test_spellings_of_an_address(email: str, normal: str) -> None:
    assert asked(email).customer.contact_points.get().normal == normal


@pytest.mark.parametrize("email", ["", "anna", "anna@", "a b@example.test", "anna@example.test\nbcc: x@example.test"])
def test_what_is_no_address(email: str) -> None:
    with pytest.raises(ConsentError) as refused:
        double_opt_in.request(email, ["newsletter"], "de", WEB)
    assert refused.value.code == "malformed_address" and not Customer.objects.exists()


def test_only_what_is_asked_for_can_be_agreed_to() -> None:
    Purpose.objects.filter(code="survey").update(active=False)
    for purposes, code in (([], "no_purpose"), (["sweets"], "unknown_purpose"), (["survey"], "inactive_purpose")):
        with pytest.raises(ConsentError) as refused:
            double_opt_in.request("anna@example.test", purposes, "de", WEB)
        assert refused.value.code == code


def person(email: str, **more: Any) -> Customer:
    customer = CustomerFactory(**more)
    EmailFactory(customer=customer, value=email)
    return customer


def test_the_one_customer_with_the_address_is_meant() -> None:
    anna = person("anna@example.test")
    assert asked().customer == anna


def test_of_two_who_share_a_mailbox_neither_agreed() -> None:
    both = {person("family@example.test").pk, person("family@example.test").pk}
    first, second = asked("family@example.test"), asked("family@example.test")
    assert first.customer_id == second.customer_id and first.customer_id not in both
    double_opt_in.confirm(token(first), CLICK)
    assert {state(one) for one in both} == {""} and state(first.customer_id) == "given"


def test_who_objected_is_asked_on_their_own_request_alone() -> None:
    anna = person("anna@example.test")
    consent.object_to_advertising(anna.pk, How("phone"))
    assert double_opt_in.ask(anna.pk, ["newsletter"], "de", How("staff")).state == "silent"
    request = asked()
    assert permission.may_send(anna.pk, "advertising", "newsletter").code == "suppressed"
    double_opt_in.confirm(token(request), CLICK)
    assert permission.may_send(anna.pk, "advertising", "newsletter").code == "consent"


def test_an_objection_after_the_request_stays() -> None:
    request = asked()
    consent.object_to_advertising(request.customer_id, How("phone"))
    assert double_opt_in.confirm(token(request), CLICK).state == "ended"
    assert Suppression.objects.filter(lifted_at=None).exists()


def test_who_reported_spam_is_never_asked() -> None:
    Suppression.objects.create(address_hash=keyed.address_hash("anna@example.test"), reason="spam_report")
    assert double_opt_in.request("anna@example.test", ["newsletter"], "de", WEB).state == "silent"
    assert not Customer.objects.exists()


def test_what_nobody_confirmed_is_forgotten_with_whoever_is_known_by_it_alone() -> None:
    stranger, anna = asked("stranger@example.test"), person("anna@example.test")
    PurchaseFactory(customer=anna)
    kept, ben = asked(), asked("ben@example.test")
    double_opt_in.confirm(token(ben), CLICK)
    ConsentState.objects.filter(state="pending").update(since=now() - timedelta(days=31))
    DoubleOptIn.objects.update(requested_at=now() - timedelta(days=31))
    assert {one.rule.code: one.due for one in retention.report()}["double_opt_in"] == 3
    assert double_opt_in.clean_up() == {"requests": 3, "expired": 2, "prospects": 1}
    assert not Customer.objects.filter(pk=stranger.customer_id).exists()
    assert not ConsentTrace.objects.filter(address="stranger@example.test").exists()
    assert state(kept.customer_id) == "expired" and state(ben.customer_id) == "given"
    assert double_opt_in.clean_up() == {"requests": 0, "expired": 0, "prospects": 0}
    asked()
    assert state(anna.pk) == "pending"


def test_forgetting_a_request_does_not_hide_an_earlier_withdrawal() -> None:
    anna = person("anna@example.test")
    consent.withdraw(anna.pk, ["newsletter"], How("staff"))
    asked()
    DoubleOptIn.objects.update(requested_at=now() - timedelta(days=31))
    ConsentState.objects.update(since=now() - timedelta(days=31))
    double_opt_in.clean_up()
    assert state(anna.pk) == "withdrawn"


@pytest.mark.django_db(transaction=True)
def test_two_clicks_at_once_are_one_confirmation() -> None:
    plain = token(asked())
    answers = at_once(4, lambda: double_opt_in.confirm(plain, CLICK).state)
    assert sorted(answers) == ["confirmed", "done", "done", "done"]
    assert ConsentEvent.objects.filter(action="confirmed").count() == 1


@pytest.mark.django_db(transaction=True)
def test_requests_at_once_keep_the_limit_and_make_one_prospect() -> None:
    answers = at_once(6, lambda: double_opt_in.request("anna@example.test", ["newsletter"], "de", WEB).state)
    assert sorted(answers) == ["limited"] * 3 + ["pending"] * 3
    assert Customer.objects.count() == 1 and DoubleOptIn.objects.count() == 3


@pytest.mark.django_db(transaction=True)
def test_the_mail_carries_the_link_and_nothing_that_promotes(smtp_sink: Any) -> None:
    from campaigns import planning

    request = asked("anna@example.test", "newsletter", "birthday")
    planning.plan_events()
    deliver()
    [mail] = smtp_sink.messages
    text = mail.get_body(("plain",)).get_content()
    assert f"/confirm/{token(request)}/" in text and "List-Unsubscribe" not in mail
    stored = DoubleOptIn.objects.get()
    assert stored.message_id and len(stored.content_hash) == 64
    double_opt_in.confirm(token(request), CLICK)
    proof = ConsentEvent.objects.filter(action="confirmed").first()
    assert proof and (proof.message_id, proof.content_hash) == (stored.message_id, stored.content_hash)


@pytest.mark.django_db(transaction=True)
def test_a_mail_notes_that_it_used_the_consent(smtp_sink: Any) -> None:
    from tests.campaigns.people import launched
    from tests.campaigns.people import person as agreed

    customer = agreed("anna@example.test", "newsletter", "birthday")
    launched()
    deliver()
    assert len(smtp_sink.messages) == 1
    used = dict(ConsentState.objects.filter(customer=customer).values_list("purpose_id", "last_used_at"))
    assert used["newsletter"] and used["birthday"] is None
    assert consent.refresh([customer.pk]) == 0


def test_a_call_is_noted_in_the_ledger() -> None:
    anna = person("anna@example.test")
    anna.contact_points.create(kind="phone", value="030 23125 700", normal="+493023125700")
    consent.give(anna.pk, ["newsletter"], How("paper"), channel="phone")
    assert consent.use(anna.pk, ["newsletter"], How("phone", note="called about the grinder")) == {
        "newsletter": "given"
    }
    assert ConsentEvent.objects.filter(action="used", trace__note="called about the grinder").count() == 1


def test_the_recipe_is_free_of_advertising() -> None:
    from campaigns.recipes.double_opt_in import RECIPE

    assert RECIPE.message_class == "transactional"
    kinds = [block["kind"] for block in RECIPE.blocks]
    assert set(kinds) <= {"greeting", "reason", "cta", "closing"} and kinds.count("cta") == 1
    assert [block["url"] for block in RECIPE.blocks if "url" in block] == ["{{ confirm_url }}"]
    whole = str(RECIPE.subject) + str([block["text"] for block in RECIPE.blocks])
    assert not re.search(r"https?:|rabatt|gutschein|angebot|coupon|discount|offer|%|€", whole, re.IGNORECASE)
