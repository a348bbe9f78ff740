"""Amounts as people write them, whatever the language of the page or of the browser."""

import re
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

# Up to two digits after a separator are cents; three digits after one are thousands, whatever the language.
PLAIN = re.compile(r"(\d+)(?:[.,](\d{1,2}))?")
GROUPED = re.compile(r"(\d{1,3}(?:[. ]\d{3})+)(?:,(\d{1,2}))?|(\d{1,3}(?:[,' ]\d{3})+)(?:\.(\d{1,2}))?")
AROUND = re.compile(r"^(?:[€£$¥%]|[A-Z]{3})?\s*|\s*(?:[€£$¥%]|[A-Z]{3})?$")
MOST_DIGITS = 10


def amount(typed: str) -> Decimal | None:
    """12, 12,5, 12.50, 1.234,50 and 1,234.50 as an amount; None for what is none."""
    bare = AROUND.sub("", typed.replace("\u00a0", " ").replace("\u202f", " ").strip())
    if plain := PLAIN.fullmatch(bare):
        whole, cents = plain[1], plain[2]
    elif grouped := GROUPED.fullmatch(bare):
        whole, cents = (grouped[1], grouped[2]) if grouped[1] else (grouped[3], grouped[4])
    else:
        return None
    whole = re.sub(r"\D", "", whole)
    return Decimal(f"{whole}.{cents or 0}") if len(whole) <= MOST_DIGITS else None


class AmountField(forms.CharField):
    """An amount of money in the shop's currency, or a percentage, 0 or more, with comma or point.

    A number input would not do: a browser set to English drops the comma and makes 550 of 5,50.
    """

    def __init__(self, *, max_digits: int | None = None, decimal_places: int | None = None, **options: Any) -> None:
        keyboard = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
        super().__init__(max_length=20, widget=keyboard, **options)

    def clean(self, value: Any) -> Decimal | None:
        typed = super().clean(value)
        if not typed:
            return None
        found = amount(typed)
        if found is None:
            raise ValidationError(_("Write an amount such as 12,50 or 12.50."))
        return found
