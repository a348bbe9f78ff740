"""Mails that a day brings: the anniversary, the win-back, the talk before a contract's term ends."""

from datetime import UTC, date, datetime, timedelta

import pytest

from campaigns import recipes
from campaigns.models import Delivery
from campaigns.recipes.anniversary import first_days, in_words
from crm.models import Customer, Shop
from tests.campaigns.occasions import bought, colleague, due_now, planned, switched_on, windows
from tests.campaigns.people import deliver, open_shop, person
from tests.factories import BarrierFactFactory, ComplaintFactory, PurchaseFactory
from tests.smtp_sink import SmtpSink

pytestmark = pytest.mark.django_db

DAY = date(2026, 6, 1)
NEW = ("anniversary", "win_back", "stage_reached", "complaint_check_in", "contract_end")


@pytest.fixture(autouse=True)
def shop() -> Shop:
    return open_shop()


def back(days: int) -> date:
    return DAY - timedelta(days=days)


@pytest.mark.parametrize("code", NEW)
def test_nothing_new_runs_before_somebody_switches_it_on(code: str) -> None:
    assert recipes.standing_campaign(recipes.everything()[code]).switched_on is False


@pytest.mark.parametrize(
    "code", [code for code, one in recipes.everything().items() if one.message_class == "transactional"]
)
def test_what_needs_no_permission_offers_and_asks_nothing(code: str) -> None:
    recipe = recipes.everything()[code]
    assert not {block["kind"] for block in recipe.blocks} & {"benefit", "surprise", "request"}
    assert recipe.brings == ""


@pytest.mark.parametrize("code", [*NEW, "invitation"])
@pytest.mark.parametrize("language", ["de", "en"])
def test_previews_speak_the_language_of_the_mail(code: str, language: str) -> None:
    recipe = recipes.everything()[code]
    assert recipe.more_values and recipe.example
    told = recipe.more_values(recipe.example, language)
    assert told.keys() == recipe.values.keys()
    if language == "de":
        assert {name: text.replace("\u00a0", " ") for name, text in told.items()} == dict(recipe.values)


class TestAnniversary:
    @pytest.fixture(autouse=True)
    def on(self) -> None:
        switched_on("anniversary")

    def test_thanks_once_on_the_day_itself(self, smtp_sink: SmtpSink) -> None:
        mara = colleague()
        anna = person("anna@example.test", "newsletter", language="de", assigned_to=mara)
        bought(anna, date(2024, 6, 1), back(20))
        assert [planned("anniversary", DAY) for _again in range(3)] == [1, 0, 0]
        assert Delivery.objects.get().dedupe_key == f"anniversary:2026:{anna.pk}"
        assert windows("anniversary") == [(datetime(2026, 6, 1, 9), datetime(2026, 6, 2))]
        due_now("anniversary")
        deliver()
        [mail] = smtp_sink.messages
        said = mail.get_body(("plain",)).get_content().replace("\u00a0", " ")
        assert mail["Subject"] == "Danke für zwei Jahre mit Ihnen"
        assert "am 1. Juni 2024" in said and "zwei Jahre her" in said

    def test_is_signed_by_who_looks_after_the_customer_and_answers_reach_them(self, smtp_sink: SmtpSink) -> None:
        for name, staff in (
            ("anna", colleague()),
            ("ben", None),
            ("cleo", colleague(username="gone", email="x@shop.test", is_active=False)),
        ):
            bought(person(f"{name}@example.test", "newsletter", assigned_to=staff), date(2025, 6, 1), back(20))
        planned("anniversary", DAY)
        due_now("anniversary")
        deliver()
        signed = {
            mail["To"]: (mail["Reply-To"], mail.get_body(("plain",)).get_content()) for mail in smtp_sink.messages
        }
        assert signed["anna@example.test"][0] == "mara@shop.test" and "Mara Muster" in signed["anna@example.test"][1]
        for name in ("ben", "cleo"):
            reply_to, said = signed[f"{name}@example.test"]
            assert reply_to == "antwort@shop.test" and "Kim Beispiel" in said and "Mara" not in said
        Delivery.objects.update(state="planned", token=None)
        deliver()
        contents = {envelope.rcpt_tos[0]: set() for envelope in smtp_sink.envelopes}
        for envelope in smtp_sink.envelopes:
            contents[envelope.rcpt_tos[0]].add(envelope.original_content)
        assert len(smtp_sink.envelopes) == 6 and all(len(same) == 1 for same in contents.values())

    @pytest.mark.parametrize(
        ("first", "last", "why"),
        [
            (date(2024, 6, 1), back(200), "lapsed"),
            (DAY, DAY, "bought for the first time today"),
            (date(2024, 6, 2), back(20), "another day"),
        ],
    )
    def test_goes_to_nobody_else(self, first: date, last: date, why: str) -> None:
        bought(person("anna@example.test", "newsletter"), first, last)
        assert planned("anniversary", DAY) == 0, why

    def test_found_a_day_late_is_not_made_up_for(self) -> None:
        anna = person("anna@example.test", "newsletter")
        planned("anniversary", DAY)
        bought(anna, date(2024, 6, 1), back(20))
        assert planned("anniversary", DAY + timedelta(days=1)) == 0

    def test_of_a_first_purchase_given_back_meanwhile_is_stopped(self, smtp_sink: SmtpSink) -> None:
        anna = person("anna@example.test", "newsletter")
        bought(anna, date(2024, 6, 1), back(20))
        planned("anniversary", DAY)
        type(anna.metrics).objects.update(first_order_on=date(2025, 3, 1))
        due_now("anniversary")
        deliver()
        assert smtp_sink.messages == [] and Delivery.objects.get().reason == "cause_gone"

    def test_begins_with_the_year_the_shop_set(self) -> None:
        switched_on("anniversary", first_year=3)
        bought(person("anna@example.test", "newsletter"), date(2024, 6, 1), back(20))
        bought(person("ben@example.test", "newsletter"), date(2023, 6, 1), back(20))
        assert planned("anniversary", DAY) == 1

    def test_of_the_29th_of_february_is_kept_on_the_28th(self) -> None:
        assert date(2024, 2, 29) in first_days(date(2026, 2, 28))
        assert date(2024, 2, 29) in first_days(date(2028, 2, 29)) and date(2024, 2, 29) not in first_days(
            date(2028, 2, 28)
        )
        assert [in_words(n, "de") for n in (1, 2, 12, 13)] == ["ein Jahr", "zwei Jahre", "zwölf Jahre", "13 Jahre"]


class TestWinBack:
    @pytest.fixture(autouse=True)
    def on(self) -> None:
        switched_on("win_back", days_after=14)

    def away(self, last: date, name: str = "anna", **judged: object) -> Customer:
        customer = person(f"{name}@example.test", "win_back", language="de")
        bought(customer, date(2020, 1, 1), last, **judged)
        return customer

    def test_asks_once_some_days_after_somebody_lapsed(self, smtp_sink: SmtpSink) -> None:
        lapsed_on = back(14)
        anna = self.away(lapsed_on - timedelta(days=121))
        assert planned("win_back", DAY - timedelta(days=1)) == 0
        assert [planned("win_back", DAY + timedelta(days=day)) for day in range(5)] == [1, 0, 0, 0, 0]
        assert windows("win_back") == [(datetime(2026, 6, 1, 9), datetime(2026, 6, 15, 9))]
        assert Delivery.objects.get().customer == anna
        due_now("win_back")
        deliver()
        assert "im Januar 2026" in smtp_sink.messages[0].get_body(("plain",)).get_content()

    def test_leaves_in_peace_who_has_been_away_for_longer_when_it_is_switched_on(self) -> None:
        self.away(back(14 + 15 + 121))
        assert planned("win_back", DAY) == 0

    def test_is_asked_for_at_another_status(self) -> None:
        switched_on("win_back", status="at_risk", days_after=0)
        self.away(back(91))
        self.away(back(90), "ben")
        assert planned("win_back", DAY) == 1

    def test_comes_again_only_after_another_purchase_and_a_year(self, smtp_sink: SmtpSink) -> None:
        anna = self.away(back(14 + 121))
        planned("win_back", DAY)
        due_now("win_back")
        deliver()
        Delivery.objects.update(
            not_before=datetime(2026, 6, 1, 7, tzinfo=UTC), not_after=datetime(2026, 6, 15, 7, tzinfo=UTC)
        )

        def lapses_again(day: date) -> int:
            last = day - timedelta(days=14 + 121)
            ends = {"active_until": 60, "overdue_until": 90, "at_risk_until": 120}
            type(anna.assessment).objects.filter(customer=anna).update(
                last_order_on=last, **{name: last + timedelta(days=days) for name, days in ends.items()}
            )
            return planned("win_back", day)

        assert lapses_again(DAY + timedelta(days=200)) == 0
        assert lapses_again(DAY + timedelta(days=366)) == 1

    def test_bought_meanwhile_is_back(self, smtp_sink: SmtpSink) -> None:
        anna = self.away(back(14 + 121))
        planned("win_back", DAY)
        PurchaseFactory(customer=anna, ordered_at=datetime(2026, 6, 1, 8, tzinfo=UTC), status="placed")
        due_now("win_back")
        deliver()
        assert smtp_sink.messages == [] and Delivery.objects.get().reason == "cause_gone"

    def test_is_not_for_contracts(self) -> None:
        self.away(back(14 + 121), contract_until=back(15))
        assert planned("win_back", DAY) == 0

    def test_needs_its_own_permission(self) -> None:
        bought(person("anna@example.test", "newsletter"), date(2020, 1, 1), back(14 + 121))
        planned("win_back", DAY)
        assert Delivery.objects.get().reason == "no_permission"


class TestContractEnd:
    RECORDED = datetime(2026, 1, 15, 12, tzinfo=UTC)
    # Six months from 15 January; 45 days before is 31 May, and it is planned a day ahead.
    DUE = date(2026, 5, 30)

    @pytest.fixture(autouse=True)
    def on(self) -> None:
        switched_on("contract_end")

    def contract(self, **signals: float) -> Customer:
        customer = person("anna@example.test", language="de", assigned_to=colleague())
        for signal, value in {"remaining_months": 6, **signals}.items():
            BarrierFactFactory(customer=customer, signal=signal, value=value, recorded_at=self.RECORDED)
        return customer

    def test_offers_a_talk_with_a_named_person_once(self, smtp_sink: SmtpSink) -> None:
        self.contract()
        assert planned("contract_end", self.DUE - timedelta(days=1)) == 0
        assert [planned("contract_end", self.DUE + timedelta(days=day)) for day in range(9)] == [1, *[0] * 8]
        assert windows("contract_end") == [(datetime(2026, 5, 31, 9), datetime(2026, 6, 3, 9))]
        due_now("contract_end")
        deliver()
        [mail] = smtp_sink.messages
        said = mail.get_body(("plain",)).get_content().replace("\u00a0", " ")
        assert mail["Reply-To"] == "mara@shop.test" and mail["List-Unsubscribe"] is None
        assert "15. Juli 2026" in mail["Subject"] and "Sie sprechen mit: Mara Muster." in said
        assert "verlängert" not in said

    def test_says_that_it_would_renew(self, smtp_sink: SmtpSink) -> None:
        self.contract(auto_renewal=1)
        planned("contract_end", self.DUE)
        due_now("contract_end")
        deliver()
        assert "verlängert sich der Vertrag" in smtp_sink.messages[0].get_body(("plain",)).get_content()

    def test_known_too_late_it_is_not_made_up_for(self) -> None:
        self.contract()
        assert planned("contract_end", self.DUE + timedelta(days=6)) == 1
        Delivery.objects.all().delete()
        assert planned("contract_end", self.DUE + timedelta(days=8)) == 0

    def test_recorded_anew_it_does_not_come_twice(self, smtp_sink: SmtpSink) -> None:
        anna = self.contract()
        planned("contract_end", self.DUE)
        BarrierFactFactory(
            customer=anna, signal="remaining_months", value=2, recorded_at=datetime(2026, 5, 20, 12, tzinfo=UTC)
        )
        assert planned("contract_end", date(2026, 6, 5)) == 0

    @pytest.mark.parametrize("changed", ["cancelled", "complaint", "restricted", "extended", "renews"])
    def test_is_stopped_when_it_no_longer_fits(self, changed: str, smtp_sink: SmtpSink) -> None:
        anna = self.contract()
        planned("contract_end", self.DUE)
        later = datetime(2026, 5, 30, 12, tzinfo=UTC)
        if changed == "cancelled":
            BarrierFactFactory(customer=anna, signal="contract_cancelled", value=1, recorded_at=later)
        elif changed == "complaint":
            ComplaintFactory(customer=anna)
        elif changed == "restricted":
            Customer.objects.update(restricted_at=later)
        else:
            signal, value = ("remaining_months", 24) if changed == "extended" else ("auto_renewal", 1)
            BarrierFactFactory(customer=anna, signal=signal, value=value, recorded_at=later)
        due_now("contract_end")
        deliver()
        assert smtp_sink.messages == [] and Delivery.objects.get().reason == "cause_gone"
        Delivery.objects.all().delete()
        assert planned("contract_end", self.DUE) == (changed == "renews")


def test_days_elsewhere_end_later_and_are_still_planned() -> None:
    """It is the 2nd of June in the shop, and still the 1st where the customer lives."""
    switched_on("anniversary")
    bought(person("anna@example.test", "newsletter", time_zone="Pacific/Honolulu"), date(2025, 6, 1), back(20))
    assert planned("anniversary", DAY + timedelta(days=1)) == 1
    assert windows("anniversary") == [(datetime(2026, 6, 1, 21), datetime(2026, 6, 2, 12))]
    assert planned("anniversary", DAY + timedelta(days=1)) == 0
