"""The form by which staff record what moves a customer."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from crm.forms import Styled
from crm.models import MotivatorEvidence
from loyalty.motivator_list import MOTIVATORS

ELEVEN = [(str(n), str(n)) for n in range(11)]
ORIGINS = [
    (MotivatorEvidence.Origin.SELF_REPORT, _("said so")),
    (MotivatorEvidence.Origin.STAFF_NOTE, _("my impression")),
]


class MotivatorForm(Styled, forms.Form):
    """One motivator: how much it matters, how well the shop helps, and who says so."""

    motivator = forms.ChoiceField(
        label=_("What matters to them"),
        choices=[("", _("please choose")), *((one.code, one.label) for one in MOTIVATORS)],
    )
    importance = forms.TypedChoiceField(label=_("How important, 0 to 10"), choices=ELEVEN, coerce=int, initial=8)
    fulfilment = forms.TypedChoiceField(
        label=_("How well we help, 0 to 10"),
        choices=[("", _("not asked")), *ELEVEN],
        coerce=int,
        empty_value=None,
        required=False,
    )
    origin = forms.ChoiceField(label=_("Who says so"), choices=ORIGINS, initial=MotivatorEvidence.Origin.SELF_REPORT)
    note = forms.CharField(label=_("In their words"), max_length=500, required=False)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["motivator"].error_messages["required"] = _("Choose what matters to them.")
