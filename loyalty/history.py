"""A customer's changes of stage, for the timeline."""

from collections.abc import Iterable
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crm.display import number
from crm.models import Customer
from crm.plugins import TimelineEntry
from crm.presence import needs
from loyalty.models import Transition
from loyalty.stages import STAGES

KIND = "stages"


@needs(Transition)
def entries(customer: Customer, before: datetime, limit: int) -> Iterable[TimelineEntry]:
    """Up to `limit` changes of stage before an instant, newest first."""
    moved = Transition.objects.filter(customer=customer, recorded_at__lt=before).order_by("-recorded_at")
    return [entry(transition) for transition in moved[:limit]]


def entry(transition: Transition) -> TimelineEntry:
    labels = {stage.code: str(stage.label) for stage in STAGES}
    codes = list(labels)
    rose = codes.index(transition.to_stage) > codes.index(transition.from_stage)
    title = _("Stage reached: %(stage)s") if rose else _("Stage lost: now %(stage)s")
    return TimelineEntry(
        at=transition.recorded_at,
        kind=KIND,
        icon="stairs-up" if rose else "alert-circle",
        title=title % {"stage": labels[transition.to_stage]},
        notes=(
            _("before: %(stage)s") % {"stage": labels[transition.from_stage]},
            ngettext("%(n)s order", "%(n)s orders", transition.inputs.get("orders", 0))
            % {"n": number(transition.inputs.get("orders", 0))},
            _("rules version %(version)s") % {"version": transition.rules_version},
        ),
        tone="good" if rose else "bad",
    )
