"""Public holidays of the shop's country and Land: on these days people rest, and some offices and servers do."""

import re
from datetime import date
from functools import lru_cache

from django.core.exceptions import ValidationError
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

REGION = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?")


def validate_region(region: str) -> None:
    """Raise ValidationError unless `region` is a country (DE) or one of its parts (DE-NI) whose holidays are known."""
    try:
        known = REGION.fullmatch(region) and _calendar(region, 2026, "de")
    except NotImplementedError:
        known = None
    if known is None:
        raise ValidationError(
            _("“%(region)s” is no region whose holidays are known. Write DE, or with the Land DE-NI; AT; CH-ZH."),
            params={"region": region},
        )


def between(region: str, first: date, last: date) -> dict[date, str]:
    """The holidays from `first` to `last`, both included, in the active language where it is known; '' has none."""
    if not region:
        return {}
    language = (get_language() or "de")[:2]
    found: dict[date, str] = {}
    for year in range(first.year, last.year + 1):
        found |= _calendar(region, year, language)
    return {day: name for day, name in sorted(found.items()) if first <= day <= last}


def name_of(region: str, day: date) -> str:
    """The holiday's name; '' on any other day."""
    return between(region, day, day).get(day, "")


@lru_cache(maxsize=64)
def _calendar(region: str, year: int, language: str) -> dict[date, str]:
    """Raises NotImplementedError for a region that nobody knows."""
    import holidays

    country, _dash, part = region.partition("-")
    known = holidays.country_holidays(country, subdiv=part or None, years=[year])
    wanted = {"de": "de", "en": "en_US"}.get(language, "")
    if wanted in known.supported_languages:
        known = holidays.country_holidays(country, subdiv=part or None, years=[year], language=wanted)
    return dict(known.items())
