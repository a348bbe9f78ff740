"""The forms of a customer's page that nobody has filled in: drawn once for readers of the same words."""

from collections.abc import Hashable, Iterable
from functools import lru_cache

from django.forms import Form
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from crm import emotions, plugins
from crm.forms import blank
from crm.forms_records import BarrierForm, ContactForm
from crm.labels import wording
from crm.models import Interaction

NEXT_TO_HAND = (
    "pleased", "trusting", "valued", "interested", "irritated", "disappointed", "stressed", "hurried",
)  # fmt: skip


def blank_facts(signals: Iterable[plugins.BarrierSignal], currency: str) -> dict[str, SafeString]:
    told = tuple(signal._replace(label=str(signal.label), help=str(signal.help)) for signal in signals)
    return blank(BarrierForm, signals=told, currency=currency, auto_id="fact_%s")


def contact_fields(form: Form | None) -> SafeString:
    """What stands in the form of a contact; drawn once for readers of the same words, as long as it is empty."""
    return _contact_fields(form) if form else _blank_contact(wording())


@lru_cache(maxsize=20)
def _blank_contact(words: Hashable) -> SafeString:
    return _contact_fields(ContactForm())


def _contact_fields(form: Form) -> SafeString:
    context = {
        "contact": form,
        "near_emotions": [emotions.BY_CODE[code] for code in NEXT_TO_HAND],
        "more_emotions": [emotion for emotion in emotions.EMOTIONS if emotion.code not in NEXT_TO_HAND],
        "channels": Interaction.Channel.choices,
        "origins": ContactForm.base_fields["origin"].choices,  # type: ignore[attr-defined]
        "chosen": form["emotions"].value() or (),
    }
    return render_to_string("customers/contact_fields.html", context)
