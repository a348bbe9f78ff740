"""The smallest valid rows. A test says only what matters to it."""

from datetime import UTC, datetime, timedelta

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


class AnswerFactory(DjangoModelFactory):
    """A customer's own answer on a sheet of its own."""

    class Meta:
        model = models.Answer

    customer = factory.SubFactory(CustomerFactory)
    response = factory.Faker("uuid4")
    item = "csat"
    value = 8
    answered_at = NOW


class InteractionFactory(DjangoModelFactory):
    class Meta:
        model = models.Interaction

    customer = factory.SubFactory(CustomerFactory)
    channel = "shop"
    touchpoint = "advice"
    occurred_at = NOW


class ParticipationFactory(DjangoModelFactory):
    class Meta:
        model = models.Participation

    customer = factory.SubFactory(CustomerFactory)
    kind = "gathering"
    title = "Tasting"
    occurred_at = NOW


class AdvocacyActFactory(DjangoModelFactory):
    class Meta:
        model = models.AdvocacyAct

    customer = factory.SubFactory(CustomerFactory)
    kind = "own_review"
    occurred_at = NOW


class BarrierFactFactory(DjangoModelFactory):
    """A signal that staff recorded; yes unless a value is given."""

    class Meta:
        model = models.BarrierFact

    customer = factory.SubFactory(CustomerFactory)
    signal = "exit_fee"
    value = 1
    recorded_at = NOW


class AssessmentFactory(DjangoModelFactory):
    """A judgement without scoring, for what only reads judgements."""

    class Meta:
        model = "loyalty.Assessment"

    customer = factory.SubFactory(CustomerFactory)
    stage = "repeat"
    raw_stage = factory.SelfAttribute("stage")
    orders = 2
    expected_interval = 45
    base_cycle = 45
    base_kind = "shop"
    attitude_compared = False
    evidence = 0
    points = factory.LazyFunction(list)
    scores = factory.LazyFunction(list)
    loyalty_type = "undetermined"
    rules_version = 1
    judged_on = NOW.date()


class CampaignFactory(DjangoModelFactory):
    """A launched mailing with a short text."""

    class Meta:
        model = "campaigns.Campaign"

    recipe = "newsletter"
    name = factory.Sequence("Mailing {}".format)
    status = "running"
    send_at = NOW
    launched_at = NOW
    template_version = factory.LazyFunction(lambda: _first_version())


class DeliveryFactory(DjangoModelFactory):
    """One intended mail of a campaign."""

    class Meta:
        model = "campaigns.Delivery"

    campaign = factory.SubFactory(CampaignFactory)
    customer = factory.SubFactory(CustomerFactory)
    template_version = factory.SelfAttribute("campaign.template_version")
    recipe = factory.SelfAttribute("campaign.recipe")
    message_class = "advertising"
    purpose = "newsletter"
    dedupe_key = factory.Sequence("test:{}".format)
    not_before = NOW
    not_after = NOW + timedelta(days=3)


def _first_version() -> object:
    from campaigns import recipes

    return recipes.first_version(recipes.everything()["newsletter"])
