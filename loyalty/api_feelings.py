"""GET /api/v1/customers/<external_id>/feelings: what a customer feels, what moves them, how deep it goes, and why."""

from decimal import Decimal
from typing import Any, cast

from django.conf import settings
from django.utils.translation import get_language
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response as Answer
from rest_framework.views import APIView

from crm import emotions
from crm.days import day_of, shop_zone
from crm.models import ApiKey, Customer
from loyalty import motivators, nev_customer, phase, rules, scoring
from loyalty.api import NAME, customer_of
from loyalty.facts import listed
from loyalty.motivator_list import BY_CODE
from loyalty.motivators import Evidence, Profile
from loyalty.nev_customer import CustomerValue, Response, Tagged

REASONS = "Whole sentences: how it came about, what is unknown, and how to come to know it."
SCALE = "−10 to +10; null while unknown."


class TaggedShape(serializers.Serializer):
    value = serializers.FloatField(allow_null=True, help_text="−100 to +100; null without a tag.")
    contacts = serializers.IntegerField(help_text="Contacts with a tag within the window.")


class ResponseShape(serializers.Serializer):
    on = serializers.DateField(help_text="Its day in the shop's time zone.")
    value = serializers.FloatField(help_text="−10 to +10: mean of the positive less mean of the destroying emotions.")
    touchpoint = serializers.CharField(help_text="About which touchpoint; empty where none was named.")
    url = serializers.CharField(help_text="Where staff see it.")


class NevShape(serializers.Serializer):
    form = serializers.ChoiceField(["", "full", "short"], help_text="Of which form; the two are never mixed.")
    value = serializers.FloatField(allow_null=True, help_text=f"Smoothed. {SCALE}")
    mean = serializers.FloatField(allow_null=True, help_text=f"Of the own answers. {SCALE}")
    half_width = serializers.FloatField(
        allow_null=True, help_text="Half the 95 % interval of the mean; null below two answers."
    )
    answers = serializers.IntegerField(help_text="Valid sheets within the window.")
    latest = serializers.FloatField(allow_null=True, help_text=f"The latest answer, unsmoothed. {SCALE}")
    shop = serializers.FloatField(allow_null=True, help_text=f"The shop's mean of the same form. {SCALE}")
    k = serializers.FloatField(allow_null=True, help_text="Thought-of average answers that join, 1 to 10.")
    clusters = serializers.DictField(child=serializers.FloatField(allow_null=True), help_text="0 to 10 each.")
    tags = TaggedShape(help_text="Said by the customer.")
    estimated = TaggedShape(help_text="Estimated by the team; counts nowhere.")
    responses = ResponseShape(many=True, help_text="The answers that make it, the newest first.")
    reasons = serializers.ListField(child=serializers.CharField(), help_text=REASONS)


class EvidenceShape(serializers.Serializer):
    motivator = serializers.ChoiceField(list(BY_CODE), help_text="Which motivator.")
    label = serializers.CharField(help_text=NAME)  # type: ignore[assignment]
    importance = serializers.IntegerField(help_text="0 to 10.")
    fulfilment = serializers.IntegerField(allow_null=True, help_text="0 to 10; null if nobody asked.")
    top = serializers.BooleanField(help_text="Among their three most important.")
    gap = serializers.BooleanField(help_text="Important (8 or more) and not fulfilled (5 or less).")
    recorded_at = serializers.DateTimeField(help_text="When it was said or noted.")


class MotivatorsShape(serializers.Serializer):
    connected = serializers.BooleanField(allow_null=True, help_text="null while unknown.")
    said = EvidenceShape(many=True, help_text="By themselves within 24 months, the most important first.")
    noted = EvidenceShape(many=True, help_text="By staff; counts nowhere.")
    reasons = serializers.ListField(child=serializers.CharField(), help_text=REASONS)


class PhaseShape(serializers.Serializer):
    code = serializers.ChoiceField(["", *phase.PHASES], help_text="Information only; empty while unknown.")
    label = serializers.CharField(help_text=NAME)  # type: ignore[assignment]
    reasons = serializers.ListField(child=serializers.CharField(), help_text=REASONS)


class FeelingsShape(serializers.Serializer):
    customer = serializers.CharField(help_text="Your number of the customer.")
    day = serializers.DateField(help_text="The day for which all of it holds.")
    rules_version = serializers.IntegerField(help_text="The version of the rules that says how far back answers count.")
    window_days = serializers.IntegerField(help_text="How far back answers count.")
    language = serializers.ChoiceField(["de", "en"], help_text="Of the sentences, as Accept-Language asked.")
    nev = NevShape()
    motivators = MotivatorsShape()
    phase = PhaseShape()


class CustomerFeelings(APIView):
    """What a customer of the key's own source feels, and why we think so."""

    access = "scope:customers:read"

    @extend_schema(
        operation_id="customer_feelings",
        summary="Net Emotional Value, motivators and depth of loyalty of a customer, with reasons",
        parameters=[OpenApiParameter("Accept-Language", str, OpenApiParameter.HEADER, enum=["de", "en"])],
        description=(
            "The value as shown, smoothed; the own mean and the latest answer as they are; each answer that counts with its "
            "day; what moves them, by their own words and by notes of the staff; how deep their loyalty goes. What is "
            "unknown is null, and the reasons say how to come to know it."
        ),
        responses={200: FeelingsShape},
    )
    def get(self, request: Request, external_id: str) -> Answer:
        customer = customer_of(cast(ApiKey, request.auth).source, external_id)
        return Answer({"customer": external_id} | feelings(customer))


def feelings(customer: Customer) -> dict[str, Any]:
    """All of it as plain values, in the active language."""
    felt, moved = nev_customer.of_customer(customer), motivators.of_customer(customer)
    depth = phase.of_customer(customer, felt)
    return {
        "day": scoring.shown_day(),
        "rules_version": rules.current().version,
        "window_days": felt.window,
        "language": (get_language() or "en")[:2],
        "nev": value(felt) | {"responses": [response(customer, one) for one in felt.responses]},
        "motivators": moves(moved),
        "phase": {"code": depth.code, "label": str(depth.label), "reasons": list(depth.reasons)},
    }


def value(felt: CustomerValue) -> dict[str, Any]:
    return {
        "form": felt.form,
        "value": number(felt.value),
        "mean": number(felt.mean),
        "half_width": felt.half,
        "answers": len(felt.responses),
        "latest": number(felt.latest.value if felt.latest else None),
        "shop": number(felt.shop.mean if felt.shop else None),
        "k": number(felt.k),
        "clusters": {cluster: number(felt.clusters[cluster]) for cluster in emotions.CLUSTERS},
        "tags": tagged(felt.said),
        "estimated": tagged(felt.estimated),
        "reasons": felt.reasons,
    }


def response(customer: Customer, one: Response) -> dict[str, Any]:
    return {
        "on": day_of(one.at, shop_zone()),
        "value": number(one.value),
        "touchpoint": one.touchpoint,
        "url": settings.PUBLIC_BASE_URL + listed(customer, "voice"),
    }


def number(exact: Decimal | None) -> float | None:
    return None if exact is None else round(float(exact), 4)


def tagged(found: Tagged) -> dict[str, Any]:
    return {"value": number(found.value), "contacts": found.contacts}


def moves(found: Profile) -> dict[str, Any]:
    return {
        "connected": found.connected,
        "said": [evidence(one) for one in found.said],
        "noted": [evidence(one) for one in found.noted],
        "reasons": found.reasons,
    }


def evidence(one: Evidence) -> dict[str, Any]:
    return {
        "motivator": one.motivator.code,
        "label": str(one.motivator.label),
        "importance": one.importance,
        "fulfilment": one.fulfilment,
        "top": one.top,
        "gap": one.gap,
        "recorded_at": one.at,
    }
