"""The link to the questionnaire in each mail: a token of its own, stored before the mail can go."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from django.conf import settings
from django.db import connection

from crm import surveys

ASKED_ABOUT = """
SELECT delivery.id, delivery.customer_id, event.purchase_id FROM campaigns_delivery delivery
LEFT JOIN crm_event event ON event.id = delivery.event_id WHERE delivery.id = ANY(%s::uuid[])
"""


def links(delivery_ids: Sequence[UUID]) -> Mapping[UUID, Mapping[str, str]]:
    """`survey_url` of each mail, the same on every attempt. Two statements, however many mails."""
    with connection.cursor() as cursor:
        cursor.execute(ASKED_ABOUT, [list(map(str, delivery_ids))])
        surveys.invite(surveys.Invited(*row) for row in cursor.fetchall())
    return {pk: {"survey_url": url_of(pk)} for pk in delivery_ids}


def url_of(delivery_id: UUID) -> str:
    return f"{settings.PUBLIC_BASE_URL}/survey/{surveys.token_of(delivery_id)}/"
