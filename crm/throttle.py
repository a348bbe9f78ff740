"""Counters against guessing and flooding: how often one thing may be tried in a time.

One statement counts and judges, so that requests at the same moment cannot pass together. The counters stand in the
database itself: while it does not answer, nothing behind them works either, and everything is refused.
What is counted is known here by a keyed hash alone, for a day at most.
"""

import hmac
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import connection
from django.http import HttpRequest

from crm import keyed

KEPT = timedelta(days=1)

COUNT = """
WITH limits AS (
  SELECT * FROM unnest(%(keys)s::text[], %(windows)s::interval[], %(mosts)s::int[]) AS given (key, win, most)
), counted AS (
  INSERT INTO crm_throttle AS counter (key, count, started_at) SELECT key, 1, now() FROM limits ORDER BY key
  ON CONFLICT (key) DO UPDATE SET
    count = CASE WHEN counter.started_at <= now() - (SELECT win FROM limits WHERE key = counter.key) THEN 1
            ELSE least(counter.count, (SELECT most FROM limits WHERE key = counter.key)) + 1 END,
    started_at = CASE WHEN counter.started_at <= now() - (SELECT win FROM limits WHERE key = counter.key) THEN now()
                 ELSE counter.started_at END
  RETURNING key, count
)
SELECT bool_and(counted.count <= limits.most) FROM counted JOIN limits USING (key)
"""
STANDING = "SELECT key, count, now() - started_at FROM crm_throttle WHERE key = ANY(%s)"


@dataclass(frozen=True)
class Limit:
    """At most `most` tries within `window`, counted from the first; `name` parts it from other limits."""

    name: str
    most: int
    window: timedelta


MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
# Mails to one mailbox are limited by `crm.double_opt_in`.
SIGN_UP_BY_COMPUTER = (Limit("sign-up/ip/minute", 5, MINUTE), Limit("sign-up/ip/hour", 30, HOUR))
PREFERENCES = (Limit("preferences/ip", 20, MINUTE),)
LINKS = (Limit("links/ip", 60, MINUTE),)


def allowed(limits: tuple[Limit, ...], about: str) -> bool:
    """Count one try of `about` against every limit. False once any is used up; refused tries are not counted on.

    Call it outside a transaction that may be rolled back, or the try is forgotten with it.
    """
    return all_allowed([(limits, about)])


def all_allowed(tries: Sequence[tuple[tuple[Limit, ...], str]]) -> bool:
    """As `allowed`, for several things at once, each with its own limits; one statement, and True for none."""
    counted = [(key_of(limit, about), limit) for limits, about in tries for limit in limits]
    if not counted:
        return True
    with connection.cursor() as cursor:
        cursor.execute(
            COUNT,
            {
                "keys": [key for key, _limit in counted],
                "windows": [limit.window for _key, limit in counted],
                "mosts": [limit.most for _key, limit in counted],
            },
        )
        return bool(cursor.fetchone()[0])


def used_up(tries: Sequence[tuple[tuple[Limit, ...], str]]) -> bool:
    """Whether a limit of any of these leaves no try. Counts none: for tries of which only some are counted afterwards.

    Whoever counts them afterwards must heed what `all_allowed` says then: of many at the same moment each passes here.
    """
    limits = {key_of(limit, about): limit for limits, about in tries for limit in limits}
    with connection.cursor() as cursor:
        cursor.execute(STANDING, [list(limits)])
        return any(count >= limits[key].most and age < limits[key].window for key, count, age in cursor)


def key_of(limit: Limit, about: str) -> str:
    return hmac.new(keyed.subkey(keyed.keys()[0], "throttle"), f"{limit.name}:{about}".encode(), "sha256").hexdigest()


def computer(request: HttpRequest) -> str:
    """The address of the visitor's computer: the nearest one that is not a reverse proxy of ours.

    `X-Forwarded-For` is believed only as far as our own proxies (TRUSTED_PROXIES) wrote it; "" if that is no address.
    """
    chain = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()]
    chain.append(request.META.get("REMOTE_ADDR", ""))
    while len(chain) > 1 and chain[-1] in ("", *settings.TRUSTED_PROXIES):
        chain.pop()
    try:
        return str(ipaddress.ip_address(chain[-1]))
    except ValueError:
        return ""


def network(request: HttpRequest) -> str:
    """What is counted for a computer: its address; with IPv6 its network, for it chooses the rest at will."""
    address = computer(request)
    return str(ipaddress.ip_network(f"{address}/64", strict=False)) if ":" in address else address
