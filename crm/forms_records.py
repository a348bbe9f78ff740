"""Forms by which staff record what happened: a contact, a complaint, a fact that no shop system knows."""

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from crm import emotions
from crm.contacts import MOST_EMOTIONS
from crm.forms import Styled, styled
from crm.forms_tasks import StaffField
from crm.models import Complaint, Interaction, InteractionEmotion, User
from crm.models.contact import Touchpoint
from crm.plugins import BarrierSignal

LONGEST_NOTE = 5000
ANSWER_DAYS = 2


class ContactForm(Styled, forms.Form):
    """A contact just now: where, what was said, up to three emotions and who says so."""

    channel = forms.ChoiceField(label=_("Channel"), choices=Interaction.Channel, initial=Interaction.Channel.PHONE)
    touchpoint = forms.ChoiceField(label=_("Touchpoint"), choices=Touchpoint, initial=Touchpoint.SERVICE)
    note = forms.CharField(label=_("Note"), max_length=LONGEST_NOTE, required=False)
    emotions = forms.MultipleChoiceField(label=_("Emotions"), choices=emotions.choices, required=False)
    origin = forms.ChoiceField(
        label=_("Who says so"),
        choices=[
            (InteractionEmotion.Origin.STAFF_ESTIMATE, _("my estimate")),
            (InteractionEmotion.Origin.CUSTOMER_SELF, _("said so")),
        ],
        initial=InteractionEmotion.Origin.STAFF_ESTIMATE,
    )
    rating = forms.TypedChoiceField(
        label=_("Rating by the customer"),
        choices=[("", _("none given")), *((str(n), str(n)) for n in range(11))],
        coerce=int,
        empty_value=None,
        required=False,
    )

    def clean_emotions(self) -> list[str]:
        felt: list[str] = self.cleaned_data["emotions"]
        if len(felt) > MOST_EMOTIONS:
            raise ValidationError(_("Choose three emotions at most: those that were strongest."))
        return felt

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        said_nothing = not given.get("note", "").strip() and not given.get("emotions") and given.get("rating") is None
        if not self.errors and said_nothing:
            raise ValidationError(_("Write a note, or choose an emotion or a rating."))
        return given


class DueField(forms.DateField):
    """A day until whose end something is promised; the value is that end in the shop's zone."""

    def __init__(self, **options: Any) -> None:
        super().__init__(widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}), localize=False, **options)
        self.input_formats = ["%Y-%m-%d"]

    def prepare_value(self, value: Any) -> Any:
        return timezone.localtime(value).date() if isinstance(value, datetime) else value

    def clean(self, value: Any) -> Any:
        day = super().clean(value)
        return timezone.make_aware(datetime.combine(day, time(18))) if day else None


class CaseForm(Styled, forms.Form):
    """What a case is and who has it."""

    severity = forms.ChoiceField(label=_("Severity"), choices=Complaint.Severity, initial=Complaint.Severity.MEDIUM)
    owner = StaffField(label=_("In charge"), empty_label=_("nobody yet"))
    due_at = DueField(label=_("Answer due on"))


class ComplaintForm(CaseForm):
    """A new complaint, in the customer's words."""

    text = forms.CharField(
        label=_("What happened, in the customer's words"),
        max_length=LONGEST_NOTE,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    field_order = ["text", "severity", "due_at", "owner"]

    def __init__(self, *args: Any, user: User | None = None, **options: Any) -> None:
        due = timezone.localdate() + timedelta(days=ANSWER_DAYS)
        options["initial"] = {"due_at": due, "owner": user} | (options.get("initial") or {})
        super().__init__(*args, **options)

    def clean_due_at(self) -> datetime:
        due: datetime = self.cleaned_data["due_at"]
        if timezone.localtime(due).date() < timezone.localdate():
            raise ValidationError(_("This day has passed. Promise an answer for today or later."))
        return due


class AnswerForm(Styled, forms.Form):
    """What the customer was told."""

    channel = forms.ChoiceField(label=_("Channel"), choices=Interaction.Channel, initial=Interaction.Channel.PHONE)
    note = forms.CharField(
        label=_("What did you say or write?"), max_length=LONGEST_NOTE, widget=forms.Textarea(attrs={"rows": 3})
    )


class CloseForm(Styled, forms.Form):
    resolution = forms.CharField(
        label=_("What was done"),
        max_length=LONGEST_NOTE,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("So that the next colleague knows. Advertising may go to this customer again."),
    )


class BarrierForm(forms.Form):
    """One field for each signal; what is left empty is not recorded."""

    UNITS = {"months": _("months"), "share": "%", "money": "", "count": _("number")}

    def __init__(self, *args: Any, signals: Sequence[BarrierSignal] = (), currency: str = "", **options: Any) -> None:
        super().__init__(*args, **options)
        self.signals = [BarrierSignal(*signal) for signal in signals]
        for signal in self.signals:
            self.fields[signal.code] = self.field_for(signal, currency)
        self.fields["note"] = forms.CharField(label=_("How do you know?"), max_length=200, required=False)
        self.fields["valid_until"] = DueField(
            label=_("Valid until"), required=False, help_text=_("Empty: until it is recorded anew.")
        )
        styled(self)

    def field_for(self, signal: BarrierSignal, currency: str) -> forms.Field:
        if signal.unit == "flag":
            choices = [("", _("not recorded")), ("1", _("yes")), ("0", _("no"))]
            return forms.TypedChoiceField(
                label=str(signal.label),
                help_text=str(signal.help),
                choices=choices,
                coerce=Decimal,
                empty_value=None,
                required=False,
            )
        unit = currency if signal.unit == "money" else self.UNITS[signal.unit]
        return forms.DecimalField(
            label=f"{signal.label} ({unit})",
            help_text=str(signal.help),
            min_value=0,
            max_value={"share": 100, "months": 600, "count": 10_000}.get(signal.unit, 10_000_000),
            decimal_places=2 if signal.unit == "money" else 1,
            required=False,
            widget=forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"}),
        )

    def clean_valid_until(self) -> datetime | None:
        until: datetime | None = self.cleaned_data["valid_until"]
        if until and until <= timezone.now():
            raise ValidationError(_("This day has passed. Choose a later one or leave it empty."))
        return until

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if not self.errors and all(given.get(signal.code) is None for signal in self.signals):
            raise ValidationError(_("Fill in at least one fact."))
        return given

    def values(self) -> dict[str, Decimal]:
        """What was filled in, in each signal's own unit."""
        given = {signal: self.cleaned_data.get(signal.code) for signal in self.signals}
        return {
            signal.code: value / 100 if signal.unit == "share" else value
            for signal, value in given.items()
            if value is not None
        }
