"""How many exports of personal data one member of staff may make: counted in the audit trail, refusals too."""

from datetime import datetime, timedelta

from django.db import transaction
from django.utils.timezone import now

from crm.models import AuditEntry, Shop, User
from crm.privacy import audit

DAY = timedelta(days=1)
DONE, REFUSED = "exported", "export_refused"


@transaction.atomic
def take(actor_id: int, kind: str, object_id: int | None = None) -> datetime | None:
    """Note an export in the audit trail. Returns None if it may be made, else from when on the next one may.

    At most as many within 24 hours as the shop's settings say, whatever they are of; with none allowed at all the answer
    is a day from now. Exact for two requests at the same moment. Call it before any data is read.
    """
    User.objects.select_for_update().get(pk=actor_id)
    most, current = Shop.current().exports_per_day, now()
    made = AuditEntry.objects.filter(actor=actor_id, action=DONE, at__gt=current - DAY).order_by("-at")
    times = list(made.values_list("at", flat=True)[: most or 1])
    if len(times) < most:
        audit.record(actor_id, DONE, kind, object_id)
        return None
    audit.record(actor_id, REFUSED, kind, object_id)
    return times[-1] + DAY if most and times else current + DAY
