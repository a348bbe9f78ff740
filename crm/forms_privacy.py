"""Forms of the privacy desk."""

from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from crm.forms import Styled
from crm.models import Customer, PrivacyRequest
from crm.models.staff import LANGUAGES
from crm.sync_people import LEAP_YEAR, PHONE_REGION, normal_email, normal_phone

EARLIEST_BIRTH = 1880


class RequestForm(Styled, forms.Form):
    """A right that a person uses, and the day on which the request arrived."""

    kind = forms.ChoiceField(label=_("Right"), choices=PrivacyRequest.Kind)
    received_on = forms.DateField(
        label=_("Received on"),
        localize=False,
        input_formats=["%Y-%m-%d"],
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
    )

    def clean_received_on(self) -> date:
        day: date = self.cleaned_data["received_on"]
        if day > timezone.localdate():
            raise ValidationError(_("This day is still to come. When did the request arrive?"))
        if day.year < 2018:
            raise ValidationError(_("The GDPR applies since 25 May 2018. Please check the year."))
        return day


class CloseForm(Styled, forms.Form):
    """Answered, or why not."""

    refusal = forms.ChoiceField(
        label=_("Outcome"), choices=[("", _("answered")), *PrivacyRequest.Refusal.choices], required=False
    )


class RectifyForm(Styled, forms.Form):
    """All that staff may put right, with the checks that shop systems meet too."""

    salutation = forms.ChoiceField(label=_("Form of address"), choices=Customer.Salutation)
    title = forms.CharField(label=_("Title"), max_length=40, required=False)
    given_name = forms.CharField(label=_("First name"), max_length=80, required=False)
    family_name = forms.CharField(label=_("Last name"), max_length=80, required=False)
    company_name = forms.CharField(label=_("Company"), max_length=120, required=False)
    birth_day = forms.IntegerField(label=_("Birthday: day"), min_value=1, max_value=31, required=False)
    birth_month = forms.IntegerField(label=_("Month"), min_value=1, max_value=12, required=False)
    birth_year = forms.IntegerField(label=_("Year"), required=False, help_text=_("Not needed for a greeting."))
    language = forms.ChoiceField(label=_("Language"), choices=[("", _("the shop's")), *LANGUAGES], required=False)
    email = forms.CharField(label=_("E-mail address"), max_length=254, required=False)
    phone = forms.CharField(label=_("Phone"), max_length=40, required=False)
    postal = forms.CharField(label=_("Postal address, in one line"), max_length=254, required=False)
    city = forms.CharField(label=_("Town"), max_length=80, required=False)
    country = forms.CharField(label=_("Country"), max_length=60, required=False)

    def clean_email(self) -> str:
        given = str(self.cleaned_data["email"]).strip()
        if given and not normal_email(given)[0]:
            raise ValidationError(_("This is no e-mail address. Write it like name@example.com."))
        return given

    def clean_birth_year(self) -> int | None:
        year: int | None = self.cleaned_data["birth_year"]
        if year is not None and not EARLIEST_BIRTH <= year <= timezone.localdate().year:
            raise ValidationError(_("Write the year with four digits, not in the future; or leave it empty."))
        return year

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        phone = str(given.get("phone") or "").strip()
        if phone and not normal_phone(phone, given.get("country") or PHONE_REGION):
            self.add_error("phone", _("This is no phone number. Write it like +49 221 4710123."))
        day, month, year = (given.get(f"birth_{part}") for part in ("day", "month", "year"))
        if not {"birth_day", "birth_month", "birth_year"} & set(self.errors):
            self.check_birthday(day, month, year)
        return given

    def check_birthday(self, day: int | None, month: int | None, year: int | None) -> None:
        if bool(day) != bool(month) or (year and not day):
            self.add_error("birth_day", _("A birthday needs day and month. Fill in both, or clear all three."))
            return
        if not day or not month:
            return
        try:
            born = date(year or LEAP_YEAR, month, day)
        except ValueError:
            self.add_error("birth_day", _("This day does not exist in that month. Please check day, month and year."))
            return
        if year and born > timezone.localdate():
            self.add_error("birth_year", _("This birthday lies in the future. Please check the year."))

    def values(self) -> dict[str, str]:
        """What was given, as `crm.privacy.rectify.values_of` has it."""
        from crm.privacy.rectify import birthday_of

        given = dict(self.cleaned_data)
        parts = [given.pop(f"birth_{part}") for part in ("year", "month", "day")]
        return {name: str(value).strip() for name, value in given.items()} | {"birthday": birthday_of(*parts)}


class EraseForm(Styled, forms.Form):
    """The customer's number typed once more: an erasure cannot be undone."""

    number = forms.CharField(label=_("Type the customer's number to confirm"), max_length=30)

    def __init__(self, *args: Any, number: str = "", **options: Any) -> None:
        super().__init__(*args, **options)
        self.expected = number
        self.fields["number"].help_text = _("It is %(number)s.") % {"number": number}
        self.fields["number"].widget.attrs["autocomplete"] = "off"

    def clean_number(self) -> str:
        typed = str(self.cleaned_data["number"]).strip().upper().replace(" ", "")
        if typed != self.expected:
            raise ValidationError(_("This is not the number of the customer on this page. Nothing was erased."))
        return typed
