"""Questionnaires behind a link in a mail: each opens once, for the person it was mailed to, for 30 days.

Opening the link changes nothing, however often and by whomever. One answer is kept for each mail and stays as it was
given: what was thought of later is a new conversation, and the page says so.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal
from uuid import UUID

from django.db import connection, transaction
from django.utils.timezone import now

from crm import answers, tokens
from crm.models import Customer, SurveyInvitation

USE = "survey"
GOOD_FOR = timedelta(days=30)
# So long after its end the page still says that a link is too old, or that it was answered.
KEPT_AFTER = timedelta(days=30)

State = Literal["open", "answered", "expired"]

# Locks the customers, so that none is erased between being found and being invited.
INVITE = """
INSERT INTO crm_surveyinvitation (digest, customer_id, purchase_id, response, expires_at)
SELECT mail.digest, customer.id, purchase.id, mail.response, now() + %(good_for)s
FROM unnest(%(digests)s::text[], %(responses)s::uuid[], %(customers)s::bigint[], %(purchases)s::bigint[])
  mail(digest, response, customer_id, purchase_id)
JOIN crm_customer customer ON customer.id = mail.customer_id
LEFT JOIN crm_purchase purchase ON purchase.id = mail.purchase_id
FOR KEY SHARE OF customer
ON CONFLICT (response) DO UPDATE SET digest = excluded.digest
WHERE crm_surveyinvitation.digest <> excluded.digest AND crm_surveyinvitation.answered_at IS NULL
"""


@dataclass(frozen=True)
class Invited:
    """A mail that asks: the number of its delivery, who gets it, and which purchase it is about, if any."""

    delivery_id: UUID
    customer_id: int
    purchase_id: int | None = None


@dataclass(frozen=True)
class Found:
    """What a link opens. `customer` is the record in use; `bought_on`: the day of the purchase asked about."""

    state: State
    invitation: SurveyInvitation
    customer: Customer

    @property
    def bought_on(self) -> date | None:
        return self.invitation.purchase.ordered_on if self.invitation.purchase else None


def token_of(delivery_id: UUID) -> str:
    """The token in one mail: the same on every attempt. It works once `invite` stored it."""
    return tokens.of_mail(str(delivery_id), USE)


def invite(mails: Iterable[Invited]) -> None:
    """Store the links of mails, in one statement. What is stored already keeps its end; a new LINK_KEY its new token."""
    rows = list(mails)
    if not rows:
        return
    parameters: dict[str, Any] = {
        "good_for": GOOD_FOR,
        "digests": [tokens.digest(token_of(row.delivery_id)) for row in rows],
        "responses": [str(row.delivery_id) for row in rows],
        "customers": [row.customer_id for row in rows],
        "purchases": [row.purchase_id for row in rows],
    }
    with connection.cursor() as cursor:
        cursor.execute(INVITE, parameters)


def look(token: str) -> Found | None:
    """What a link opens; None for one that was not made here, or whose person is gone. Changes nothing."""
    if not tokens.SHAPE(token):
        return None
    rows = SurveyInvitation.objects.filter(digest=tokens.digest(token)).select_related("customer", "purchase")
    if (invitation := rows.first()) is None:
        return None
    customer = tokens.in_use(invitation.customer)
    if customer.erased_at or customer.deceased_at:
        return None
    if invitation.answered_at:
        return Found("answered", invitation, customer)
    return Found("open" if invitation.expires_at > now() else "expired", invitation, customer)


@transaction.atomic
def answer(token: str, filled: Callable[[Found], answers.Sheet]) -> bool:
    """Keep the sheet that `filled` makes of an open invitation. False if meanwhile somebody answered, or it ended.

    The customer is locked first, as everybody else does who writes about them; two answers at the same moment become
    one. An unhappy one raises the alert that `crm.alerts` knows.
    """
    found = look(token)
    if found is None or found.state != "open":
        return False
    living = Customer.objects.select_for_update().filter(pk=found.customer.pk, merged_into=None, erased_at=None)
    if not living.exists():
        return False
    still_open = SurveyInvitation.objects.filter(pk=found.invitation.pk, answered_at=None, expires_at__gt=now())
    if not still_open.update(answered_at=now()):
        return False
    answers.record_responses([filled(found)])
    return True
