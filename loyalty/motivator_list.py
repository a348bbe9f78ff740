"""The ten high-impact motivators of the study, with what a shop helps a customer to do and what it can do for it.

Source: Magids, Zorfas, Leemon, The New Science of Customer Emotions, HBR November 2015.
"""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

Words = str | Promise


@dataclass(frozen=True)
class Motivator:
    """code; label; help: what the shop helps a customer to do; lever: what a shop can do for it."""

    code: str
    label: Words
    help: Words
    lever: Words


MOTIVATORS = (
    Motivator(
        "stand_out",
        gettext_lazy("Stand out from the crowd"),
        gettext_lazy("show a unique identity and feel special"),
        gettext_lazy("limited pieces, a name or an engraving, a status"),
    ),
    Motivator(
        "confidence_future",
        gettext_lazy("Have confidence in the future"),
        gettext_lazy("see a better, positive future"),
        gettext_lazy("planning, a guarantee, showing progress"),
    ),
    Motivator(
        "wellbeing",
        gettext_lazy("Enjoy a sense of well-being"),
        gettext_lazy("feel balance, without stress and conflict"),
        gettext_lazy("simple handling, calm, service"),
    ),
    Motivator(
        "freedom",
        gettext_lazy("Feel a sense of freedom"),
        gettext_lazy("act independently and unrestricted"),
        gettext_lazy("free choice, returns, leaving at any time"),
    ),
    Motivator(
        "thrill",
        gettext_lazy("Feel a sense of thrill"),
        gettext_lazy("feel intense pleasure and exciting events"),
        gettext_lazy("early access, events, surprises"),
    ),
    Motivator(
        "belonging",
        gettext_lazy("Feel a sense of belonging"),
        gettext_lazy("belong to people they relate to or admire"),
        gettext_lazy("a community, a club, meetings"),
    ),
    Motivator(
        "environment",
        gettext_lazy("Protect the environment"),
        gettext_lazy("act to improve their surroundings"),
        gettext_lazy("repair, a donation for each purchase, origin"),
    ),
    Motivator(
        "ideal_self",
        gettext_lazy("Be the person I want to be"),
        gettext_lazy("improve themselves and live up to an ideal"),
        gettext_lazy("courses, goals, news of their progress"),
    ),
    Motivator(
        "secure",
        gettext_lazy("Feel secure"),
        gettext_lazy("trust that what they have today lasts"),
        gettext_lazy("being reachable, data protection, spare parts"),
    ),
    Motivator(
        "succeed",
        gettext_lazy("Succeed in life"),
        gettext_lazy("feel a meaningful life beyond money"),
        gettext_lazy("recognition, milestones"),
    ),
)
BY_CODE = {one.code: one for one in MOTIVATORS}
