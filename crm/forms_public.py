"""Forms on public pages. They know their page by a signed stamp instead of a cookie."""

from calendar import monthrange
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django import forms
from django.core import signing
from django.core.exceptions import ValidationError
from django.utils.dates import MONTHS
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from crm.forms import Styled
from crm.models import Customer, Shop, Wording
from crm.models.staff import LANGUAGES
from crm.sync_people import normal_email

SALT = "sign-up"
LEAST_SECONDS = 2
LONGEST = timedelta(hours=12)
LEAP_YEAR = 2024
ADDRESS = 254


def stamp(wordings: Mapping[str, Wording], notice: str, language: str) -> str:
    """What the page showed and when, signed: the wordings by purpose, the version of the privacy notice, the language."""
    shown = {"w": {purpose: wording.pk for purpose, wording in wordings.items()}, "n": notice, "l": language}
    return signing.TimestampSigner(salt=SALT).sign_object(shown)


def read_stamp(text: str) -> dict[str, Any] | None:
    """What `stamp` was given, or None if it is forged or too old."""
    try:
        return signing.TimestampSigner(salt=SALT).unsign_object(text, max_age=LONGEST)
    except signing.BadSignature:
        return None


def too_fast(text: str) -> bool:
    """Whether the form came back faster than a person can fill it in."""
    try:
        signing.TimestampSigner(salt=SALT).unsign_object(text, max_age=LEAST_SECONDS)
    except signing.BadSignature:
        return False
    return True


class EmailField(forms.CharField):
    """An address as people write it; the widget helps, `normal_email` decides."""

    widget = forms.EmailInput

    def clean(self, value: Any) -> str:
        given: str = super().clean(value).strip()
        if not normal_email(given)[0]:
            raise ValidationError(_("This is no e-mail address. Write it like name@example.com."))
        return given


class SignUpForm(Styled, forms.Form):
    """An address and what it may be used for. `website` is a trap that no person sees."""

    email = EmailField(
        label=gettext_lazy("E-mail address"),
        max_length=ADDRESS,
        widget=forms.EmailInput(attrs={"autocomplete": "email", "inputmode": "email"}),
    )
    purpose = forms.MultipleChoiceField(
        error_messages={"required": gettext_lazy("Tick at least one box, or there is nothing to sign up for.")}
    )
    stamp = forms.CharField(max_length=2000, required=False, widget=forms.HiddenInput)
    website = forms.CharField(max_length=200, required=False)

    def __init__(self, data: Any, wordings: Mapping[str, Wording], fresh: str) -> None:
        super().__init__(data, initial={"stamp": fresh}, auto_id="sign-up-%s")
        self.fields["purpose"].choices = [(purpose, purpose) for purpose in wordings]  # type: ignore[attr-defined]

    @property
    def trapped(self) -> bool:
        """Whether a machine filled in what no person sees."""
        return bool(self.data.get("website"))


class DetailsForm(Styled, forms.Form):
    """Language, rhythm and birthday. The birthday needs no year and may be left out or taken back."""

    language = forms.ChoiceField(label=gettext_lazy("Language of our mails"), choices=LANGUAGES)
    mails = forms.TypedChoiceField(label=gettext_lazy("How often?"), coerce=int, empty_value=None, required=False)
    birth_day = forms.TypedChoiceField(
        label=gettext_lazy("Birthday: day"),
        coerce=int,
        empty_value=None,
        required=False,
        choices=[("", "–"), *((number, number) for number in range(1, 32))],
    )
    birth_month = forms.TypedChoiceField(
        label=gettext_lazy("Birthday: month"),
        coerce=int,
        empty_value=None,
        required=False,
        choices=[("", "–"), *MONTHS.items()],
    )

    def __init__(self, data: Any, *, customer: Customer, shop: Shop) -> None:
        self.customer = customer
        super().__init__(
            data,
            auto_id="details-%s",
            initial={
                "language": customer.language or shop.language,
                "mails": customer.mails_per_fortnight,
                "birth_day": customer.birth_day,
                "birth_month": customer.birth_month,
            },
        )
        self.fields["mails"].choices = self.rhythms(shop)  # type: ignore[attr-defined]

    def rhythms(self, shop: Shop) -> list[tuple[Any, str]]:
        """As usual, or fewer; a number that the person chose when the shop allowed more stays on offer."""
        numbers = {*range(1, shop.mails_per_fortnight), self.customer.mails_per_fortnight} - {None}
        return [
            ("", _("As usual")),
            *(
                (number, ngettext("at most %d mail in two weeks", "at most %d mails in two weeks", number) % number)
                for number in sorted(numbers)
            ),
        ]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        day, month = given.get("birth_day"), given.get("birth_month")
        if bool(day) != bool(month):
            self.add_error("birth_day", _("Give day and month, or leave both out."))
        elif day and month and day > monthrange(LEAP_YEAR, month)[1]:
            self.add_error("birth_day", _("This day does not exist in that month."))
        return given

    def corrections(self) -> dict[str, str]:
        """What `crm.privacy.rectify` takes; a year that is known already stays while day and month do."""
        given, customer = self.cleaned_data, self.customer
        day, month = given["birth_day"], given["birth_month"]
        found = {"language": given["language"]}
        if (day, month) != (customer.birth_day, customer.birth_month):
            found["birthday"] = f"{month:02d}-{day:02d}" if day else ""
        return found
