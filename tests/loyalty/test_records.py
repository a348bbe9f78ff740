"""What staff record about loyalty, and what they take back."""

from datetime import timedelta

import pytest
from django.test import Client

from crm.models import AdvocacyAct, BarrierFact, ChangedCustomer, Participation
from loyalty import scoring
from loyalty.models import Assessment
from tests.factories import (
    AdvocacyActFactory,
    BarrierFactFactory,
    CustomerFactory,
    ParticipationFactory,
    UserFactory,
)
from tests.loyalty.shop import DAY, ago, buyer, fond

pytestmark = pytest.mark.django_db


@pytest.fixture
def support():
    client = Client()
    client.force_login(UserFactory(role="support", language="en"), backend="django.contrib.auth.backends.ModelBackend")
    return client


def post(client, customer, part, **given):
    return client.post(f"/customers/{customer.pk}/records/{part}/", given)


def test_an_act_makes_an_ambassador_and_taking_it_back_undoes_that(support):
    customer = fond(buyer(10, 40, 90))
    scoring.score_all()
    assert post(support, customer, "act", kind="testimonial", day=str(DAY), note="on our wall").status_code == 302
    act = AdvocacyAct.objects.get()
    assert (act.note, act.recorded_by.role) == ("on our wall", "support")
    assert ChangedCustomer.objects.filter(customer_id=customer.pk).exists()
    assert scoring.score_changed() == 1
    assert Assessment.objects.get().raw_stage == "ambassador"
    assert "on our wall" in support.get(f"/customers/{customer.pk}/records/").content.decode()
    assert post(support, customer, f"act/{act.pk}/undo").status_code == 302
    scoring.score_changed()
    assert Assessment.objects.get().raw_stage == "loyal"


def test_a_referral_names_whom_they_brought(support):
    customer, friend = buyer(10), buyer(5)
    scoring.score_all()
    post(support, customer, "act", kind="referred_order", day=str(DAY), referred=f" k-{friend.pk} ")
    assert AdvocacyAct.objects.get().referred == friend
    scoring.score_changed()
    assert Assessment.objects.get(customer=customer).score("social") == 15


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"day": str(DAY + timedelta(days=1))}, "still to come"),
        ({"day": "1899-01-01"}, "before 1970"),
        ({"day": "yesterday"}, "valid date"),
        ({"kind": "bribe"}, "not one of the available choices"),
        ({"kind": "referred_order"}, "Who was it?"),
        ({"kind": "referred_order", "referred": "Anna"}, "as it stands on the customer"),
        ({"kind": "referred_order", "referred": "9" * 30}, "at most 20"),
        ({"kind": "referred_order", "referred": "K-99999999"}, "no customer with this number"),
        ({"kind": "referred_order", "referred": "self"}, "as it stands"),
    ],
)
def test_a_wrong_act_is_answered_at_its_field(support, given, message):
    answer = post(support, CustomerFactory(), "act", **({"kind": "testimonial", "day": str(DAY)} | given))
    assert answer.status_code == 422
    assert message in answer.content.decode()
    assert not AdvocacyAct.objects.exists()


def test_nobody_refers_themselves(support):
    customer = CustomerFactory()
    answer = post(support, customer, "act", kind="referred_order", day=str(DAY), referred=str(customer.pk))
    assert "Nobody can refer themselves." in answer.content.decode()


def test_a_membership_counts_until_it_ends(support):
    customer = buyer(10)
    scoring.score_all()
    post(support, customer, "membership", kind="member", title="Coffee club", day=str(DAY - timedelta(days=500)))
    member = Participation.objects.get()
    scoring.score_changed()
    assert Assessment.objects.get().score("social") == 30
    assert post(support, customer, f"membership/{member.pk}/end").status_code == 302
    scoring.score_changed()
    assert Assessment.objects.get().score("social") == 0
    post(support, customer, f"membership/{member.pk}/undo")
    scoring.score_all()
    assert not Participation.objects.exists()


def test_a_membership_may_have_an_end_from_the_beginning(support):
    customer = CustomerFactory()
    given = {"kind": "member", "title": "Club", "day": str(DAY - timedelta(days=5))}
    assert post(support, customer, "membership", **given, until=str(DAY - timedelta(days=9))).status_code == 422
    assert post(support, customer, "membership", **given, until=str(DAY + timedelta(days=9))).status_code == 302
    assert Participation.objects.get().ended_at.date() == DAY + timedelta(days=9)
    post(support, customer, "membership", kind="gathering", title="Tasting", day=str(DAY), until=str(DAY))
    assert Participation.objects.get(kind="gathering").ended_at is None


def test_a_fact_taken_back_lets_the_one_before_count_again(support):
    customer = buyer(10)
    BarrierFactFactory(customer=customer, signal="exit_fee", value=1, recorded_at=ago(20))
    wrong = BarrierFactFactory(customer=customer, signal="exit_fee", value=0, recorded_at=ago(1))
    scoring.score_all()
    assert Assessment.objects.get().score("monetary_loss") == 0
    post(support, customer, f"fact/{wrong.pk}/undo")
    scoring.score_changed()
    assert Assessment.objects.get().score("monetary_loss") == 40
    assert BarrierFact.objects.count() == 1


def test_every_signal_that_staff_may_know_stands_in_the_form(support):
    from loyalty.barriers import RECORDABLE

    page = support.get(f"/customers/{CustomerFactory().pk}/").content.decode()
    for code in RECORDABLE:
        assert f'name="{code}"' in page, code


def test_nobody_takes_back_what_is_somebody_elses(support):
    mine, other = CustomerFactory(), AdvocacyActFactory()
    assert post(support, mine, f"act/{other.pk}/undo").status_code == 404
    assert post(support, mine, f"charm/{other.pk}/undo").status_code == 404
    assert AdvocacyAct.objects.exists()


def test_marketers_record_nothing(support):
    client = Client()
    client.force_login(UserFactory(role="marketer"), backend="django.contrib.auth.backends.ModelBackend")
    assert post(client, CustomerFactory(), "act", kind="testimonial", day=str(DAY)).status_code == 403


def test_the_page_says_what_still_counts(support):
    customer = CustomerFactory()
    AdvocacyActFactory(customer=customer, occurred_at=ago(366))
    AdvocacyActFactory(customer=customer, occurred_at=ago(365), kind="defence")
    ParticipationFactory(customer=customer, title="Tasting")
    BarrierFactFactory(customer=customer, signal="remaining_months", value=1)
    page = support.get(f"/customers/{customer.pk}/records/").content.decode()
    assert page.count("counts no longer") == 1
    assert "counts until 2 Nov 2026" in page
    assert "Remaining term: 1 month" in page


def test_a_membership_beyond_the_calendar_is_answered_at_its_field(support):
    customer = CustomerFactory()
    answer = post(support, customer, "membership", kind="member", title="Club", day=str(DAY), until="9999-12-31")
    assert answer.status_code == 422
    assert "more than 100 years ahead" in answer.content.decode()
    assert not Participation.objects.exists()
