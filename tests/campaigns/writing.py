"""A mailing as a marketer fills its form in."""

from datetime import timedelta
from typing import Any

from django.utils.timezone import localtime, now

from tests.factories import UserFactory

TEXT = {
    "subject_de": "Neues aus dem Laden",
    "appreciation_de": "Danke für Ihre Treue.",
    "message_de": "Wir bauen um.",
    "closing_de": "Herzliche Grüße",
}


def text_form(kind: str = "benefit", **said: str) -> dict[str, Any]:
    """The editor's fields for a greeting, an appreciation, a message, a button where there is one, and a closing."""
    said = TEXT | said
    languages = ["de", *(["en"] if any(name.endswith("_en") for name in said) else [])]
    rows: list[dict[str, str]] = [
        {"kind": "greeting"} | {f"text_{code}": "{{ opening }}," for code in languages},
        {"kind": "appreciation"} | _texts("appreciation", said),
        {"kind": kind} | _texts("message", said),
    ]
    if "cta_url" in said or "cta_de" in said:
        rows.append({"kind": "cta", "url": said.get("cta_url", ""), "promo": "on"} | _texts("cta", said))
    rows.append({"kind": "closing"} | _texts("closing", said))
    found: dict[str, Any] = {name: text for name, text in said.items() if name.startswith("subject_")}
    found |= {"also_en": "on"} if len(languages) > 1 else {}
    return found | posted(rows)


def posted(rows: list[dict[str, str]]) -> dict[str, Any]:
    """Blocks as the editor posts them."""
    fields = {f"b{n}-{name}": value for n, row in enumerate(rows) for name, value in row.items()}
    return {"blocks": str(len(rows))} | fields


def _texts(name: str, said: dict[str, str]) -> dict[str, str]:
    return {f"text_{code}": said[f"{name}_{code}"] for code in ("de", "en") if f"{name}_{code}" in said}


def filled(**changed: Any) -> dict[str, Any]:
    """A form that is right but for what a test changes; texts by the names in TEXT."""
    signer = changed.pop("signed_by", None) or UserFactory(first_name="Kim", last_name="Winter").pk
    ahead = localtime(now()) + timedelta(days=3)
    words = ("subject_", "appreciation_", "message_", "closing_", "cta_")
    said = {name: changed.pop(name) for name in list(changed) if name.startswith(words)}
    return {
        "name": "Umbau",
        **text_form(kind=changed.pop("kind", "benefit"), **said),
        "stages": ["repeat"],
        "send_on": ahead.date().isoformat(),
        "send_at": "10:00",
        "signed_by": signer,
    } | changed
