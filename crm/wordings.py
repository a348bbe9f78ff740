"""The merchant's purposes, and what people were asked to agree to: every wording is a version that stays.

A database trigger keeps every version as it is, whoever asks (`docs/consent.md`).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Count, Max
from django.utils.translation import gettext as _

from crm.models import ConsentEvent, ConsentState, Customer, Purpose, Wording
from crm.privacy import audit

CODE = re.compile(r"[a-z][a-z0-9_]{1,29}").fullmatch
MOST_CHARACTERS = 100_000


class WordingError(ValueError):
    """A purpose or wording that cannot be stored; `field` names the one to correct, the text says how."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True)
class Agreement:
    """A wording, how many people declared their consent by it, and how many of these consents hold now."""

    wording: Wording
    agreed: int
    hold: int


@transaction.atomic
def add_purpose(code: str, label_de: str, label_en: str, actor_id: int | None) -> Purpose:
    """A purpose of the merchant's own; it comes last. The code is for machines and never changes. Raises WordingError."""
    if not CODE(code):
        raise WordingError("code", _("Write 2 to 30 small letters without accents, digits or _, such as tasting."))
    last = Purpose.objects.aggregate(Max("position"))["position__max"]
    made = Purpose(code=code, position=(last or 0) + 1, active=True, **_labels(label_de, label_en))
    if Purpose.objects.filter(pk=code).exists():
        raise WordingError("code", _("There is a purpose with this code already. Choose another one."))
    made.save(force_insert=True)
    audit.record(actor_id, "added", f"purpose:{code}"[:30])
    return made


@transaction.atomic
def change_purpose(code: str, label_de: str, label_en: str, active: bool, actor_id: int | None) -> None:
    """Rename a purpose, or no longer ask for it. Consents that hold stay: who agreed need not agree again."""
    Purpose.objects.filter(pk=code).update(active=active, **_labels(label_de, label_en))
    audit.record(actor_id, "changed", f"purpose:{code}"[:30])


@transaction.atomic
def publish(purpose: str, texts: Mapping[str, str], actor_id: int | None) -> dict[str, Wording]:
    """A new version in the languages that have a text; it is what is asked from now on. Returns it by language.

    The same texts again are the version that is there. Raises WordingError.
    """
    given = {language: text.replace("\r\n", "\n").strip() for language, text in texts.items()}
    given = {language: text for language, text in given.items() if text}
    if not given:
        raise WordingError("de", _("Write what people agree to, in at least one language."))
    for language, text in given.items():
        if len(text) > MOST_CHARACTERS:
            raise WordingError(language, _("This is too long: 100,000 characters at most."))
    Purpose.objects.select_for_update().get(pk=purpose)
    newest = current(purpose)
    if {language: wording.text for language, wording in newest.items()} == given:
        return newest
    version = max((wording.version for wording in newest.values()), default=0) + 1
    for language, text in given.items():
        Wording.objects.create(purpose_id=purpose, version=version, language=language, text=text)
    audit.record(actor_id, "published", f"wording:{purpose}"[:30], version)
    return current(purpose)


def current(purpose: str) -> dict[str, Wording]:
    """The newest version by language."""
    rows = list(Wording.objects.filter(purpose_id=purpose).order_by("-version", "language"))
    return {row.language: row for row in rows if row.version == rows[0].version}


def shown(customer_id: int, purposes: Iterable[str]) -> dict[str, int]:
    """The id of the wording by which a customer last agreed to each purpose, by e-mail, as far as one is known."""
    ledger = ConsentEvent.objects.filter(
        person_key__in=Customer.objects.filter(pk=customer_id).values("person_key"),
        purpose__in=list(purposes),
        channel="email",
        action=ConsentEvent.Action.GIVEN,
    )
    rows = ledger.order_by("occurred_at", "pk").values_list("purpose_id", "wording_id")
    return {purpose: wording for purpose, wording in rows if wording}


def agreements() -> dict[str, list[Agreement]]:
    """Every version of every purpose, newest first, with who agreed to it. Three queries."""
    given = ConsentEvent.objects.filter(action=ConsentEvent.Action.GIVEN, wording__isnull=False)
    agreed = dict(given.values_list("wording").annotate(people=Count("person_key", distinct=True)))
    held = ConsentState.objects.filter(state=ConsentState.State.GIVEN, evidence__wording__isnull=False)
    hold = dict(held.values_list("evidence__wording").annotate(people=Count("customer", distinct=True)))
    found: dict[str, list[Agreement]] = {}
    for row in Wording.objects.order_by("purpose_id", "-version", "language"):
        found.setdefault(row.purpose_id, []).append(Agreement(row, agreed.get(row.pk, 0), hold.get(row.pk, 0)))
    return found


def _labels(label_de: str, label_en: str) -> dict[str, str]:
    labels = {"label_de": " ".join(label_de.split()), "label_en": " ".join(label_en.split())}
    for name, label in labels.items():
        if not 1 <= len(label) <= 80:
            raise WordingError(name, _("Write a name of 1 to 80 characters."))
    return labels
