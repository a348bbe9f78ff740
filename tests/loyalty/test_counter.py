"""The counter: one field for everything, a code used exactly once, three facts, one sentence, how it was."""

# ruff: noqa: F811 - fixtures are asked for by name

import re
from datetime import date, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.utils import translation

from crm import complaints, consent
from crm.models import Category, Interaction, Product, PurchaseLine, Source, Task
from loyalty.counter import finding
from loyalty.counter.card import card
from loyalty.coupons import codes, guarding, ledger
from loyalty.coupons.amounts import amount
from loyalty.models import Redemption
from tests.campaigns.people import open_shop
from tests.crm.conftest import as_staff, count_queries  # noqa: F401 - fixtures
from tests.factories import (
    NOW,
    AssessmentFactory,
    ComplaintFactory,
    CustomerFactory,
    EmailFactory,
    InteractionFactory,
    PurchaseFactory,
    UserFactory,
)
from tests.loyalty.coupons import basket, batch, coupon, till
from tests.loyalty.shop import ago

pytestmark = pytest.mark.django_db
KEY = re.compile(r'name="key" value="([0-9a-f]{32})"><input type="hidden" name="code"')
MOMENT_KEY = re.compile(r'name="key" value="([0-9a-f]{32})">\s*<div')


def text(answer) -> str:
    return answer.content.decode()


def look(staff, typed: str, **more):
    return staff.get("/counter/", {"q": typed} | more, follow=True)


def redeem(staff, code: str, total: str = "50", **more):
    """Look the code up, fill in the purchase, send it."""
    key = KEY.search(text(look(staff, code)))
    assert key, "the code is not shown as usable"
    return staff.post("/counter/redeem/", {"key": key[1], "code": code, "total": total} | more, follow=True)


def bought(customer, name: str, *days: int) -> None:
    product, _made = Product.objects.get_or_create(
        source=Source.objects.get_or_create(name="test-shop")[0], external_id=name, defaults={"name": name}
    )
    for n in days:
        purchase = PurchaseFactory(customer=customer, ordered_at=ago(n))
        PurchaseLine.objects.create(purchase=purchase, position=1, product=product, quantity=1, unit_price=10, net=10)


class TestAmounts:
    @pytest.mark.parametrize(
        ("typed", "meant"),
        [
            ("12", "12"), ("12,5", "12.5"), ("12,50", "12.50"), ("12.50", "12.50"), ("1.234,50", "1234.50"),
            ("1,234.50", "1234.50"), ("1.234", "1234"), ("1'234.50", "1234.50"), (" 49,90 € ", "49.90"),
            ("€49.90", "49.90"), ("EUR 49,90", "49.90"), ("0", "0"), ("1 234,50", "1234.50"), ("12,505", "12505"),
        ],
    )  # fmt: skip
    def test_comma_and_point_are_read_as_people_mean_them(self, typed, meant) -> None:
        assert amount(typed) == Decimal(meant)

    @pytest.mark.parametrize("typed", ["", "-5", "1.2.3", "12,345,6", "1e3", "zwölf", "99999999999", "1.234.50"])
    def test_what_is_no_amount_is_none(self, typed) -> None:
        assert amount(typed) is None


class TestOneField:
    def test_a_code_is_found_however_it_is_typed(self, as_staff) -> None:
        made, staff = coupon(batch(minimum=20, valid_until=date(2099, 12, 31))), as_staff("support")
        spoken = codes.shown(made.code).lower().replace("0", "o").replace("1", "l").replace("-", " ")
        page = text(look(staff, f"  {spoken} "))
        assert all(word in page for word in ("valid", "€5.00", "from a purchase of €20.00", "until 31 Dec 2099"))

    def test_a_single_customer_is_opened_by_name_number_phone_and_order(self, as_staff) -> None:
        anna = CustomerFactory(given_name="Anna", family_name="Müller-Lüdenscheidt")
        EmailFactory(customer=anna, kind="phone", value="+49 551 12345", normal="+4955112345")
        PurchaseFactory(customer=anna, external_id="A-1017")
        staff = as_staff("support")
        for typed in ("Mueller", "müller-lüd", f"K-{anna.pk}", "0551 12345", "a-1017"):
            page = look(staff, typed)
            assert page.redirect_chain[-1][0] == f"/counter/?customer={anna.pk}", typed
        assert "Müller-Lüdenscheidt" in text(page)

    def test_several_customers_are_told_apart(self, as_staff) -> None:
        for town in ("Göttingen", "Kassel"):
            CustomerFactory(family_name="Adler", city=town)
        page = text(look(as_staff("support"), "Adler"))
        assert "Who is it?" in page and "Göttingen" in page and "Kassel" in page and "not valid" not in page

    @pytest.mark.parametrize("case", ["unknown", "wrong check symbol", "expired", "voided", "used up", "stopped"])
    def test_every_no_is_the_same_text(self, as_staff, case) -> None:
        made = coupon(valid_until=date(2026, 11, 1) if case == "expired" else None)
        typed = made.code
        if case == "unknown":
            typed = codes.random_codes(1)[0]
        elif case == "wrong check symbol":
            typed = made.code[:-1] + ("0" if made.code[-1] != "0" else "2")
        elif case == "voided":
            ledger.void([made.pk], till(), "lost")
        elif case == "used up":
            ledger.redeem(made.code, basket(50), till())
        elif case == "stopped":
            type(made.batch).objects.update(stopped_at=NOW)
        page = text(look(as_staff("support"), typed))
        line = re.search(r'<div class="counter-hit".*?</div>', page, re.DOTALL)
        assert line and str(guarding.REFUSAL) in line[0] and "not valid" in line[0]
        assert "counter-redeem" not in page

    def test_somebody_who_guesses_is_stopped_but_customers_are_still_found(self, as_staff) -> None:
        CustomerFactory(family_name="Adler")
        staff, colleague, made = as_staff("support"), as_staff("support"), coupon()
        for guess in codes.random_codes(10):
            assert look(staff, guess).status_code == 200
        refused = look(staff, made.code)
        assert refused.status_code == 429 and "Too many tries" in text(refused) and "€5.00" not in text(refused)
        assert "Adler" in text(look(staff, "Adler"))
        assert "€5.00" in text(look(colleague, made.code))

    def test_codes_and_names_stay_out_of_the_log(self, as_staff, caplog) -> None:
        staff = as_staff("support")
        for guess in codes.random_codes(11):
            look(staff, guess)
        assert "429" in caplog.text and guess not in caplog.text

    def test_looking_up_usable_codes_and_names_is_no_guessing(self, as_staff) -> None:
        CustomerFactory(family_name="Adler")
        staff, made = as_staff("support"), coupon()
        for _number in range(12):
            assert look(staff, made.code).status_code == look(staff, "Adler").status_code == 200

    @pytest.mark.parametrize("typed", ["\0", "   ", "'; DROP", "%", "ß" * 300, "@", "💐", "-", "O" * 500, "1" * 40])
    def test_odd_input_is_answered(self, as_staff, typed) -> None:
        assert look(as_staff("support"), typed).status_code == 200

    @pytest.mark.parametrize("given", ["x", "-1", "9" * 30, "0", "²"])
    def test_odd_numbers_of_customers_and_redemptions_lead_to_the_empty_page(self, as_staff, given) -> None:
        answer = as_staff("support").get("/counter/", {"customer": given, "done": given})
        assert answer.status_code == 200 and "counter-card" not in text(answer)

    def test_a_merged_record_leads_to_the_one_it_became_and_an_erased_one_to_nobody(self, as_staff) -> None:
        kept = CustomerFactory(family_name="Behalten")
        merged, erased = CustomerFactory(merged_into=kept), CustomerFactory(erased_at=NOW, family_name="Fort")
        staff = as_staff("support")
        assert "Behalten" in text(staff.get("/counter/", {"customer": merged.pk}))
        assert "Fort" not in text(staff.get("/counter/", {"customer": erased.pk}))


class TestRedeeming:
    def test_the_page_says_what_to_take_off(self, as_staff) -> None:
        staff, made = as_staff("support"), coupon()
        page = text(redeem(staff, made.code, "49,90", reference=" 4711 "))
        assert all(word in page for word in ("€5.00", "€49.90", "€44.90", "receipt 4711"))
        done = Redemption.objects.get()
        assert (done.state, done.basket, done.reference) == ("redeemed", Decimal("49.90"), "4711")
        assert done.entries.get().staff == staff.user

    def test_a_double_tap_redeems_once(self, as_staff) -> None:
        staff, made = as_staff("support"), coupon(uses=5)
        key = KEY.search(text(look(staff, made.code)))[1]
        sent = {"key": key, "code": made.code, "total": "30"}
        first, second = (staff.post("/counter/redeem/", sent) for _tap in range(2))
        assert first.status_code == second.status_code == 302 and first.url == second.url
        assert Redemption.objects.count() == 1

    def test_the_key_of_a_form_is_good_for_one_purchase(self, as_staff) -> None:
        staff, made = as_staff("support"), coupon(uses=5)
        key = KEY.search(text(look(staff, made.code)))[1]
        staff.post("/counter/redeem/", {"key": key, "code": made.code, "total": "30"})
        again = staff.post("/counter/redeem/", {"key": key, "code": made.code, "total": "31"})
        assert again.status_code == 409 and "sent before" in text(again)
        assert staff.post("/counter/redeem/", {"code": made.code, "total": "31"}).status_code == 409
        assert Redemption.objects.count() == 1

    @pytest.mark.parametrize("given", [{"total": ""}, {"total": "-3"}, {"total": "abc"}, {"reference": "9" * 101}])
    def test_a_wrong_amount_is_said_at_its_field_and_uses_nothing(self, as_staff, given) -> None:
        answer = redeem(as_staff("support"), coupon().code, **{"total": "50"} | given)
        assert answer.status_code == 422 and "errorlist" in text(answer)
        assert not Redemption.objects.exists()

    def test_below_the_minimum_the_one_text_answers_beside_the_terms(self, as_staff) -> None:
        answer = redeem(as_staff("support"), coupon(minimum=20).code, "19,99")
        assert answer.status_code == 409 and str(guarding.REFUSAL) in text(answer) and "€20.00" in text(answer)

    def test_a_personal_code_knows_its_customer(self, as_staff) -> None:
        anna = CustomerFactory(given_name="Anna", family_name="Amsel")
        made, staff = coupon(batch(per_customer=1), customer=anna), as_staff("support")
        assert "For Anna Amsel." in text(look(staff, made.code))
        redeem(staff, made.code, customer=anna.pk)
        assert Redemption.objects.get().customer == anna

    def test_a_limited_code_asks_who_buys(self, as_staff) -> None:
        anna, staff = CustomerFactory(family_name="Amsel"), as_staff("support")
        shared = coupon(batch(per_customer=1, uses=50))
        page = text(look(staff, shared.code))
        assert "say who buys" in page
        assert redeem(staff, shared.code).status_code == 422
        assert "No customer is found" in text(redeem(staff, shared.code, who="Niemand"))
        assert redeem(staff, shared.code, who="Amsel").status_code == 200
        assert Redemption.objects.get().customer == anna
        assert redeem(staff, shared.code, who=f"K-{anna.pk}").status_code == 409

    def test_two_customers_of_a_name_are_not_guessed_between(self, as_staff) -> None:
        for _number in range(2):
            CustomerFactory(family_name="Adler")
        answer = redeem(as_staff("support"), coupon().code, who="Adler")
        assert answer.status_code == 422 and "Several customers fit" in text(answer)

    def test_free_delivery_takes_the_delivery_off(self, as_staff) -> None:
        staff, made = as_staff("support"), coupon(batch("free_delivery", None))
        assert redeem(staff, made.code, "30").status_code == 422
        page = text(redeem(staff, made.code, "30", delivery="4,90"))
        assert "€4.90" in page and "€30.00</b>" in page

    def test_a_free_product_and_a_limited_coupon_ask_for_their_part(self, as_staff) -> None:
        source = Source.objects.create(name="test-shop")
        mug = Product.objects.create(source=source, external_id="mug", name="Mug")
        coffee = Category.objects.create(source=source, external_id="coffee", name="Coffee")
        staff = as_staff("support")
        free = coupon(batch("free_product", None, free_product=mug))
        assert "Mug for free" in text(look(staff, free.code))
        assert "€12.00" in text(redeem(staff, free.code, "30", counted="12"))
        half = coupon(batch("percent", 50, categories=[coffee.pk]))
        assert "more than the basket" in text(redeem(staff, half.code, "30", counted="31"))
        assert "€4.00" in text(redeem(staff, half.code, "30", counted="8"))

    def test_an_amount_in_parts_says_what_is_left(self, as_staff) -> None:
        page = text(redeem(as_staff("support"), coupon(batch(value=50, in_parts=True)).code, "20"))
        assert "€20.00" in page and "€30.00 are left" in page

    def test_a_code_spent_meanwhile_gets_the_one_text_and_no_form(self, as_staff) -> None:
        staff, made = as_staff("support"), coupon()
        key = KEY.search(text(look(staff, made.code)))[1]
        ledger.redeem(made.code, basket(50), till())
        answer = staff.post("/counter/redeem/", {"key": key, "code": made.code, "total": "50"})
        assert (
            answer.status_code == 409 and str(guarding.REFUSAL) in text(answer) and "counter-redeem" not in text(answer)
        )

    def test_a_made_up_code_is_refused(self, as_staff) -> None:
        answer = as_staff("support").post("/counter/redeem/", {"key": "k", "code": "NOSUCH1", "total": "5"})
        assert answer.status_code == 409 and str(guarding.REFUSAL) in text(answer)


class TestPlace:
    def test_the_place_is_said_once_and_entered_with_every_step(self, as_staff) -> None:
        staff, made = as_staff("support"), coupon()
        assert "No place is entered" in text(staff.get("/counter/"))
        answer = staff.post("/counter/place/", {"place": "  Shop at the harbour "}, follow=True)
        assert "Place: Shop at the harbour." in text(answer)
        redeem(staff, made.code)
        staff.post("/counter/undo/", {"redemption": Redemption.objects.get().pk})
        places = made.entries.order_by("pk").values_list("step", "place")
        assert list(places) == [("issued", ""), *[(step, "Shop at the harbour") for step in ("redeemed", "released")]]
        assert "Shop at the harbour" in text(staff.get(f"/coupons/codes/{made.code}/"))

    def test_places_of_purchases_and_tills_are_offered_the_most_frequent_first(self, as_staff) -> None:
        for place, count in (("Harbour", 2), ("Market", 1), ("", 3)):
            PurchaseFactory.create_batch(count, customer=CustomerFactory(), place=place)
        ledger.redeem(coupon().code, basket(50), till(place="Market"))
        ledger.redeem(coupon().code, basket(50), till(place="Market"))
        offered = re.findall(r'name="place" value="([^"]+)"', text(as_staff("support").get("/counter/place/")))
        assert offered == ["Market", "Harbour"]

    @pytest.mark.parametrize("typed", ["x" * 61, "a\0b"])
    def test_what_is_no_place_is_refused_and_nothing_is_no_place(self, as_staff, typed) -> None:
        staff = as_staff("support")
        staff.post("/counter/place/", {"place": "Harbour"})
        assert staff.post("/counter/place/", {"place": typed}).status_code == 422
        assert "Place: Harbour." in text(staff.get("/counter/"))
        assert "No place is entered" in text(staff.post("/counter/place/", {"place": ""}, follow=True))


class TestUndo:
    def test_the_last_redemption_is_given_back(self, as_staff) -> None:
        staff, made = as_staff("support"), coupon()
        redeem(staff, made.code)
        done = Redemption.objects.get()
        page = staff.post("/counter/undo/", {"redemption": done.pk}, follow=True)
        assert "Undone" in text(page) and "€5.00" in text(look(staff, made.code))
        done.refresh_from_db()
        assert done.state == "released"
        assert "was given back" in text(staff.get("/counter/", {"done": done.pk}))

    def test_not_after_five_minutes(self, as_staff) -> None:
        staff, made = as_staff("support"), coupon()
        redeem(staff, made.code)
        done = Redemption.objects.get()
        with time_machine.travel(NOW + timedelta(minutes=5, seconds=1), tick=False):
            assert "no longer be undone" in text(staff.post("/counter/undo/", {"redemption": done.pk}, follow=True))
            assert "Undo" not in text(staff.get("/counter/"))
        done.refresh_from_db()
        assert done.state == "redeemed"

    def test_not_another_one_and_not_somebody_elses(self, as_staff) -> None:
        staff, colleague = as_staff("support"), as_staff("support")
        redeem(staff, coupon().code)
        first = Redemption.objects.get()
        redeem(staff, coupon().code)
        for who in (staff, colleague):
            assert "no longer" in text(who.post("/counter/undo/", {"redemption": first.pk}, follow=True))
        assert Redemption.objects.filter(state="redeemed").count() == 2
        assert "counter-off" not in text(colleague.get("/counter/", {"done": first.pk}))


class TestFacts:
    def facts(self, customer, **staff):
        with translation.override("en"):
            return card(finding.customer(str(customer.pk)), UserFactory(**staff))

    def test_an_open_complaint_comes_first_and_nothing_is_offered(self) -> None:
        anna = CustomerFactory(birth_month=11, birth_day=2)
        bought(anna, "Hausmischung", 5, 40, 80)
        coupon(customer=anna)
        ComplaintFactory(customer=anna, text="The grinder is uneven.", opened_at=ago(4), due_at=ago(-1))
        shown = self.facts(anna)
        assert [fact.title for fact in shown["facts"]] == ["The grinder is uneven.", "Hausmischung.", "Birthday today."]
        assert "4 days ago" in shown["facts"][0].text and "tomorrow" in shown["facts"][0].text
        assert "offer nothing" in shown["suggestion"].because
        assert "coupon" not in shown["suggestion"].sentence and shown["holds"]

    def test_two_destroying_emotions_let_the_staff_listen_without_quoting_them(self, as_staff) -> None:
        from crm.contacts import record_interaction

        anna = CustomerFactory()
        record_interaction(anna, channel="phone", touchpoint="service", staff=None, felt=["irritated", "hurried"])
        assert Task.objects.filter(kind="alert").exists()
        shown = self.facts(anna)
        said = " ".join([*(f"{fact.title} {fact.text}" for fact in shown["facts"]), shown["suggestion"].sentence])
        assert "listen first" in shown["suggestion"].because
        assert "irritated" not in said + shown["suggestion"].because and "hurried" not in said

    def test_what_is_bought_most_is_offered_again(self) -> None:
        anna = CustomerFactory()
        bought(anna, "Hausmischung", 5, 40)
        bought(anna, "Filter", 1)
        shown = self.facts(anna)
        assert shown["facts"][0].title == "Hausmischung." and "In 2 of 3 purchases" in shown["facts"][0].text
        assert "Hausmischung" in shown["suggestion"].sentence and "2 purchases" in shown["suggestion"].because

    def test_an_open_coupon_is_named_before_goods_unless_it_begins_later(self) -> None:
        anna = CustomerFactory()
        bought(anna, "Hausmischung", 5, 40)
        later = coupon(batch(valid_from=date(2026, 12, 1)), customer=anna)
        assert "Hausmischung" in self.facts(anna)["suggestion"].sentence
        now = coupon(batch(valid_until=date(2026, 11, 30)), customer=anna)
        shown = self.facts(anna)
        assert "€5.00" in shown["suggestion"].sentence and "30 Nov 2026" in shown["suggestion"].because
        assert {one["coupon"].pk for one in shown["coupons"]} == {later.pk, now.pk}

    def test_a_birthday_says_whether_a_mail_is_allowed(self) -> None:
        open_shop()
        anna, ben = (CustomerFactory(birth_month=11, birth_day=12) for _number in range(2))
        EmailFactory(customer=anna)
        EmailFactory(customer=ben)
        anna.refresh_from_db()
        consent.give(anna.pk, ["birthday"], consent.How("paper", occurred_at=ago(3)))
        told = {one: next(fact for fact in self.facts(one)["facts"] if fact.icon == "cake") for one in (anna, ben)}
        assert told[anna].title == "Birthday in 10 days." and told[anna].text == "A mail is allowed."
        assert "No mail is allowed" in told[ben].text

    def test_somebody_who_was_away_is_welcomed_and_somebody_new_is_asked(self) -> None:
        away, fresh = CustomerFactory(), CustomerFactory()
        bought(away, "Hausmischung", 121, 200)
        bought(fresh, "Filter", 120)
        assert "again!" in self.facts(away)["suggestion"].sentence
        assert "How do you like Filter?" == self.facts(fresh)["suggestion"].sentence

    def test_a_long_complaint_ends_at_a_word(self) -> None:
        anna = CustomerFactory()
        ComplaintFactory(customer=anna, text="The grinder\n is uneven " * 20)
        title = self.facts(anna)["facts"][0].title
        assert len(title) < 95 and title.endswith((" uneven …", " is …", " grinder …", " The …"))

    def test_nobody_is_congratulated_early(self) -> None:
        anna = CustomerFactory(birth_month=11, birth_day=3)
        assert "birthday" not in self.facts(anna)["suggestion"].sentence.lower()

    def test_about_somebody_new_nothing_is_made_up(self) -> None:
        shown = self.facts(CustomerFactory())
        assert [fact.title for fact in shown["facts"]] == ["No purchase yet.", "No contact recorded yet."]
        assert "No fact" in shown["suggestion"].because and shown["status"] is None

    @pytest.mark.parametrize("state", ["restricted_at", "deceased_at"])
    def test_restricted_data_and_the_dead_rest(self, as_staff, state) -> None:
        anna = CustomerFactory(**{state: NOW})
        bought(anna, "Hausmischung", 5, 40)
        page = text(as_staff("support").get("/counter/", {"customer": anna.pk}))
        assert "Nothing is offered" in page and "Hausmischung" not in page and "How was it?" not in page
        sent = {"key": "k", "touchpoint": "advice", "emotion": "pleased"}
        assert as_staff("support").post(f"/counter/customers/{anna.pk}/moment/", sent).status_code == 404

    def test_names_are_as_given_and_a_form_of_address_only_if_said(self) -> None:
        wanted = {"ms": "Ms Dr. Özdemir", "mr": "Mr Dr. Özdemir", "neutral": "", "none": ""}
        for salutation, spoken in wanted.items():
            anna = CustomerFactory(salutation=salutation, title="Dr.", family_name="Özdemir")
            assert self.facts(anna)["address"] == spoken

    def test_a_page_asks_the_same_number_of_questions(self, as_staff, count_queries) -> None:
        anna, staff = CustomerFactory(family_name="Adler"), as_staff("support")
        AssessmentFactory(customer=anna, stage="regular")
        made = batch()

        def more(n: int) -> None:
            for number in range(n):
                bought(anna, f"Product {number}", 3 + number)
                coupon(made, customer=anna)
                ComplaintFactory(customer=anna)
                InteractionFactory(customer=anna, staff=staff.user, occurred_at=NOW)
                AssessmentFactory(customer=CustomerFactory(family_name="Adler"))

        more(2)
        pages = [{"customer": anna.pk}, {"q": "Adler"}, {"q": coupon(made, customer=anna).code}]
        for page in pages:
            staff.get("/counter/", page)
        few = [count_queries(lambda page=page: staff.get("/counter/", page)) for page in pages]
        more(20)
        assert [count_queries(lambda page=page: staff.get("/counter/", page)) for page in pages] == few


class TestHowItWas:
    def record(self, staff, customer, **given):
        key = MOMENT_KEY.search(text(staff.get("/counter/", {"customer": customer.pk})))[1]
        sent = {"key": key, "touchpoint": "advice"} | given
        return staff.post(f"/counter/customers/{customer.pk}/moment/", sent, follow=True)

    def test_two_taps_record_the_staffs_estimate_at_the_shop(self, as_staff) -> None:
        anna, staff = CustomerFactory(given_name="Anna", family_name="Amsel"), as_staff("support")
        page = text(self.record(staff, anna, emotion="pleased"))
        met = Interaction.objects.get()
        tag = met.emotions.get()
        assert (met.channel, met.touchpoint, met.staff) == ("shop", "advice", staff.user)
        assert (tag.emotion, tag.origin) == ("pleased", "staff_estimate")
        assert "Recorded for Anna Amsel." in page and "Last at the counter" in page and "just now, pleased" in page
        assert "Last at the counter" not in text(as_staff("support").get("/counter/"))

    def test_a_double_tap_records_once(self, as_staff) -> None:
        anna, staff = CustomerFactory(), as_staff("support")
        key = MOMENT_KEY.search(text(staff.get("/counter/", {"customer": anna.pk})))[1]
        sent = {"key": key, "touchpoint": "advice", "emotion": "valued"}
        for _tap in range(2):
            staff.post(f"/counter/customers/{anna.pk}/moment/", sent)
        assert Interaction.objects.count() == 1
        again = staff.post(f"/counter/customers/{anna.pk}/moment/", sent | {"emotion": "hurried"}, follow=True)
        assert "sent before" in text(again) and Interaction.objects.count() == 1

    def test_the_touchpoint_is_remembered(self, as_staff) -> None:
        anna, staff = CustomerFactory(), as_staff("support")
        self.record(staff, anna, touchpoint="payment", note="Paid by card.")
        assert "Shop, Payment, your estimate." in text(staff.get("/counter/", {"customer": anna.pk}))

    @pytest.mark.parametrize(
        "given", [{}, {"emotion": "delirious"}, {"touchpoint": "moon", "emotion": "pleased"}, {"note": "x" * 5_001}]
    )
    def test_nothing_and_nonsense_are_not_recorded(self, as_staff, given) -> None:
        page = self.record(as_staff("support"), CustomerFactory(), **given)
        assert page.status_code == 200 and "sk-note is-bad" in text(page)
        assert not Interaction.objects.exists()

    def test_a_new_complaint_changes_the_sentence_at_once(self, as_staff) -> None:
        anna, staff = CustomerFactory(), as_staff("support")
        complaints.open_complaint(anna, text="Cold.", severity="low", owner=None, due_at=NOW + timedelta(days=1))
        assert "solve it first" in text(staff.get("/counter/", {"customer": anna.pk}))


class TestAccess:
    def test_only_those_who_redeem_see_it(self, as_staff) -> None:
        marketer = as_staff("marketer")
        assert marketer.get("/counter/").status_code == 403
        assert (
            marketer.post("/counter/redeem/", {}).status_code == marketer.post("/counter/undo/", {}).status_code == 403
        )
        assert "/counter/" not in text(marketer.get("/customers/"))
        assert "/counter/" in text(as_staff("support").get("/customers/"))

    def test_the_camera_is_allowed_here_and_nowhere_else(self, as_staff) -> None:
        staff = as_staff("support")
        page = staff.get("/counter/")
        assert "camera=(self)" in page["Permissions-Policy"] and "unsafe" not in page["Content-Security-Policy"]
        assert "camera=()" in staff.get("/customers/")["Permissions-Policy"]
