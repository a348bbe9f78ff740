"""What customers bought and brought back. Written by `crm.sync` alone."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

MONEY: dict[str, Any] = {"max_digits": 14, "decimal_places": 2}


class Category(models.Model):
    """A group of products, as the shop names it; loyalty counts breadth and base cycles by it.

    Here and in Product a version is the hour of the row that last named the thing: a finer one would rewrite a
    much-bought product with every purchase. Within one hour the greater text wins.
    """

    source = models.ForeignKey("crm.Source", models.CASCADE)
    external_id = models.CharField(max_length=100)
    name = models.CharField(max_length=120)
    name_version = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "external_id"], name="crm_category_once")]

    def __str__(self) -> str:
        return self.name


class Product(models.Model):
    source = models.ForeignKey("crm.Source", models.CASCADE)
    external_id = models.CharField(max_length=100)
    name = models.CharField(max_length=200, blank=True, db_default="")
    name_version = models.DateTimeField(null=True, blank=True)
    category = models.ForeignKey(Category, models.SET_NULL, null=True, blank=True)
    category_version = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "external_id"], name="crm_product_once")]

    def __str__(self) -> str:
        return self.name or self.external_id


class Purchase(models.Model):
    """An order. Without a customer it is anonymous and counts in shop totals only.

    Amounts are in the shop's currency (`rate` is what one unit of the original `currency` was worth).
    gross = Σ lines; returned = Σ value allocated from returns; net = gross − returned, never below 0.
    It is *valid* (`docs/scoring.md`) if paid or completed with net > 0 and not a test customer's.
    `ordered_on` is the day of `ordered_at` in the shop's zone. `version` is the source's time of the last change,
    `digest` a checksum of what it sent: the row with the greater (version, digest) wins, so any order ends the same.
    """

    class Status(models.TextChoices):
        PLACED = "placed", _("placed")
        PAID = "paid", _("paid")
        COMPLETED = "completed", _("completed")
        CANCELLED = "cancelled", _("cancelled")
        REFUNDED = "refunded", _("refunded")

    source = models.ForeignKey("crm.Source", models.CASCADE)
    external_id = models.CharField(max_length=100)
    customer = models.ForeignKey("crm.Customer", models.SET_NULL, null=True, blank=True, related_name="purchases")
    ordered_at = models.DateTimeField()
    ordered_on = models.DateField()
    status = models.CharField(max_length=10, choices=Status)
    place = models.CharField(max_length=60, blank=True, db_default="", help_text="Shop, till or web site.")
    currency = models.CharField(max_length=3)
    rate = models.DecimalField(max_digits=14, decimal_places=6, db_default=1)
    gross = models.DecimalField(**MONEY, db_default=0)
    returned = models.DecimalField(**MONEY, db_default=0)
    net = models.DecimalField(**MONEY, db_default=0)
    categories = ArrayField(models.BigIntegerField(), db_default=models.Value([], ArrayField(models.BigIntegerField())))
    version = models.DateTimeField()
    digest = models.UUIDField(null=True, blank=True, editable=False)
    received_at = models.DateTimeField(db_default=models.functions.Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["source", "external_id"], name="crm_purchase_once"),
            models.CheckConstraint(
                condition=Q(gross__gte=0, returned__gte=0, net__gte=0, net=F("gross") - F("returned")),
                name="crm_purchase_net_is_gross_less_returned",
            ),
            models.CheckConstraint(condition=Q(rate__gt=0), name="crm_purchase_rate_positive"),
        ]
        indexes = [
            models.Index(
                fields=["customer", "ordered_on"],
                include=["net", "status", "ordered_at", "place", "categories"],
                name="crm_purchase_of_customer",
            ),
        ]

    def __str__(self) -> str:
        return self.external_id


class PurchaseLine(models.Model):
    """One position. `net` = quantity × unit_price × rate in the shop's currency; `returned_quantity` is kept by sync."""

    purchase = models.ForeignKey(Purchase, models.CASCADE, related_name="lines")
    position = models.PositiveIntegerField()
    product = models.ForeignKey(Product, models.SET_NULL, null=True, blank=True)
    description = models.CharField(max_length=200, blank=True, db_default="")
    quantity = models.DecimalField(max_digits=12, decimal_places=3)
    unit_price = models.DecimalField(max_digits=14, decimal_places=4)
    net = models.DecimalField(**MONEY)
    returned_quantity = models.DecimalField(max_digits=12, decimal_places=3, db_default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["purchase", "position"], name="crm_purchase_line_once"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="crm_purchase_line_quantity_positive"),
            models.CheckConstraint(condition=Q(unit_price__gte=0), name="crm_purchase_line_price_not_negative"),
            models.CheckConstraint(
                condition=Q(returned_quantity__gte=0, returned_quantity__lte=F("quantity")),
                name="crm_purchase_line_returned_range",
            ),
        ]


class Return(models.Model):
    """Goods brought back. With `purchase_ref` it belongs to that purchase of its source, else it is allocated to
    the customer's latest earlier purchases of the product (`docs/sync.md`).

    A return that only a later row could make right is kept with `held` saying what it waits for, and counts for
    nothing until then.
    """

    class Held(models.TextChoices):
        UNKNOWN_PURCHASE = "unknown_purchase", _("its purchase has not arrived")
        EXCEEDS_PURCHASE = "exceeds_purchase", _("more is returned than was bought")

    source = models.ForeignKey("crm.Source", models.CASCADE)
    external_id = models.CharField(max_length=100)
    purchase_ref = models.CharField(max_length=100, blank=True, db_default="")
    purchase = models.ForeignKey(Purchase, models.SET_NULL, null=True, blank=True, related_name="returns")
    customer = models.ForeignKey("crm.Customer", models.SET_NULL, null=True, blank=True, related_name="returns")
    returned_at = models.DateTimeField()
    returned_on = models.DateField()
    held = models.CharField(max_length=20, choices=Held, blank=True, db_default="")
    currency = models.CharField(max_length=3)
    rate = models.DecimalField(max_digits=14, decimal_places=6, db_default=1)
    net = models.DecimalField(**MONEY, db_default=0, help_text="Value of all lines in the shop's currency.")
    unallocated = models.DecimalField(**MONEY, db_default=0, help_text="Part of net that met no purchase.")
    version = models.DateTimeField()
    digest = models.UUIDField(null=True, blank=True, editable=False)
    received_at = models.DateTimeField(db_default=models.functions.Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["source", "external_id"], name="crm_return_once"),
            models.CheckConstraint(condition=Q(net__gte=0, unallocated__gte=0), name="crm_return_not_negative"),
        ]
        indexes = [
            models.Index(fields=["customer", "returned_on"], include=["unallocated"], name="crm_return_of_customer"),
            models.Index(fields=["source", "purchase_ref"], condition=~Q(purchase_ref=""), name="crm_return_of_ref"),
        ]


class ReturnLine(models.Model):
    parent = models.ForeignKey(Return, models.CASCADE, related_name="lines")
    position = models.PositiveIntegerField()
    product = models.ForeignKey(Product, models.SET_NULL, null=True, blank=True)
    description = models.CharField(max_length=200, blank=True, db_default="")
    quantity = models.DecimalField(max_digits=12, decimal_places=3)
    unit_price = models.DecimalField(max_digits=14, decimal_places=4)
    net = models.DecimalField(**MONEY)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["parent", "position"], name="crm_return_line_once"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="crm_return_line_quantity_positive"),
            models.CheckConstraint(condition=Q(unit_price__gte=0), name="crm_return_line_price_not_negative"),
        ]


class ReturnAllocation(models.Model):
    """Which part of a return line lowers which purchase line. Recomputed, never edited."""

    return_line = models.ForeignKey(ReturnLine, models.CASCADE, related_name="allocations")
    purchase_line = models.ForeignKey(PurchaseLine, models.CASCADE, related_name="allocations")
    quantity = models.DecimalField(max_digits=12, decimal_places=3)
    net = models.DecimalField(**MONEY)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["return_line", "purchase_line"], name="crm_return_allocation_once"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="crm_return_allocation_quantity_positive"),
        ]
