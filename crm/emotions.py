"""The 20 emotions of Net Emotional Value.

Source: C. Shaw, The DNA of Customer Experience, Palgrave Macmillan 2007: 12 drive value, 8 destroy it.
"""

from dataclasses import dataclass

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


def choices() -> list[tuple[str, str | Promise]]:
    return [(emotion.code, emotion.label) for emotion in EMOTIONS]
