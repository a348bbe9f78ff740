"""Mails that something which happened brings: a stage reached, a complaint closed, a purchase."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils.timezone import now

from campaigns import planning
from campaigns.models import Delivery
from crm import complaints
from crm.models import Complaint, Event, Hold, Shop
from loyalty.models import RuleSet
from tests.campaigns.occasions import due_now, rises, switched_on, windows
from tests.campaigns.people import buys, deliver, open_shop, person
from tests.factories import AssessmentFactory, ComplaintFactory
from tests.smtp_sink import SmtpSink

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def shop() -> Shop:
    return open_shop()


class TestStageReached:
    @pytest.fixture(autouse=True)
    def on(self) -> None:
        switched_on("stage_reached")

    def test_thanks_on_the_next_morning_and_names_the_stage(self, smtp_sink: SmtpSink) -> None:
        anna = person("anna@example.test", "newsletter", language="de")
        AssessmentFactory(customer=anna, stage="regular")
        rises(anna, "repeat", "regular", NOON)
        planning.plan_events()
        assert windows("stage_reached") == [(datetime(2026, 6, 2, 9), datetime(2026, 6, 5, 9))]
        due_now("stage_reached")
        deliver()
        said = smtp_sink.messages[0].get_body(("plain",)).get_content()
        assert "„Stammkunde“" in said and "regular" not in said

    def test_uses_the_shops_own_word_in_the_customers_language(self, smtp_sink: SmtpSink) -> None:
        RuleSet.objects.create(
            version=2, values={"labels": {"stage.regular": {"de": "Röstfreund", "en": "Roast friend"}}}
        )
        for name, language in (("anna", "de"), ("ben", "en")):
            customer = person(f"{name}@example.test", "newsletter", language=language)
            AssessmentFactory(customer=customer, stage="regular")
            rises(customer, "repeat", "regular", NOON)
        planning.plan_events()
        due_now("stage_reached")
        deliver()
        said = {mail["To"]: mail.get_body(("plain",)).get_content() for mail in smtp_sink.messages}
        assert "„Röstfreund“" in said["anna@example.test"] and "“Roast friend”" in said["ben@example.test"]

    @pytest.mark.parametrize(
        ("moves", "mails"),
        [
            ([("loyal", "regular")], []),
            ([("first_time", "repeat")], []),
            ([("repeat", "loyal")], ["loyal"]),
            ([("repeat", "regular"), ("regular", "loyal")], ["regular", "loyal"]),
            ([("repeat", "regular"), ("regular", "repeat"), ("repeat", "regular")], ["regular"]),
            ([("repeat", "loyal"), ("loyal", "repeat"), ("repeat", "regular")], ["loyal"]),
            ([("regular", "repeat"), ("repeat", "regular")], []),
        ],
    )
    def test_comes_once_for_each_stage_and_upward_only(self, moves: list[tuple[str, str]], mails: list[str]) -> None:
        anna = person("anna@example.test", "newsletter")
        for day, (old, new) in enumerate(moves):
            rises(anna, old, new, NOON + timedelta(days=day))
            planning.plan_events()
        keys = [f"stage:{stage}:{anna.pk}" for stage in mails]
        assert sorted(Delivery.objects.values_list("dedupe_key", flat=True)) == sorted(keys)

    def test_is_stopped_if_the_stage_was_lost_meanwhile(self, smtp_sink: SmtpSink) -> None:
        anna = person("anna@example.test", "newsletter")
        AssessmentFactory(customer=anna, stage="repeat")
        rises(anna, "repeat", "regular", NOON)
        planning.plan_events()
        due_now("stage_reached")
        deliver()
        assert smtp_sink.messages == [] and Delivery.objects.get().reason == "cause_gone"


class TestComplaintCheckIn:
    @pytest.fixture(autouse=True)
    def on(self) -> None:
        switched_on("complaint_check_in")

    def closed(self, closed_at: datetime = NOON) -> Complaint:
        case = ComplaintFactory(customer=person("anna@example.test", language="de"))
        Hold.objects.create(customer=case.customer, reason="complaint", complaint=case)
        complaints.close(case, resolution="Replaced")
        Complaint.objects.update(closed_at=closed_at)
        Event.objects.filter(kind="complaint.closed").update(occurred_at=closed_at)
        return case

    def test_asks_some_days_after_the_closing_without_any_permission(self, smtp_sink: SmtpSink) -> None:
        case = self.closed()
        planning.plan_events()
        assert windows("complaint_check_in") == [(datetime(2026, 6, 4, 9), datetime(2026, 6, 7, 9))]
        due_now("complaint_check_in")
        deliver()
        [mail] = smtp_sink.messages
        said = mail.get_body(("plain",)).get_content().replace("\u00a0", " ")
        assert f"R-{case.pk}" in mail["Subject"] and "Am 1. Juni 2026" in said
        assert Delivery.objects.get().reason == "contract" and mail["List-Unsubscribe"] is None

    def test_waits_as_many_days_as_the_shop_set(self) -> None:
        switched_on("complaint_check_in", days_after=7)
        self.closed()
        planning.plan_events()
        assert windows("complaint_check_in")[0][0] == datetime(2026, 6, 8, 9)

    @pytest.mark.parametrize("happened", ["another", "opened again", "alert", "restricted"])
    def test_is_stopped_if_not_all_is_at_peace(self, happened: str, smtp_sink: SmtpSink) -> None:
        case = self.closed()
        planning.plan_events()
        if happened == "another":
            ComplaintFactory(customer=case.customer, severity="low")
        elif happened == "opened again":
            Complaint.objects.update(state="open", closed_at=None)
        elif happened == "alert":
            Hold.objects.create(customer=case.customer, reason="alert")
        else:
            type(case.customer).objects.update(restricted_at=NOON)
        due_now("complaint_check_in")
        deliver()
        assert smtp_sink.messages == [] and Delivery.objects.get().reason == "cause_gone"

    def test_planned_days_late_it_does_not_go(self, smtp_sink: SmtpSink) -> None:
        self.closed(now() - timedelta(days=20))
        planning.plan_events()
        deliver()
        from campaigns import resolving

        resolving.resolve()
        assert smtp_sink.messages == [] and Delivery.objects.get().reason == "expired"


class TestThankYou:
    @pytest.mark.parametrize("change", [{"status": "refunded"}, {"net": 0, "returned": 10}])
    def test_for_what_was_given_back_meanwhile_is_stopped(self, change: dict[str, object], smtp_sink: SmtpSink) -> None:
        purchase = buys(person("anna@example.test", "newsletter"))
        planning.plan_due()
        type(purchase).objects.update(**change)
        deliver()
        assert smtp_sink.messages == [] and Delivery.objects.get().reason == "cause_gone"

    def test_planned_days_late_it_does_not_go(self, smtp_sink: SmtpSink) -> None:
        buys(person("anna@example.test", "newsletter"))
        Event.objects.update(recorded_at=now() - timedelta(days=4))
        planning.plan_due()
        deliver()
        assert smtp_sink.messages == []
        assert Delivery.objects.get().not_after < now()
