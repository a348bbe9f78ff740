"""What each person allowed: an append-only ledger, and the state that follows from it."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from crm.models.customer import Customer


class Channel(models.TextChoices):
    EMAIL = "email", _("e-mail")
    PHONE = "phone", _("phone")
    POST = "post", _("post")
    MESSAGE = "message", _("text message")


class Purpose(models.Model):
    """What the merchant asks permission for."""

    code = models.SlugField(max_length=30, primary_key=True)
    label_de = models.CharField(max_length=80)
    label_en = models.CharField(max_length=80)
    position = models.PositiveSmallIntegerField(db_default=0)
    active = models.BooleanField(db_default=True)

    class Meta:
        ordering = ["position", "code"]

    def __str__(self) -> str:
        return self.code


class Wording(models.Model):
    """The exact text a person agreed to. Never edited, and never deleted once used: by trigger, `docs/consent.md`."""

    purpose = models.ForeignKey(Purpose, models.PROTECT, related_name="wordings")
    version = models.PositiveIntegerField()
    language = models.CharField(max_length=2)
    text = models.TextField()
    hash = models.CharField(
        max_length=64, db_default="", editable=False, help_text="SHA-256 of the text in UTF-8; filled by a trigger."
    )
    created_at = models.DateTimeField(db_default=models.functions.Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["purpose", "version", "language"], name="crm_wording_version_once")
        ]


class ConsentEvent(models.Model):
    """One declaration or its confirmation, use or end. Append-only by trigger and privilege.

    It knows the person by `person_key` alone; what identifies them stands in ConsentTrace and can be erased
    (Art. 7(1) and 17 GDPR; EDPB Guidelines 05/2020). `form`: name and version of the form; `notice_version`: of the
    privacy notice beside it. A confirmation knows the mail that asked for it: hash of its token, number and content.
    """

    class Action(models.TextChoices):
        GIVEN = "given", _("given")
        CONFIRMED = "confirmed", _("confirmed")
        USED = "used", _("used")
        EXPIRED = "expired", _("not confirmed in time")
        WITHDRAWN = "withdrawn", _("withdrawn")
        OBJECTED = "objected", _("objected")

    class Method(models.TextChoices):
        WEB = "web", _("web form")
        PAPER = "paper", _("signed paper")
        PHONE = "phone", _("phone")
        IMPORT = "import", _("import with evidence")
        MAIL_LINK = "mail_link", _("link in a mail")
        STAFF = "staff", _("recorded by staff")
        API = "api", _("REST client")
        MAIL = "mail", _("mail from the person")
        REPORT = "report", _("report of a mail provider")

    person_key = models.UUIDField()
    purpose = models.ForeignKey(Purpose, models.PROTECT)
    channel = models.CharField(max_length=10, choices=Channel)
    action = models.CharField(max_length=10, choices=Action)
    method = models.CharField(max_length=10, choices=Method)
    wording = models.ForeignKey(Wording, models.PROTECT, null=True, blank=True)
    source = models.ForeignKey("crm.Source", models.PROTECT, null=True, blank=True)
    actor = models.ForeignKey("crm.User", models.PROTECT, null=True, blank=True)
    double_opt_in = models.BooleanField(db_default=False, help_text="Brings its own proof of double opt-in.")
    note = models.CharField(max_length=200, blank=True, db_default="")
    notice_version = models.CharField(max_length=40, blank=True, db_default="")
    form = models.CharField(max_length=80, blank=True, db_default="")
    wording_hash = models.CharField(max_length=64, blank=True, db_default="")
    address_hash = models.CharField(
        max_length=64, blank=True, db_default="", help_text="The one address it was given for, as keyed hash."
    )
    token_hash = models.CharField(max_length=64, blank=True, db_default="")
    message_id = models.CharField(max_length=200, blank=True, db_default="")
    content_hash = models.CharField(max_length=64, blank=True, db_default="")
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=models.functions.Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["person_key", "purpose", "channel", "action", "occurred_at", "source"],
                name="crm_consent_event_once_a_source",
            )
        ]
        indexes = [models.Index(fields=["person_key", "purpose", "channel"], name="crm_consent_event_of_person")]


class ConsentTrace(models.Model):
    """What identifies the person behind a consent event. Erasable, unlike the event."""

    event = models.OneToOneField(ConsentEvent, models.CASCADE, primary_key=True, related_name="trace")
    address = models.CharField(max_length=254, blank=True, db_default="")
    ip = models.GenericIPAddressField(null=True, blank=True)
    user_agent = models.CharField(max_length=300, blank=True, db_default="")
    note = models.CharField(max_length=200, blank=True, db_default="")


class ConsentState(models.Model):
    """Where a customer stands with one purpose on one channel; kept in the ledger entry's transaction.

    A consent holds for the one address it was given for (AG Düsseldorf 23 C 3876/13), named by `address` in the form
    in which addresses are compared. The gate compares it with where the mail would go.
    """

    class State(models.TextChoices):
        PENDING = "pending", _("waiting for confirmation")
        GIVEN = "given", _("given")
        WITHDRAWN = "withdrawn", _("withdrawn")
        OBJECTED = "objected", _("objected")
        EXPIRED = "expired", _("not confirmed in time")
        MOVED = "moved", _("given for another address")

    customer = models.ForeignKey("crm.Customer", models.CASCADE, related_name="consents")
    purpose = models.ForeignKey(Purpose, models.PROTECT)
    channel = models.CharField(max_length=10, choices=Channel)
    state = models.CharField(max_length=10, choices=State)
    since = models.DateTimeField()
    address = models.CharField(max_length=254, blank=True, db_default="")
    evidence = models.ForeignKey(ConsentEvent, models.PROTECT, related_name="+")
    last_used_at = models.DateTimeField(null=True, blank=True, help_text="Last mail for which it was the ground.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["customer", "purpose", "channel"], name="crm_consent_state_once")
        ]
        indexes = [
            models.Index(
                fields=["purpose", "channel", "customer"],
                condition=Q(state="given"),
                name="crm_consent_state_given",
            )
        ]


class Suppression(models.Model):
    """An address that gets no advertising whatever else is recorded, known only by its keyed hash.

    A lifted one stays as a record. `source` says who told: "staff", "mailbox", a mail provider's or a transport's name.
    `note` and `lift_note` are what staff wrote, and name nobody.
    """

    class Reason(models.TextChoices):
        OBJECTED = "objected", _("objected to advertising")
        HARD_BOUNCE = "hard_bounce", _("undeliverable")
        SPAM_REPORT = "spam_report", _("reported as spam")
        ERASED = "erased", _("erased on request")
        MANUAL = "manual", _("stop list of the shop")

    address_hash = models.CharField(max_length=64)
    reason = models.CharField(max_length=15, choices=Reason)
    source = models.CharField(max_length=30, blank=True, db_default="", default="")
    note = models.CharField(max_length=200, blank=True, db_default="", default="")
    created_at = models.DateTimeField(db_default=models.functions.Now())
    created_by = models.ForeignKey("crm.User", models.PROTECT, null=True, blank=True, related_name="+")
    lifted_at = models.DateTimeField(null=True, blank=True)
    lifted_by = models.ForeignKey("crm.User", models.PROTECT, null=True, blank=True)
    lift_note = models.CharField(max_length=200, blank=True, db_default="", default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["address_hash", "reason"], condition=Q(lifted_at=None), name="crm_suppression_once"
            )
        ]


class DoubleOptIn(models.Model):
    """One mail that asks a mailbox to confirm what was declared. The token in its link is stored as SHA-256 alone.

    The token is made from `nonce` with the installation's LINK_KEY (`crm.double_opt_in`), so that whoever reads the
    database cannot confirm anything. `wordings`: {purpose: id of the wording that was shown}. What the person said of
    their name waits here until the mailbox answered. `moves`: the customer whose new address this mailbox is to become;
    `customer` then is a nameless one who has that address and nothing else.
    """

    customer = models.ForeignKey("crm.Customer", models.CASCADE, related_name="double_opt_ins")
    moves = models.ForeignKey(
        "crm.Customer", models.CASCADE, null=True, blank=True, related_name="address_changes"
    )
    salutation = models.CharField(max_length=10, choices=Customer.Salutation, db_default="none", default="none")
    given_name = models.CharField(max_length=80, blank=True, db_default="", default="")
    family_name = models.CharField(max_length=80, blank=True, db_default="", default="")
    ip = models.GenericIPAddressField(null=True, blank=True)
    user_agent = models.CharField(max_length=300, blank=True, db_default="", default="")
    purposes = ArrayField(models.CharField(max_length=30))
    wordings = models.JSONField(default=dict, db_default=models.Value({}, models.JSONField()))
    form = models.CharField(max_length=80, blank=True, db_default="")
    notice_version = models.CharField(max_length=40, blank=True, db_default="")
    language = models.CharField(max_length=2, blank=True, db_default="")
    nonce = models.CharField(max_length=40)
    token_hash = models.CharField(max_length=64, unique=True)
    address_hash = models.CharField(max_length=64)
    requested_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True, blank=True)
    message_id = models.CharField(max_length=200, blank=True, db_default="")
    content_hash = models.CharField(max_length=64, blank=True, db_default="")

    class Meta:
        indexes = [
            models.Index(fields=["address_hash", "requested_at"], name="crm_double_opt_in_limit"),
            models.Index(fields=["requested_at"], name="crm_double_opt_in_age"),
        ]
