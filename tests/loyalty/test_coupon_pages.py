"""Coupons on the pages: made, issued, looked at, given to a list, ended."""

# ruff: noqa: F811 - fixtures are asked for by name

from datetime import date, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.utils.timezone import now

from crm.days import today
from crm.models import Product
from loyalty.coupons import codes, ledger
from loyalty.models import Coupon, CouponBatch, CouponEntry
from tests.crm.conftest import as_staff, count_queries  # noqa: F401 - fixtures
from tests.factories import CustomerFactory, SourceFactory
from tests.loyalty.coupons import basket, batch, coupon, till

pytestmark = pytest.mark.django_db
TERMS = {
    "title": "Five off", "kind": "amount", "value": "5", "minimum": "20", "uses": "1", "on_return": "give_back",
}  # fmt: skip


def text(answer) -> str:
    return answer.content.decode()


class TestMaking:
    def test_a_marketer_makes_a_coupon_and_its_codes(self, as_staff) -> None:
        marketer = as_staff("marketer")
        page = marketer.post("/coupons/new/", TERMS, follow=True)
        made = CouponBatch.objects.get()
        assert page.redirect_chain[-1][0] == f"/coupons/batches/{made.pk}/"
        marketer.post(f"/coupons/batches/{made.pk}/issue/", {"count": "3"})
        marketer.post(f"/coupons/batches/{made.pk}/issue/", {"written": "Amsel-26", "uses": "50"})
        page = text(marketer.get(f"/coupons/batches/{made.pk}/"))
        assert "AMSEL-26" in page and "can be guessed" in page
        assert made.coupons.count() == 4

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"kind": "percent", "value": "101"}, "100 at most"),
            ({"value": ""}, "above 0"),
            ({"kind": "free_delivery"}, "Leave the field empty"),
            ({"kind": "free_product", "value": ""}, "number of a product"),
            ({"valid_from": "2026-12-02", "valid_until": "2026-12-01"}, "before the first"),
            ({"kind": "percent", "in_parts": "on"}, "Only an amount"),
            ({"uses": "0"}, "1 or more"),
            ({"minimum": "-5"}, "such as 12,50"),
            ({"budget": "-1"}, "such as 12,50"),
            ({"value": "5 or 6"}, "such as 12,50"),
            ({"budget": "4.99"}, "less than one coupon"),
            ({"valid_until": "2026-01-31"}, "This day is past"),
            ({"valid_days": "2000000000"}, "36,500"),
            ({"in_parts": "on", "uses": "3"}, "Leave 1 here"),
            ({"product_numbers": "mug, beans"}, "no product with this number: beans, mug"),
        ],
    )
    def test_what_does_not_fit_is_said_at_its_field(self, as_staff, change, said) -> None:
        answer = as_staff("marketer").post("/coupons/new/", TERMS | change)
        assert answer.status_code == 422 and said in text(answer)
        assert not CouponBatch.objects.exists()

    def test_products_are_named_by_the_shops_numbers(self, as_staff) -> None:
        source = SourceFactory()
        mug, beans = (Product.objects.create(source=source, external_id=number, name=number) for number in ("mug", "beans"))
        as_staff("marketer").post("/coupons/new/", TERMS | {"product_numbers": "mug,", "not_product_numbers": " beans"})
        made = CouponBatch.objects.get()
        assert (made.products, made.not_products) == ([mug.pk], [beans.pk])

    @pytest.mark.parametrize("typed", ["5,50", "5.50", "€5.5", "5,50 €"])
    def test_an_amount_means_the_same_with_comma_and_point(self, as_staff, typed) -> None:
        as_staff("marketer").post("/coupons/new/", TERMS | {"value": typed, "minimum": "1.020,00", "budget": "2,000"})
        made = CouponBatch.objects.get()
        assert (made.value, made.minimum, made.budget) == (Decimal("5.50"), 1020, 2000)
        assert 'type="number" name="value"' not in text(as_staff("marketer").get("/coupons/new/"))

    def test_support_may_look_and_end_but_not_make(self, as_staff) -> None:
        support, made = as_staff("support"), coupon()
        assert support.get("/coupons/").status_code == 200
        assert support.post("/coupons/new/", TERMS).status_code == 403
        support.post(f"/coupons/codes/{made.code}/void/", {"reason": "lost"})
        made.refresh_from_db()
        assert made.voided_at and "lost" in text(support.get(f"/coupons/codes/{made.code}/"))


class TestLooking:
    def test_a_code_is_found_however_it_is_typed(self, as_staff) -> None:
        made = coupon()
        page = as_staff("support").get("/coupons/find/", {"code": codes.shown(made.code).lower()}, follow=True)
        assert codes.shown(made.code) in text(page)
        assert "No code reads like this" in text(as_staff("support").get("/coupons/find/", {"code": "x"}, follow=True))

    def test_a_code_is_readable_from_end_to_end(self, as_staff) -> None:
        someone = CustomerFactory(given_name="Anna", family_name="Amsel")
        made = coupon(customer=someone)
        ledger.redeem(made.code, basket(50), till(), reference="A-17")
        page = text(as_staff("support").get(f"/coupons/codes/{made.code}/"))
        assert all(word in page for word in ("Anna Amsel", "A-17", "redeemed", "€5.00"))

    def test_the_profile_shows_open_codes_with_their_days(self, as_staff) -> None:
        someone = CustomerFactory()
        made = coupon(batch(valid_until=date(2099, 12, 31)), customer=someone)
        page = text(as_staff("support").get(f"/customers/{someone.pk}/"))
        assert codes.shown(made.code) in page and "2099" in page

    def test_cards_to_print_show_the_code_and_its_picture(self, as_staff) -> None:
        made = coupon()
        page = text(as_staff("support").get(f"/coupons/batches/{made.batch_id}/print/"))
        assert codes.shown(made.code) in page and "coupon-qr" in page

    def test_codes_go_out_as_csv(self, as_staff) -> None:
        made = coupon()
        answer = as_staff("marketer").get(f"/coupons/batches/{made.batch_id}/codes.csv")
        assert codes.shown(made.code) in b"".join(answer.streaming_content).decode()

    def test_the_coupons_of_one_origin_stand_together(self, as_staff) -> None:
        for origin in ("spring & summer", "autumn"):
            batch(origin=origin)
        support = as_staff("support")
        assert "?origin=spring%20%26%20summer" in text(support.get("/coupons/"))
        page = support.get("/coupons/", {"origin": "spring & summer"})
        assert [one.origin for one in page.context["batches"]] == ["spring & summer"]

    @pytest.mark.parametrize("path", ["/coupons/", "/coupons/?origin=", "/coupons/batches/{batch}/"])
    def test_pages_ask_the_same_number_of_questions(self, as_staff, count_queries, path) -> None:
        made, support = batch(), as_staff("support")
        coupon(made, CustomerFactory())
        path = path.format(batch=made.pk)
        support.get(path)
        few = count_queries(lambda: support.get(path))
        for _number in range(10):
            coupon(made, CustomerFactory())
            batch()
        assert count_queries(lambda: support.get(path)) == few


class TestGiving:
    def test_a_filtered_list_gets_codes_once_the_number_is_typed(self, as_staff) -> None:
        for name in ("Adler", "Adler", "Bär"):
            CustomerFactory(family_name=name)
        made, marketer = batch(), as_staff("marketer")
        assert "/coupons/give/?q=Adler" in text(marketer.get("/customers/?q=Adler"))
        wrong = marketer.post("/coupons/give/?q=Adler", {"batch": made.pk, "confirmed": "3"})
        assert wrong.status_code == 422 and "There are 2 customers" in text(wrong)
        marketer.post("/coupons/give/?q=Adler", {"batch": made.pk, "confirmed": "2"})
        assert {one.customer.family_name for one in Coupon.objects.all()} == {"Adler"}
        assert Coupon.objects.count() == 2
        assert "Adler" not in f"{[*Coupon.objects.values_list('cause')]} {[*CouponEntry.objects.values_list('reason')]}"
        marketer.post("/coupons/give/?q=Adler", {"batch": made.pk, "confirmed": "2"})
        assert Coupon.objects.count() == 2, "the same list again on the same day"

    def test_a_list_is_not_promised_more_than_the_budget_holds(self, as_staff) -> None:
        for _number in range(3):
            CustomerFactory(family_name="Adler")
        made, marketer = batch(value=5, budget=14), as_staff("marketer")
        answer = marketer.post("/coupons/give/?q=Adler", {"batch": made.pk, "confirmed": "3"})
        assert answer.status_code == 422 and "€15.00, and €14.00 are not promised yet" in text(answer)
        assert not Coupon.objects.exists()

    def test_a_stopped_coupon_is_refused_at_the_till(self, as_staff) -> None:
        made = coupon()
        as_staff("marketer").post(f"/coupons/batches/{made.batch_id}/stop/")
        with pytest.raises(ledger.Refused):
            ledger.redeem(made.code, basket(50), till())


class TestOneByHand:
    def test_a_customer_is_given_a_code_from_the_profile_once_a_day(self, as_staff) -> None:
        marketer, made, anna = as_staff("marketer"), batch(), CustomerFactory()
        assert f"/customers/{anna.pk}/coupons/give/" in text(marketer.get(f"/customers/{anna.pk}/"))
        for _twice in range(2):
            marketer.post(f"/customers/{anna.pk}/coupons/give/", {"batch": made.pk})
        assert [one.customer for one in made.coupons.all()] == [anna]
        assert marketer.post(f"/customers/{anna.pk}/coupons/give/", {"batch": ""}).status_code == 422
        assert as_staff("support").get(f"/customers/{anna.pk}/coupons/give/").status_code == 403

    def test_a_lost_code_is_replaced_with_what_was_left_of_it(self, as_staff) -> None:
        support, anna = as_staff("support"), CustomerFactory()
        lost = coupon(batch(uses=3), anna)
        ledger.redeem(lost.code, basket(), till())
        answer = support.post(f"/coupons/codes/{lost.code}/replace/", follow=True)
        fresh = Coupon.objects.exclude(pk=lost.pk).get()
        lost.refresh_from_db()
        assert lost.voided_at and "The new code is" in text(answer)
        assert (fresh.customer, fresh.uses - fresh.used, fresh.valid_until) == (anna, 2, lost.valid_until)
        assert list(CouponEntry.objects.filter(step="voided").values_list("reason", flat=True)) == [
            "replaced by a new code"
        ]

    def test_a_code_that_was_redeemed_in_time_did_not_expire_and_is_not_replaced(self, as_staff) -> None:
        support, made = as_staff("support"), coupon(valid_until=today())
        page = text(support.get(f"/coupons/codes/{made.code}/"))
        assert "Lost: make a new one" in page
        ledger.redeem(made.code, basket(50), till())
        with time_machine.travel(now() + timedelta(days=2)):
            page = text(as_staff("support").get(f"/coupons/codes/{made.code}/"))
        assert "used up" in page and "expired" not in page and "Lost: make a new one" not in page

    def test_neither_an_ended_code_nor_one_spent_in_part_is_replaced(self, as_staff) -> None:
        support, ended, parts = as_staff("support"), coupon(), coupon(batch(value=20, in_parts=True))
        ledger.void([ended.pk], till(), "lost")
        ledger.redeem(parts.code, basket(5), till("other"))
        for one, said in ((ended, "cannot be used any more"), (parts, "A part of this code was spent")):
            assert said in text(support.post(f"/coupons/codes/{one.code}/replace/", follow=True))
        assert Coupon.objects.count() == 2
