"""Where facts come from, who may bring them, and what could not be taken."""

import hashlib
import secrets
from datetime import datetime

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _


class Source(models.Model):
    """A shop, till or file that records come from. Every external record is known by (source, external_id)."""

    class Kind(models.TextChoices):
        API = "api", _("REST client")
        FILE = "file", _("imported file")
        STAFF = "staff", _("recorded by staff")

    name = models.CharField(max_length=80, unique=True)
    kind = models.CharField(max_length=10, choices=Kind, db_default="api")
    created_at = models.DateTimeField(db_default=models.functions.Now())

    def __str__(self) -> str:
        return self.name


class ApiKey(models.Model):
    """A REST client's key, bound to one source. Only its SHA-256 is stored, so a key is shown exactly once."""

    SCOPES = (
        "customers:read",
        "customers:write",
        "purchases:write",
        "consent:write",
        "coupons:redeem",
        "coupons:issue",
        "points:write",
        "responses:write",
        "reports:read",
        "campaigns:write",
    )
    MARK = "stk_"

    source = models.ForeignKey(Source, models.CASCADE, related_name="api_keys")
    prefix = models.CharField(max_length=12)
    digest = models.CharField(max_length=64, unique=True)
    scopes = ArrayField(models.CharField(max_length=30))
    created_at = models.DateTimeField(db_default=models.functions.Now())
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.prefix}… ({self.source})"

    @classmethod
    def issue(cls, source: Source, scopes: list[str], expires_at: datetime) -> tuple["ApiKey", str]:
        """Store a new key for `source` and return it with the plain text (256 random bits), which is kept nowhere.

        Raises ValueError for a scope that does not exist.
        """
        unknown = sorted(set(scopes) - set(cls.SCOPES))
        if unknown:
            raise ValueError(f"unknown scope: {', '.join(unknown)}; known are {', '.join(cls.SCOPES)}")
        plain = cls.MARK + secrets.token_urlsafe(32)
        key = cls.objects.create(
            source=source,
            prefix=plain[:12],
            digest=cls.digest_of(plain),
            scopes=scopes,
            expires_at=expires_at,
        )
        return key, plain

    @staticmethod
    def digest_of(plain: str) -> str:
        return hashlib.sha256(plain.encode()).hexdigest()

    @property
    def usable(self) -> bool:
        return self.revoked_at is None and self.expires_at > now()


class Quarantine(models.Model):
    """A row that was refused, kept 30 days with the reason so that nothing sent to us is lost."""

    source = models.ForeignKey(Source, models.CASCADE)
    import_run = models.ForeignKey("ImportRun", models.CASCADE, null=True, blank=True)
    position = models.PositiveIntegerField(help_text="Place of the row in its batch or file, from 1.")
    external_id = models.CharField(max_length=100, blank=True)
    payload = models.JSONField()
    errors = models.JSONField(help_text="[{code, field, message}]")
    received_at = models.DateTimeField(db_default=models.functions.Now())

    class Meta:
        indexes = [models.Index(fields=["source", "-received_at"], name="crm_quarantine_recent")]


class ImportRun(models.Model):
    """One file brought in by `import_purchases`: how far it got, so that it can go on after an interruption."""

    class State(models.TextChoices):
        RUNNING = "running", _("running")
        DONE = "done", _("done")

    source = models.ForeignKey(Source, models.CASCADE)
    profile = models.CharField(max_length=40)
    file_name = models.CharField(max_length=255)
    file_sha256 = models.CharField(max_length=64)
    state = models.CharField(max_length=10, choices=State, db_default="running")
    next_chunk = models.PositiveIntegerField(db_default=0)
    counts = models.JSONField(default=dict)
    started_at = models.DateTimeField(db_default=models.functions.Now())
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["source", "file_sha256"], condition=Q(state="running"), name="crm_import_run_one_open"
            )
        ]
