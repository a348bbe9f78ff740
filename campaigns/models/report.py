"""What was taken from the mailbox of returned mails, so that no mail counts twice."""

from django.db import models


class ReadMail(models.Model):
    """A mail of the bounce mailbox that was dealt with: SHA-256 of its bytes, and what it was. Nothing of its content."""

    digest = models.CharField(max_length=64, primary_key=True)
    kind = models.CharField(max_length=12)
    at = models.DateTimeField(db_default=models.functions.Now())

    class Meta:
        indexes = [models.Index(fields=["at"], name="campaigns_read_mail_at")]
