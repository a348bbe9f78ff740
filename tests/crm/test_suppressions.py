"""The list of silenced addresses, as an administrator sees it."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import translation
from django.utils.timezone import now

from crm import double_opt_in, keyed, permission, suppressions
from crm.models import AuditEntry, ContactPoint, Purpose, Suppression, User
from tests.factories import CustomerFactory, EmailFactory, UserFactory

pytestmark = pytest.mark.django_db
PAGE = "/settings/suppressions/"


@pytest.fixture
def admin(client: Client) -> Iterator[User]:
    user = UserFactory(role="admin", language="en")
    client.force_login(user)
    with translation.override("en"):
        yield user


def silenced(address: str, reason: str, **more: Any) -> Suppression:
    return Suppression.objects.create(address_hash=keyed.address_hash(address), reason=reason, **more)


class TestLookUp:
    def test_says_since_when_and_why_and_who_has_it(self, client: Client, admin: User) -> None:
        silenced("anna@example.test", "spam_report", source="postmark")
        customer = CustomerFactory(given_name="Anna", family_name="Beispiel")
        EmailFactory(customer=customer, value="Anna@example.test", normal="anna@example.test")
        page = client.post(PAGE, {"asked": " ANNA@Example.test "}).content.decode()
        assert "gets no advertising" in page and "Reported as spam" in page and "postmark" in page
        assert "Anna Beispiel" in page

    def test_another_address_and_a_phone_number(self, client: Client, admin: User) -> None:
        silenced("anna@example.test", "objected")
        silenced("+492214710123", "objected")
        assert "is not silenced" in client.post(PAGE, {"asked": "ben@example.test"}).content.decode()
        assert "gets no advertising" in client.post(PAGE, {"asked": "0221 4710123"}).content.decode()

    @pytest.mark.parametrize("asked", ["", "anna", "anna@", "@", "\x00", "a" * 300, "1"])
    def test_what_is_no_address_is_said(self, client: Client, admin: User, asked: str) -> None:
        assert client.post(PAGE, {"asked": asked}).status_code == 422

    @pytest.mark.parametrize(
        "query", ["?before=x", "?before=99999999999999999999", "?reason=nothing", "?before=-1&reason=manual"]
    )
    def test_rubbish_in_the_address_shows_the_list(self, client: Client, admin: User, query: str) -> None:
        assert client.get(PAGE + query).status_code == 200


def test_the_list_says_reasons_and_goes_on(client: Client, admin: User, django_assert_max_num_queries: Any) -> None:
    for number in range(60):
        silenced(f"p{number}@example.test", ("objected", "manual")[number % 2], created_by=admin)
    with django_assert_max_num_queries(12):
        first = client.get(PAGE)
    last = first.context["next"]
    assert len(first.context["rows"]) == 50 and len(client.get(f"{PAGE}?before={last}").context["rows"]) == 10
    assert len(client.get(f"{PAGE}?reason=manual").context["rows"]) == 30
    assert "example.test" not in first.content.decode()


class TestAdding:
    def test_silences_once_and_the_trail_knows_who(self, client: Client, admin: User) -> None:
        for _ in range(2):
            client.post(f"{PAGE}add/", {"address": "Kim@Example.test", "note": "A competitor"}, follow=True)
        entry = Suppression.objects.get()
        assert (entry.reason, entry.note, entry.created_by, entry.source) == ("manual", "A competitor", admin, "staff")
        assert AuditEntry.objects.get().action == "suppressed"

    def test_such_an_address_gets_neither_advertising_nor_a_request_to_confirm(self, admin: User) -> None:
        Purpose.objects.get_or_create(code="newsletter", defaults={"label_de": "N", "label_en": "N"})
        point = EmailFactory(customer=CustomerFactory(), value="kim@example.test", normal="kim@example.test")
        suppressions.add("kim@example.test", "A competitor", admin.pk)
        assert permission.may_send(point.customer_id, "advertising", "newsletter").code == "suppressed"
        assert permission.may_send(point.customer_id, "transactional", "contract").allowed
        refused = double_opt_in.refusal_for(keyed.address_hash("kim@example.test"), "web")
        assert refused is not None and refused.state == "silent"

    def test_without_a_reason_nothing_is_added(self, client: Client, admin: User) -> None:
        assert client.post(f"{PAGE}add/", {"address": "kim@example.test", "note": " "}).status_code == 422
        assert not Suppression.objects.exists()


def upload(client: Client, content: bytes) -> Any:
    file = SimpleUploadedFile("list.csv", content)
    return client.post(f"{PAGE}upload/", {"file": file, "list_note": "From the old system"})


class TestUpload:
    def test_row_by_row_whatever_stands_around_the_address(self, client: Client, admin: User) -> None:
        silenced("b@example.test", "manual")
        rows = "Name;E-Mail\r\nÄnne;a@example.test\r\n;B@example.test\r\nX;none\r\n\r\nY\r\nA;A@Example.test\r\nD;d@münchen.test\r\n"
        page = upload(client, b"\xef\xbb\xbf" + rows.encode())
        assert page.status_code == 200
        assert "2 addresses added, 1 stood there already, 1 row stood in it twice." in page.content.decode()
        assert [line for line, _why in page.context["refused"]] == [4, 6]
        assert Suppression.objects.filter(note="From the old system", reason="manual").count() == 2
        assert upload(client, rows.encode("cp1252")).context["refused_total"] == 2
        assert Suppression.objects.count() == 3

    def test_plain_lines(self, client: Client, admin: User) -> None:
        upload(client, b"a@example.test\nb@example.test\n")
        assert Suppression.objects.count() == 2

    @pytest.mark.parametrize(("content", "said"), [(b"\r\n\r\n", "no address in this file"), (b"", "file is empty")])
    def test_an_empty_list_is_told_from_one_that_was_taken(
        self, client: Client, admin: User, content: bytes, said: str
    ) -> None:
        page = upload(client, content)
        assert page.status_code == 422 and said in page.content.decode()

    @pytest.mark.parametrize(
        "content", [b"PK\x03\x04\0\0", b"x" * (suppressions.MOST_BYTES + 1), b'"' * 200_000], ids=range(3)
    )
    def test_what_is_no_list_is_refused(self, client: Client, admin: User, content: bytes) -> None:
        page = upload(client, content)
        assert page.status_code == 422 or page.context["refused_total"]
        assert not Suppression.objects.exists()


class TestLifting:
    @pytest.mark.parametrize("reason", ["hard_bounce", "spam_report", "manual"])
    def test_with_a_reason_and_it_stays_as_a_record(self, client: Client, admin: User, reason: str) -> None:
        entry = silenced("anna@example.test", reason)
        client.post(f"{PAGE}{entry.pk}/lift/", {"note": "She rang: the mailbox works again"})
        entry.refresh_from_db()
        assert entry.lifted_at and (entry.lifted_by, entry.lift_note) == (admin, "She rang: the mailbox works again")
        trail = AuditEntry.objects.get()
        assert (trail.action, trail.object_id, trail.actor) == ("suppression_lifted", entry.pk, admin)

    @pytest.mark.parametrize("reason", ["objected", "erased"])
    def test_only_the_person_takes_back_an_objection(self, client: Client, admin: User, reason: str) -> None:
        entry = silenced("anna@example.test", reason)
        page = client.post(f"{PAGE}{entry.pk}/lift/", {"note": "We would like to"}, follow=True).content.decode()
        entry.refresh_from_db()
        assert entry.lifted_at is None and "ask them to sign up again" in page
        assert not AuditEntry.objects.exists()

    @pytest.mark.parametrize("note", ["", "   "])
    def test_not_without_a_reason_nor_twice(self, client: Client, admin: User, note: str) -> None:
        entry = silenced("anna@example.test", "manual")
        client.post(f"{PAGE}{entry.pk}/lift/", {"note": note})
        entry.refresh_from_db()
        assert entry.lifted_at is None
        Suppression.objects.update(lifted_at=now())
        for pk in (entry.pk, entry.pk + 1):
            client.post(f"{PAGE}{pk}/lift/", {"note": "why"})
        assert not AuditEntry.objects.exists()

    def test_what_came_back_for_good_is_open_again_for_all_who_have_it(self, client: Client, admin: User) -> None:
        for normal in ("anna@example.test", "anna@example.test", "ben@example.test"):
            EmailFactory(customer=CustomerFactory(), value=normal, normal=normal, state="hard_bounced")
        client.post(f"{PAGE}{silenced('anna@example.test', 'hard_bounce').pk}/lift/", {"note": "Works again"})
        open_again = ContactPoint.objects.filter(state="usable").values_list("normal", flat=True)
        assert list(open_again) == ["anna@example.test"] * 2


@pytest.mark.parametrize("role", ["support", "marketer"])
def test_nobody_but_administrators(client: Client, role: str) -> None:
    client.force_login(UserFactory(role=role))
    assert client.get(PAGE).status_code == client.post(f"{PAGE}add/").status_code == 403
