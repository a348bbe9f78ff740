"""May this mail go to this person? The one gate, asked for audiences and again for every single mail.

The rules are REASONS, in order: the first whose condition holds is the answer. There is one statement
(`verdicts`); `may_send` asks it for one person, so both forms agree because they are the same.
Source: § 7(2) Nr. 2 and § 7(3) UWG; `docs/sending.md`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from crm import keyed
from crm.models import Shop

CAP_DAYS = 14
# § 7(3) UWG covers advertising for one's own similar goods to a buyer. It covers no use of the birthday (the date has
# a purpose of its own), no tracking and no mail about third parties.
SIMILAR_GOODS = ("newsletter", "survey", "win_back")
CONTACT_KIND = {"email": "email", "phone": "phone", "message": "phone", "post": "post"}

# The database's clock, unless the caller asks about another moment.
_AT = "coalesce(%(gate_at)s::timestamptz, now())"
_EXISTING_CUSTOMER = """(
    %(gate_channel)s = 'email' AND %(gate_notice)s AND %(gate_purpose)s = ANY(%(gate_similar)s)
    AND point.notice_version <> ''
    AND EXISTS (SELECT FROM crm_purchase bought WHERE bought.id = point.purchase_id AND bought.status <> 'cancelled'))"""
# A consent is proved for one address (AG Düsseldorf 23 C 3876/13): it says nothing about any other one.
_HOLDS = "(consent.state = 'given' AND consent.address = point.normal)"
_SILENCED = """EXISTS (
    SELECT FROM crm_suppression silenced WHERE silenced.lifted_at IS NULL AND silenced.address_hash = hashed.value)"""
_OPEN_COMPLAINT = f"""(
    EXISTS (SELECT FROM crm_hold hold WHERE hold.customer_id = customer.id AND hold.lifted_at IS NULL
            AND (hold.until IS NULL OR hold.until > {_AT}))
    OR EXISTS (SELECT FROM crm_complaint complaint
               WHERE complaint.customer_id = customer.id AND complaint.state <> 'closed'))"""
_CAPPED = f"""(
    SELECT count(*) FROM crm_maillog mailed WHERE mailed.customer_id = customer.id
    AND mailed.message_class = 'advertising'
    AND mailed.at > {_AT} - interval '{CAP_DAYS} days' AND mailed.at <= {_AT}) >= least(%(gate_cap)s, customer.mails_per_fortnight)"""
_LOCAL = f"({_AT} AT TIME ZONE place.zone)"
_ZONE = """CASE WHEN customer.time_zone IN ('', %(gate_zone)s) THEN %(gate_zone)s
    ELSE public.f_zone(customer.time_zone, %(gate_zone)s) END"""


@dataclass(frozen=True)
class Reason:
    """One answer of the gate. `lasting` refusals will not pass by themselves; the others are a matter of time."""

    code: str
    condition: str
    sentence: str | Promise
    allowed: bool = False
    lasting: bool = True


REASONS = (
    Reason("unknown_customer", "customer.id IS NULL", _("This customer does not exist.")),
    Reason("merged", "customer.merged_into_id IS NOT NULL", _("This record was merged into another one.")),
    Reason("erased", "customer.erased_at IS NOT NULL", _("The person asked to be erased.")),
    Reason("deceased", "customer.deceased_at IS NOT NULL", _("The person has died.")),
    Reason("no_address", "point.id IS NULL", _("There is no address for this channel.")),
    Reason("undeliverable", "point.state IN ('hard_bounced', 'gone')", _("Mail to this address came back for good.")),
    Reason(
        "contract",
        "%(gate_class)s = 'transactional'",
        _("It belongs to a contract or a request of the person and needs no further permission."),
        allowed=True,
    ),
    Reason(
        "resting",
        f"point.state = 'soft_bounced' AND point.rests_until > {_AT}",
        _("Mail to this address keeps coming back; it is tried again later."),
        lasting=False,
    ),
    Reason("restricted", "customer.restricted_at IS NOT NULL", _("Use of this person's data is restricted.")),
    Reason("suppressed", _SILENCED, _("This address gets no advertising.")),
    Reason("objected", "consent.state = 'objected'", _("The person objected to advertising.")),
    Reason("withdrawn", "consent.state = 'withdrawn'", _("The person withdrew the permission.")),
    Reason(
        "unconfirmed",
        f"consent.state = 'pending' AND NOT {_EXISTING_CUSTOMER} AND %(gate_channel)s <> 'post'",
        _("The person has not confirmed the permission yet."),
    ),
    Reason(
        "other_address",
        f"consent.state IN ('moved', 'given') AND {_HOLDS} IS NOT TRUE AND NOT {_EXISTING_CUSTOMER}"
        " AND %(gate_channel)s <> 'post'",
        _("The person agreed for another address. Ask this one for its confirmation."),
    ),
    Reason(
        "no_permission",
        f"{_HOLDS} IS NOT TRUE AND NOT {_EXISTING_CUSTOMER} AND %(gate_channel)s <> 'post'",
        _("The person has not agreed to this kind of mail."),
    ),
    Reason(
        "open_complaint",
        _OPEN_COMPLAINT,
        _("A complaint or an alert is open; no cheerful mail before it is settled."),
        lasting=False,
    ),
    Reason(
        "frequency_cap",
        _CAPPED,
        _("The person already got as many mails in 14 days as the shop or the person allows."),
        lasting=False,
    ),
    Reason("quiet_hours", "quiet.now", _("It is quiet time where the person lives."), lasting=False),
    Reason("consent", f"{_HOLDS} IS TRUE", _("The person agreed."), allowed=True),
    Reason(
        "existing_customer",
        _EXISTING_CUSTOMER,
        _("A buyer may get mail about similar goods (§ 7(3) UWG): bought, informed, did not object."),
        allowed=True,
    ),
    Reason("legitimate_interest", "true", _("Letters are allowed until the person objects."), allowed=True),
)
BY_CODE = {reason.code: reason for reason in REASONS}


@dataclass(frozen=True)
class Decision:
    """Yes or no, why, and the consent event that proves it. `later`: when quiet time ends, if that is the reason."""

    allowed: bool
    code: str
    evidence_id: int | None = None
    later: datetime | None = None

    @property
    def detail(self) -> str:
        """The reason as a sentence in the active language."""
        return str(BY_CODE[self.code].sentence)


def verdicts(asked: str, *, timely: bool = True) -> str:
    """SQL that answers for each row of the relation `asked`, which has a `customer_id`.

    Columns: those of `asked`, then contact_point_id, address, address_hash, code, allowed, evidence_id, later.
    It needs `parameters`. With `timely=False` what passes by itself (quiet hours, cap, complaint) is left out, as
    planning does: it is asked again when the mail goes.
    """
    cases = "\n".join(f"WHEN {reason.condition} THEN '{reason.code}'" for reason in REASONS if timely or reason.lasting)
    allowed = ", ".join(f"'{reason.code}'" for reason in REASONS if reason.allowed)
    return f"""
    SELECT judged.*, judged.code IN ({allowed}) AS allowed,
           CASE WHEN judged.code IN ('consent', 'objected', 'withdrawn', 'unconfirmed', 'other_address') THEN judged.declared END
             AS evidence_id
    FROM (
      SELECT asked.*, point.id AS contact_point_id, point.value AS address,
             hashed.value AS address_hash, consent.evidence_id AS declared,
             CASE {cases} END AS code, {"quiet.later" if timely else "NULL::timestamptz"} AS later
      FROM {asked} asked
      LEFT JOIN crm_customer customer ON customer.id = asked.customer_id
      LEFT JOIN crm_contactpoint point
        ON point.customer_id = customer.id AND point.kind = %(gate_kind)s AND point.is_primary
      LEFT JOIN crm_consentstate consent
        ON consent.customer_id = customer.id AND consent.purpose_id = %(gate_purpose)s
        AND consent.channel = %(gate_channel)s
      CROSS JOIN LATERAL (SELECT {keyed.address_hash_sql("point.normal")} AS value OFFSET 0) hashed
      {_quiet() if timely else ""}
      OFFSET 0 -- or PostgreSQL would work out hash and code anew wherever they are read
    ) judged"""


def _quiet() -> str:
    """Whether it is quiet time where the customer lives, and when that ends. Equal limits mean no quiet time."""
    return f"""
      CROSS JOIN LATERAL (SELECT {_ZONE} AS zone) place
      CROSS JOIN LATERAL (
        SELECT CASE WHEN %(gate_from)s::time < %(gate_until)s::time
                 THEN {_LOCAL}::time >= %(gate_from)s::time AND {_LOCAL}::time < %(gate_until)s::time
                 ELSE %(gate_from)s::time <> %(gate_until)s::time
                   AND ({_LOCAL}::time >= %(gate_from)s::time OR {_LOCAL}::time < %(gate_until)s::time) END AS now,
               (date_trunc('day', {_LOCAL}) + %(gate_until)s::time
                + CASE WHEN {_LOCAL}::time >= %(gate_until)s::time THEN interval '1 day' ELSE interval '0' END
               ) AT TIME ZONE place.zone AS later
      ) quiet"""


def parameters(
    message_class: str,
    purpose: str,
    channel: str = "email",
    *,
    at: datetime | None = None,
    notice: bool = True,
    shop: Shop | None = None,
) -> dict[str, Any]:
    """Parameters of `verdicts`. `notice`: whether the mail tells how to object, without which § 7(3) does not hold.

    Raises KeyError for a channel that does not exist. A class that is not "transactional" is advertising.
    """
    shop = shop or Shop.current()
    return keyed.hash_parameters() | {
        "gate_class": message_class,
        "gate_purpose": purpose,
        "gate_channel": channel,
        "gate_kind": CONTACT_KIND[channel],
        "gate_notice": notice,
        "gate_similar": list(SIMILAR_GOODS),
        "gate_at": at,
        "gate_cap": shop.mails_per_fortnight,
        "gate_zone": shop.time_zone,
        "gate_from": shop.quiet_from,
        "gate_until": shop.quiet_until,
    }


def may_send_many(
    customer_ids: Iterable[int], message_class: str, purpose: str, channel: str = "email", **more: Any
) -> dict[int, Decision]:
    """The gate's answer for each customer, in one statement. `more` as `parameters` takes it."""
    ids = list(customer_ids)
    statement = verdicts("(SELECT unnest(%(gate_ids)s::bigint[]) AS customer_id)")
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT customer_id, allowed, code, evidence_id, later FROM ({statement}) answered",
            parameters(message_class, purpose, channel, **more) | {"gate_ids": ids},
        )
        return {row[0]: _decision(*row[1:]) for row in cursor.fetchall()}


def may_send(customer_id: int, message_class: str, purpose: str, channel: str = "email", **more: Any) -> Decision:
    """The gate's answer for one customer. `more` as `parameters` takes it."""
    return may_send_many([customer_id], message_class, purpose, channel, **more)[customer_id]


def _decision(allowed: bool, code: str, evidence_id: int | None, later: datetime | None) -> Decision:
    return Decision(allowed, code, evidence_id, later if code == "quiet_hours" else None)
