"""The shop's settings, as an administrator may change them."""

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from crm.forms import Styled
from crm.models import Purchase, Return, Shop
from crm.origins import origin_of
from crm.public_holidays import validate_region


class ShopForm(Styled, forms.ModelForm):
    """Zone and currency are fixed once there are purchases: their days and amounts are stored in them."""

    time_zone = forms.ChoiceField(
        label=_("Time zone"),
        choices=lambda: [(zone, zone) for zone in sorted(available_timezones()) if "/" in zone or zone == "UTC"],
        help_text=_("Days (of orders, birthdays, stages) are days in this zone."),
    )

    class Meta:
        model = Shop
        fields = [
            "name",
            "language",
            "time_zone",
            "currency",
            "sender_name",
            "sender_email",
            "reply_to",
            "imprint",
            "quiet_from",
            "quiet_until",
            "mails_per_fortnight",
            "holiday_region",
            "event_window_hours",
            "embed_origins",
            "sign_up_salutation",
            "sign_up_names",
            "exports_per_day",
        ]
        widgets = {
            "imprint": forms.Textarea(attrs={"rows": 4}),
            "embed_origins": forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
            "quiet_from": forms.TimeInput(format="%H:%M", attrs={"type": "time"}),
            "quiet_until": forms.TimeInput(format="%H:%M", attrs={"type": "time"}),
            "currency": forms.TextInput(attrs={"maxlength": 3, "autocapitalize": "characters"}),
        }
        help_texts = {
            "currency": _("Every amount is stored in it. ISO code such as EUR."),
            "sender_email": _("From this address mails go out. Your mail provider must know it."),
            "reply_to": _("Answers arrive here. Empty: at the sender address."),
            "quiet_from": _("In the customer's zone no advertising goes out from then on."),
            "quiet_until": _("From then on it may."),
            "mails_per_fortnight": _("0 stops all advertising."),
        }

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fixed = has_purchases()
        if self.fixed:
            self.fix("currency", _("It cannot change any more: every stored amount is in this currency."))
            self.fix("time_zone", _("It cannot change any more: the day of every stored purchase was counted in it."))

    def fix(self, name: str, reason: Any) -> None:
        field = self.fields[name]
        field.disabled, field.help_text = True, reason

    def clean_currency(self) -> str:
        return str(self.cleaned_data["currency"]).strip().upper()

    def clean_holiday_region(self) -> str:
        region = str(self.cleaned_data["holiday_region"]).strip().upper()
        if region:
            validate_region(region)
        return region

    def clean_embed_origins(self) -> str:
        lines = self.cleaned_data["embed_origins"].split()
        for line in lines:
            if not origin_of(line):
                raise ValidationError(
                    _("“%(line)s” is no origin. Write only scheme and name, such as https://shop.example."),
                    params={"line": line},
                )
        return "\n".join(origin_of(line) for line in lines)

    def clean_event_window_hours(self) -> int:
        hours: int = self.cleaned_data["event_window_hours"]
        if not 1 <= hours <= 720:
            raise ValidationError(_("Between 1 hour and 720 hours (30 days), please."))
        return hours

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if given.get("sender_email") and not given.get("imprint", "").strip():
            self.add_error("imprint", _("Whoever sends mail needs an imprint: name, postal address and contact."))
        return given

    @transaction.atomic
    def save(self, commit: bool = True) -> Shop:
        """Store the settings. Raises ValidationError if the first purchase came in meanwhile and would be misread."""
        kept = Shop.objects.select_for_update().get(pk=self.instance.pk)
        moved = (kept.currency, kept.time_zone) != (self.instance.currency, self.instance.time_zone)
        if moved and has_purchases():
            raise ValidationError(
                _("The first purchases have just arrived: currency and zone can no longer change. Open the page anew.")
            )
        self.instance.save(update_fields=self.Meta.fields)
        return self.instance


class TextForm(Styled, forms.Form):
    """One text in the languages of the product; a language may be left out."""

    de = forms.CharField(label=_("German"), required=False, max_length=100_000, widget=forms.Textarea({"rows": 10}))
    en = forms.CharField(label=_("English"), required=False, max_length=100_000, widget=forms.Textarea({"rows": 10}))

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        given = {language: text.replace("\r\n", "\n") for language, text in given.items()}
        if not any(given.values()):
            raise ValidationError(_("Write the text in at least one language."))
        return given


def has_purchases() -> bool:
    return Purchase.objects.exists() or Return.objects.exists()
