"""Pages of segments and lists: who may, what is refused, what a mailing makes of them."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import translation
from django.utils.timezone import now

from campaigns import launching, planning, segments
from campaigns.audience import reach_of
from campaigns.models import Campaign, Segment, SegmentMember
from campaigns.segments import building, keeping, lists, members
from campaigns.segments.fields import FIELDS, Field
from campaigns.segments.kinds import Number
from crm.models import ContactPoint, CustomerKey
from tests.campaigns.people import mailing, open_shop, person
from tests.campaigns.test_segments_rules import found, group, one
from tests.factories import (
    AssessmentFactory,
    CampaignFactory,
    CustomerFactory,
    EmailFactory,
    SourceFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db

REGULAR = group("all", one("stage", "is", "regular"))


@pytest.fixture
def staff():
    open_shop(language="de")
    return UserFactory(role="marketer", first_name="Kim", last_name="Winter")


@pytest.fixture
def client(staff):
    client = Client()
    client.force_login(staff, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def regular(staff):
    return keeping.save(Segment(), "Regulars", REGULAR, staff)


def tree(**fields):
    return {name.replace("_", "."): value for name, value in fields.items()}


# Building


def test_a_segment_is_built_by_submits_alone(client):
    page = client.get("/campaigns/segments/new")
    assert b"choose what to ask" in page.content
    empty = {"name": "Quiet regulars", "match": "all", "field.1": ""}
    assert b'name="field.2"' in client.post("/campaigns/segments/new", empty | {"do": "add:"}).content
    nested = client.post("/campaigns/segments/new", empty | {"do": "nest:"}).content
    assert b'name="match.2"' in nested and b'name="field.2.1"' in nested
    chosen = {"name": "Quiet regulars", "match": "all", "field.1": "stage", "was.1": "", "do": "show"}
    assert b'value="is_not"' in client.post("/campaigns/segments/new", chosen).content
    whole = {
        "name": "Quiet regulars", "match": "all", "do": "save",
        "field.1": "stage", "was.1": "stage", "operator.1": "one_of", "value.1": ["regular", "loyal"],
        "match.2": "none",
        "field.2.1": "last_purchase", "was.2.1": "last_purchase", "operator.2.1": "in_last", "value.2.1": "60",
        "field.2.2": "value", "was.2.2": "value", "operator.2.2": "between", "value.2.2": ["1", "2,5"],
    }  # fmt: skip
    saved = client.post("/campaigns/segments/new", whole)
    made = Segment.objects.get()
    assert saved.status_code == 302
    assert made.rule == group(
        "all",
        one("stage", "one_of", ["regular", "loyal"]),
        group("none", one("last_purchase", "in_last", 60), one("value", "between", [1, 2.5])),
    )
    assert client.get(saved.url).status_code == 200
    assert (
        client.post(f"/campaigns/segments/{made.pk}/", whole | {"do": "remove:2"}).context["box"].rules[-1].place == "1"
    )


def test_another_field_takes_nothing_of_what_was_said_of_the_first():
    from django.http import QueryDict

    form = QueryDict("match=all&field.1=value&was.1=city&operator.1=is&value.1=K%C3%B6ln")
    assert building.read(form) == group("all", one("value", "is", ""))


def test_what_is_wrong_stands_at_its_place(client):
    broken = {
        "name": "",
        "match": "all",
        "field.1": "value",
        "was.1": "value",
        "operator.1": "at_least",
        "value.1": "much",
    }
    answer = client.post("/campaigns/segments/new", broken | {"do": "save"})
    assert answer.status_code == 422
    assert answer.context["box"].rules[0].faults == ["Enter a number."]
    assert answer.content.decode().count("1 thing is to be mended") == 1
    assert "Give it a name" in answer.context["name_trouble"]
    untouched = client.post("/campaigns/segments/new", {"name": "", "match": "all", "field.1": "", "do": "save"})
    assert untouched.context["box"].rules[0].faults == ["Choose what to ask."]
    unnamed = client.post("/campaigns/segments/new", broken | {"value.1": "5", "do": "save"})
    assert "Give it a name" in unnamed.context["name_trouble"]
    assert Segment.objects.count() == 0


def test_while_building_sentence_number_and_people_are_shown(client, regular):
    AssessmentFactory(customer=CustomerFactory(given_name="Änne", family_name="Öz"), stage="regular")
    asked = {
        "match": "all",
        "field.1": "stage",
        "was.1": "stage",
        "operator.1": "is",
        "value.1": "regular",
        "own": regular.pk,
    }
    seen = client.post("/campaigns/segments/look", asked).content.decode()
    assert "stage is Regular customer" in seen and "Änne Öz" in seen
    assert "not finished" in client.post("/campaigns/segments/look", asked | {"value.1": ""}).content.decode()
    itself = asked | {"field.1": "segment", "was.1": "segment", "value.1": regular.pk}
    assert "not finished" in client.post("/campaigns/segments/look", itself).content.decode()
    assert b"<select" in client.post("/campaigns/segments/build", asked | {"do": "add:"}).content


def test_only_who_may_manage_campaigns_changes_segments(client, regular):
    support = Client()
    support.force_login(UserFactory(role="support"), backend="django.contrib.auth.backends.ModelBackend")
    for path in ("/campaigns/segments/", f"/campaigns/segments/{regular.pk}/", "/campaigns/segments/new"):
        assert support.get(path).status_code == 403
    assert support.post(f"/campaigns/segments/{regular.pk}/archive").status_code == 403


@pytest.mark.parametrize(
    "path", ["/campaigns/segments/", "/campaigns/segments/{}/", "/campaigns/segments/lists/{list}/"]
)
def test_a_page_takes_as_many_queries_for_many_as_for_few(client, staff, regular, path):
    chosen = keeping.save_list(Segment(), "Chosen", staff)
    lists.add(chosen, [CustomerFactory().pk])

    def queries():
        with CaptureQueriesContext(connection) as seen:
            assert client.get(path.format(regular.pk, list=chosen.pk)).status_code == 200
        return len(seen)

    def more(first, last):
        for number in range(first, last):
            customer = CustomerFactory()
            AssessmentFactory(customer=customer, stage="regular")
            lists.add(chosen, [customer.pk])
            asked = keeping.save(
                Segment(),
                f"S{number}",
                group("all", one("segment", "is", regular.pk), one("list", "is", chosen.pk)),
                staff,
            )
            CampaignFactory(segment=asked, name=f"M{number}")
            CampaignFactory(segment=regular)

    more(0, 2)
    few = queries()
    more(2, 12)
    assert queries() == few


# Lists


def test_each_line_of_a_file_says_what_became_of_it(client):
    anna, ben = CustomerFactory(), CustomerFactory()
    EmailFactory(customer=anna, value="Anna@Example.test", normal="anna@example.test")
    for twin in (CustomerFactory(), CustomerFactory()):
        EmailFactory(customer=twin, value="shared@example.test")
    CustomerKey.objects.create(source=SourceFactory(), external_id="AB-7", customer=ben)
    gone = EmailFactory(customer=CustomerFactory(erased_at=now()), value="gone@example.test")
    content = f"E-Mail;Name\nANNA@example.test;Anna\nK-{anna.pk};x\nAB-7;\nnobody@example.test;\n\nshared@example.test\n{gone.value}\n"
    made = client.post("/campaigns/segments/lists/new", {"name": "Guests", "pasted": content})
    report = made.context["report"]
    assert [(line.number, line.outcome) for line in report.lines] == [
        (2, "added"), (3, "already"), (4, "added"), (5, "unknown"), (7, "ambiguous"), (8, "unknown"),
    ]  # fmt: skip
    guests = Segment.objects.get(kind="list")
    assert found(one("list", "is", guests.pk)) == {anna.pk, ben.pk}
    off = client.post(f"/campaigns/segments/lists/{guests.pk}/", {"name": "Guests", "pasted": "AB-7", "way": "off"})
    assert [line.outcome for line in off.context["report"].lines] == ["removed"]
    assert found(one("list", "is_not", guests.pk)) >= {ben.pk}
    assert client.get(f"/campaigns/segments/{guests.pk}/").status_code == 302


def test_a_file_of_an_old_spreadsheet_is_read(client):
    anna = EmailFactory(value="anna@example.test").customer
    file = SimpleUploadedFile("gäste.csv", "Gäste,E-Mail\nÄnne,anna@example.test\n".encode("cp1252"))
    client.post("/campaigns/segments/lists/new", {"name": "Guests", "file": file})
    assert [row.customer for row in SegmentMember.objects.all()] == [anna]
    nothing = SimpleUploadedFile("empty.csv", b"\n")
    refused = client.post("/campaigns/segments/lists/new", {"name": "Empty", "file": nothing})
    assert refused.status_code == 422
    assert Segment.objects.filter(name="Empty").count() == 0


def test_several_values_are_read_as_people_list_them():
    rule = group("all", one("stage", "one_of", ["regular", "loyal", "ambassador"]))
    with translation.override("en"):
        assert "stage is Regular customer, Loyal customer or Ambassador." in segments.sentence(rule)


def test_a_file_in_two_bytes_a_sign_is_read(client):
    assert lists.read("Ärger;K-5\nK-6".encode("utf-16")) == [(1, "Ärger"), (2, "K-6")]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xff\xfe\x00\x81\x8d", "no text"),
        (b"%PDF-1.7\nanna@example.test\n", "no text"),
        (b"PK\x03\x04xl/workbook.xml", "no text"),
        (b"K-5\x00\nanna@example.test", "no text"),
        (b"", "no address"),
        ("x\n" * 50_001, "too many"),
        (b"x" * 5_000_001, "too large"),
    ],
    ids=["binary", "pdf", "spreadsheet", "nul", "empty", "long", "large"],
)
def test_a_file_that_cannot_be_read_is_refused(content, words):
    with pytest.raises(keeping.SegmentError, match=words):
        lists.read(content)


def test_the_filtered_list_of_customers_goes_on_a_list_and_a_segment_narrows_it(client, regular):
    inside, outside = CustomerFactory(kind="company"), CustomerFactory()
    AssessmentFactory(customer=inside, stage="regular")
    assert b"Put on a list" in client.get("/customers/?kind=company").content
    client.post("/campaigns/segments/lists/from-customers?kind=company", {"name": "Companies"})
    assert [row.customer for row in SegmentMember.objects.all()] == [inside]
    shown = client.get(f"/customers/?segment={regular.pk}")
    assert [row.pk for row in shown.context["page"].rows] == [inside.pk] != [outside.pk]
    assert client.get("/customers/?segment=9999").status_code == 200
    given = client.get(f"{reverse('coupon_give')}?segment={regular.pk}")
    assert given.context["count"] == 1


# Copies, and what is put away


def test_a_segment_that_is_needed_stays_and_says_by_whom(client, staff, regular):
    user = keeping.save(Segment(), "Of regulars", group("all", one("segment", "is", regular.pk)), staff)
    draft = CampaignFactory(segment=regular, name="Spring", status="draft")
    ended = CampaignFactory(segment=regular, name="Winter", status="finished")
    told = client.post(f"/campaigns/segments/{regular.pk}/archive", follow=True).content.decode()
    assert "“Spring”" in told and "“Of regulars”" in told and "“Winter”" not in told
    keeping.archive(user)
    Campaign.objects.filter(pk=draft.pk).update(segment=None)
    keeping.archive(regular)
    assert ended.segment_id == regular.pk
    assert client.get(f"/campaigns/segments/{regular.pk}/").status_code == 404
    again = keeping.save(Segment(), "Regulars", REGULAR, staff)
    with pytest.raises(keeping.SegmentError, match="has this name"):
        keeping.save(Segment(), "REGULARS", REGULAR, staff)
    assert [keeping.copy(again, staff).name, keeping.copy(again, staff).name] == [
        "Copy of Regulars",
        "Copy of Regulars (2)",
    ]


def test_segments_cannot_ask_for_each_other(staff, regular):
    other = keeping.save(Segment(), "Other", group("any", one("segment", "is", regular.pk)), staff)
    with pytest.raises(segments.RuleError, match=r"Rule 1\.1: “Other” asks for this segment itself"):
        keeping.save(regular, "Regulars", group("all", group("any", one("segment", "is_not", other.pk))), staff)
    Segment.objects.filter(pk=regular.pk).update(rule=group("all", one("segment", "is", other.pk)))
    with pytest.raises(segments.RuleError, match="asks for itself"):
        segments.matching(Segment.objects.get(pk=other.pk).rule)


DEEP = one("email", "is", True)
for _level in range(6):
    DEEP = group("all", DEEP)


@pytest.mark.parametrize(
    ("rule", "place", "words"),
    [
        ({}, "", "Choose what to ask"),
        ([], "", "no rule"),
        (group("all"), "", "Add a rule"),
        (group("all", group("any")), "1", "empty"),
        (group("some", one("email", "is", True)), "", "Choose whether"),
        (DEEP, "1.1.1.1.1", "5 deep"),
        (group("all", *[one("email", "is", True)] * 101), "", "at most 100"),
        (group("all", one("email; DROP TABLE x", "is", True)), "1", "Nothing is known"),
        (group("all", one({}, "is", True)), "1", "Nothing is known"),
        (group("all", one("email", "at_least", 1)), "1", "cannot be asked in this way"),
        (group("all", one("email", ["is"], 1)), "1", "cannot be asked in this way"),
        (group("all", one("email", "is", 1)), "1", "one of the two"),
        (group("all", one("city", "is", "a\0b")), "1", "no text can have"),
        (group("all", one("city", "is", "x" * 201)), "1", "too long"),
        (group("all", one("city", "one_of", ["x"] * 101)), "1", "too many values"),
        (group("all", one("value", "at_least", 10**13)), "1", "too great"),
        (group("all", one("value", "at_least", float("nan"))), "1", "number"),
        (group("all", one("value", "at_least", True)), "1", "number"),
        (group("all", one("value", "between", [2, 1])), "1", "not be greater"),
        (group("all", one("created", "in_last", 36_501)), "1", "from 1 to"),
        (group("all", one("created", "before", "2026-02-30")), "1", "Choose a day"),
        (group("all", one("created", "between", ["2026-02-02", "2026-02-01"])), "1", "not be later"),
        (group("all", one("stage", "is", "king")), "1", "does not exist"),
        (group("all", one("got", "ever", of="999999")), "1", "does not exist"),
        (group("all", one("got", "ever")), "1", "what it is about"),
        (group("all", one("product", "ever", of="nothing like it")), "1", "No product"),
        (group("all", one("segment", "is", 10**30)), "1", "does not exist"),
        (group("any", one("email", "is", True), "x"), "2", "neither"),
    ],
)
def test_a_rule_that_cannot_be_asked_says_where_and_why(staff, rule, place, words):
    wrong = segments.faults(rule)
    assert [fault.place for fault in wrong] == [place]
    assert words in wrong[0].text
    with pytest.raises(segments.RuleError):
        segments.matching(rule)
    segments.sentence(rule)


# Mailings


def test_a_mailing_goes_to_whom_its_segment_meant_at_the_launch(staff, regular):
    chosen = keeping.save_list(Segment(), "Chosen", staff)
    people = [person(f"p{number}@example.test", "newsletter") for number in range(3)]
    for customer in people[:2]:
        AssessmentFactory(customer=customer, stage="regular")
    lists.add(chosen, [people[2].pk])
    draft = mailing(segment=regular)
    assert (reach_of(draft).recipients, reach_of(mailing(segment=regular, stages=["repeat"])).matched) == (2, 0)
    assert reach_of(mailing(segment=chosen)).recipients == 1
    assert planning.preview(draft).recipients == 2
    launching.check(draft.pk, staff)
    run = planning.launch(draft.pk, 2, staff)
    draft.refresh_from_db()
    assert set(run.deliveries.values_list("customer_id", flat=True)) == {people[0].pk, people[1].pk}
    keeping.save(regular, "Regulars", group("all", one("stage", "is", "loyal")), staff)
    kept = segments.rule_of(draft)
    assert segments.sentence(kept) == (
        "Everyone for whom this holds: the segment “Regulars” (stage is Regular customer)."
    )
    assert [(line.met, line.depth) for line in segments.explain(kept, people[0].pk, launched=True)] == [
        ("yes", 0),
        ("yes", 1),
    ]
    assert [line.met for line in segments.explain(kept, people[2].pk, launched=True)] == ["unknown", "unknown"]


def test_a_segment_that_cannot_be_asked_any_more_means_nobody_and_stops_the_launch(staff, regular):
    person("p@example.test", "newsletter")
    draft = mailing(segment=regular)
    Segment.objects.filter(pk=regular.pk).update(rule=group("all", one("stage", "is", "king")))
    draft = Campaign.objects.get(pk=draft.pk)
    assert planning.preview(draft).matched == 0
    problems = launching.check(draft.pk, staff).problems
    assert any("does not exist any more" in problem for problem in problems)


# Counting, and the registry


def test_a_count_that_takes_too_long_is_estimated_and_says_so(client, regular, monkeypatch):
    for _number in range(3):
        AssessmentFactory(customer=CustomerFactory(), stage="regular")
    assert members.within(20, "SELECT count(*) FROM generate_series(1, 100000000)", {}, list) is None
    answered = members.within
    monkeypatch.setattr(
        members, "within", lambda patience, *asked: None if patience == 1_000 else answered(patience, *asked)
    )
    counted = members.count(REGULAR)
    assert (counted.number, counted.exact) == (3, False)
    page = client.get(f"/campaigns/segments/{regular.pk}/").content.decode()
    assert "about" in page and "At the launch everybody is counted" in page
    assert [members.two_digits(n) for n in (7, 99, 48_213, 995)] == [7, 99, 48_000, 1_000]


def test_a_field_is_one_entry(monkeypatch, staff):
    """Only the registry is touched; builder, statement and sentence follow."""
    added = Field("mails", FIELDS[0].section, "mails wished for", Number("customer.mails_per_fortnight"))
    monkeypatch.setitem(segments.checking.BY_CODE, "mails", added)
    customer = CustomerFactory(mails_per_fortnight=2)
    rule = group("all", one("mails", "at_most", 2))
    assert found(rule) == {customer.pk}
    assert segments.sentence(rule) == "Everyone for whom this holds: mails wished for is at most 2."


def test_someone_without_address_stays_without_it(staff):
    customer = EmailFactory().customer
    ContactPoint.objects.filter(customer=customer).update(state="gone")
    assert found(one("email", "is", False)) == {customer.pk}
