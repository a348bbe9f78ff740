"""What staff fill in about coupons."""

from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from crm.days import today
from crm.forms import Styled
from crm.models import Category, Product
from loyalty.coupons import report
from loyalty.coupons.amounts import AmountField
from loyalty.models import CouponBatch

Kind = CouponBatch.Kind
DAY = {"type": "date"}
LONGEST = 36_500  # days
SAID = 10  # unknown numbers that a message names


class BatchForm(Styled, forms.ModelForm):
    """A new batch. What does not fit together is said at its field, before anything is stored."""

    categories = forms.ModelMultipleChoiceField(
        Category.objects.order_by("name"), required=False, label=_("Only for these categories"),
        help_text=_("Nothing chosen: for everything."),
    )  # fmt: skip
    not_categories = forms.ModelMultipleChoiceField(
        Category.objects.order_by("name"), required=False, label=_("Not for these categories")
    )
    product_numbers = forms.CharField(
        required=False, max_length=5_000, label=_("Only for these products"),
        help_text=_("Their numbers in the shop system, separated by commas."),
    )  # fmt: skip
    not_product_numbers = forms.CharField(
        required=False, max_length=5_000, label=_("Not for these products"), help_text=_("Such as goods at fixed prices.")
    )
    free_product_number = forms.CharField(
        required=False, max_length=100, label=_("Free product"), help_text=_("Its number in the shop system.")
    )

    class Meta:
        model = CouponBatch
        fields = [
            "title", "kind", "value", "minimum", "valid_from", "valid_until", "valid_days", "uses", "in_parts",
            "per_customer", "combinable", "budget", "on_return", "note",
        ]  # fmt: skip
        field_classes = {"value": AmountField, "minimum": AmountField, "budget": AmountField}
        widgets = {
            "valid_from": forms.DateInput(DAY, format="%Y-%m-%d"),
            "valid_until": forms.DateInput(DAY, format="%Y-%m-%d"),
            "note": forms.Textarea({"rows": 3}),
        }
        help_texts = {
            "title": _("Customers read it."),
            "value": _("Money for an amount, percent for a percentage."),
            "minimum": _("What the goods must be worth. 0: no minimum."),
            "valid_days": _("Counted from the day of issue, that day being the first."),
            "uses": _("1: each code works once. More: a code to be shared."),
            "in_parts": _("What is left stays on the code."),
            "per_customer": _("Over all codes of this batch. The till must then say who buys."),
            "budget": _("No redemption takes the total of all discounts above it."),
            "note": _("Printed below the terms that follow from the fields."),
        }

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        kind, value = given.get("kind"), given.get("value")
        if kind in (Kind.AMOUNT, Kind.PERCENT) and "value" not in self.errors and (value is None or value <= 0):
            self.add_error("value", _("Write a number above 0."))
        elif kind == Kind.PERCENT and value is not None and value > 100:
            self.add_error("value", _("A percentage is 100 at most."))
        elif kind in (Kind.FREE_PRODUCT, Kind.FREE_DELIVERY) and value is not None:
            self.add_error("value", _("This kind has no value. Leave the field empty."))
        if given.get("in_parts") and kind != Kind.AMOUNT:
            self.add_error("in_parts", _("Only an amount can be spent in parts."))
        elif given.get("in_parts") and (given.get("uses") or 1) > 1:
            self.add_error("uses", _("An amount that is spent in parts is used until it is gone. Leave 1 here."))
        self._days(given.get("valid_from"), given.get("valid_until"))
        for name in ("uses", "per_customer", "valid_days"):
            if given.get(name) == 0:
                self.add_error(name, _("Write 1 or more."))
        if kind == Kind.AMOUNT and value and given.get("budget") is not None and given["budget"] < value:
            self.add_error("budget", _("This is less than one coupon is worth, so none could be used."))
        if (given.get("valid_days") or 0) > LONGEST:
            self.add_error("valid_days", _("At most 36,500 days. Leave it empty for no end."))
        given["products"] = self._products("product_numbers")
        given["not_products"] = self._products("not_product_numbers")
        self._free_product(kind, given.get("free_product_number", ""))
        return given

    def _days(self, start: date | None, end: date | None) -> None:
        if end and end < today():
            self.add_error("valid_until", _("This day is past."))
        elif start and end and end < start:
            self.add_error("valid_until", _("The last day must not lie before the first."))

    def _products(self, name: str) -> list[int]:
        """The products that are meant: each source's with this number. Says which numbers nobody sent."""
        numbers = {number.strip() for number in (self.cleaned_data.get(name) or "").split(",")} - {""}
        found = dict(Product.objects.filter(external_id__in=numbers).values_list("pk", "external_id")) if numbers else {}
        if unknown := sorted(numbers - set(found.values())):
            text = _("The shop has sent no product with this number: %(numbers)s")
            self.add_error(name, ValidationError(text, params={"numbers": ", ".join(unknown[:SAID])}))
        return sorted(found)

    def _free_product(self, kind: str | None, number: str) -> None:
        if kind != Kind.FREE_PRODUCT:
            return
        found = Product.objects.filter(external_id=number).order_by("pk").first() if number else None
        if found is None:
            self.add_error("free_product_number", _("Write the number of a product that the shop has sent."))
        self.instance.free_product = found

    def save(self, commit: bool = True) -> CouponBatch:
        self.instance.products = self.cleaned_data["products"]
        self.instance.not_products = self.cleaned_data["not_products"]
        self.instance.categories = [one.pk for one in self.cleaned_data["categories"]]
        self.instance.not_categories = [one.pk for one in self.cleaned_data["not_categories"]]
        return super().save(commit)


class CodesForm(Styled, forms.Form):
    """How many codes without a customer to make at once; more are made by `manage.py issue_coupons`."""

    count = forms.IntegerField(min_value=1, max_value=20_000, initial=100, label=_("Number of codes"))


class OwnCodeForm(Styled, forms.Form):
    written = forms.CharField(
        max_length=60, label=_("A code of your own"),
        help_text=_("Such as AMSEL26. It can be guessed, so say how often it may be used."),
    )  # fmt: skip
    uses = forms.IntegerField(min_value=1, max_value=10_000_000, initial=100, label=_("How often in all"))


class OneForm(Styled, forms.Form):
    batch = forms.ModelChoiceField(CouponBatch.objects.filter(stopped_at=None).order_by("-pk"), label=_("Coupon"))


class GiveForm(Styled, forms.Form):
    """Codes for the customers of a list. The number is typed in, so that nobody gives away more than meant."""

    batch = forms.ModelChoiceField(CouponBatch.objects.filter(stopped_at=None).order_by("-pk"), label=_("Coupon"))
    confirmed = forms.IntegerField(label=_("Number of customers"), help_text=_("Type it in to confirm."))

    def __init__(self, *args: Any, count: int, **options: Any) -> None:
        self.count = count
        super().__init__(*args, **options)

    def clean_confirmed(self) -> int:
        given = self.cleaned_data["confirmed"]
        if given != self.count:
            raise ValidationError(
                _("There are %(count)s customers in this list. Type that number to confirm."),
                params={"count": self.count},
            )
        return given

    def clean_batch(self) -> CouponBatch:
        """Each customer is promised the whole worth, so the budget must still hold it for all."""
        batch: CouponBatch = self.cleaned_data["batch"]
        if why := report.too_much(batch, self.count):
            raise ValidationError(why)
        return batch


class VoidForm(Styled, forms.Form):
    reason = forms.CharField(max_length=200, label=_("Why"), help_text=_("For whoever asks later. Write no names: it stays for good."))
