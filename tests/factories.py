"""The smallest valid rows. A test says only what matters to it."""

from datetime import UTC, datetime

import factory
from factory.django import DjangoModelFactory

from crm import models

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)


class UserFactory(DjangoModelFactory):
    class Meta:
        model = models.User

    username = factory.Sequence("staff{}".format)
    role = "support"
    language = "en"


class SourceFactory(DjangoModelFactory):
    class Meta:
        model = models.Source
        django_get_or_create = ("name",)

    name = "test-shop"


class CustomerFactory(DjangoModelFactory):
    class Meta:
        model = models.Customer

    given_name = "Anna"
    family_name = factory.Sequence("Beispiel{}".format)


class EmailFactory(DjangoModelFactory):
    """A customer's primary e-mail address."""

    class Meta:
        model = models.ContactPoint

    customer = factory.SubFactory(CustomerFactory)
    kind = "email"
    value = factory.Sequence("person{}@example.test".format)
    normal = factory.SelfAttribute("value")


class PurchaseFactory(DjangoModelFactory):
    """A paid purchase of 10.00 without lines; days and net agree by themselves."""

    class Meta:
        model = models.Purchase

    source = factory.SubFactory(SourceFactory)
    external_id = factory.Sequence("p{}".format)
    customer = factory.SubFactory(CustomerFactory)
    ordered_at = NOW
    ordered_on = factory.LazyAttribute(lambda made: made.ordered_at.date())
    status = "paid"
    currency = "EUR"
    gross = 10
    net = factory.LazyAttribute(lambda made: made.gross)
    version = factory.SelfAttribute("ordered_at")


class ComplaintFactory(DjangoModelFactory):
    class Meta:
        model = models.Complaint

    customer = factory.SubFactory(CustomerFactory)
    text = "The grinder is uneven."
    severity = "high"
    opened_at = NOW
    due_at = NOW
