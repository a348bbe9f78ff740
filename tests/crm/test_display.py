"""How amounts and days are written in both languages."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.template import Context, Template
from django.utils import timezone, translation

from crm import display


@pytest.mark.parametrize(
    ("lang", "amount", "currency", "written"),
    [
        ("de", Decimal("1234.56"), "EUR", "1.234,56 €"),
        ("en", Decimal("1234.56"), "EUR", "€1,234.56"),
        ("en", Decimal("-5"), "GBP", "−£5.00"),
        ("de", Decimal("-5"), "GBP", "−5,00 £"),
        ("de", Decimal("0.005"), "EUR", "0,01 €"),
        ("de", Decimal("-0.001"), "EUR", "0,00 €"),
        ("en", 7, "CHF", "7.00 CHF"),
        ("en", Decimal("1500"), "JPY", "¥1,500"),
    ],
)
def test_money_is_written_as_the_language_does(lang, amount, currency, written):
    with translation.override(lang):
        assert display.money(amount, currency) == written.replace(" ", "\u00a0")


@pytest.mark.parametrize(
    ("value", "places", "written"),
    [(3.44, 1, "+3,4"), (-0.04, 1, "0,0"), (-2.25, 1, "−2,3"), (0, 0, "0"), (12345, 0, "+12.345")],
)
def test_a_signed_number_shows_its_sign_unless_it_rounds_to_nought(value, places, written):
    with translation.override("de"):
        assert display.signed(value, places) == written


def test_what_is_unknown_stays_unknown():
    for write in (display.number, display.signed, display.percent, display.day, display.clock, display.ago):
        assert write(None) is None
    assert display.money(None, "EUR") is None


def test_an_instant_is_a_day_in_the_shops_zone():
    late = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)
    with timezone.override("Europe/Berlin"):
        with translation.override("de"):
            assert (display.day(late), display.clock(late)) == ("21.11.2026", "00:30")
        with translation.override("en"):
            assert display.short_day(late) == "Sat 21 Nov"


def test_days_are_counted_in_words():
    today = date(2026, 11, 23)
    with translation.override("en"):
        said = [display.ago(date(2026, 11, day), today) for day in (23, 22, 24, 4, 30)]
    assert said == ["today", "yesterday", "tomorrow", "19 days ago", "in 7 days"]


def test_a_birthday_needs_no_year():
    with translation.override("de"):
        assert display.birthday(2, 29) == "29. Februar"
        assert display.birthday(12, 3, 1971) == "3. Dezember 1971"
        assert display.birthday(None, None) is None


def test_the_filters_write_a_dashed_word_for_what_is_unknown():
    page = Template("{% load kit %}{{ none|money:'EUR' }}|{{ zero|number }}|{{ none|or_unknown:'never asked' }}")
    with translation.override("en"):
        shown = page.render(Context({"none": None, "zero": 0}))
    assert shown == ('<span class="sk-unknown">unknown</span>|0|<span class="sk-unknown">never asked</span>')
