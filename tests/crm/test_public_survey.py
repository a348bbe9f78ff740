"""The questionnaire behind a mail: answered once by whoever holds the link, and by nothing that merely opens it."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.utils.timezone import now

from config.logs import mask
from crm import questionnaire, surveys
from crm.answers import ITEMS
from crm.forms_answers import Question
from crm.models import Answer, Customer, Hold, Shop, SurveyInvitation, Task
from crm.privacy import erasure, retention
from tests.crm.at_once import at_once
from tests.crm.public import open_shop, person, stranger
from tests.factories import PurchaseFactory

pytestmark = pytest.mark.django_db

GOOD = {"csat": "9", "disconfirmation": "0", "nev_happy": "8", "trust": "10", "comment": "Schön verpackt."}
BAD = {"csat": "1", "nev_irritated": "9", "nev_disappointed": "10"}


@pytest.fixture(autouse=True)
def shop() -> Shop:
    return open_shop(name="Rösterei Amsel")


@pytest.fixture
def anna() -> Customer:
    return person("anna@example.test", "survey", language="de")


def asked(customer: Customer) -> str:
    """The path of the link in a mail about a purchase of this customer."""
    purchase, delivery = PurchaseFactory(customer=customer), uuid4()
    surveys.invite([surveys.Invited(delivery, customer.pk, purchase.pk)])
    return f"/survey/{surveys.token_of(delivery)}/"


def invitation() -> SurveyInvitation:
    return SurveyInvitation.objects.get()


def test_it_asks_what_the_product_measures_and_shows_nobody(anna):
    page = stranger().get(asked(anna)).content.decode()
    for entry in questionnaire.ENTRIES:
        if isinstance(entry, Question):
            assert f'name="{entry.item}"' in page and entry.item in ITEMS
    assert page.count('name="nev_') == 8 * 12  # the short form, 0 to 10 and no answer
    assert "anna" not in page.lower() and anna.family_name not in page
    assert " checked" not in page.replace('value="" checked', "")


def test_what_is_answered_becomes_facts_that_name_mail_and_purchase(anna):
    path = asked(anna)
    answer = stranger().post(path, GOOD)
    assert answer.status_code == 200 and "your answers have arrived" in answer.content.decode()
    kept = Answer.objects.filter(customer=anna)
    assert dict(kept.values_list("item", "value")) == {
        "csat": 9, "disconfirmation": 0, "nev_happy": 8, "trust": 10
    }  # fmt: skip
    assert set(kept.values_list("response", "purchase", "touchpoint", "origin")) == {
        (invitation().response, invitation().purchase_id, "product", "customer_self")
    }
    assert [comment for comment in kept.values_list("comment", flat=True) if comment] == ["Schön verpackt."]
    assert set(kept.values_list("item", "form")) >= {("nev_happy", "short"), ("csat", "")}
    assert not Task.objects.exists()


def test_an_unhappy_answer_raises_the_alert_that_staff_know(anna):
    stranger().post(asked(anna), BAD)
    assert Task.objects.get(kind="alert").customer == anna
    assert Hold.objects.filter(customer=anna, reason="alert", lifted_at=None).exists()


def test_one_mail_brings_one_answer_and_the_second_is_told_so(anna):
    path = asked(anna)
    stranger().post(path, GOOD)
    for answer in (stranger().post(path, BAD), stranger().get(path)):
        assert answer.status_code == 200 and "you have answered already" in answer.content.decode()
    assert Answer.objects.get(item="csat").value == 9 and not Task.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_answers_at_the_same_moment_become_one(anna):
    path = asked(anna)
    pages = at_once(2, lambda: stranger().post(path, GOOD).content.decode())
    assert sum("your answers have arrived" in page for page in pages) == 1
    assert sum("you have answered already" in page for page in pages) == 1
    assert Answer.objects.count() == 4


def test_opening_changes_nothing_whoever_opens(anna):
    path = asked(anna)
    before = list(SurveyInvitation.objects.values())
    for _ in range(3):
        assert stranger().get(path).status_code == stranger().head(path).status_code == 200
    assert list(SurveyInvitation.objects.values()) == before and not Answer.objects.exists()


def test_a_forged_torn_or_foreign_link_helps_and_changes_nothing(anna):
    path = asked(anna)
    token = path.split("/")[-2]
    for wrong in (token[:-1], token[:-1] + ("A" if token[-1] != "A" else "B"), "x", invitation().digest, "ü" * 27):
        answer = stranger().post(f"/survey/{wrong}/", GOOD)
        assert answer.status_code == 404 and "Nothing was changed" in answer.content.decode()
    assert stranger().get(f"/preferences/{token}/").status_code == 404
    assert not Answer.objects.exists()


def test_after_thirty_days_it_says_that_it_has_ended(anna):
    path = asked(anna)
    SurveyInvitation.objects.update(expires_at=now() - timedelta(seconds=1))
    answer = stranger().post(path, GOOD)
    assert answer.status_code == 410 and "has ended" in answer.content.decode()
    assert not Answer.objects.exists()


@pytest.mark.parametrize(
    "wrong",
    [{}, {"comment": "Nur Worte"}, {"csat": "11"}, {"csat": "-1"}, {"nev_happy": "viel"}, {"disconfirmation": "4"}],
)
def test_what_cannot_be_kept_is_said_and_what_was_written_stays(anna, wrong):
    answer = stranger().post(asked(anna), wrong)
    assert answer.status_code == 422 and 'role="alert"' in answer.content.decode()
    assert wrong.get("comment", "") in answer.content.decode()
    assert not Answer.objects.exists() and invitation().answered_at is None


def test_one_computer_sends_five_in_a_minute(anna):
    path = asked(anna)
    answers = [stranger().post(path, {}).status_code for _ in range(6)]
    assert answers == [422] * 5 + [429]
    assert stranger().get(path).status_code == 200


def test_the_answers_of_a_merged_record_belong_to_the_one_in_use(anna):
    path = asked(anna)
    kept = person("anna.neu@example.test")
    Customer.objects.filter(pk=anna.pk).update(merged_into=kept)
    assert stranger().post(path, GOOD).status_code == 200
    assert set(Answer.objects.values_list("customer", flat=True)) == {kept.pk}


def test_who_was_erased_is_asked_nothing_any_more(anna):
    path = asked(anna)
    stranger().post(path, GOOD)
    erasure.erase(anna.pk)
    answer = stranger().get(path)
    assert answer.status_code == 404 and "Nothing was changed" in answer.content.decode()
    assert not SurveyInvitation.objects.exists() and not Answer.objects.exists()


def test_words_of_a_stranger_are_only_words(anna):
    path = asked(anna)
    page = stranger().post(path, {"comment": "<script>x</script>"}).content.decode()
    assert "<script>x" not in page and "&lt;script&gt;x" in page


def test_no_log_holds_a_link_that_still_works(anna):
    path = asked(anna)
    for text in (f"POST {path}", f"Gone: {path}", f"GET {path}?lang=de"):
        assert mask(None, "", {"request": text, "event": text}) == {
            "request": f"{text.split()[0]} /survey/[token]/", "event": text.replace(path.split("/")[-2], "[token]")
        }  # fmt: skip


def test_german_and_english_say_the_same(anna):
    path = asked(anna)
    assert "Wie war es?" in stranger("de").get(path).content.decode()
    assert "How was it?" in stranger("de").get(f"{path}?lang=en").content.decode()


def test_the_order_of_the_feelings_is_drawn_for_each_mail(anna):
    orders = {tuple(part.split('"')[0] for part in stranger().get(asked(anna)).content.decode().split('name="nev_')[1::12])
              for _ in range(6)}  # fmt: skip
    assert len(orders) > 1 and len({frozenset(order) for order in orders}) == 1


def test_a_link_goes_thirty_days_after_its_end(anna):
    asked(anna)
    SurveyInvitation.objects.update(expires_at=now() - timedelta(days=31))
    rule = next(rule for rule in retention.RULES if rule.code == "survey_links")
    assert rule.apply(rule.due()) == 1


def test_mailing_again_keeps_the_link_and_its_end(anna):
    delivery = uuid4()
    for _ in range(2):
        surveys.invite([surveys.Invited(delivery, anna.pk)])
    assert SurveyInvitation.objects.count() == 1
    page = stranger().get(f"/survey/{surveys.token_of(delivery)}/").content.decode()
    assert "It is about Rösterei Amsel." in page
    assert surveys.token_of(delivery) not in str(list(SurveyInvitation.objects.values()))


def test_the_value_of_a_full_sheet_is_what_scoring_computes(anna):
    ratings = {f"nev_{code}": str(n) for n, code in enumerate(("happy", "trusting", "valued", "interested"), 5)}
    stranger().post(asked(anna), ratings | {"nev_irritated": "0", "nev_neglected": "1", "nev_stressed": "2"})
    felt = {row.item.removeprefix("nev_"): row.value for row in Answer.objects.all()}
    from crm import emotions

    assert emotions.survey_value(felt, "short") == Decimal("6.5") - 1
