"""How many of those who were mailed a questionnaire answered it (`docs/scoring.md`).

An invitation is good for 30 days and kept for 30 more, so the rate is that of the questionnaires whose time ended within
the last 30 days: everybody counted had all of it. Sheets that came otherwise were asked of nobody who is stored.
"""

from collections.abc import Mapping
from typing import Any

from django.db import connection
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crm.display import number, percent
from crm.surveys import KEPT_AFTER
from loyalty.figures import figure
from loyalty.overview import Share

ASKED = """
SELECT count(*), count(i.answered_at) FROM crm_surveyinvitation i JOIN crm_customer c ON c.id = i.customer_id
WHERE i.expires_at <= %(now)s AND i.expires_at > %(since)s AND c.erased_at IS NULL AND NOT c.is_test"""


@figure("response_rate")
def response_rate() -> dict[str, int]:
    """asked, and answered of them: questionnaires by mail whose time ended within the last 30 days."""
    at = now()
    with connection.cursor() as cursor:
        cursor.execute(ASKED, {"now": at, "since": at - KEPT_AFTER})
        asked, answered = cursor.fetchone()
    return {"asked": asked, "answered": answered}


def sentence(found: Mapping[str, Any] | None) -> str:
    """The rate with its interval, or why there is none."""
    if not found or not found["asked"]:
        return _("Response rate unknown: no questionnaire was mailed 30 to 60 days ago.")
    share = Share(found["answered"], found["asked"])
    low, high = share.interval or (0.0, 1.0)
    return ngettext(
        "Response rate: %(n)s of %(all)s questionnaire mailed 30 to 60 days ago was answered, %(share)s (%(low)s to %(high)s).",
        "Response rate: %(n)s of %(all)s questionnaires mailed 30 to 60 days ago were answered, %(share)s (%(low)s to"
        " %(high)s).",
        found["asked"],
    ) % {
        "n": number(found["answered"]),
        "all": number(found["asked"]),
        "share": percent(share.value),
        "low": percent(low),
        "high": percent(high),
    }
