"""What is typed at the counter: amounts as people write them, and a purchase that a code is used for."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from crm.forms import Styled
from crm.models import Customer, Interaction
from crm.models.contact import Touchpoint
from loyalty.coupons import terms
from loyalty.coupons.amounts import AmountField
from loyalty.coupons.terms import Basket, Item
from loyalty.models import CouponBatch

Finder = Callable[[str], list[Customer]]


class RedeemForm(Styled, forms.Form):
    """The purchase that a code is used for. Without positions: what a batch wants to know of them is asked for.

    buyer: the customer, if already known. find: customers by whatever is typed, two at most.
    Afterwards `basket()` is the purchase and `buyer` the customer, if any.
    """

    total = AmountField(label=_("Basket total"))
    counted = AmountField()
    delivery = AmountField(label=_("Cost of delivery"))
    reference = forms.CharField(
        label=_("Receipt number"), max_length=100, required=False, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    who = forms.CharField(
        label=_("Customer"), max_length=100, required=False, help_text=_("Name, number, phone or order."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )  # fmt: skip

    def __init__(self, *args: Any, batch: CouponBatch, buyer: Customer | None, find: Finder, **options: Any) -> None:
        super().__init__(*args, auto_id="redeem_%s", **options)
        self.batch, self.buyer, self.find = batch, buyer, find
        if batch.kind == CouponBatch.Kind.FREE_PRODUCT:
            self.fields["counted"].label = _("Price of one piece of it")
        elif terms.limited(batch):
            self.fields["counted"].label = _("Of it, what the coupon is good for")
        else:
            del self.fields["counted"]
        if batch.kind != CouponBatch.Kind.FREE_DELIVERY:
            del self.fields["delivery"]
        if buyer:
            del self.fields["who"]
        else:
            self.fields["who"].required = bool(batch.per_customer)

    def clean_who(self) -> str:
        typed: str = self.cleaned_data["who"].strip()
        found = self.find(typed) if typed else []
        if typed and not found:
            raise ValidationError(_("No customer is found by this. Leave it empty if you do not know."))
        if len(found) > 1:
            raise ValidationError(_("Several customers fit. Write the number, such as K-1042."))
        self.buyer = found[0] if found else None
        return typed

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        total, counted = given.get("total"), given.get("counted")
        if total is not None and counted is not None and counted > total:
            self.add_error("counted", _("This is more than the basket total."))
        return given

    def basket(self) -> Basket:
        """The purchase; `counted` stands for one position that the batch is good for."""
        given = self.cleaned_data
        items: tuple[Item, ...] = ()
        if "counted" in given:
            product = self.batch.free_product_id or next(iter(self.batch.products), None)
            category = next(iter(self.batch.categories), None)
            items = (Item(given["counted"], product=product, category=category),)
        return Basket(given["total"], items, given.get("delivery") or Decimal(0))


class MomentForm(forms.Form):
    """How it was at the counter: one emotion as the staff saw it, where in the journey, a note."""

    emotion = forms.CharField(max_length=15, required=False)
    touchpoint = forms.ChoiceField(
        label=_("Touchpoint"), choices=Touchpoint, widget=forms.Select(attrs={"class": "form-select"})
    )
    note = forms.CharField(
        label=_("Note"), max_length=5_000, required=False,
        widget=forms.Textarea(attrs={"rows": 2, "class": "form-control"}),
    )  # fmt: skip

    channel = Interaction.Channel.SHOP

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if not self.errors and not given.get("emotion") and not given.get("note", "").strip():
            raise ValidationError(_("Choose how it was, or write a note."))
        return given
