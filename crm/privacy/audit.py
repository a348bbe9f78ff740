"""Writing down who did what, for those who must be able to trace it. Never what was in it."""

from crm.models import AuditEntry


def record(actor_id: int | None, action: str, kind: str, object_id: int | None = None) -> None:
    """Add an entry, in the caller's transaction. `action` is a past participle: exported, erased, sealed_opened …"""
    AuditEntry.objects.create(actor_id=actor_id, action=action, kind=kind, object_id=object_id)
