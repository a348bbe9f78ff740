"""Coupons: what a batch promises, each code, who used it for what, and the ledger of every step.

Promotional coupons only. A purchased voucher is a money claim with another law and will be another
model: nothing here is money that a customer paid for.
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


def money(**options: object) -> models.DecimalField:
    """An amount in the shop's currency."""
    return models.DecimalField(max_digits=14, decimal_places=2, **options)  # type: ignore[arg-type]


def ids(help_text: str) -> ArrayField:
    return ArrayField(models.BigIntegerField(), default=list, blank=True, help_text=help_text)


class CouponBatch(models.Model):
    """What its codes are worth, for what, when and how often. Nothing of it changes once a code was issued, but for
    `stopped_at`: a promise stands as it was given.

    value: money for `amount`, percent (above 0, at most 100) for `percent`, else empty. minimum: what the eligible goods
    must be worth. Days are days of the shop's zone and both count: a code is good from `valid_from` to the end of
    `valid_until`; `valid_days` counts from the day of issue, that day being the first.
    uses: how often each code may be used; with `in_parts` an amount may be spent in parts instead, until it is gone.
    per_customer: how often one customer may use codes of this batch. budget: total of all discounts.
    origin: opaque text of whoever issued it, such as a campaign; reports group by it.
    """

    class Kind(models.TextChoices):
        AMOUNT = "amount", _("amount")
        PERCENT = "percent", _("percent")
        FREE_PRODUCT = "free_product", _("free product")
        FREE_DELIVERY = "free_delivery", _("free delivery")

    class OnReturn(models.TextChoices):
        GIVE_BACK = "give_back", _("the customer gets it back in proportion")
        VOID = "void", _("it is used up, and what is left of it is void")
        KEEP = "keep", _("nothing happens to it")

    title = models.CharField(_("title"), max_length=120)
    kind = models.CharField(_("kind"), max_length=15, choices=Kind)
    value = money(verbose_name=_("value"), null=True, blank=True)
    free_product = models.ForeignKey(
        "crm.Product", models.PROTECT, null=True, blank=True, verbose_name=_("free product")
    )
    minimum = money(verbose_name=_("minimum purchase"), default=0)
    categories = ids("Categories it is good for; empty: all.")
    products = ids("Products it is good for; empty: all.")
    not_categories = ids("Categories it is not good for.")
    not_products = ids("Products it is not good for.")
    valid_from = models.DateField(_("valid from"), null=True, blank=True)
    valid_until = models.DateField(_("valid until"), null=True, blank=True)
    valid_days = models.PositiveIntegerField(_("valid for days"), null=True, blank=True)
    uses = models.PositiveIntegerField(_("uses of each code"), default=1)
    in_parts = models.BooleanField(_("may be spent in parts"), default=False)
    per_customer = models.PositiveIntegerField(_("uses of each customer"), null=True, blank=True)
    combinable = models.BooleanField(_("may be combined with other coupons"), default=False)
    budget = money(verbose_name=_("total budget"), null=True, blank=True)
    spent = money(
        default=0, help_text="Discounts reserved or redeemed, less what was given back. Kept while `budget` is set."
    )
    on_return = models.CharField(_("after a return"), max_length=10, choices=OnReturn, default=OnReturn.GIVE_BACK)
    note = models.TextField(_("further terms"), blank=True, default="")
    origin = models.CharField(max_length=80, blank=True, default="", db_index=True)
    created_at = models.DateTimeField(db_default=models.functions.Now())
    created_by = models.ForeignKey("crm.User", models.SET_NULL, null=True, blank=True, related_name="+")
    stopped_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="amount", value__gt=0)
                | Q(kind="percent", value__gt=0, value__lte=100)
                | Q(kind="free_product", value=None, free_product__isnull=False)
                | Q(kind="free_delivery", value=None),
                name="loyalty_coupon_batch_value_fits_kind",
            ),
            models.CheckConstraint(condition=Q(minimum__gte=0), name="loyalty_coupon_batch_minimum"),
            models.CheckConstraint(condition=Q(uses__gte=1), name="loyalty_coupon_batch_uses"),
            models.CheckConstraint(condition=Q(in_parts=False) | Q(kind="amount"), name="loyalty_coupon_batch_parts"),
            models.CheckConstraint(
                condition=Q(per_customer=None) | Q(per_customer__gte=1), name="loyalty_coupon_batch_per_customer"
            ),
            models.CheckConstraint(
                condition=Q(spent__gte=0) & (Q(budget=None) | Q(spent__lte=F("budget"))),
                name="loyalty_coupon_batch_within_budget",
            ),
            models.CheckConstraint(
                condition=Q(valid_from=None) | Q(valid_until=None) | Q(valid_until__gte=F("valid_from")),
                name="loyalty_coupon_batch_days_in_order",
            ),
            models.CheckConstraint(
                condition=Q(valid_days=None) | Q(valid_days__gte=1), name="loyalty_coupon_batch_days"
            ),
        ]

    def __str__(self) -> str:
        return self.title


class Coupon(models.Model):
    """One code. `code` is canonical: upper case, without dashes, O and I read as 0 and 1 (`loyalty.coupons.codes`).

    used counts reservations and redemptions that stand. left: what an amount spent in parts still holds.
    guessable: a code that a person thought of. imported: issued elsewhere and brought in.
    cause: what it was issued for, once and never twice, such as a delivery; empty for none.
    """

    batch = models.ForeignKey(CouponBatch, models.PROTECT, related_name="coupons")
    code = models.CharField(max_length=40, unique=True)
    written = models.CharField(
        max_length=60, blank=True, default="", help_text="As it was thought of or issued elsewhere."
    )
    customer = models.ForeignKey("crm.Customer", models.SET_NULL, null=True, blank=True, related_name="coupons")
    uses = models.PositiveIntegerField()
    used = models.PositiveIntegerField(db_default=0)
    left = money(null=True, blank=True)
    valid_from = models.DateField(null=True, blank=True)
    valid_until = models.DateField(null=True, blank=True)
    guessable = models.BooleanField(db_default=False)
    imported = models.BooleanField(db_default=False)
    cause = models.CharField(max_length=120, null=True, blank=True, unique=True)
    issued_at = models.DateTimeField(db_default=models.functions.Now())
    voided_at = models.DateTimeField(null=True, blank=True)
    expired_at = models.DateTimeField(null=True, blank=True, help_text="When the expiry was entered in the ledger.")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(used__lte=F("uses")), name="loyalty_coupon_used_within_uses"),
            models.CheckConstraint(condition=Q(left=None) | Q(left__gte=0), name="loyalty_coupon_left_not_negative"),
            models.CheckConstraint(condition=Q(code__regex=r"^[0-9A-Z]{3,40}$"), name="loyalty_coupon_code_canonical"),
        ]
        indexes = [
            models.Index(fields=["customer"], condition=Q(customer__isnull=False), name="loyalty_coupon_of_customer"),
            models.Index(
                fields=["valid_until"],
                condition=Q(expired_at=None, voided_at=None, valid_until__isnull=False),
                name="loyalty_coupon_to_expire",
            ),
        ]

    def __str__(self) -> str:
        return self.code


class CouponCustomer(models.Model):
    """How often one customer used codes of a batch that limits it: `used` never passes `most`."""

    batch = models.ForeignKey(CouponBatch, models.CASCADE, related_name="customers")
    customer = models.ForeignKey("crm.Customer", models.CASCADE, related_name="+")
    used = models.PositiveIntegerField()
    most = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["batch", "customer"], name="loyalty_coupon_customer_once"),
            models.CheckConstraint(condition=Q(used__lte=F("most")), name="loyalty_coupon_customer_within_limit"),
        ]


class Redemption(models.Model):
    """One use of a code: reserved while the shop's checkout runs, then redeemed or released.

    reference: the shop's number of the purchase, known before the purchase itself arrives by sync; empty at a counter
    that has none. exclusive: its batch lets no other coupon join. given_back: what a return gave back of `discount`.
    """

    class State(models.TextChoices):
        RESERVED = "reserved", _("reserved")
        REDEEMED = "redeemed", _("redeemed")
        RELEASED = "released", _("released")
        RETURNED = "returned", _("returned")

    coupon = models.ForeignKey(Coupon, models.PROTECT, related_name="redemptions")
    customer = models.ForeignKey("crm.Customer", models.SET_NULL, null=True, blank=True, related_name="redemptions")
    state = models.CharField(max_length=10, choices=State)
    source = models.ForeignKey("crm.Source", models.PROTECT, related_name="+")
    reference = models.CharField(max_length=100, blank=True, default="")
    place = models.CharField(max_length=60, blank=True, default="")
    purchase = models.ForeignKey("crm.Purchase", models.SET_NULL, null=True, blank=True, related_name="redemptions")
    basket = money(help_text="What the purchase was worth before the discount.")
    discount = money()
    given_back = money(default=0)
    exclusive = models.BooleanField()
    reserved_at = models.DateTimeField(null=True, blank=True)
    reserved_until = models.DateTimeField(null=True, blank=True)
    redeemed_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True, help_text="When it was released or returned.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["coupon", "source", "reference"],
                condition=Q(state__in=["reserved", "redeemed"]) & ~Q(reference=""),
                name="loyalty_redemption_once_a_purchase",
            ),
            models.UniqueConstraint(
                fields=["source", "reference"],
                condition=Q(state__in=["reserved", "redeemed"], exclusive=True) & ~Q(reference=""),
                name="loyalty_redemption_alone",
            ),
            models.CheckConstraint(
                condition=Q(discount__gte=0, given_back__gte=0, given_back__lte=F("discount"), basket__gte=0),
                name="loyalty_redemption_amounts",
            ),
            models.CheckConstraint(
                condition=Q(state="reserved", reserved_until__isnull=False, redeemed_at=None, ended_at=None)
                | Q(state="redeemed", redeemed_at__isnull=False, ended_at=None)
                | Q(state="released", ended_at__isnull=False)
                | Q(state="returned", redeemed_at__isnull=False, ended_at__isnull=False),
                name="loyalty_redemption_times_fit_state",
            ),
        ]
        indexes = [
            models.Index(fields=["coupon"], name="loyalty_redemption_of_coupon"),
            models.Index(
                fields=["reserved_until"], condition=Q(state="reserved"), name="loyalty_redemption_to_release"
            ),
            models.Index(fields=["source", "reference"], condition=~Q(reference=""), name="loyalty_redemption_of_ref"),
        ]


class CouponEntry(models.Model):
    """A step in the life of a code. Append-only: the database refuses changes.

    amount: what the step moved: the discount of a redemption, below 0 for what was given back; 0 where none moved.
    actor: who did it: staff, or the source of a REST client, or neither for the clock.
    """

    class Step(models.TextChoices):
        ISSUED = "issued", _("issued")
        RESERVED = "reserved", _("reserved")
        REDEEMED = "redeemed", _("redeemed")
        RELEASED = "released", _("released")
        RETURNED = "returned", _("returned")
        EXPIRED = "expired", _("expired")
        VOIDED = "voided", _("voided")

    coupon = models.ForeignKey(Coupon, models.PROTECT, related_name="entries")
    redemption = models.ForeignKey(Redemption, models.PROTECT, null=True, blank=True, related_name="entries")
    step = models.CharField(max_length=10, choices=Step)
    amount = money(default=0)
    staff = models.ForeignKey("crm.User", models.PROTECT, null=True, blank=True, related_name="+")
    source = models.ForeignKey("crm.Source", models.PROTECT, null=True, blank=True, related_name="+")
    place = models.CharField(max_length=60, blank=True, default="")
    reason = models.CharField(max_length=200, blank=True, default="")
    at = models.DateTimeField(db_default=models.functions.Now())

    class Meta:
        indexes = [models.Index(fields=["coupon", "id"], name="loyalty_coupon_entry_of")]
