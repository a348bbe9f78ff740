"""Who the customers are and how to reach them."""

from django.contrib.postgres.functions import RandomUUID
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Func, Q
from django.utils.translation import gettext_lazy as _

from crm.models.staff import LANGUAGES


class Customer(models.Model):
    """A prospect or buyer, a person or a company.

    Names are stored exactly as given; the salutation is what the customer said and never inferred
    (ECJ C-394/23). A birthday needs no year. `person_key` is the random name under which append-only
    tables know the person, so that erasing cuts the link and leaves the history provable.
    """

    class Kind(models.TextChoices):
        PERSON = "person", _("person")
        COMPANY = "company", _("company")

    class Salutation(models.TextChoices):
        MS = "ms", _("Ms")
        MR = "mr", _("Mr")
        NEUTRAL = "neutral", _("neutral")
        NONE = "none", _("not given")

    person_key = models.UUIDField(unique=True, editable=False, db_default=RandomUUID())
    kind = models.CharField(_("kind"), max_length=10, choices=Kind, db_default="person")
    salutation = models.CharField(_("salutation"), max_length=10, choices=Salutation, db_default="none")
    title = models.CharField(_("title"), max_length=40, blank=True, db_default="")
    given_name = models.CharField(_("first name"), max_length=80, blank=True, db_default="")
    family_name = models.CharField(_("last name"), max_length=80, blank=True, db_default="")
    company_name = models.CharField(_("company"), max_length=120, blank=True, db_default="")
    birth_day = models.PositiveSmallIntegerField(_("birthday: day"), null=True, blank=True)
    birth_month = models.PositiveSmallIntegerField(_("birthday: month"), null=True, blank=True)
    birth_year = models.PositiveSmallIntegerField(_("birthday: year"), null=True, blank=True)
    language = models.CharField(_("language"), max_length=2, choices=LANGUAGES, blank=True, db_default="")
    country = models.CharField(_("country"), max_length=60, blank=True, db_default="")
    city = models.CharField(_("town"), max_length=80, blank=True, db_default="")
    time_zone = models.CharField(_("time zone"), max_length=64, blank=True, db_default="")
    mails_per_fortnight = models.PositiveSmallIntegerField(
        _("advertising mails in 14 days, at most"),
        null=True,
        blank=True,
        help_text=_("As the person wishes. Empty: as many as the shop allows. The smaller number counts."),
    )
    assigned_to = models.ForeignKey(
        "crm.User",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="customers",
        verbose_name=_("looked after by"),
    )
    attributes = models.JSONField(
        _("further fields"), default=dict, db_default=models.Value({}, models.JSONField()), blank=True
    )
    is_placeholder = models.BooleanField(
        db_default=False,
        help_text="Known only by a key that a purchase named; filled when the customer's row arrives.",
    )
    is_test = models.BooleanField(_("staff or test account"), db_default=False)
    deceased_at = models.DateTimeField(null=True, blank=True)
    restricted_at = models.DateTimeField(null=True, blank=True)
    erased_at = models.DateTimeField(null=True, blank=True)
    merged_into = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="merged")
    since = models.DateField(_("customer since"), null=True, blank=True)
    field_versions = models.JSONField(
        default=dict,
        db_default=models.Value({}, models.JSONField()),
        editable=False,
        help_text="Per field: [UTC time and checksum of its last value, id of the source]. The greater entry wins.",
    )
    created_at = models.DateTimeField(db_default=models.functions.Now())
    updated_at = models.DateTimeField(db_default=models.functions.Now())
    sort_key = models.GeneratedField(
        expression=Func(
            F("family_name"),
            F("given_name"),
            F("company_name"),
            function="public.f_sort_key",
            output_field=models.TextField(),
        ),
        output_field=models.TextField(db_collation="C"),
        db_persist=True,
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(birth_day=None, birth_month=None)
                | Q(birth_month__in=[1, 3, 5, 7, 8, 10, 12], birth_day__range=(1, 31))
                | Q(birth_month__in=[4, 6, 9, 11], birth_day__range=(1, 30))
                | Q(birth_month=2, birth_day__range=(1, 29)),
                name="crm_customer_birthday_exists",
            ),
            models.CheckConstraint(
                condition=Q(birth_year=None) | Q(birth_year__range=(1880, 2200), birth_month__isnull=False),
                name="crm_customer_birth_year_range",
            ),
        ]
        indexes = [
            models.Index(fields=["sort_key", "id"], name="crm_customer_by_name"),
            # The list walks it until a page is full, without a look at the table.
            models.Index(
                fields=["sort_key", "id"],
                condition=Q(merged_into=None, erased_at=None),
                name="crm_customer_living",
            ),
            # Whom a segment can mean at all, without a look at the table.
            models.Index(
                fields=["id"],
                condition=Q(merged_into=None, erased_at=None, is_placeholder=False),
                name="crm_customer_people",
            ),
            GinIndex(Func(F("sort_key"), function="public.f_grams"), name="crm_customer_name_grams"),
            models.Index(
                fields=["birth_month", "birth_day"],
                condition=Q(birth_month__isnull=False),
                name="crm_customer_birthdays",
            ),
        ]

    def __str__(self) -> str:
        return self.display_name

    @property
    def number(self) -> str:
        """The number staff say on the phone, such as K-1042."""
        return f"K-{self.pk}"

    @property
    def display_name(self) -> str:
        """Title and name as given, else the company, else the number."""
        person = " ".join(part for part in (self.title, self.given_name, self.family_name) if part)
        return person or self.company_name or self.number


class CustomerKey(models.Model):
    """The name under which one source knows a customer."""

    source = models.ForeignKey("crm.Source", models.CASCADE)
    external_id = models.CharField(max_length=100)
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="keys")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "external_id"], name="crm_customer_key_once")]


class ContactPoint(models.Model):
    """One way to reach a customer. `normal` is what is compared: lower-case address, E.164 number.

    An e-mail address keeps the earliest purchase that brought it together with a notice, that notice's version and
    the time (§ 7(3) UWG asks for both). Two customers may share a mailbox. `bounced_at`: when mail last came back, as
    far as it still counts; `rests_until`: advertising to a `soft_bounced` address waits until then.
    """

    class Kind(models.TextChoices):
        EMAIL = "email", _("e-mail")
        PHONE = "phone", _("phone")
        POST = "post", _("postal address")
        SOCIAL = "social", _("social handle")

    class State(models.TextChoices):
        USABLE = "usable", _("usable")
        SOFT_BOUNCED = "soft_bounced", _("temporarily undeliverable")
        HARD_BOUNCED = "hard_bounced", _("undeliverable")
        GONE = "gone", _("no longer used")

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="contact_points")
    kind = models.CharField(max_length=10, choices=Kind)
    value = models.CharField(max_length=254)
    normal = models.CharField(max_length=254)
    state = models.CharField(max_length=15, choices=State, db_default="usable")
    bounced_at = models.DateTimeField(null=True, blank=True)
    rests_until = models.DateTimeField(null=True, blank=True)
    is_primary = models.BooleanField(db_default=True)
    source = models.ForeignKey("crm.Source", models.SET_NULL, null=True, blank=True)
    purchase = models.ForeignKey("crm.Purchase", models.SET_NULL, null=True, blank=True, related_name="+")
    notice_version = models.CharField(max_length=40, blank=True, db_default="")
    collected_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=models.functions.Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["customer", "kind", "normal"], name="crm_contact_point_once"),
            models.UniqueConstraint(
                fields=["customer", "kind"],
                condition=Q(is_primary=True),
                name="crm_contact_point_one_primary",
            ),
        ]
        indexes = [
            models.Index(
                fields=["kind", "normal"],
                opclasses=["varchar_ops", "varchar_pattern_ops"],  # beginnings are found in every collation
                name="crm_contact_point_lookup",
            ),
            models.Index(
                fields=["bounced_at"],
                condition=Q(state="hard_bounced") | Q(state="soft_bounced"),
                name="crm_contact_point_bounced",
            ),
        ]
