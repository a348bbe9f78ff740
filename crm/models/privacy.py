"""What the law asks of the shop about a person: requests with their clock, what is sealed, what was done."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class PrivacyRequest(models.Model):
    """A person uses a right. Open until it is answered, at the latest on `due_on` (Art. 12(3) GDPR).

    It knows the person by number, not by a link, so that it outlives an erasure; it holds no free text, so nothing in
    it has to be erased.
    """

    class Kind(models.TextChoices):
        ACCESS = "access", _("Access (Art. 15)")
        RECTIFY = "rectify", _("Rectification (Art. 16)")
        ERASE = "erase", _("Erasure (Art. 17)")
        RESTRICT = "restrict", _("Restriction (Art. 18)")
        PORTABILITY = "portability", _("Data to take along (Art. 20)")
        OBJECT = "object", _("Objection to advertising (Art. 21)")

    class State(models.TextChoices):
        OPEN = "open", _("open")
        DONE = "done", _("done")
        REFUSED = "refused", _("refused")

    class Refusal(models.TextChoices):
        IDENTITY = "identity", _("The person did not prove who they are.")
        NOT_OURS = "not_ours", _("The data is not about this person.")
        EXCESSIVE = "excessive", _("The request is unfounded or excessive (Art. 12(5)).")
        LAW = "law", _("A law obliges the shop to keep the data (Art. 17(3)).")
        WITHDRAWN = "withdrawn", _("The person took the request back.")

    customer_number = models.BigIntegerField()
    kind = models.CharField(_("right"), max_length=12, choices=Kind)
    received_at = models.DateTimeField()
    due_on = models.DateField()
    extended = models.BooleanField(db_default=False, default=False)
    state = models.CharField(max_length=10, choices=State, db_default="open", default="open")
    refusal = models.CharField(max_length=12, choices=Refusal, blank=True, db_default="", default="")
    taken_by = models.ForeignKey("crm.User", models.SET_NULL, null=True, blank=True, related_name="+")
    closed_by = models.ForeignKey("crm.User", models.SET_NULL, null=True, blank=True, related_name="+")
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state="open", closed_at=None) | (~Q(state="open") & Q(closed_at__isnull=False)),
                name="crm_privacy_request_closed_has_time",
            ),
            models.CheckConstraint(
                condition=Q(state="refused") & ~Q(refusal="") | ~Q(state="refused") & Q(refusal=""),
                name="crm_privacy_request_refusal_has_reason",
            ),
        ]
        indexes = [
            models.Index(fields=["due_on"], condition=Q(state="open"), name="crm_privacy_request_open"),
            models.Index(fields=["customer_number"], name="crm_privacy_request_of"),
        ]


class ErasureLog(models.Model):
    """A person was erased: whom by number, when, by whom, how many rows. No content.

    `person_key` leads to the consent ledger, which is proof until `proof_until`; after that it is emptied.
    """

    customer_number = models.BigIntegerField()
    person_key = models.UUIDField(null=True, blank=True)
    erased_at = models.DateTimeField()
    actor = models.ForeignKey("crm.User", models.SET_NULL, null=True, blank=True, related_name="+")
    counts = models.JSONField(default=dict, help_text="Rows by table: {label: how many went}.")
    proof_until = models.DateField(null=True, blank=True)
    replayed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["customer_number"], name="crm_erasure_log_of")]


class ErasedKey(models.Model):
    """The keyed hash of the name under which a source knew an erased person, so that old rows stay anonymous."""

    source = models.ForeignKey("crm.Source", models.CASCADE)
    key_hash = models.CharField(max_length=64)
    erased_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "key_hash"], name="crm_erased_key_once")]


class SealedRecord(models.Model):
    """What the law makes a merchant keep of one calendar year after an erasure: invoices, or business letters.

    Encrypted by a key that is not in the database (`crm.privacy.sealing`); purged after `purge_on`.
    """

    class Kind(models.TextChoices):
        INVOICES = "invoices", _("invoices")
        LETTERS = "letters", _("business letters")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    erasure = models.ForeignKey(ErasureLog, models.CASCADE, related_name="sealed")
    kind = models.CharField(max_length=10, choices=Kind, db_default="invoices", default="invoices")
    year = models.PositiveSmallIntegerField()
    key_id = models.CharField(max_length=8)
    content = models.BinaryField()
    purge_on = models.DateField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["erasure", "kind", "year"], name="crm_sealed_record_once")]
        indexes = [models.Index(fields=["purge_on"], name="crm_sealed_record_due")]


class CustomerChange(models.Model):
    """A field of a customer was put right by hand: what it said before and after.

    Never edited, and gone with the customer. It holds the values themselves: a hash would neither tell whom to
    inform of what (Art. 19 GDPR) nor let a mistake be undone, and an erasure takes the row along anyway.
    """

    customer = models.ForeignKey("crm.Customer", models.CASCADE, related_name="changes")
    field = models.CharField(max_length=30)
    old = models.TextField(blank=True, db_default="")
    new = models.TextField(blank=True, db_default="")
    actor = models.ForeignKey("crm.User", models.PROTECT, null=True, blank=True, related_name="+")
    at = models.DateTimeField(db_default=models.functions.Now())

    class Meta:
        indexes = [models.Index(fields=["customer", "-at"], name="crm_customer_change_of")]


class AuditEntry(models.Model):
    """Somebody did something that must be traceable. Append-only by trigger and privilege; no content."""

    at = models.DateTimeField(db_default=models.functions.Now())
    actor = models.ForeignKey("crm.User", models.PROTECT, null=True, blank=True, related_name="+")
    action = models.CharField(max_length=40)
    kind = models.CharField(max_length=30, help_text="What was acted upon: customer, request, sealed …")
    object_id = models.BigIntegerField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["kind", "object_id", "-at"], name="crm_audit_entry_of")]
