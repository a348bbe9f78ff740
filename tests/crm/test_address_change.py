"""A person changes their own address: the new mailbox answers first, and nobody learns anything by asking."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils.timezone import now

from crm import address_change, consent, double_opt_in, keyed, permission
from crm.consent import ConsentError, How
from crm.models import (
    ConsentEvent,
    ConsentTrace,
    ContactPoint,
    Customer,
    CustomerChange,
    DoubleOptIn,
    Event,
    LinkToken,
    Suppression,
)
from crm.privacy import erasure, export
from tests.campaigns.people import deliver
from tests.campaigns.people import open_shop as open_for_mail
from tests.crm.at_once import at_once
from tests.crm.public import open_shop, person, preference_path, stranger

pytestmark = pytest.mark.django_db

LINK = How("mail_link", ip="192.0.2.7", user_agent="Browser/1", form="preferences 2", notice_version="1 en")
CLICK = How("mail_link", ip="192.0.2.8", user_agent="Browser/2")


@pytest.fixture(autouse=True)
def shop() -> None:
    open_shop()
    open_for_mail()


@pytest.fixture
def anna() -> Customer:
    return person("anna@example.test", "newsletter", "birthday", language="en")


def asked(customer: Customer, email: str = "new@example.test") -> DoubleOptIn:
    assert address_change.request(customer.pk, email, "en", LINK) == "pending"
    return DoubleOptIn.objects.filter(moves=customer).latest("pk")


def click(request: DoubleOptIn) -> str:
    return address_change.confirm(double_opt_in.token_of(request), CLICK).state


def address(customer: Customer) -> str:
    return customer.contact_points.get(kind="email", is_primary=True).value


def ruling(customer: Customer, purpose: str = "newsletter") -> str:
    return permission.may_send(customer.pk, "advertising", purpose).code


def test_the_old_address_stays_until_the_new_one_answered_and_permissions_go_along(anna: Customer) -> None:
    request = asked(anna)
    assert address(anna) == "anna@example.test" and ruling(anna) == "consent"
    assert click(request) == "confirmed"
    assert address(anna) == "new@example.test"
    assert (ruling(anna), ruling(anna, "birthday"), ruling(anna, "survey")) == ("consent", "consent", "no_permission")
    given, confirmed = ConsentEvent.objects.filter(
        purpose="newsletter", address_hash=keyed.address_hash("new@example.test")
    ).order_by("pk")
    assert (given.action, given.trace.ip, given.form) == ("given", "192.0.2.7", "preferences 2")
    assert (confirmed.action, confirmed.trace.ip) == ("confirmed", "192.0.2.8")
    assert confirmed.token_hash == request.token_hash and confirmed.trace.address == "new@example.test"
    assert given.occurred_at == request.requested_at
    assert CustomerChange.objects.get(customer=anna).field == "email"
    assert ContactPoint.objects.filter(kind="email").count() == 1, "nobody keeps the former one, or a second new one"


def test_a_second_click_is_told_that_all_is_well_and_looking_changes_nothing(anna: Customer) -> None:
    request = asked(anna)
    token = double_opt_in.token_of(request)
    assert double_opt_in.look(token).state == "open" and address(anna) == "anna@example.test"
    assert click(request) == "confirmed" and click(request) == "done" == double_opt_in.look(token).state


def test_an_expired_link_and_one_that_a_later_one_overtook_change_nothing(anna: Customer) -> None:
    first, second = asked(anna, "one@example.test"), asked(anna, "two@example.test")
    assert click(second) == "confirmed" and click(first) == "ended" and address(anna) == "two@example.test"
    third = asked(anna, "three@example.test")
    DoubleOptIn.objects.filter(pk=third.pk).update(expires_at=now())
    assert click(third) == "expired" and address(anna) == "two@example.test"


def test_the_link_of_a_change_is_no_consent_and_that_of_a_consent_no_change(anna: Customer) -> None:
    move = asked(anna)
    assert double_opt_in.confirm(double_opt_in.token_of(move), CLICK).state == "unknown"
    double_opt_in.request("ben@example.test", ["newsletter"], "en", How("web"))
    sign_up = DoubleOptIn.objects.get(moves=None)
    assert click(sign_up) == "confirmed" and address(anna) == "anna@example.test"


def test_what_was_withdrawn_meanwhile_is_not_revived(anna: Customer) -> None:
    request = asked(anna)
    consent.withdraw(anna.pk, ["newsletter"], How("staff"))
    assert click(request) == "confirmed"
    assert (ruling(anna), ruling(anna, "birthday")) == ("withdrawn", "consent")


def test_an_objection_goes_along(anna: Customer) -> None:
    consent.object_to_advertising(anna.pk, How("phone"))
    assert click(asked(anna)) == "confirmed"
    assert ruling(anna) == "objected"


def test_one_may_share_a_mailbox_with_somebody_known_and_neither_gets_the_others_permissions(anna: Customer) -> None:
    ben = person("family@example.test", "survey")
    assert click(asked(anna, "family@example.test")) == "confirmed"
    assert (ruling(anna, "survey"), ruling(ben, "survey"), ruling(ben)) == ("no_permission", "consent", "no_permission")


def test_the_own_address_in_another_spelling_is_no_change(anna: Customer) -> None:
    assert address_change.request(anna.pk, " ANNA@Example.test ", "en", LINK) == "same"
    assert not DoubleOptIn.objects.exists()


def test_what_is_no_address_is_refused(anna: Customer) -> None:
    with pytest.raises(ConsentError):
        address_change.request(anna.pk, "anna@", "en", LINK)


def test_three_mails_a_day_to_one_mailbox_and_none_to_who_reported_spam(anna: Customer) -> None:
    Suppression.objects.create(address_hash=keyed.address_hash("angry@example.test"), reason="spam_report")
    assert address_change.request(anna.pk, "angry@example.test", "en", LINK) == "silent"
    for _ in range(3):
        asked(anna)
    assert address_change.request(anna.pk, "new@example.test", "en", LINK) == "limited"


def test_the_waiting_address_is_part_of_the_person(anna: Customer) -> None:
    asked(anna)
    assert "new@example.test" in str([section.machine for section in export.collect(anna)])
    erasure.erase(anna.pk)
    assert not DoubleOptIn.objects.exists() and not ContactPoint.objects.exists() and not ConsentTrace.objects.exists()
    assert not Customer.objects.exists()


def test_an_unanswered_address_is_forgotten_after_30_days(anna: Customer) -> None:
    asked(anna)
    DoubleOptIn.objects.update(requested_at=now() - timedelta(days=31))
    Event.objects.all().delete()
    assert double_opt_in.clean_up()["prospects"] == 1
    assert not ContactPoint.objects.filter(normal="new@example.test").exists() and ruling(anna) == "consent"


@pytest.mark.django_db(transaction=True)
def test_two_clicks_at_once_are_one_change() -> None:
    open_shop()
    anna = person("anna@example.test", "newsletter")
    request = asked(anna)
    assert sorted(at_once(4, lambda: click(request))) == ["confirmed", "done", "done", "done"]
    assert ConsentEvent.objects.filter(action="confirmed").count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_mail_goes_to_the_new_address_alone_and_promotes_nothing(smtp_sink: Any) -> None:
    from campaigns import planning

    open_shop()
    open_for_mail()
    anna = person("anna@example.test", "newsletter")
    request = asked(anna)
    planning.plan_events()
    deliver()
    [mail] = smtp_sink.messages
    assert "new@example.test" in mail["To"] and "List-Unsubscribe" not in mail
    assert f"/confirm/{double_opt_in.token_of(request)}/" in mail.get_body(("plain",)).get_content()
    assert "anna@" not in mail.as_string() and anna.family_name not in mail.as_string()
    assert click(request) == "confirmed"
    assert ConsentEvent.objects.get(action="confirmed").message_id


class TestThePage:
    def send(self, customer: Customer, email: str, **more: Any) -> Any:
        return stranger().post(preference_path(customer), {"part": "address", "email": email} | more)

    def test_the_answer_is_the_same_for_every_address(self, anna: Customer) -> None:
        person("ben@example.test")
        Suppression.objects.create(address_hash=keyed.address_hash("angry@example.test"), reason="spam_report")
        answers = {self.send(anna, email).content for email in ("ben@example.test", "new@example.test", "angry@example.test")}
        assert len(answers) == 1
        page = answers.pop().decode()
        assert "sent a mail to the new address" in page and "@" not in page.split("<h1>")[1].split("a•••@")[0]

    def test_nonsense_is_refused_in_words_and_many_tries_are_stopped(self, anna: Customer) -> None:
        answer = self.send(anna, "anna@")
        assert answer.status_code == 422 and "no e-mail address" in answer.content.decode()
        codes = [self.send(anna, f"{number}@example.test").status_code for number in range(6)]
        assert codes == [200] * 5 + [422] and DoubleOptIn.objects.count() == 5

    def test_the_former_mailboxs_links_open_nothing_any_more(self, anna: Customer) -> None:
        path = preference_path(anna)
        stranger().post(path, {"part": "address", "email": "new@example.test"})
        assert stranger().get(path).status_code == 200, "until the new one has answered"
        confirm = double_opt_in.url_of(DoubleOptIn.objects.get()).split(":8000")[1]
        assert "this is my address" in stranger().get(confirm).content.decode()
        assert "your address now" in stranger().post(confirm).content.decode()
        assert stranger().get(path).status_code == 404
        assert LinkToken.objects.filter(customer=anna).exists()

    def test_names_are_changed_and_never_shown(self, anna: Customer) -> None:
        form = {"part": "details", "language": "en", "mails": "", "birth_day": "3", "birth_month": "4", "birth_year": "1980"}
        names = {"given_name": "Änne", "family_name": "O'Neill-Müller", "salutation": "ms"}
        answer = stranger().post(preference_path(anna), form | names)
        assert answer.status_code == 200 and "Müller" not in answer.content.decode() and "Ä•••" in answer.content.decode()
        anna.refresh_from_db()
        assert (anna.given_name, anna.family_name, anna.salutation) == ("Änne", "O'Neill-Müller", "ms")
        assert (anna.birth_day, anna.birth_month, anna.birth_year) == (3, 4, 1980)
        stranger().post(preference_path(anna), form | {"salutation": "", "birth_year": ""})
        anna.refresh_from_db()
        assert (anna.given_name, anna.salutation, anna.birth_year) == ("Änne", "ms", None)

    @pytest.mark.parametrize(
        ("field", "value", "words"),
        [
            ("given_name", "Gewinn: https://evil.test", "only the name"),
            ("family_name", "x" * 81, "at most 80"),
            ("birth_year", "1700", "1880"),
            ("birth_year", "2999", "less than or equal"),
            ("salutation", "lord", "valid choice"),
        ],
    )
    def test_bad_details_are_refused_in_words(self, anna: Customer, field: str, value: str, words: str) -> None:
        form = {"part": "details", "language": "en", "mails": "", "birth_day": "3", "birth_month": "4"}
        answer = stranger().post(preference_path(anna), form | {field: value})
        assert answer.status_code == 422 and words in answer.content.decode()
        anna.refresh_from_db()
        assert anna.birth_day is None


def test_a_year_without_a_day_or_a_29th_of_february_that_was_not(anna: Customer) -> None:
    form = {"part": "details", "language": "en", "mails": ""}
    for birthday in (("", "", "1980"), ("29", "2", "1981"), ("31", "12", str(now().year + 1))):
        day, month, year = birthday
        given = {"birth_day": day, "birth_month": month, "birth_year": year}
        assert stranger().post(preference_path(anna), form | given).status_code == 422, birthday
