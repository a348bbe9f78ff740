"""The word, the shape and the tone of every judgement: one place, so that all pages say the same."""

from dataclasses import dataclass

from django.utils.functional import Promise

from loyalty.models import Assessment
from loyalty.stages import STAGES
from loyalty.status import Status


@dataclass(frozen=True)
class Badge:
    """`icon` of the sprite, `tone` of <c-badge>, `fill` is the class of its part of a picture."""

    word: str | Promise
    icon: str
    tone: str = ""
    fill: str = "f-iron"


STATUSES: dict[str, Badge] = {
    Status.ACTIVE: Badge(Status.ACTIVE.label, "circle-check", "good", "f-good"),
    Status.REACTIVATED: Badge(Status.REACTIVATED.label, "refresh", "good", "f-good-soft"),
    Status.OVERDUE: Badge(Status.OVERDUE.label, "clock", "due", "f-due"),
    Status.AT_RISK: Badge(Status.AT_RISK.label, "alert-triangle", "bad", "f-bad"),
    Status.LAPSED: Badge(Status.LAPSED.label, "circle-x", "", "f-iron-line"),
}

_Type = Assessment.LoyaltyType
TYPES: dict[str, Badge] = {
    _Type.TRUE: Badge(_Type.TRUE.label, "heart", "berry"),
    _Type.LATENT: Badge(_Type.LATENT.label, "heart-handshake", "berry"),
    _Type.DEVELOPING: Badge(_Type.DEVELOPING.label, "plant-2"),
    _Type.SPURIOUS: Badge(_Type.SPURIOUS.label, "link"),
    _Type.NONE: Badge(_Type.NONE.label, "unlink"),
    _Type.UNDETERMINED: Badge(_Type.UNDETERMINED.label, "question-mark"),
}

_Bond = Assessment.BondType
BONDS: dict[str, Badge] = {
    _Bond.VOLUNTARY: Badge(_Bond.VOLUNTARY.label, "heart", "berry", "f-berry"),
    _Bond.VOLUNTARY_AND_LOCKED: Badge(_Bond.VOLUNTARY_AND_LOCKED.label, "heart-handshake", "berry", "s3"),
    _Bond.CAPTIVE: Badge(_Bond.CAPTIVE.label, "lock", "", "f-iron"),
    _Bond.UNATTACHED: Badge(_Bond.UNATTACHED.label, "unlink", "", "f-iron-line"),
}

LEVELS = {stage.code: level for level, stage in enumerate(STAGES)}
STAGE_NAMES = {stage.code: stage.label for stage in STAGES}
