"""The merchant's own texts: imprint, privacy notice, terms, and what people are asked to agree to.

Every change is a new version; what somebody once agreed to stays as it was.
"""

from collections.abc import Mapping

from django.db import transaction
from django.db.models import Max

from crm import wordings as wordings_of
from crm.models import LegalText, Purpose, Shop, Wording
from crm.privacy import audit

LANGUAGES = ("de", "en")
# A proposal for each purpose, to be read and published by the merchant. It says who, by what, about what, and how to
# end it (§ 7(2) UWG; BGH VI ZR 721/15).
PROPOSED = {
    "newsletter": (
        "mir per E-Mail Neues aus dem Laden schicken: Angebote, Einladungen und Gutscheine zu seinem Sortiment",
        "send me news by e-mail: offers, invitations and coupons about its range of goods",
    ),
    "birthday": (
        "mir zu meinem Geburtstag per E-Mail schreiben und dafür Tag und Monat speichern",
        "write to me by e-mail on my birthday and store its day and month for that",
    ),
    "survey": (
        "mich per E-Mail fragen, wie zufrieden ich bin, und um Bewertungen bitten",
        "ask me by e-mail how satisfied I am, and ask for reviews",
    ),
    "win_back": (
        "mir per E-Mail schreiben, wenn ich lange nicht da war, auch mit Gutscheinen",
        "write to me by e-mail when I have not been there for long, with coupons, too",
    ),
    "referral": (
        "mir per E-Mail von seinem Empfehlungsprogramm schreiben",
        "write to me by e-mail about its referral programme",
    ),
    "tracking": (
        "messen, ob ich seine E-Mails öffne und auf welche Links ich klicke",
        "measure whether I open its e-mails and which links I click",
    ),
    "profiling": (
        "aus meinen Käufen und Antworten ableiten, was zu mir passt, und seine E-Mails danach richten",
        "derive from my purchases and answers what suits me, and choose its e-mails by that",
    ),
}
PROPOSAL = {
    "de": "Ja, {shop} darf {what}. Ich kann das jederzeit beenden, etwa mit dem Link in jeder E-Mail.",
    "en": "Yes, {shop} may {what}. I can end this at any time, for example with the link in every e-mail.",
}


def proposed(purpose: str, language: str, shop: Shop) -> str:
    """A wording to begin with, or "" for a purpose of the merchant's own."""
    texts = PROPOSED.get(purpose)
    what = texts[LANGUAGES.index(language)] if texts else ""
    return PROPOSAL[language].format(shop=shop.name, what=what) if what else ""


def legal(kind: str, language: str) -> LegalText | None:
    """The newest version, in this language or else in one that it has."""
    rows = list(LegalText.objects.filter(kind=kind).order_by("-version")[:2])
    newest = [row for row in rows if row.version == rows[0].version]
    return next((row for row in newest if row.language == language), newest[0] if newest else None)


def published() -> list[str]:
    """The kinds of which there is a text, in the order of LegalText.Kind."""
    known = set(LegalText.objects.values_list("kind", flat=True).distinct())
    return [kind for kind in LegalText.Kind.values if kind in known]


def wordings(language: str) -> dict[str, Wording]:
    """What active purposes ask, by purpose in their order: the newest version, only if it has this language.

    Nobody is asked in a language that they did not choose.
    """
    rows = Wording.objects.filter(purpose__active=True).order_by("purpose__position", "purpose_id", "-version")
    newest: dict[str, int] = {}
    found: dict[str, Wording] = {}
    for row in rows.select_related("purpose"):
        if row.version == newest.setdefault(row.purpose_id, row.version) and row.language == language:
            found[row.purpose_id] = row
    return found


def newest_legal(kind: str) -> dict[str, str]:
    """The texts of the newest version by language."""
    rows = LegalText.objects.filter(kind=kind).order_by("-version")
    first = rows.first()
    return {row.language: row.text for row in rows if first and row.version == first.version}


def newest_wording(purpose: str) -> dict[str, str]:
    """As `newest_legal`, for what a purpose asks."""
    rows = Wording.objects.filter(purpose_id=purpose).order_by("-version")
    first = rows.first()
    return {row.language: row.text for row in rows if first and row.version == first.version}


@transaction.atomic
def publish_legal(kind: str, texts: Mapping[str, str], actor_id: int | None) -> int:
    """Store a new version in every language that has a text. Returns its number."""
    Shop.objects.select_for_update().get(pk=1)
    version = (LegalText.objects.filter(kind=kind).aggregate(Max("version"))["version__max"] or 0) + 1
    LegalText.objects.bulk_create(
        LegalText(kind=kind, version=version, language=language, text=text) for language, text in texts.items() if text
    )
    audit.record(actor_id, "published", f"legal:{kind}", version)
    return version


@transaction.atomic
def publish_wording(purpose: Purpose, texts: Mapping[str, str], actor_id: int | None) -> int:
    """As `publish_legal`, for what a purpose asks."""
    made = wordings_of.publish(purpose.pk, texts, actor_id)
    version = max(wording.version for wording in made.values())
    return version
