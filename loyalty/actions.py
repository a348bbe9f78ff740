"""What to do next. Only what raises the voluntary bond or lowers lock-in may stand here; a test holds that."""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from loyalty.stages import every_condition


@dataclass(frozen=True)
class Action:
    """effects: barriers it changes, +1 raising, −1 lowering (`emotional`, `social`, or a code of BARRIERS)."""

    code: str
    label: str | Promise
    effects: tuple[tuple[str, int], ...]


ACTIONS = (
    Action("solve_complaint", _("Solve the complaint"), (("emotional", 1),)),
    Action("ask_opinion", _("Ask for their opinion"), (("emotional", 1),)),
    Action("ask_what_is_missing", _("Ask what they miss, and mend it"), (("emotional", 1),)),
    Action("say_thanks", _("Say thank you"), (("emotional", 1), ("social", 1))),
    Action("win_back", _("Ask personally how they are"), (("emotional", 1), ("social", 1))),
    Action("invite_to_speak", _("Invite them to review or to recommend"), (("social", 1),)),
    Action("invite", _("Invite them to an event"), (("social", 1),)),
    Action("ease_leaving", _("Make leaving easy: name dates and ways out"), (("contractual", -1), ("procedural", -1))),
)
BY_CODE = {action.code: action for action in ACTIONS}


def suggested(missing: list[str], unknown: list[str], bond_type: str, status: str = "") -> Action | None:
    """The one action for the conditions that are missing or unknown.

    Whoever is captive is never asked to recommend; whoever is at risk or has lapsed is first of all asked how they are.
    """
    if bond_type == "captive":
        return BY_CODE["solve_complaint" if "no_severe_complaint" in missing else "ease_leaving"]
    if status in ("at_risk", "lapsed") and "no_severe_complaint" not in missing:
        return BY_CODE["win_back"]
    for condition in every_condition():
        if condition.code in missing and condition.remedy:
            return BY_CODE[condition.remedy]
    return BY_CODE["ask_opinion"] if unknown else None
