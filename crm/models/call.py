"""Answers of calls that must not happen twice."""

from django.db import models


class Call(models.Model):
    """A changing call that a client named with an Idempotency-Key, and what it was answered. Kept for 30 days.

    client: who called, such as the source of an API key. fingerprint: SHA-256 of method, path and body.
    """

    client = models.CharField(max_length=60)
    key = models.CharField(max_length=200)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    answer = models.TextField(db_default="", help_text="JSON as it was sent: a repeated answer is the same byte for byte.")
    made_at = models.DateTimeField(db_default=models.functions.Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["client", "key"], name="crm_call_once")]
        indexes = [models.Index(fields=["made_at"], name="crm_call_by_age")]
