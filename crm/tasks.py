"""What crm does by the clock."""

from celery import shared_task

from crm.privacy import retention


@shared_task
def retention_nightly() -> None:
    """Delete or blank what has had its time. Safe to repeat."""
    retention.run()
