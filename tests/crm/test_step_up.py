"""What an open screen must not give away: a recent log-in, and a limit of exports."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils.timezone import now

from crm.models import AuditEntry, Customer, SealedRecord, Shop
from crm.privacy import erasure, exports
from tests.crm.at_once import at_once
from tests.crm.conftest import just_signed_in
from tests.factories import CustomerFactory, PurchaseFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(as_staff):
    return as_staff("admin")


@pytest.fixture
def anna() -> Customer:
    return CustomerFactory(family_name="Beispiel")


def page(name: str, *args) -> str:
    return reverse(f"privacy_{name}", args=args)


@pytest.fixture
def long_ago(admin):
    admin.user.set_password("a password that is long enough")
    admin.user.save()
    admin.force_login(admin.user, backend="django.contrib.auth.backends.ModelBackend")
    just_signed_in(admin, ago=301)
    return admin


@pytest.mark.parametrize(
    ("name", "method", "given"),
    [("download", "post", {}), ("erase", "post", {"number": "K-0"}), ("data", "get", {})],
)
def test_what_takes_data_away_asks_for_the_password_again(long_ago, anna, name, method, given):
    answer = getattr(long_ago, method)(page(name, anna.pk), given)
    assert answer.status_code == 302 and answer.url.startswith("/account/reauthenticate/?next=")
    assert Customer.objects.filter(pk=anna.pk).exists() and not AuditEntry.objects.exists()
    form = long_ago.get(answer.url)
    assert form.status_code == 200
    back = long_ago.post(answer.url, {"password": "a password that is long enough"})
    assert back.status_code == 302 and back.url.startswith(f"/customers/{anna.pk}/privacy/")
    assert getattr(long_ago, method)(page(name, anna.pk), given).status_code in (200, 422)


def test_a_wrong_password_opens_nothing(long_ago, anna):
    answer = long_ago.post(page("download", anna.pk))
    assert long_ago.post(answer.url, {"password": "wrong"}).status_code == 200
    assert long_ago.post(page("download", anna.pk)).status_code == 302 and not AuditEntry.objects.exists()


def test_a_sealed_record_asks_too_and_leads_back_to_its_person(long_ago, anna):
    PurchaseFactory(customer=anna)
    erasure.erase(anna.pk)
    answer = long_ago.post(page("sealed", SealedRecord.objects.get().pk))
    assert answer.status_code == 302 and f"customers%2F{anna.pk}%2Fprivacy" in answer.url
    assert not AuditEntry.objects.filter(action="sealed_opened").exists()


def test_a_log_in_of_now_is_enough(admin, anna):
    assert admin.post(page("download", anna.pk)).status_code == 200
    assert admin.get(page("erase", anna.pk)).status_code == 200


def test_the_clock_of_somebody_else_or_of_the_future_does_not_count(admin, anna):
    just_signed_in(admin, ago=-3600)
    assert admin.post(page("download", anna.pk)).status_code == 302
    session = admin.session
    session["account_authentication_methods_user"] = "999999"
    session.save()
    assert admin.post(page("download", anna.pk)).status_code == 302


def test_five_exports_within_24_hours_and_the_refusal_says_when_it_is_possible_again(admin, anna):
    for _ in range(5):
        assert admin.post(page("download", anna.pk)).status_code == 200
    refused = admin.post(page("download", anna.pk), follow=True)
    words = refused.content.decode()
    assert "limit" in words and "possible from" in words and refused.redirect_chain
    assert AuditEntry.objects.filter(action="exported").count() == 5
    assert AuditEntry.objects.filter(action="export_refused", object_id=anna.pk, actor=admin.user).count() == 1
    other = UserFactory(role="admin")
    assert exports.take(other.pk, "customer", anna.pk) is None, "everybody has their own"


def test_the_time_that_is_told_is_24_hours_after_the_oldest_that_counts():
    user = UserFactory(role="admin")
    Shop.current()
    Shop.objects.update(exports_per_day=2)
    first = now() - timedelta(hours=20)
    AuditEntry.objects.create(actor=user, action="exported", kind="customer", at=now() - timedelta(hours=25))
    AuditEntry.objects.create(actor=user, action="exported", kind="customer", at=first)
    assert exports.take(user.pk, "customer") is None
    assert exports.take(user.pk, "customer") == first + timedelta(days=1)


def test_a_shop_may_allow_none(admin, anna):
    Shop.current()
    Shop.objects.update(exports_per_day=0)
    answer = admin.post(page("download", anna.pk), follow=True)
    assert "allow no exports" in answer.content.decode()
    assert not AuditEntry.objects.filter(action="exported").exists()


@pytest.mark.django_db(transaction=True)
def test_requests_at_the_same_moment_keep_the_limit():
    user = UserFactory(role="admin")
    Shop.current()
    answers = at_once(8, lambda: exports.take(user.pk, "customer"))
    assert answers.count(None) == 5
