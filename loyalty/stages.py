"""The six stages of loyalty."""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class Stage:
    code: str
    label: str | Promise


STAGES = (
    Stage("prospect", _("Prospect")),
    Stage("first_time", _("First-time customer")),
    Stage("repeat", _("Repeat customer")),
    Stage("regular", _("Regular customer")),
    Stage("loyal", _("Loyal customer")),
    Stage("ambassador", _("Ambassador")),
)


def choices() -> list[tuple[str, str | Promise]]:
    return [(stage.code, stage.label) for stage in STAGES]
