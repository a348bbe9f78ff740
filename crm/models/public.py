"""What the pages for everybody need: the merchant's legal texts, links that open something, and counters."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from crm.models.staff import LANGUAGES


class LegalText(models.Model):
    """One version of a legal text in one language. A version is never edited, for consents were given under it."""

    class Kind(models.TextChoices):
        IMPRINT = "imprint", _("Imprint")
        PRIVACY = "privacy", _("Privacy notice")
        TERMS = "terms", _("Terms")

    kind = models.CharField(max_length=10, choices=Kind)
    version = models.PositiveIntegerField()
    language = models.CharField(max_length=2, choices=LANGUAGES)
    text = models.TextField()
    created_at = models.DateTimeField(db_default=models.functions.Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "version", "language"], name="crm_legal_text_version_once")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.version} {self.language}"

    @property
    def name(self) -> str:
        """The version as consents name it, such as "3 de"."""
        return f"{self.version} {self.language}"


class LinkToken(models.Model):
    """A link in a mail that shows or changes data: only the SHA-256 of its 160 random bits, for one use and some days.

    `address` is where it was mailed: whoever holds it reads that mailbox.
    """

    class Use(models.TextChoices):
        PREFERENCES = "preferences", _("preferences")

    digest = models.CharField(max_length=64, unique=True)
    use = models.CharField(max_length=12, choices=Use)
    customer = models.ForeignKey("crm.Customer", models.CASCADE, related_name="link_tokens")
    address = models.CharField(max_length=254)
    created_at = models.DateTimeField(db_default=models.functions.Now())
    expires_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["expires_at"], name="crm_link_token_expiry")]


class Throttle(models.Model):
    """How often something was tried since `started_at`. `key` is a keyed hash of what is counted, never an address."""

    key = models.CharField(max_length=64, primary_key=True)
    count = models.PositiveIntegerField()
    started_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["started_at"], name="crm_throttle_started")]
