"""What a surprise may cost: one budget for each window, and the gifts that were taken from it."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from campaigns.models.campaign import Campaign
from campaigns.models.delivery import Delivery


class SurprisePeriod(models.Model):
    """One window of a surprise with its budget. Days are drawn from `begun_on` (when it was first planned) to `last_day`.

    gifts_most, money_most: None for no limit of that kind. gifts, money: what is taken and was not given back. The
    database itself refuses more than the budget.
    """

    campaign = models.ForeignKey(Campaign, models.CASCADE, related_name="surprise_periods")
    first_day = models.DateField()
    last_day = models.DateField()
    begun_on = models.DateField()
    gifts_most = models.PositiveIntegerField(null=True, blank=True)
    money_most = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    gifts = models.PositiveIntegerField(db_default=0, default=0)
    money = models.DecimalField(max_digits=14, decimal_places=2, db_default=0, default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "first_day"], name="campaigns_surprise_period_once"),
            models.CheckConstraint(
                condition=(Q(gifts_most=None) | Q(gifts__lte=F("gifts_most")))
                & (Q(money_most=None) | Q(money__lte=F("money_most")))
                & Q(money__gte=0),
                name="campaigns_surprise_within_budget",
            ),
        ]


class SurpriseGift(models.Model):
    """A gift taken from a budget for one mail; given back when the mail finally did not go.

    gift: what it is, such as "coupon:12" or "text:<hash>"; words: a hash of what the mail says. `cost` in the shop's
    currency.
    """

    period = models.ForeignKey(SurprisePeriod, models.CASCADE, related_name="taken")
    customer = models.ForeignKey("crm.Customer", models.CASCADE, related_name="surprises")
    delivery = models.OneToOneField(Delivery, models.CASCADE, related_name="surprise")
    gift = models.CharField(_("gift"), max_length=40)
    words = models.CharField(max_length=32)
    cost = models.DecimalField(max_digits=14, decimal_places=2)
    taken_at = models.DateTimeField(db_default=models.functions.Now())
    returned_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["customer", "gift"], condition=Q(returned_at=None), name="campaigns_surprise_gift_never_twice"
            )
        ]
