"""What the questionnaire behind a mail asks: one tuple, in the order of the page.

All of it feeds what `docs/scoring.md` computes: satisfaction, expectation (missed, met, exceeded), the short form of Net
Emotional Value, trust and commitment. No question leads to an answer, and none is rewarded.
"""

from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _

from crm.forms_answers import Question, Words
from crm.models.contact import Touchpoint

# It is asked after some days of use, so it is about what was bought more than about the buying.
TOUCHPOINT = Touchpoint.PRODUCT
FORM = "short"


@dataclass(frozen=True)
class Feelings:
    """The emotions of a form of `crm.emotions`, each rated from 0 to 10, in an order drawn for each person."""

    form: str
    words: Words
    low: Words
    high: Words


@dataclass(frozen=True)
class OwnWords:
    """An answer in one's own words."""

    words: Words
    help: Words


ENTRIES: tuple[Question | Feelings | OwnWords, ...] = (
    Question("csat", _("All in all, how satisfied are you with this purchase?"), _("not at all"), _("completely")),
    Question(
        "disconfirmation",
        _("Was it worse or better than you had expected?"),
        _("much worse"),
        _("much better"),
        _("as expected"),
    ),
    Feelings(FORM, _("How did you feel about it?"), _("not at all"), _("very strongly")),
    Question("trust", _("“I can rely on %(shop)s.”"), _("not true at all"), _("entirely true")),
    Question("commitment", _("“I feel attached to %(shop)s.”"), _("not true at all"), _("entirely true")),
    OwnWords(
        _("What else would you like to tell us?"),
        _("What was good, and what should we do better? Please leave out what is private, such as your health."),
    ),
)
