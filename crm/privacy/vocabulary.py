"""Words for the codes that the export would else show bare: purposes, questions, feelings, motivators, facts."""

from collections.abc import Mapping
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _

from crm import emotions, plugins
from crm.filters import purpose_label
from crm.models import Purpose

Vocabulary = Mapping[str, Mapping[Any, str | Promise]]


def vocabulary() -> Vocabulary:
    """{"app.Model.lookup": {code: words in the active language}}. One query, and what the plugins need."""
    purposes = {purpose.pk: purpose_label(purpose) for purpose in Purpose.objects.all()}
    found: dict[str, Mapping[Any, str | Promise]] = {
        "crm.ConsentState.purpose_id": purposes,
        "crm.ConsentEvent.purpose_id": purposes,
        "crm.DoubleOptIn.purposes": purposes,
        "crm.Answer.item": questions(),
        "crm.BarrierFact.signal": {
            signal.code: signal.label for signal in plugins.collect(lambda plugin: plugin.barrier_signals())
        },
    }
    for plugin in plugins.registered():
        found |= plugin.code_words()
    return found


def motivators() -> dict[str, str | Promise]:
    """Code → label of the motivators that there are; none without an app that names them."""
    found: dict[str, str | Promise] = {}
    for plugin in plugins.registered():
        found |= plugin.code_words().get("crm.MotivatorEvidence.motivator", {})
    return found


def questions() -> dict[str, str]:
    asked = {
        "csat": _("Satisfaction, 0 to 10"),
        "trust": _("Trust, 0 to 10"),
        "commitment": _("Feeling attached, 0 to 10"),
        "involvement": _("Interest in the goods, 0 to 10"),
        "repurchase_intent": _("Would buy again, 0 to 10"),
        "price": _("Content with the prices, 0 to 10"),
        "ces": _("How easy it was, 1 to 7"),
        "nps": _("Would recommend, 0 to 10"),
        "disconfirmation": _("Worse or better than expected, −3 to +3"),
        "comparison": _("Worse or better than others, −3 to +3"),
        "wallet_share": _("Share of such purchases made here, per cent"),
        "wallet_rank": _("Our place among the shops for it"),
        "wallet_shops": _("Number of shops for it"),
    }
    felt = {
        f"nev_{code}": _("Felt %(emotion)s, 0 to 10") % {"emotion": one.label} for code, one in emotions.BY_CODE.items()
    }
    return asked | felt
