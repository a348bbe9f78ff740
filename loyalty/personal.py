"""What loyalty knows about a person: classified, handed out with its reasons, and gone with the customer."""

from django.db import connection
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm.models import Customer
from crm.privacy.registry import Data, Fate, Table
from crm.privacy.sections import Section
from loyalty import explain, scoring
from loyalty.models import Metrics

TABLES = (
    Table(
        "loyalty.Assessment",
        Fate.DELETE,
        {
            Data.JUDGEMENT: "raw_stage stage stage_since failing_since expected_interval reactivated_until active_until"
            " overdue_until at_risk_until contract_until attitude relative_attitude attitude_compared evidence"
            " scores points lock_in bond voluntary_share bond_type loyalty_type",
            Data.BEHAVIOUR: "orders last_order_on base_cycle base_kind",
            Data.TECHNICAL: "rules_version judged_on judged_at",
        },
        gettext_lazy("Judgement"),
        person="customer",
        shown=(
            ("stage", gettext_lazy("Stage")),
            ("stage_since", gettext_lazy("Since")),
            ("loyalty_type", gettext_lazy("Loyalty type")),
            ("attitude", gettext_lazy("Attitude")),
            ("bond", gettext_lazy("Bond")),
            ("lock_in", gettext_lazy("Lock-in")),
            ("judged_on", gettext_lazy("Judged on")),
        ),
    ),
    Table(
        "loyalty.Metrics",
        Fate.DELETE,
        {
            Data.BEHAVIOUR: "orders order_days first_order_on previous_order_on last_order_on value value_year purchases"
            " category_id categories place place_orders contact_id good_contacts takes_part referred strong_acts"
            " medium_acts severe_complaints recorded",
            Data.JUDGEMENT: "satisfaction trust commitment nev involvement comparison nev_form satisfaction_on trust_on"
            " commitment_on nev_on",
        },
        gettext_lazy("Key figures"),
        person="customer",
        shown=(
            ("orders", gettext_lazy("Order days")),
            ("first_order_on", gettext_lazy("First order")),
            ("last_order_on", gettext_lazy("Last order")),
            ("value", gettext_lazy("Value")),
            ("satisfaction", gettext_lazy("Satisfaction")),
            ("trust", gettext_lazy("Trust")),
            ("commitment", gettext_lazy("Commitment")),
            ("nev", gettext_lazy("Net Emotional Value")),
            ("place", gettext_lazy("Usual place")),
            ("recorded", gettext_lazy("Recorded facts")),
        ),
    ),
    Table(
        "loyalty.Transition",
        Fate.DELETE,
        {
            Data.JUDGEMENT: "from_stage to_stage inputs",
            Data.BEHAVIOUR: "happened_on",
            Data.TECHNICAL: "rules_version recorded_at",
        },
        gettext_lazy("Changes of the stage"),
        person="customer",
        order="recorded_at",
        shown=(
            ("happened_on", gettext_lazy("When")),
            ("from_stage", gettext_lazy("From")),
            ("to_stage", gettext_lazy("To")),
            ("inputs", gettext_lazy("Decided by")),
        ),
    ),
    Table(
        "loyalty.Standing",
        Fate.DELETE,
        {Data.JUDGEMENT: "stages statuses bonds bond_scores lock_in_scores"},
        gettext_lazy("Stage, status, bond and scores at past month ends"),
        person="customer",
        shown=(
            ("stages", gettext_lazy("Stages")),
            ("statuses", gettext_lazy("Statuses")),
            ("bonds", gettext_lazy("Bonds")),
            ("bond_scores", gettext_lazy("Classes of the bond's score")),
            ("lock_in_scores", gettext_lazy("Classes of the lock-in's score")),
        ),
    ),
    Table(
        "loyalty.MonthEnd",
        Fate.NOT_OF_CUSTOMERS,
        {Data.NONE: "month place customers counts scores moves purchases layout days rules_version judged_at"},
    ),
    Table(
        "loyalty.StoredFigure",
        Fate.NOT_OF_CUSTOMERS,
        {Data.NONE: "name parameters value as_of computed_at rules_version took_ms wanted_at asked_at"},
    ),
    Table(
        "loyalty.LifetimeValue",
        Fate.DELETE,
        {Data.JUDGEMENT: "orders chance alive order_value value"},
        gettext_lazy("Expected purchases"),
        person="customer",
        shown=(
            ("orders", gettext_lazy("Expected orders")),
            ("chance", gettext_lazy("Chance of another order")),
            ("alive", gettext_lazy("Chance of still being a customer")),
            ("order_value", gettext_lazy("Expected value of an order")),
            ("value", gettext_lazy("Expected value")),
        ),
    ),
    Table(
        "loyalty.LifetimeFit",
        Fate.NOT_OF_CUSTOMERS,
        {
            Data.NONE: "as_of since customers repeaters every parameters spending correlation test_from test_customers"
            " predicted actual hidden value_hidden months margin discount_rate rules_version computed_at took_ms"
        },
    ),
    Table(
        "loyalty.BondCheck",
        Fate.NOT_OF_CUSTOMERS,
        {Data.NONE: "as_of since days customers bought bond bond_error lock_in lock_in_error rules_version computed_at"},
    ),
    Table("loyalty.RuleSet", Fate.NOT_OF_CUSTOMERS, {Data.NONE: "version values created_at note"}),
    Table(
        "loyalty.Calibration",
        Fate.NOT_OF_CUSTOMERS,
        {
            Data.NONE: "id as_of pinned_on customers gaps days kind cycles active overdue at_risk self_calibrated knows"
            " layout rules_version computed_at"
        },
    ),
)


def reasons(customer: Customer) -> list[Section]:
    """Why the person is judged as they are, in whole sentences (Art. 15(1)(h) GDPR)."""
    told = explain.explain(customer) if Metrics.objects.filter(customer=customer).exists() else None
    if told is None:
        return []
    sentences = [told.stage, *told.badges, told.status, told.limits, told.interval, told.attitude, told.type]
    sentences += [told.lock_in, told.bond]
    lines: list[tuple[str, object]] = [(part, "") for part in [*sentences, told.share, told.advice] if part]
    scored = [(one.label, one.score) for one in told.barriers]
    scored += [(f"{one.label}: {line.text}", line.points) for one in told.barriers for line in one.lines]
    lines += [(text, _("unknown") if points is None else points) for text, points in scored]
    return [
        Section("reasons", _("Reasons of the judgement"), [_("Reason"), _("Points")], [list(line) for line in lines])
    ]


def hold_off_judging() -> None:
    """Wait for a judgement that is under way: it would still write about a customer who is just being erased."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [scoring.LOCK])
