"""The merchant's purposes, as an administrator may add and change them."""

from django import forms
from django.utils.translation import gettext_lazy as _

from crm.forms import Styled


class PurposeForm(Styled, forms.Form):
    """What a purpose is called, and whether people are asked for it."""

    label_de = forms.CharField(label=_("Name in German"), max_length=80)
    label_en = forms.CharField(label=_("Name in English"), max_length=80)
    active = forms.BooleanField(
        label=_("Ask for it"),
        required=False,
        initial=True,
        help_text=_("Not asked for any more, what people agreed to still holds until they end it."),
    )


class NewPurposeForm(Styled, forms.Form):
    """A purpose of the merchant's own."""

    label_de = forms.CharField(label=_("Name in German"), max_length=80)
    label_en = forms.CharField(label=_("Name in English"), max_length=80)
    code = forms.CharField(
        label=_("Code"), max_length=30, help_text=_("For imports and the API; it never changes. Such as tasting.")
    )
