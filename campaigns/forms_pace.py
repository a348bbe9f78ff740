"""What a shop may set about any campaign: how many are held out, when its mails go, and its recipe's own settings."""

from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from campaigns import couponing
from campaigns.models import Campaign, Segment
from campaigns.recipe import Recipe, Setting
from loyalty.models import CouponBatch
from loyalty.stages import STAGES

WEEKDAYS = ((1, _("Monday")), (2, _("Tuesday")), (3, _("Wednesday")), (4, _("Thursday")), (5, _("Friday")),
            (6, _("Saturday")), (7, _("Sunday")))  # fmt: skip
HALF = 50
PREFIX = "set_"
# Stands behind the label of a field (`mark`, see `components/field.html`) where "optional" would mislead.
AWAITED = _("(before the launch)")


def _hour(label: Any) -> forms.TimeField:
    return forms.TimeField(
        label=label,
        required=False,
        localize=False,
        input_formats=["%H:%M", "%H:%M:%S"],
        widget=forms.TimeInput(format="%H:%M", attrs={"type": "time"}),
    )


def _stages() -> forms.MultipleChoiceField:
    return forms.MultipleChoiceField(
        label=_("Only those in the stages"),
        choices=[(stage.code, stage.label) for stage in STAGES],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("None ticked means every stage."),
    )


def _segment() -> forms.ModelChoiceField:
    return forms.ModelChoiceField(
        label=_("Only those in the segment"),
        queryset=Segment.objects.filter(archived_at=None).order_by("name", "pk"),
        required=False,
        empty_label=_("no segment"),
        error_messages={"invalid_choice": _("This segment was put away. Choose another one.")},
    )


class PaceForm(forms.Form):
    """Control group, hours and weekdays of a campaign, its coupon, and the settings that its recipe declares."""

    hold_out = forms.IntegerField(
        label=_("Control group, in per cent"),
        min_value=0,
        max_value=HALF,
        required=False,
        localize=False,
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
        help_text=_("So many get nothing, drawn by lot, so that you see what the mail does. 0 to 50."),
    )
    window_from = _hour(_("Send from"))
    window_until = _hour(_("Send until"))
    weekdays = forms.TypedMultipleChoiceField(
        label=_("Only on"),
        choices=WEEKDAYS,
        coerce=int,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("None ticked means every day."),
    )
    coupon = forms.ModelChoiceField(
        label=_("Coupon"),
        queryset=CouponBatch.objects.none(),
        required=False,
        empty_label=_("no coupon"),
        help_text=_("Everybody gets a code of their own. Code and terms stand above the closing."),
        error_messages={
            "required": _("Choose the coupon that this mailing brings."),
            "invalid_choice": _("This coupon was stopped or has ended. Choose another one, or make a new one."),
        },
    )

    def __init__(self, *args: Any, recipe: Recipe, **options: Any) -> None:
        super().__init__(*args, **options)
        self.recipe = recipe
        if recipe.brings:
            self.fields["coupon"].queryset = couponing.choices()  # type: ignore[attr-defined]
            self.fields["coupon"].required = recipe.brings == "always"
        else:
            del self.fields["coupon"]
        if recipe.aimed:
            self.fields["stages"], self.fields["segment"] = _stages(), _segment()
        for setting in recipe.settings:
            self.fields[PREFIX + setting.code] = field_of(setting)
            if setting.awaited:
                self.fields[PREFIX + setting.code].mark = AWAITED  # type: ignore[attr-defined]

    def settings(self) -> list[forms.BoundField]:
        """The fields of what the recipe declares."""
        return [self[PREFIX + setting.code] for setting in self.recipe.settings]

    def chosen_settings(self) -> dict[str, Any]:
        """The settings as `Campaign.options` keeps them. Only after `is_valid`."""
        return {setting.code: self._value(setting) for setting in self.recipe.settings}

    def _value(self, setting: Setting) -> Any:
        value = self.cleaned_data[PREFIX + setting.code]
        return value.isoformat() if isinstance(value, date) else "" if value is None else value

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        opens, ends = given.get("window_from"), given.get("window_until")
        if (opens is None) != (ends is None) and not {"window_from", "window_until"} & self.errors.keys():
            self.add_error(
                "window_until" if ends is None else "window_from", _("Give both hours, or neither for the whole day.")
            )
        elif opens and ends and opens >= ends:
            self.add_error("window_until", _("This must be later than the hour from which mails go."))
        for setting in self.recipe.settings:
            self._check(setting)
        return given

    def _check(self, setting: Setting) -> None:
        name = PREFIX + setting.code
        if name not in self.errors and not setting.allows(self._value(setting)):
            self.add_error(name, ValidationError(_("This cannot be kept. Choose something else.")))

    def set_pace(self, campaign: Campaign) -> None:
        """Put control group, hours and weekdays on a campaign. Does not save it."""
        given = self.cleaned_data
        campaign.hold_out = given.get("hold_out") or 0
        campaign.window_from, campaign.window_until = given.get("window_from"), given.get("window_until")
        campaign.weekdays = sorted(given.get("weekdays") or [])
        if self.recipe.aimed:
            campaign.stages, campaign.segment = given["stages"], given["segment"]


def initial_of(campaign: Campaign, recipe: Recipe) -> dict[str, Any]:
    """The form's values for a campaign as it is kept."""
    return {
        "hold_out": campaign.hold_out,
        "window_from": campaign.window_from,
        "window_until": campaign.window_until,
        "weekdays": campaign.weekdays,
        "stages": campaign.stages,
        "segment": campaign.segment_id,
        "coupon": campaign.options.get(couponing.OPTION),
    } | {PREFIX + setting.code: setting.of(campaign) for setting in recipe.settings}


def field_of(setting: Setting) -> forms.Field:
    """The field by which a setting is filled in."""
    common: dict[str, Any] = {"label": setting.label, "help_text": setting.help, "required": setting.required}
    common["initial"] = setting.default
    if setting.kind == "number":
        label = (
            _("%(label)s, in %(unit)s") % {"label": setting.label, "unit": setting.unit}
            if setting.unit
            else setting.label
        )
        limits: dict[str, Any] = {"min_value": setting.minimum, "max_value": setting.maximum, "localize": False}
        return forms.IntegerField(**common | {"label": label} | limits)
    if setting.kind == "choice":
        pairs = setting.pairs() if setting.required else [("", "–"), *setting.pairs()]
        return forms.ChoiceField(**common, choices=pairs)
    if setting.kind == "flag":
        return forms.BooleanField(**common | {"required": False})
    if setting.kind == "day":
        day = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
        return forms.DateField(**common, localize=False, input_formats=["%Y-%m-%d"], widget=day)
    return forms.CharField(**common, max_length=setting.maximum or 200)
