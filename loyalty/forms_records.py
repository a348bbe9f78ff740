"""What staff note about a customer that no shop system knows: what they did for the shop, and where they are members."""

from datetime import date, datetime, time
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from crm.forms import Styled
from crm.models import AdvocacyAct, Customer

EARLIEST = date(1970, 1, 1)
FARTHEST_YEARS = 100


def day_field(label: Any, **options: Any) -> forms.DateField:
    """A day as browsers send it, whatever the language."""
    widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    return forms.DateField(label=label, widget=widget, input_formats=["%Y-%m-%d"], localize=False, **options)


def noon(day: date) -> datetime:
    """An instant on that day in the shop's zone; now, if it is today and noon is still to come."""
    return min(timezone.make_aware(datetime.combine(day, time(12))), timezone.now())


def past(day: date | None) -> date | None:
    """Raises ValidationError for a day to come or before 1970."""
    if day and day > timezone.localdate():
        raise ValidationError(_("This day is still to come. Note it when it has happened."))
    if day and day < EARLIEST:
        raise ValidationError(_("This day lies before 1970. Check the year."))
    return day


class ActForm(Styled, forms.Form):
    """Something the customer did for the shop. It counts for a year."""

    kind = forms.ChoiceField(label=_("What did they do?"), choices=AdvocacyAct.Kind.choices)
    day = day_field(_("When"))
    referred = forms.CharField(
        label=_("Number of the customer they brought"),
        max_length=20,
        required=False,
        help_text=_("Only for a referred first order, such as K-17."),
    )
    note = forms.CharField(label=_("How do you know?"), max_length=200, required=False)

    def __init__(self, *args: Any, customer: Customer, **options: Any) -> None:
        options["initial"] = {"day": timezone.localdate()} | (options.get("initial") or {})
        super().__init__(*args, **options)
        self.customer = customer

    def clean_day(self) -> date | None:
        return past(self.cleaned_data["day"])

    def clean_referred(self) -> Customer | None:
        text = self.cleaned_data["referred"].strip().upper().removeprefix("K-")
        if not text:
            return None
        if not text.isdecimal() or len(text) > 18:
            raise ValidationError(_("Write the number as it stands on the customer's page, such as K-17."))
        found = Customer.objects.filter(pk=int(text), erased_at=None).first()
        if found is None:
            raise ValidationError(_("There is no customer with this number."))
        found = found.merged_into or found
        if found.pk == self.customer.pk:
            raise ValidationError(_("Nobody can refer themselves."))
        if found.is_test:
            raise ValidationError(_("This is a test account."))
        return found

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        referral = given.get("kind") == AdvocacyAct.Kind.REFERRED_ORDER
        if referral and not given.get("referred") and "referred" not in self.errors:
            self.add_error("referred", _("Who was it? Write the number of the customer they brought."))
        if not referral:
            given["referred"] = None
        return given


class MembershipForm(Styled, forms.Form):
    """A membership, or a visit to an event of the shop."""

    kind = forms.ChoiceField(label=_("What"), choices=[("member", _("Member")), ("gathering", _("Guest of an event"))])
    title = forms.CharField(label=_("Of what?"), max_length=120, help_text=_("Such as: Coffee club, tasting in May."))
    day = day_field(_("Since or on"))
    until = day_field(_("Until"), required=False, help_text=_("Only for members. Empty: until it is ended here."))

    def __init__(self, *args: Any, **options: Any) -> None:
        options["initial"] = {"day": timezone.localdate()} | (options.get("initial") or {})
        super().__init__(*args, **options)

    def clean_day(self) -> date | None:
        return past(self.cleaned_data["day"])

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        begun, until = given.get("day"), given.get("until")
        if begun and until and until < begun:
            self.add_error("until", _("This lies before the beginning."))
        if until and until.year > timezone.localdate().year + FARTHEST_YEARS:
            message = _("This day lies more than %(n)s years ahead. Check the year, or leave it empty.")
            self.add_error("until", message % {"n": FARTHEST_YEARS})
        return given
