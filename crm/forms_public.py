"""Forms on public pages. They know their page by a signed stamp instead of a cookie."""

import re
from calendar import monthrange
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from django import forms
from django.core import signing
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.dates import MONTHS
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from crm.forms import Styled
from crm.models import Customer, Shop, Wording
from crm.models.staff import LANGUAGES
from crm.privacy.rectify import birthday_of
from crm.sync_people import normal_email

SALT = "sign-up"
LEAST_SECONDS = 2
LONGEST = timedelta(hours=12)
LEAP_YEAR = 2024
EARLIEST_BIRTH = 1880
SALUTATIONS = [
    (Customer.Salutation.NONE, gettext_lazy("not given")),
    *((value, label) for value, label in Customer.Salutation.choices if value != Customer.Salutation.NONE),
]
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


class PersonNameField(forms.CharField):
    """A name as its owner writes it, on one line and never needed. No link: the next mail repeats it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"required": False} | options)

    def clean(self, value: Any) -> str:
        given = " ".join(str(super().clean(value)).split())
        if re.search(r"[<>{}]|//|www\.|@", given, re.IGNORECASE):
            raise ValidationError(_("Write only the name, please."))
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
    salutation = forms.ChoiceField(
        label=gettext_lazy("Form of address"), choices=SALUTATIONS, required=False, initial="none"
    )
    given_name = PersonNameField(
        label=gettext_lazy("First name"), max_length=80, widget=forms.TextInput(attrs={"autocomplete": "given-name"})
    )
    family_name = PersonNameField(
        label=gettext_lazy("Last name"), max_length=80, widget=forms.TextInput(attrs={"autocomplete": "family-name"})
    )
    stamp = forms.CharField(max_length=2000, required=False, widget=forms.HiddenInput)
    website = forms.CharField(max_length=200, required=False)

    def __init__(self, data: Any, wordings: Mapping[str, Wording], fresh: str, shop: Shop) -> None:
        super().__init__(data, initial={"stamp": fresh}, auto_id="sign-up-%s")
        # What the shop does not ask for is not taken either.
        asked = {"salutation": shop.sign_up_salutation, "given_name": shop.sign_up_names}
        for name, wanted in (asked | {"family_name": shop.sign_up_names}).items():
            if not wanted:
                del self.fields[name]
        self.fields["purpose"].choices = [(purpose, purpose) for purpose in wordings]  # type: ignore[attr-defined]

    @property
    def trapped(self) -> bool:
        """Whether a machine filled in what no person sees."""
        return bool(self.data.get("website"))


class AddressForm(Styled, forms.Form):
    """The address to which mail shall go from now on, once it has answered."""

    email = EmailField(
        label=gettext_lazy("New e-mail address"),
        max_length=ADDRESS,
        widget=forms.EmailInput(attrs={"autocomplete": "email", "inputmode": "email"}),
    )

    def __init__(self, data: Any = None) -> None:
        super().__init__(data, auto_id="address-%s")


class DetailsForm(Styled, forms.Form):
    """Name, language, rhythm and birthday. The birthday needs no year and may be left out or taken back.

    The name on record is not shown: a link may be passed on. An empty field leaves it as it is.
    """

    salutation = forms.ChoiceField(label=gettext_lazy("Form of address"), required=False)
    given_name = PersonNameField(
        label=gettext_lazy("First name"), max_length=80, widget=forms.TextInput(attrs={"autocomplete": "given-name"})
    )
    family_name = PersonNameField(
        label=gettext_lazy("Last name"), max_length=80, widget=forms.TextInput(attrs={"autocomplete": "family-name"})
    )

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
    birth_year = forms.IntegerField(
        label=gettext_lazy("Birthday: year"), required=False, min_value=EARLIEST_BIRTH, max_value=2200
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
                "birth_year": customer.birth_year,
            },
        )
        self.fields["salutation"].choices = [("", _("as it is")), *SALUTATIONS]  # type: ignore[attr-defined]
        for name in ("given_name", "family_name"):
            if known := getattr(customer, name):
                self.fields[name].help_text = _("Known: %(name)s. Leave it empty to keep it.") % {"name": initial(known)}
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
        elif day and month and day > monthrange(given.get("birth_year") or LEAP_YEAR, month)[1]:
            self.add_error("birth_day", _("This day does not exist in that month."))
        elif given.get("birth_year"):
            self.check_year(given["birth_year"], month, day)
        return given

    def check_year(self, year: int, month: int | None, day: int | None) -> None:
        if not (month and day):
            self.add_error("birth_year", _("A year alone is no birthday. Give day and month, or leave it out."))
        elif date(year, month, day) > timezone.localdate():
            self.add_error("birth_year", _("This birthday lies in the future. Please check the year."))

    def corrections(self) -> dict[str, str]:
        """What `crm.privacy.rectify` takes; what was left empty of the name stays."""
        given = self.cleaned_data
        found = {name: given[name] for name in ("salutation", "given_name", "family_name") if given[name]}
        day, month, year = given["birth_day"], given["birth_month"], given["birth_year"]
        if "birth_year" not in self.data and (day, month) == (self.customer.birth_day, self.customer.birth_month):
            year = self.customer.birth_year  # the page did not ask for it
        birthday = birthday_of(year, month, day)
        return found | {"language": given["language"], "birthday": birthday}


def initial(name: str) -> str:
    """A name that its owner knows again and a stranger does not learn: A•••."""
    return f"{name[:1]}•••"
