"""GET /api/v1/customers/<external_id>/judgement: where a customer stands, with every part and its reasons."""

from collections.abc import Iterable
from typing import Any, cast

from django.conf import settings
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm.models import ApiKey, Customer, CustomerKey, Source
from loyalty import badges, explain
from loyalty.bonds import Scored
from loyalty.conditions import Said
from loyalty.explain import Explanation, Part
from loyalty.facts import Fact
from loyalty.judging import PARTS
from loyalty.models import Assessment
from loyalty.reasons import Line
from loyalty.stages import STAGES
from loyalty.status import Status

SCORE = "0 to 100; null while unknown."
NAME = "Its name in the language of the sentences."


class FactShape(serializers.Serializer):
    text = serializers.CharField(help_text="What happened, in words; may be empty where its day says enough.")
    on = serializers.DateField(allow_null=True, help_text="Its day in the shop's time zone.")
    url = serializers.CharField(help_text="Where staff see it; empty for nowhere.")


class ConditionShape(serializers.Serializer):
    code = serializers.CharField(help_text="Which condition; new ones may come.")
    state = serializers.ChoiceField(["met", "missing", "unknown"], help_text="unknown: no fact tells.")
    text = serializers.CharField(help_text="The condition with its figures; while not met, what is missing.")
    facts = FactShape(many=True, help_text="Up to three behind it, the newest first.")


class ActionShape(serializers.Serializer):
    code = serializers.CharField(help_text="Which step; new ones may come.")
    label = serializers.CharField(help_text="The step in words.")  # type: ignore[assignment]


class NextShape(serializers.Serializer):
    code = serializers.ChoiceField([stage.code for stage in STAGES], help_text="The stage above.")
    label = serializers.CharField(help_text=NAME)  # type: ignore[assignment]
    sentence = serializers.CharField(help_text="What is missing.")
    conditions = ConditionShape(many=True)
    action = ActionShape(allow_null=True, help_text="The one step that helps. Never one that makes leaving harder.")


class StageShape(serializers.Serializer):
    code = serializers.ChoiceField([stage.code for stage in STAGES], help_text="Shown: falls only late.")
    label = serializers.CharField(help_text=NAME)  # type: ignore[assignment]
    raw = serializers.ChoiceField([stage.code for stage in STAGES], help_text="What facts and date say today.")
    since = serializers.DateField(
        allow_null=True, help_text="null where nothing tells it: loyal or ambassador at the first judgement."
    )
    sentence = serializers.CharField(help_text="The stage with its day; “last” while lapsed.")
    badges = serializers.ListField(child=serializers.CharField(), help_text="Short warnings beside the stage.")
    conditions = ConditionShape(many=True)
    next = NextShape(allow_null=True)


class StatusShape(serializers.Serializer):
    code = serializers.ChoiceField(["", *Status.values], help_text="Empty without an order.")
    label = serializers.CharField(help_text=NAME)  # type: ignore[assignment]
    overdue_ratio = serializers.FloatField(
        allow_null=True, help_text="Days since the last order / expected interval, 0 or more; null without an order."
    )
    expected_interval = serializers.FloatField(help_text="Days from one order to the next, above 0.")
    last_order_on = serializers.DateField(allow_null=True, help_text="Day of the last valid order; null without one.")
    sentence = serializers.CharField(help_text="Why this status holds.")
    limits = serializers.CharField(
        help_text="Up to which ratio each status goes; empty without an order or by contract."
    )
    interval = serializers.CharField(help_text="How the expected interval came about.")


class PartShape(serializers.Serializer):
    code = serializers.ChoiceField(PARTS, help_text="Which part of the attitude.")
    label = serializers.CharField(help_text=NAME)  # type: ignore[assignment]
    value = serializers.FloatField(allow_null=True, help_text=SCORE + " Newer answers weigh more.")
    weight = serializers.FloatField(help_text="0 to 100, beside those of the other known parts.")
    facts = FactShape(many=True, help_text="Up to three answers behind it, the newest first.")


class AttitudeShape(serializers.Serializer):
    value = serializers.FloatField(allow_null=True, help_text=SCORE)
    relative = serializers.FloatField(allow_null=True, help_text=SCORE)
    compared = serializers.BooleanField(help_text="False: relative is the attitude itself, nobody compared.")
    evidence = serializers.IntegerField(help_text="0 to 4: parts with a fresh answer of the customer's own.")
    sentence = serializers.CharField(help_text="What it rests on, or how to come to know it.")
    comparison = serializers.FloatField(allow_null=True, help_text="With other shops, as answered. " + SCORE)
    comparison_facts = FactShape(many=True, help_text="Up to three answers behind it, −3 to +3.")
    parts = PartShape(many=True, help_text="Satisfaction, trust, commitment, NEV and involvement, known or not.")


class LineShape(serializers.Serializer):
    code = serializers.CharField(help_text="Which signal; new ones may come.")
    text = serializers.CharField(help_text="The signal with its figures and days.")
    points = serializers.FloatField(
        allow_null=True, help_text="0 to `most`; null while unknown, `learn` then says how to know it."
    )
    most = serializers.FloatField(help_text="Points that the rules give at most.")
    learn = serializers.CharField(help_text="How to come to know it; empty while known.")
    facts = FactShape(many=True, help_text="Up to three behind it, the newest first.")


class BarrierShape(serializers.Serializer):
    code = serializers.CharField(help_text="Which barrier; new ones may come.")
    label = serializers.CharField(help_text=NAME)  # type: ignore[assignment]
    sign = serializers.ChoiceField([-1, 1], help_text="−1 holds against the will, +1 is stayed for.")
    score = serializers.FloatField(allow_null=True, help_text=SCORE)
    weight = serializers.FloatField(
        help_text="0 to 1. sign −1: how far its points count; sign +1: the share of the gap to 100 that it may close."
    )
    known = serializers.IntegerField(help_text="Signals known, of the lines listed.")
    lines = LineShape(many=True, help_text="Every signal, also the unknown ones.")


class ValueShape(serializers.Serializer):
    value = serializers.FloatField(allow_null=True, help_text=SCORE)
    sentence = serializers.CharField(help_text="How it came about, or why it is unknown.")


class BondTypeShape(serializers.Serializer):
    code = serializers.ChoiceField(["", *Assessment.BondType.values], help_text="Empty while unknown.")
    label = serializers.CharField(help_text=NAME)  # type: ignore[assignment]
    advice = serializers.CharField(help_text="What to do, never to hold anybody against their will.")


class LoyaltyTypeShape(serializers.Serializer):
    code = serializers.ChoiceField(Assessment.LoyaltyType.values, help_text="Behaviour by attitude (Dick & Basu).")
    label = serializers.CharField(help_text=NAME)  # type: ignore[assignment]
    sentence = serializers.CharField(help_text="Why; empty without an order.")


class JudgementShape(serializers.Serializer):
    customer = serializers.CharField(help_text="Your number of the customer.")
    day = serializers.DateField(help_text="The day for which the judgement holds.")
    judged_at = serializers.DateTimeField(help_text="When the stored judgement last changed.")
    rules_version = serializers.IntegerField(help_text="The version of weights and thresholds that judged, from 1.")
    language = serializers.ChoiceField(["de", "en"], help_text="Of the sentences, as Accept-Language asked.")
    stage = StageShape()
    status = StatusShape()
    loyalty_type = LoyaltyTypeShape()
    attitude = AttitudeShape()
    barriers = BarrierShape(many=True)
    lock_in = ValueShape(help_text="How far they would have to stay.")
    bond = ValueShape(help_text="How far they want to stay.")
    voluntary_share = ValueShape(
        help_text="Bond / (bond + lock-in), in percent; null while both together are too small."
    )
    bond_type = BondTypeShape()


class CustomerJudgement(APIView):
    """Where a customer of the key's own source stands, and why."""

    access = "scope:customers:read"

    @extend_schema(
        operation_id="customer_judgement",
        summary="Where a customer stands, with every part and its reasons",
        description=(
            "Stage, status, type of loyalty, attitude, barriers, lock-in and bond, each with the facts and points that "
            "made it, what is unknown and how to learn it, what is missing for the next stage and what helps. Sentences "
            "in German or English by Accept-Language. The scores advise; nothing may be decided by them alone."
        ),
        parameters=[OpenApiParameter("Accept-Language", str, OpenApiParameter.HEADER, enum=["de", "en"])],
        responses={200: JudgementShape},
    )
    def get(self, request: Request, external_id: str) -> Response:
        customer = customer_of(cast(ApiKey, request.auth).source, external_id)
        told = explain.explain(customer)
        if told is None:
            raise NotFound(_("This customer is not judged yet. New customers are within a minute; ask again then."))
        return Response({"customer": external_id} | judgement(told))


def customer_of(source: Source, external_id: str) -> Customer:
    """The customer whom a source knows by its number, or the one they were merged into. Raises NotFound."""
    keys = CustomerKey.objects.select_related("customer__merged_into").filter(source=source, external_id=external_id)
    key = keys.first()
    if key is None or key.customer.erased_at:
        raise NotFound(_("Your system has brought no customer with this number."))
    return key.customer.merged_into or key.customer


def judgement(told: Explanation) -> dict[str, Any]:
    """An explanation as plain values, in the active language."""
    judged = told.assessment
    return {
        "day": told.day,
        "judged_at": judged.judged_at,
        "rules_version": told.rules_version,
        "language": (get_language() or "en")[:2],
        "stage": stage(told),
        "status": status(told),
        "loyalty_type": {
            "code": judged.loyalty_type,
            "label": str(judged.get_loyalty_type_display()),
            "sentence": told.type,
        },
        "attitude": attitude(told),
        "barriers": [barrier(one) for one in told.barriers],
        "lock_in": {"value": judged.lock_in, "sentence": told.lock_in},
        "bond": {"value": judged.bond, "sentence": told.bond},
        "voluntary_share": {"value": judged.voluntary_share, "sentence": told.share},
        "bond_type": {
            "code": judged.bond_type,
            "label": str(judged.get_bond_type_display()) if judged.bond_type else "",
            "advice": told.advice,
        },
    }


def stage(told: Explanation) -> dict[str, Any]:
    judged, above = told.assessment, told.next
    return {
        "code": judged.stage,
        "label": str(badges.STAGE_NAMES[judged.stage]),
        "raw": judged.raw_stage,
        "since": told.since,
        "sentence": told.stage,
        "badges": told.badges,
        "conditions": conditions(told.conditions),
        "next": above
        and {
            "code": above.stage.code,
            "label": str(above.stage.label),
            "sentence": above.sentence,
            "conditions": conditions(above.conditions),
            "action": above.action and {"code": above.action.code, "label": str(above.action.label)},
        },
    }


def status(told: Explanation) -> dict[str, Any]:
    judged = told.assessment
    code = judged.status_on(told.day)
    return {
        "code": code,
        "label": str(Status(code).label) if code else "",
        "overdue_ratio": judged.overdue_ratio_on(told.day),
        "expected_interval": judged.expected_interval,
        "last_order_on": judged.last_order_on,
        "sentence": told.status,
        "limits": told.limits,
        "interval": told.interval,
    }


def attitude(told: Explanation) -> dict[str, Any]:
    judged = told.assessment
    return {
        "value": judged.attitude,
        "relative": judged.relative_attitude,
        "compared": judged.attitude_compared,
        "evidence": judged.evidence,
        "sentence": told.attitude,
        "comparison": told.metrics.comparison,
        "comparison_facts": facts(told.compared),
        "parts": [part(one) for one in told.parts],
    }


def part(one: Part) -> dict[str, Any]:
    return {
        "code": one.code,
        "label": one.label,
        "value": one.value,
        "weight": one.weight,
        "facts": facts(one.facts),
    }


def barrier(one: Scored) -> dict[str, Any]:
    return {
        "code": one.code,
        "label": one.label,
        "sign": one.sign,
        "score": one.score,
        "weight": one.weight,
        "known": one.known,
        "lines": [line(each) for each in one.lines],
    }


def line(one: Line) -> dict[str, Any]:
    named = {name: getattr(one, name) for name in ("code", "text", "points", "most", "learn")}
    return named | {"facts": facts(one.facts)}


def conditions(found: Iterable[Said]) -> list[dict[str, Any]]:
    return [{"code": one.code, "state": one.state, "text": one.text, "facts": facts(one.facts)} for one in found]


def facts(found: Iterable[Fact]) -> list[dict[str, Any]]:
    return [
        {"text": one.text, "on": one.day, "url": settings.PUBLIC_BASE_URL + one.url if one.url else ""} for one in found
    ]
