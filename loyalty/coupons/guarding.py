"""Against guessing: every miss is counted before it is answered, one text answers every no, and many misses raise an alarm.

A throttle slows an oracle down, it does not stop it: that is what 60 random bits are for.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

import structlog
from django.db import connection
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from crm import throttle
from crm.throttle import HOUR, MINUTE, Limit
from loyalty.coupons.ledger import Refused

log = structlog.get_logger()
Answer = TypeVar("Answer")

REFUSAL: Promise = _("This code cannot be used for this purchase. Please check the code and its terms.")
TOO_MANY: Promise = _("Too many tries. Please wait a minute before you try another code.")

# One visitor of a shop or one member of staff; a shop's key for all its visitors together; everybody together.
BY_VISITOR: tuple[Limit, ...] = (Limit("coupon/visitor/minute", 10, MINUTE), Limit("coupon/visitor/hour", 100, HOUR))
BY_SOURCE: tuple[Limit, ...] = (Limit("coupon/source/minute", 120, MINUTE), Limit("coupon/source/hour", 1_200, HOUR))
ALARM = Limit("coupon/misses", 1_000, timedelta(hours=1))
MISSES = "coupon misses"


class TooMany(Exception):
    """This visitor or source has missed too often; the next try is possible in a minute, or in an hour."""


def guarded(source_id: int, visitor: str, action: Callable[[], Answer]) -> Answer:
    """Do `action`, which may refuse a code, while there are tries left. Only a refused code counts as a try.

    Each refusal is counted before anybody hears of it, and the count decides whether they hear it: of many guesses at the
    same moment no more are answered than of guesses one after the other.
    visitor: who tries, as the shop knows them, or ''; then only the source is counted. Raises TooMany and Refused.
    Call it outside a transaction that may be rolled back.
    """
    limited = [(BY_SOURCE, str(source_id))]
    if visitor:
        limited.append((BY_VISITOR, f"{source_id}/{visitor}"))
    if throttle.used_up(limited):
        log.warning("coupon_tries_refused", source=source_id)
        raise TooMany
    try:
        return action()
    except Refused as refused:
        _missed(source_id, refused.reason)
        if not throttle.all_allowed(limited):
            raise TooMany from refused
        raise


def _missed(source_id: int, reason: str) -> None:
    log.info("coupon_refused", source=source_id, reason=reason)
    if not throttle.allowed((ALARM,), MISSES):
        log.error("coupon_guessing", source=source_id)


def finding() -> str:
    """ "ok", or that somebody seems to be guessing codes; for /readyz."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count FROM crm_throttle WHERE key = %s AND started_at > now() - %s",
            (throttle.key_of(ALARM, MISSES), ALARM.window),  # type: ignore[arg-type]
        )
        found = cursor.fetchone()
    return "ok" if found is None or found[0] <= ALARM.most else "more than 1000 refused codes in an hour"
