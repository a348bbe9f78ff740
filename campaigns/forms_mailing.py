"""The form by which a marketer writes, aims and dates a mailing."""

from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.utils import from_current_timezone
from django.utils.timezone import localtime, now
from django.utils.translation import gettext_lazy as _

from campaigns import forms_pace
from campaigns.editor import Editor
from campaigns.forms_pace import AWAITED, PaceForm
from campaigns.models import Campaign, Segment
from campaigns.recipe import Recipe
from crm.models import User
from loyalty.stages import STAGES

AHEAD = timedelta(days=730)


class MailingForm(PaceForm):
    """A mailing's name, its audience, its time in the shop's zone and who signs; `editor` holds its text.

    Without a time the draft is kept and cannot be launched.
    """

    name = forms.CharField(
        label=_("Name"), max_length=120, help_text=_("Only for you: how you find it again."), strip=True
    )
    stages = forms.MultipleChoiceField(
        label=_("Who gets it"),
        choices=[(stage.code, stage.label) for stage in STAGES],
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    segment = forms.ModelChoiceField(
        label=_("Only those in the segment"),
        queryset=Segment.objects.filter(archived_at=None).order_by("name", "pk"),
        required=False,
        empty_label=_("no segment"),
        error_messages={"invalid_choice": _("This segment was put away. Choose another one.")},
    )
    send_on = forms.DateField(
        label=_("Day"),
        required=False,
        localize=False,
        input_formats=["%Y-%m-%d"],
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
    )
    send_at = forms.TimeField(
        label=_("Time"),
        required=False,
        localize=False,
        input_formats=["%H:%M", "%H:%M:%S"],
        widget=forms.TimeInput(format="%H:%M", attrs={"type": "time"}),
    )
    signed_by = forms.ModelChoiceField(
        label=_("Signed by"),
        queryset=User.objects.filter(is_active=True).exclude(first_name="", last_name="").order_by("last_name", "pk"),
        empty_label=None,
        help_text=_("A person of your team. Answers reach the shop's reply address."),
        error_messages={"required": _("Choose who signs. A mail from a person is read, one from nobody is not.")},
    )

    def __init__(self, *args: Any, recipe: Recipe, editor: Editor, **options: Any) -> None:
        super().__init__(*args, recipe=recipe, **options)
        self.editor = editor
        for name, mark in (("send_on", AWAITED), ("send_at", AWAITED), ("stages", _("(or a segment)"))):
            self.fields[name].mark = mark  # type: ignore[attr-defined]

    def is_valid(self) -> bool:
        own, text = super().is_valid(), self.editor.is_valid()
        return own and text

    def clean(self) -> dict[str, Any]:
        given = super().clean()
        if not given.get("stages") and not given.get("segment") and not {"stages", "segment"} & self.errors.keys():
            self.add_error("stages", _("Choose at least one stage or a segment, or nobody gets the mail."))
        day, hour = given.get("send_on"), given.get("send_at")
        given["moment"] = self._moment(day, hour) if not {"send_on", "send_at"} & self.errors.keys() else None
        return given

    def _moment(self, day: date | None, hour: time | None) -> datetime | None:
        if day is None and hour is None:
            return None
        if day is None or hour is None:
            self.add_error("send_on" if day is None else "send_at", _("Give both day and time, or neither."))
            return None
        try:
            moment = from_current_timezone(datetime.combine(day, hour))
        except ValidationError:
            self.add_error(
                "send_at", _("On this day the clocks change and this time is none or twice. Choose another.")
            )
            return None
        if moment <= now():
            self.add_error("send_on", _("This time is past. Choose a later one."))
        elif moment > now() + AHEAD:
            self.add_error("send_on", _("This is more than two years ahead. Choose an earlier day."))
        return moment


def initial_of(campaign: Campaign, recipe: Recipe) -> dict[str, Any]:
    """The form's values for a draft as it is kept."""
    found = forms_pace.initial_of(campaign, recipe) | {
        "name": campaign.name,
        "stages": campaign.stages,
        "segment": campaign.segment_id,
        "signed_by": campaign.options.get("signed_by"),
    }
    if campaign.send_at:
        local = localtime(campaign.send_at)
        found |= {"send_on": local.date(), "send_at": local.time()}
    return found
