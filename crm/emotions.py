"""The 20 emotions of Net Emotional Value, and the value of one answer.

Source: C. Shaw, The DNA of Customer Experience, Palgrave Macmillan 2007: 12 drive value, 8 destroy it. The scale is
our convention.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class Emotion:
    """code; label; cluster (advocacy, recommendation, attention, destroying); icon of the sprite.

    `sign` is +1 for an emotion that drives value and −1 for one that destroys it.
    """

    code: str
    label: str | Promise
    cluster: str
    icon: str

    @property
    def sign(self) -> int:
        return -1 if self.cluster == "destroying" else 1


CLUSTERS = {
    "advocacy": _("Advocacy"),
    "recommendation": _("Recommendation"),
    "attention": _("Attention"),
    "destroying": _("Destroying"),
}

EMOTIONS = (
    Emotion("happy", _("happy"), "advocacy", "mood-smile"),
    Emotion("pleased", _("pleased"), "advocacy", "mood-smile"),
    Emotion("trusting", _("trusting"), "recommendation", "shield-check"),
    Emotion("valued", _("valued"), "recommendation", "heart-handshake"),
    Emotion("cared_for", _("cared for"), "recommendation", "heart-handshake"),
    Emotion("focused", _("focused"), "recommendation", "eye"),
    Emotion("safe", _("safe"), "recommendation", "shield-check"),
    Emotion("interested", _("interested"), "attention", "eye"),
    Emotion("energetic", _("energetic"), "attention", "mood-smile"),
    Emotion("stimulated", _("stimulated"), "attention", "mood-smile"),
    Emotion("exploratory", _("exploratory"), "attention", "eye"),
    Emotion("indulgent", _("indulgent"), "attention", "mood-smile"),
    Emotion("irritated", _("irritated"), "destroying", "mood-angry"),
    Emotion("hurried", _("hurried"), "destroying", "hourglass"),
    Emotion("neglected", _("neglected"), "destroying", "mood-sad"),
    Emotion("unhappy", _("unhappy"), "destroying", "mood-sad"),
    Emotion("unsatisfied", _("unsatisfied"), "destroying", "mood-sad"),
    Emotion("stressed", _("stressed"), "destroying", "mood-nervous"),
    Emotion("disappointed", _("disappointed"), "destroying", "mood-sad"),
    Emotion("frustrated", _("frustrated"), "destroying", "mood-angry"),
)

BY_CODE = {emotion.code: emotion for emotion in EMOTIONS}
POSITIVE = tuple(emotion.code for emotion in EMOTIONS if emotion.sign > 0)
NEGATIVE = tuple(emotion.code for emotion in EMOTIONS if emotion.sign < 0)


@dataclass(frozen=True)
class Form:
    """A questionnaire: the emotions it asks, and how many of each sign must be answered for a value."""

    code: str
    positive: tuple[str, ...]
    negative: tuple[str, ...]
    least_positive: int
    least_negative: int


FORMS = {
    "full": Form("full", POSITIVE, NEGATIVE, 6, 4),
    "short": Form(
        "short",
        ("happy", "trusting", "valued", "interested"),
        ("irritated", "neglected", "disappointed", "stressed"),
        3,
        3,
    ),
}


def survey_value(ratings: Mapping[str, Decimal | int], form: str) -> Decimal | None:
    """Mean of the positive less mean of the negative emotions answered, −10 to +10, exact (NEV-S).

    ratings: emotion → 0 to 10; what the form does not ask is left out. None if too few of either sign are answered.
    Raises KeyError for a form that does not exist.
    """
    asked = FORMS[form]
    positive = [Decimal(ratings[code]) for code in asked.positive if code in ratings]
    negative = [Decimal(ratings[code]) for code in asked.negative if code in ratings]
    if len(positive) < asked.least_positive or len(negative) < asked.least_negative:
        return None
    return sum(positive, Decimal()) / len(positive) - sum(negative, Decimal()) / len(negative)


def cluster_means(ratings: Mapping[str, Decimal | int]) -> dict[str, Decimal | None]:
    """Mean of each cluster's answered emotions, 0 to 10; None where none is answered."""
    means: dict[str, Decimal | None] = {}
    for cluster in CLUSTERS:
        found = [Decimal(ratings[one.code]) for one in EMOTIONS if one.cluster == cluster and one.code in ratings]
        means[cluster] = sum(found, Decimal()) / len(found) if found else None
    return means


def tag_value(felt: Collection[str]) -> Decimal | None:
    """(positive − negative) / (positive + negative) of one contact's tags, −1 to +1 (NEV-T); None without a tag."""
    signs = [BY_CODE[code].sign for code in felt]
    return Decimal(sum(signs)) / len(signs) if signs else None


def choices() -> list[tuple[str, str | Promise]]:
    return [(emotion.code, emotion.label) for emotion in EMOTIONS]
