"""The life of a code: as often as allowed, whoever asks at the same moment."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import translation
from django.utils.timezone import now

from crm.days import today
from loyalty.coupons import codes, issuing, ledger, proving, returns
from loyalty.coupons.issuing import Wanted
from loyalty.coupons.ledger import Refused
from loyalty.models import Coupon, CouponBatch, CouponCustomer, CouponEntry, Redemption
from tests.crm.at_once import at_once
from tests.factories import CustomerFactory, PurchaseFactory, SourceFactory
from tests.loyalty.coupons import basket, batch, coupon, till

pytestmark = pytest.mark.django_db


def refusal(action) -> str:
    with pytest.raises(Refused) as caught:
        action()
    return caught.value.reason


def steps(made: Coupon) -> list[tuple[str, Decimal]]:
    return [(entry.step, entry.amount) for entry in ledger.history(made)]


def recounted(made: Coupon) -> int:
    """Uses that stand by the ledger alone."""
    taken = made.entries.filter(step__in=["reserved", "redeemed"]).values("redemption").distinct().count()
    given = made.entries.filter(step="released").count()
    return taken - given


class TestUsing:
    def test_redeeming_takes_one_use_and_is_entered(self):
        made = coupon()
        done = ledger.redeem(codes.shown(made.code).lower(), basket(50), till(), reference="A-1")
        made.refresh_from_db()
        assert (done.state, done.discount, made.used) == ("redeemed", Decimal(5), 1)
        assert steps(made) == [("issued", 0), ("redeemed", 5)]
        assert refusal(lambda: ledger.redeem(made.code, basket(50), till())) == "used_up"

    def test_a_reservation_becomes_a_redemption(self):
        made = coupon()
        held = ledger.reserve(made.code, basket(50), till(), reference="A-1")
        assert refusal(lambda: ledger.redeem(made.code, basket(50), till())) == "used_up"
        done = ledger.redeem_reserved(held.pk, till())
        assert (done.pk, done.state) == (held.pk, "redeemed")
        assert steps(made) == [("issued", 0), ("reserved", 5), ("redeemed", 5)]
        assert refusal(lambda: ledger.redeem_reserved(held.pk, till())) == "not_reserved"

    def test_a_reservation_whose_shop_never_comes_back_ends_by_itself(self):
        made = coupon()
        held = ledger.reserve(made.code, basket(50), till())
        Redemption.objects.update(reserved_until=now() - timedelta(seconds=1))
        assert refusal(lambda: ledger.redeem_reserved(held.pk, till())) == "not_reserved"
        assert ledger.redeem(made.code, basket(50), till()).state == "redeemed"
        held.refresh_from_db()
        assert held.state == "released"

    def test_a_release_gives_everything_back(self):
        someone = CustomerFactory()
        made = coupon(batch(budget=8, per_customer=1))
        held = ledger.redeem(made.code, basket(50), till(), customer=someone)
        ledger.release(held.pk, till(), "order cancelled")
        made.refresh_from_db()
        assert (made.used, CouponCustomer.objects.get().used, CouponBatch.objects.get().spent) == (0, 0, 0)
        assert refusal(lambda: ledger.release(held.pk, till())) == "not_standing"
        assert ledger.redeem(made.code, basket(50), till(), customer=someone).discount == 5

    def test_an_amount_is_spent_in_parts(self):
        made = coupon(value=20, in_parts=True)
        assert ledger.redeem(made.code, basket(12), till()).discount == 12
        assert ledger.redeem(made.code, basket(12), till()).discount == 8
        assert refusal(lambda: ledger.redeem(made.code, basket(12), till())) == "used_up"

    def test_a_void_code_is_refused(self):
        made = coupon()
        assert ledger.void([made.pk], till(), "lost") == 1
        assert ledger.void([made.pk], till(), "lost") == 0
        assert refusal(lambda: ledger.redeem(made.code, basket(50), till())) == "voided"

    def test_a_stopped_batch_is_refused(self):
        made = coupon()
        CouponBatch.objects.update(stopped_at=now())
        assert refusal(lambda: ledger.redeem(made.code, basket(50), till())) == "voided"

    @pytest.mark.parametrize("typed", ["", "ÄÖÜ", "0000-0000-00000", "nothing like it"])
    def test_an_unknown_code_is_refused(self, typed):
        assert refusal(lambda: ledger.redeem(typed, basket(50), till())) == "unknown"

    def test_a_basket_below_the_minimum_is_refused(self):
        made = coupon(minimum=20)
        assert refusal(lambda: ledger.redeem(made.code, basket("19.99"), till())) == "basket"
        made.refresh_from_db()
        assert made.used == 0

    def test_a_use_that_would_take_nothing_off_is_refused(self):
        made = coupon(batch("free_delivery", None))
        assert refusal(lambda: ledger.redeem(made.code, basket(50), till())) == "basket", "nothing is delivered"
        assert ledger.redeem(made.code, basket(50, delivery="4.90"), till()).discount == Decimal("4.90")

    def test_another_source_cannot_touch_a_redemption(self):
        held = ledger.reserve(coupon().code, basket(50), till("one"))
        assert refusal(lambda: ledger.release(held.pk, till("another"))) == "unknown"
        assert refusal(lambda: ledger.redeem_reserved(held.pk, till("another"))) == "unknown"


class TestLimits:
    def test_one_customer_uses_a_batch_as_often_as_it_says(self):
        someone, made = CustomerFactory(), batch(per_customer=1, uses=5)
        shared = coupon(made)
        assert refusal(lambda: ledger.redeem(shared.code, basket(50), till())) == "customer_needed"
        ledger.redeem(shared.code, basket(50), till(), customer=someone)
        assert refusal(lambda: ledger.redeem(shared.code, basket(50), till(), customer=someone)) == "customer_limit"
        assert ledger.redeem(shared.code, basket(50), till(), customer=CustomerFactory()).discount == 5
        shared.refresh_from_db()
        assert shared.used == 2

    def test_the_budget_is_never_passed(self):
        made = batch(uses=5, budget=12)
        shared = coupon(made)
        for _number in range(2):
            ledger.redeem(shared.code, basket(50), till())
        assert refusal(lambda: ledger.redeem(shared.code, basket(50), till())) == "budget"
        made.refresh_from_db()
        assert made.spent == 10

    def test_coupons_of_one_purchase_join_only_if_both_may(self):
        alone, first, second = coupon(), coupon(combinable=True), coupon(combinable=True)
        ledger.redeem(first.code, basket(50), till(), reference="A-1")
        ledger.redeem(second.code, basket(50), till(), reference="A-1")
        assert refusal(lambda: ledger.redeem(alone.code, basket(50), till(), reference="A-1")) == "not_combinable"
        assert ledger.redeem(alone.code, basket(50), till(), reference="A-2").discount == 5
        third = coupon(combinable=True)
        assert refusal(lambda: ledger.redeem(third.code, basket(50), till(), reference="A-2")) == "not_combinable"

    def test_one_code_counts_once_for_a_purchase(self):
        shared = coupon(uses=9, combinable=True)
        ledger.redeem(shared.code, basket(50), till(), reference="A-1")
        again = refusal(lambda: ledger.redeem(shared.code, basket(50), till(), reference="A-1"))
        assert again == "already_on_purchase"

    def test_days_are_days_of_the_shop(self, settings):
        day = today()
        last, before, after = (coupon(valid_until=day), coupon(valid_from=day + timedelta(1)), coupon())
        Coupon.objects.filter(pk=after.pk).update(valid_until=day - timedelta(1))
        assert ledger.redeem(last.code, basket(50), till()).state == "redeemed"
        assert refusal(lambda: ledger.redeem(before.code, basket(50), till())) == "not_yet"
        assert refusal(lambda: ledger.redeem(after.code, basket(50), till())) == "expired"
        assert ledger.expire() == 1
        assert ledger.expire() == 0
        assert steps(after)[-1] == ("expired", 0)


class TestIssuing:
    def test_a_cause_gets_one_code_however_often_it_asks(self):
        made, people = batch(), CustomerFactory.create_batch(3)
        assert issuing.to_customers(made, [one.pk for one in people], "run 7") == 3
        assert issuing.to_customers(made, [one.pk for one in people], "run 7") == 0
        assert (
            issuing.for_cause(made, people[0], "delivery 1").pk == issuing.for_cause(made, people[0], "delivery 1").pk
        )
        assert Coupon.objects.count() == 4
        assert CouponEntry.objects.filter(step="issued").count() == 4

    def test_a_code_that_was_thought_of_is_marked(self):
        made = issuing.thought_of(batch(), "Amsel-26", uses=100)
        assert (made.guessable, made.written, made.uses) == (True, "AMSEL-26", 100)
        assert ledger.redeem("amsel 26", basket(50), till()).discount == 5
        with translation.override("en"), pytest.raises(issuing.IssueError, match="exists already"):
            issuing.thought_of(batch(), "AMSEL26", uses=1)
        with translation.override("en"), pytest.raises(issuing.IssueError, match="3 to 40"):
            issuing.thought_of(batch(), "!!", uses=1)

    def test_many_are_made_with_progress(self):
        heard: list[int] = []
        assert issuing.many(batch(), 50, progress=heard.append) == 50
        assert heard == [50]

    def test_nobody_erased_gets_a_code(self):
        gone = CustomerFactory(erased_at=now())
        assert issuing.issue(batch(), [Wanted(gone.pk)]) == []


class TestReturns:
    def redeemed(self, gross: object = 50, **terms: object) -> tuple[Coupon, Redemption]:
        made = coupon(**terms)
        done = ledger.redeem(made.code, basket(gross), till("shop"), reference="A-1")
        PurchaseFactory(source=till("shop").source, external_id="A-1", gross=gross)
        return made, done

    def brought_back(self, amount: object) -> int:
        from crm.models import Purchase

        bought = Purchase.objects.get(external_id="A-1")
        Purchase.objects.filter(pk=bought.pk).update(returned=amount, net=bought.gross - Decimal(str(amount)))
        return returns.settle()

    def test_a_full_return_gives_the_use_back(self):
        made, done = self.redeemed()
        assert self.brought_back(50) == 1
        assert self.brought_back(50) == 0
        made.refresh_from_db()
        done.refresh_from_db()
        assert (made.used, done.state, done.given_back) == (0, "returned", 5)
        assert steps(made)[-1] == ("returned", Decimal(-5))

    def test_a_part_gives_back_its_share_of_an_amount_in_parts(self):
        made, done = self.redeemed(value=20, in_parts=True)
        assert self.brought_back(25) == 1
        made.refresh_from_db()
        assert made.left == 10
        assert self.brought_back(50) == 1
        made.refresh_from_db()
        assert (made.left, made.used) == (20, 0)

    def test_a_part_gives_no_single_use_back(self):
        made, _done = self.redeemed()
        self.brought_back(25)
        made.refresh_from_db()
        assert made.used == 1

    def test_by_rule_a_return_voids_the_rest(self):
        made, _done = self.redeemed(value=80, in_parts=True, on_return="void")
        self.brought_back(25)
        made.refresh_from_db()
        assert (made.left, refusal(lambda: ledger.redeem(made.code, basket(9), till()))) == (30, "voided")

    def test_a_number_typed_at_the_counter_finds_its_purchase_if_there_is_but_one(self):
        counter = ledger.Actor(SourceFactory(name="Counter", kind="staff"))
        for number, shops in (("A-1", ["till"]), ("A-2", ["till", "web"])):
            for shop in shops:
                PurchaseFactory(source=till(shop).source, external_id=number, customer=None)
            ledger.redeem(coupon().code, basket(50), counter, reference=number)
        returns.settle()
        linked = dict(Redemption.objects.values_list("reference", "purchase__source__name"))
        assert linked == {"A-1": "till", "A-2": None}

    def test_by_rule_nothing_happens(self):
        self.redeemed(on_return="keep")
        assert self.brought_back(50) == 0


def test_the_ledger_refuses_changes():
    entry = coupon().entries.get()
    for action in (lambda: CouponEntry.objects.update(amount=9), entry.delete):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            action()


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    """Many tills, one code: exactly as often as it says."""

    @pytest.mark.parametrize("uses", [1, 3, 50])
    def test_exactly_as_often_as_allowed(self, uses):
        made, actor = coupon(uses=uses), till()
        outcomes = at_once(60, lambda: outcome(made, actor))
        made.refresh_from_db()
        assert outcomes.count("redeemed") == uses == made.used == recounted(made)
        assert outcomes.count("used_up") == 60 - uses

    def test_without_the_guard_it_would_be_more(self):
        """The same storm against a statement that looks before it leaps: the test above can fail."""
        made, actor = coupon(uses=1), till()

        def unguarded() -> None:
            if Coupon.objects.get(pk=made.pk).used < 1:
                connection.cursor().execute("SELECT pg_sleep(0.05)")
                with connection.cursor() as cursor:
                    cursor.execute(
                        "INSERT INTO loyalty_redemption (coupon_id, state, source_id, reference, place, basket, discount,"
                        " given_back, exclusive, redeemed_at)"
                        " VALUES (%s, 'redeemed', %s, '', '', 50, 5, 0, false, now())",
                        [made.pk, actor.source.pk],
                    )
                Coupon.objects.filter(pk=made.pk).update(used=1)

        at_once(10, unguarded)
        assert Redemption.objects.filter(coupon=made).count() > 1

    def test_an_amount_in_parts_is_never_overspent(self):
        made, actor = coupon(value=20, in_parts=True), till()
        outcomes = at_once(20, lambda: outcome(made, actor, 3))
        made.refresh_from_db()
        spent = sum(done.discount for done in Redemption.objects.filter(coupon=made))
        assert (spent, made.left) == (20 - made.left, made.left)
        assert outcomes.count("redeemed") == Redemption.objects.count() == made.used

    def test_the_budget_holds_in_a_storm(self):
        made, actor = batch(budget=15), till()
        found = [coupon(made) for _number in range(12)]
        outcomes = at_once(12, lambda: outcome(found.pop(), actor))
        made.refresh_from_db()
        assert (outcomes.count("redeemed"), made.spent) == (3, 15)

    def test_two_that_may_not_join_never_do(self):
        actor, found = till(), [coupon() for _number in range(10)]
        reference = uuid4().hex
        outcomes = at_once(10, lambda: outcome(found.pop(), actor, reference=reference))
        assert outcomes.count("redeemed") == 1


def outcome(made: Coupon, actor: ledger.Actor, total: object = 50, reference: str = "") -> str:
    try:
        return ledger.redeem(made.code, basket(total), actor, reference=reference).state
    except Refused as refused:
        return refused.reason


def test_the_ledger_counted_again_agrees_after_all_that_can_happen():
    shared, parts, sold = coupon(uses=3), coupon(value=20, in_parts=True), coupon(batch(budget=50))
    ledger.release(ledger.reserve(shared.code, basket(50), till()).pk, till())
    ledger.redeem(shared.code, basket(50), till())
    ledger.redeem(parts.code, basket(12), till("shop"), reference="A-1")
    ledger.redeem(sold.code, basket(50), till("shop"), reference="A-2")
    for number, gross in (("A-1", 12), ("A-2", 50)):
        PurchaseFactory(source=till("shop").source, external_id=number, gross=gross, returned=gross / 2, net=gross / 2)
    returns.settle()
    with connection.cursor() as cursor:
        assert [check.violations(cursor) for check in proving.CHECKS] == [0] * len(proving.CHECKS)
        cursor.execute("UPDATE loyalty_coupon SET used = used + 1 WHERE id = %s", [shared.pk])
        assert proving.CHECKS[0].violations(cursor) == 1


def twice(made: Coupon) -> None:
    """The same code on the same purchase, past the guarding statement."""
    for _time in range(2):
        Redemption.objects.create(
            coupon=made, state="redeemed", source=till().source, reference="A-1", basket=50, discount=5,
            exclusive=False, redeemed_at=now(),
        )  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "held"),
    [
        (lambda made: batch("percent", 101), "value_fits_kind"),
        (lambda made: Coupon.objects.filter(pk=made.pk).update(used=2), "used_within_uses"),
        (lambda made: CouponBatch.objects.filter(pk=made.batch_id).update(budget=5, spent=6), "within_budget"),
        (twice, "once_a_purchase"),
    ],
    ids=["percent over 100", "more uses", "over budget", "one purchase twice"],
)
def test_the_database_holds_the_limits_even_if_a_statement_were_wrong(wrong, held):
    made = coupon()
    with pytest.raises(IntegrityError, match=held), transaction.atomic():
        wrong(made)


def test_what_a_checkout_holds_is_still_redeemed_after_its_code_was_ended():
    """Ending a code stops new uses; who is paying already was promised it."""
    made = coupon(uses=2)
    held = ledger.reserve(made.code, basket(50), till())
    ledger.void([made.pk], till(), "lost")
    assert refusal(lambda: ledger.reserve(made.code, basket(50), till())) == "voided"
    assert ledger.redeem_reserved(held.pk, till()).state == "redeemed"
