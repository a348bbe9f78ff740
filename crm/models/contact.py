"""Every contact with a customer, and what was felt."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from crm import emotions
from crm.labels import named


class Touchpoint(models.TextChoices):
    """The places of a customer's journey by which NEV is grouped (`docs/scoring.md`)."""

    ADVICE = "advice", named("touchpoint", "advice", _("Advice"))
    ORDER = "order", named("touchpoint", "order", _("Order"))
    PAYMENT = "payment", named("touchpoint", "payment", _("Payment"))
    DELIVERY = "delivery", named("touchpoint", "delivery", _("Delivery"))
    PRODUCT = "product", named("touchpoint", "product", _("Product"))
    SERVICE = "service", named("touchpoint", "service", _("Service"))
    COMPLAINT = "complaint", named("touchpoint", "complaint", _("Complaint"))
    AFTERCARE = "aftercare", named("touchpoint", "aftercare", _("Aftercare"))


class Interaction(models.Model):
    """A contact by phone, in the shop, by mail, chat or social media. `rating` is 0 to 10 where the customer gave one."""

    class Channel(models.TextChoices):
        SHOP = "shop", _("Shop")
        PHONE = "phone", _("Phone")
        MAIL = "mail", _("Mail")
        CHAT = "chat", _("Chat")
        SOCIAL = "social", _("Social media")

    customer = models.ForeignKey("crm.Customer", models.CASCADE, related_name="interactions")
    channel = models.CharField(max_length=10, choices=Channel)
    touchpoint = models.CharField(max_length=10, choices=Touchpoint)
    occurred_at = models.DateTimeField()
    note = models.TextField(blank=True, db_default="")
    rating = models.PositiveSmallIntegerField(null=True, blank=True)
    staff = models.ForeignKey("crm.User", models.SET_NULL, null=True, blank=True)
    source = models.ForeignKey("crm.Source", models.SET_NULL, null=True, blank=True)
    created_at = models.DateTimeField(db_default=models.functions.Now())

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(rating=None) | Q(rating__range=(0, 10)), name="crm_interaction_rating_range"
            )
        ]
        indexes = [models.Index(fields=["customer", "-occurred_at"], name="crm_interaction_of_customer")]


class InteractionEmotion(models.Model):
    """One of up to three emotions tagged on an interaction, and who says so."""

    class Origin(models.TextChoices):
        CUSTOMER_SELF = "customer_self", _("said by the customer")
        STAFF_ESTIMATE = "staff_estimate", _("estimated by staff")
        TEXT_SUGGESTION = "text_suggestion", _("suggested from text, confirmed")

    interaction = models.ForeignKey(Interaction, models.CASCADE, related_name="emotions")
    slot = models.PositiveSmallIntegerField()
    emotion = models.CharField(max_length=15, choices=emotions.choices)
    origin = models.CharField(max_length=15, choices=Origin)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["interaction", "slot"], name="crm_interaction_emotion_slot_once"),
            models.UniqueConstraint(fields=["interaction", "emotion"], name="crm_interaction_emotion_once"),
            models.CheckConstraint(condition=Q(slot__range=(1, 3)), name="crm_interaction_emotion_three_at_most"),
        ]
