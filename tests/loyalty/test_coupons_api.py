"""Coupons over REST: one effect for one key, one text for every no."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.utils.timezone import now

from crm.models import ApiKey, Call, CustomerKey, Throttle
from loyalty.coupons import codes, guarding
from loyalty.models import Coupon, Redemption
from tests.crm.at_once import at_once
from tests.factories import CustomerFactory, SourceFactory
from tests.loyalty.coupons import batch, coupon

pytestmark = pytest.mark.django_db
BASKET = {"total": "50.00", "currency": "EUR"}


class Shop:
    """A REST client of one source."""

    def __init__(self, source: str = "web shop", scopes: tuple[str, ...] = ("coupons:redeem", "coupons:issue")) -> None:
        self.source = SourceFactory(name=source)
        _key, self.plain = ApiKey.issue(self.source, list(scopes), now() + timedelta(days=1))

    def post(self, path: str, body: object, key: str | None = None, language: str = "en"):
        headers = {"authorization": f"Bearer {self.plain}", "accept-language": language}
        if key != "":
            headers["idempotency-key"] = key or uuid4().hex
        return Client().post(f"/api/v1/{path}", body, content_type="application/json", headers=headers)

    def get(self, path: str):
        return Client().get(f"/api/v1/{path}", headers={"authorization": f"Bearer {self.plain}"})

    def redeem(self, code: str, key: str | None = None, **more: object):
        return self.post("coupons/redeem", {"code": code, "basket": BASKET} | more, key)


@pytest.fixture
def shop() -> Shop:
    return Shop()


class TestUsing:
    def test_check_tells_worth_and_terms_and_changes_nothing(self, shop: Shop) -> None:
        made = coupon(minimum=20)
        answer = shop.post("coupons/check", {"code": codes.shown(made.code), "basket": BASKET}).json()
        assert (answer["discount"], answer["worth"], answer["uses_left"]) == ("5.00", "€5.00", 1)
        assert "From a purchase of €20.00." in answer["terms"]
        assert not Redemption.objects.exists()

    def test_reserve_then_redeem_then_release(self, shop: Shop) -> None:
        made = coupon()
        held = shop.post("coupons/reserve", {"code": made.code, "basket": BASKET, "minutes": 5})
        assert held.status_code == 201
        number = held.json()["id"]
        done = shop.post(f"redemptions/{number}/redeem", {"reference": "A-1"})
        assert (done.status_code, done.json()["state"], done.json()["reference"]) == (200, "redeemed", "A-1")
        gone = shop.post(f"redemptions/{number}/release", {"reason": "cancelled"})
        assert gone.json()["state"] == "released" == shop.get(f"redemptions/{number}").json()["state"]

    def test_issue_to_a_customer_and_void(self, shop: Shop) -> None:
        someone = CustomerKey.objects.create(source=shop.source, external_id="K-1", customer=CustomerFactory()).customer
        made = shop.post("coupons/issue", {"batch": batch().pk, "customer": "K-1"})
        assert made.status_code == 201
        assert Coupon.objects.get().customer == someone
        code = made.json()["code"]
        assert shop.post("coupons/void", {"code": code, "reason": "lost"}).json() == {"voided": True}
        assert shop.post("coupons/void", {"code": code, "reason": "lost"}).json() == {"voided": False}
        assert shop.redeem(code).status_code == 409

    def test_every_step_is_entered_with_who_where_and_the_purchase(self, shop: Shop) -> None:
        at = {"place": "Till 2"}
        code = shop.post("coupons/issue", {"batch": batch(uses=2).pk} | at).json()["code"]
        number = shop.post("coupons/reserve", {"code": code, "basket": BASKET, "reference": "A-1"} | at).json()["id"]
        shop.post(f"redemptions/{number}/redeem", at)
        shop.post(f"redemptions/{number}/release", {"reason": "cancelled"} | at)
        shop.post("coupons/void", {"code": code, "reason": "lost"} | at)
        entries = Coupon.objects.get().entries.order_by("pk")
        assert list(entries.values_list("step", "source__name", "place", "redemption__reference")) == [
            (step, "web shop", "Till 2", purchase)
            for step, purchase in (
                ("issued", None), ("reserved", "A-1"), ("redeemed", "A-1"), ("released", "A-1"), ("voided", None)
            )
        ]  # fmt: skip

    def test_categories_are_found_by_the_shops_numbers(self, shop: Shop) -> None:
        from crm.models import Category, Product

        coffee = Category.objects.create(source=shop.source, external_id="c", name="Coffee")
        Product.objects.create(source=shop.source, external_id="beans", category=coffee)
        made = coupon(batch("percent", 10, categories=[coffee.pk]))
        items = [{"product": "beans", "amount": "20.00"}, {"product": "tea", "amount": "30.00"}]
        answer = shop.redeem(made.code, basket=BASKET | {"items": items})
        assert answer.json()["discount"] == "2.00"


class TestOnce:
    def test_the_same_key_answers_the_same_and_does_it_once(self, shop: Shop) -> None:
        made = coupon(uses=9)
        first, second = shop.redeem(made.code, "k1"), shop.redeem(made.code, "k1")
        assert (first.status_code, first.content) == (second.status_code, second.content) and first.status_code == 201
        assert Redemption.objects.count() == 1

    def test_the_same_key_for_another_call_is_refused(self, shop: Shop) -> None:
        made = coupon(uses=9)
        shop.redeem(made.code, "k1")
        assert shop.redeem(made.code, "k1", reference="other").status_code == 422

    def test_without_a_key_nothing_is_changed(self, shop: Shop) -> None:
        answer = shop.redeem(coupon().code, "")
        assert answer.status_code == 400
        assert "Idempotency-Key" in answer.content.decode()
        assert not Redemption.objects.exists()

    def test_two_clients_may_choose_the_same_key(self, shop: Shop) -> None:
        made = coupon(uses=9)
        assert [one.redeem(made.code, "k1").status_code for one in (shop, Shop("till"))] == [201, 201]

    def test_a_till_waits_for_few_round_trips(self, shop: Shop, django_assert_max_num_queries) -> None:
        """Shop, key, tries, code, and the one statement that claims the key, uses the code and keeps the answer."""
        code = coupon().code
        shop.redeem(coupon().code)  # the first call of a key is remembered
        with django_assert_max_num_queries(5):
            assert shop.redeem(code).status_code == 201

    @pytest.mark.parametrize("door", ["redeem", "reserve"])
    @pytest.mark.parametrize("terms", [{"kind": "percent", "value": 33}, {"in_parts": True, "value": 60}, {"per_customer": 1}])
    def test_what_was_answered_is_answered_again_when_the_code_is_gone(self, shop: Shop, door: str, terms: dict) -> None:
        made = coupon(batch(**terms), customer=CustomerFactory())
        body = {"code": made.code, "basket": {"total": "50.05", "currency": "EUR"}, "reference": "“A” \\ 1"}
        first = shop.post(f"coupons/{door}", body, "k1")
        assert first.status_code == 201 and first.json()["id"] == Redemption.objects.get().pk
        assert str(Redemption.objects.get().discount) == first.json()["discount"]
        Coupon.objects.update(voided_at=now())
        second = shop.post(f"coupons/{door}", body, "k1")
        assert (second.status_code, second.content) == (201, first.content)

    def test_a_refusal_is_not_remembered(self, shop: Shop) -> None:
        made = coupon(batch(minimum=80))
        assert shop.redeem(made.code, "k1").status_code == 409
        assert not Call.objects.exists()


class TestRefusing:
    def test_every_no_reads_alike(self, shop: Shop) -> None:
        gone, spent, dear = coupon(), coupon(), coupon(minimum=99)
        shop.post("coupons/void", {"code": gone.code, "reason": "lost"})
        shop.redeem(spent.code)
        answers = [shop.redeem(code) for code in (gone.code, spent.code, dear.code, "0000-0000-00000", "!")]
        assert {(answer.status_code, answer.content) for answer in answers} == {(409, answers[0].content)}

    def test_in_german(self, shop: Shop) -> None:
        answer = shop.post("coupons/check", {"code": "unknown"}, language="de").json()
        assert "nicht" in answer["errors"][0]["detail"]

    def test_a_visitor_who_keeps_missing_is_slowed_down_even_with_a_good_code(self, shop: Shop) -> None:
        good = coupon(uses=99)
        for _number in range(10):
            assert shop.redeem("WRONG-CODE", visitor="v1").status_code == 409
        assert shop.redeem(good.code, visitor="v1").status_code == 429
        assert shop.redeem(good.code, visitor="v2").status_code == 201

    def test_a_try_that_is_left_may_be_right(self, shop: Shop) -> None:
        good = coupon(uses=99)
        for _number in range(9):
            assert shop.redeem("WRONG-CODE", visitor="v1").status_code == 409
        assert shop.redeem(good.code, visitor="v1").status_code == 201
        assert [shop.redeem("WRONG-CODE", visitor="v1").status_code for _number in range(2)] == [409, 429]

    def test_whoever_finds_good_codes_is_never_slowed_down(self, shop: Shop) -> None:
        good = coupon(uses=99)
        assert {shop.redeem(good.code, visitor="v1").status_code for _number in range(12)} == {201}

    def test_a_call_that_is_wrong_in_itself_is_no_try(self, shop: Shop) -> None:
        good = coupon(uses=99)
        for _number in range(12):
            assert shop.redeem(good.code, "", visitor="v1").status_code == 400
            assert shop.redeem(good.code, visitor="v1", customer="nobody").status_code == 400
        assert shop.redeem(good.code, visitor="v1").status_code == 201

    def test_much_guessing_raises_an_alarm(self, shop: Shop) -> None:
        assert guarding.finding() == "ok"
        shop.redeem("WRONG-CODE")
        Throttle.objects.update(count=2_000)
        assert "1000" in guarding.finding()

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"basket": BASKET | {"currency": "USD"}}, "EUR"),
            ({"basket": {"total": "much", "currency": "EUR"}}, "number"),
            ({"customer": "nobody"}, "not known"),
            ({"code": ""}, "blank"),
            ({"custmer": "K-1"}, "custmer"),
            ({"basket": BASKET | {"items": [{"amount": "1", "artikel": "x"}]}}, "basket.items.0.artikel"),
        ],
    )
    def test_bad_input_says_what_to_do(self, shop: Shop, change: dict, said: str) -> None:
        answer = shop.post("coupons/redeem", {"code": coupon().code, "basket": BASKET} | change)
        assert answer.status_code == 400
        assert said in answer.content.decode()

    @pytest.mark.parametrize(
        "body", ["null", "[]", "7", '{"code": "A", "basket": null}', '{"code": "A", "basket": []}']
    )
    def test_what_is_no_object_is_refused_and_the_next_call_is_not_harmed(self, shop: Shop, body: str) -> None:
        assert shop.post("coupons/redeem", body).status_code == 400
        assert shop.redeem(coupon().code).status_code == 201

    def test_another_shops_redemption_is_unknown(self, shop: Shop) -> None:
        number = shop.redeem(coupon().code).json()["id"]
        other = Shop("another")
        assert other.get(f"redemptions/{number}").status_code == 404
        assert other.post(f"redemptions/{number}/release", {}).status_code == 409

    def test_issuing_needs_its_own_scope(self) -> None:
        till = Shop("till", scopes=("coupons:redeem",))
        assert till.post("coupons/issue", {"batch": batch().pk}).status_code == 403
        assert till.post("coupons/void", {"code": coupon().code, "reason": "x"}).status_code == 403


@pytest.mark.django_db(transaction=True)
def test_one_key_fifty_times_at_once_is_one_redemption_with_one_answer() -> None:
    shop, made = Shop(), coupon(uses=99)
    shop.get("redemptions/0")  # the first request of a process loads what threads must not load together
    answers = at_once(50, lambda: shop.redeem(made.code, "k1"))
    assert {(answer.status_code, answer.content) for answer in answers} == {(201, answers[0].content)}
    made.refresh_from_db()
    assert (Redemption.objects.count(), made.used) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_of_many_guesses_at_once_no_more_are_answered_than_one_after_the_other() -> None:
    shop = Shop()
    shop.get("redemptions/0")
    said = at_once(30, lambda: shop.redeem("WRONG-CODE", visitor="v1").status_code)
    assert sorted(said) == [409] * 10 + [429] * 20


@pytest.mark.django_db(transaction=True)
def test_the_plan_of_a_redemption_is_kept_and_a_session_without_it_does_no_harm() -> None:
    shop, made = Shop(), coupon(uses=9)
    prepared = "SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'planned%%'"
    with connection.cursor() as cursor:
        for _session in range(2):
            assert [shop.redeem(made.code).status_code for _number in range(2)] == [201, 201]
            cursor.execute(prepared)
            assert cursor.fetchone() == (1,)
            cursor.execute("DEALLOCATE ALL")  # as if a pooler gave the next transaction another session
            assert shop.redeem(made.code).status_code == 201
    made.refresh_from_db()
    assert made.used == Redemption.objects.count() == 6
