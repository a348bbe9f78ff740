"""Net Emotional Value of one customer: the latest answer as it is, and their mean pulled towards the shop's.

Pages show the pulled value, because few answers are mostly chance; alerts look at the raw latest answer.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crm import display, emotions
from crm.days import day_of, shop_zone
from crm.models import Answer, Customer, Interaction, InteractionEmotion
from crm.presence import needs
from loyalty import figures, nev, rules, scoring, students_t


@dataclass(frozen=True)
class Response:
    """One valid sheet: value −10 to +10, the means of its clusters, where and when."""

    value: Decimal
    clusters: dict[str, Decimal | None]
    form: str
    touchpoint: str
    at: datetime


@dataclass(frozen=True)
class Tagged:
    """Contacts with tags: how many, and 100 × the mean of their values, −100 to +100 (NEV-T)."""

    contacts: int
    value: Decimal | None


@dataclass(frozen=True)
class CustomerValue:
    """What is known of one customer's feelings within the window.

    form: full, else short, '' without a valid sheet; responses of that form, newest first; mean, half: of the own
    responses, half the interval from two on; value: pulled towards the shop's mean with k thought-of answers, None
    without an own answer or while the shop's mean is not computed; incomplete: sheets with too few emotions answered.
    """

    window: int
    form: str
    responses: tuple[Response, ...]
    mean: Decimal | None
    half: float | None
    value: Decimal | None
    k: Decimal | None
    shop: nev.Group | None
    clusters: dict[str, Decimal | None]
    said: Tagged
    estimated: Tagged
    incomplete: int
    other_form: int

    @property
    def latest(self) -> Response | None:
        return self.responses[0] if self.responses else None

    @property
    def reasons(self) -> list[str]:
        """How the value came about, in whole sentences."""
        return [sentence for sentence in (_value_sentence(self), *_notes(self)) if sentence]


def of_customer(customer: Customer) -> CustomerValue:
    """One customer's value on the day that is shown: a fixed number of queries."""
    window, day, zone = rules.current().nev_window_days, scoring.shown_day(), shop_zone()
    first = day - timedelta(days=window)
    sheets: dict[tuple[Any, str], list[Answer]] = defaultdict(list)
    for answer in _ratings(customer, first):
        if first < day_of(answer.answered_at, zone) <= day:
            sheets[answer.response, answer.form].append(answer)
    valid = [response for response in map(_response, sheets.values()) if response]
    form = nev.FULL if any(one.form == nev.FULL for one in valid) else nev.SHORT if valid else ""
    responses = tuple(one for one in valid if one.form == form)
    shop, k = _shop(form) if form else (None, None)
    mean = sum((one.value for one in responses), Decimal()) / len(responses) if responses else None
    known = mean is not None and shop is not None and shop.mean is not None and k is not None
    return CustomerValue(
        window=window,
        form=form,
        responses=responses,
        mean=mean,
        half=_half(responses),
        value=nev.shrunk(len(responses), mean, shop.mean, k) if known else None,  # type: ignore[arg-type, union-attr]
        k=k,
        shop=shop,
        clusters=_clusters(responses),
        said=_tagged(customer, first, day, own=True),
        estimated=_tagged(customer, first, day, own=False),
        incomplete=len(sheets) - len(valid),
        other_form=len(valid) - len(responses),
    )


@needs(Answer)
def _ratings(customer: Customer, first: date) -> Sequence[Answer]:
    found = Answer.objects.filter(customer=customer, item__startswith="nev_", origin=Answer.Origin.CUSTOMER_SELF)
    return list(found.filter(answered_at__gt=_before(first)).order_by("-answered_at", "response", "pk"))


def _before(first: date) -> datetime:
    """An instant before every instant of the day after `first`, in any zone."""
    return datetime.combine(first - timedelta(days=1), time(), UTC)


def _response(sheet: Sequence[Answer]) -> Response | None:
    ratings = {answer.item.removeprefix("nev_"): answer.value for answer in sheet}
    value = emotions.survey_value(ratings, sheet[0].form)
    if value is None:
        return None
    touchpoint = max(answer.touchpoint for answer in sheet)
    return Response(value, emotions.cluster_means(ratings), sheet[0].form, touchpoint, sheet[0].answered_at)


def _shop(form: str) -> tuple[nev.Group | None, Decimal | None]:
    """The shop's mean of the same form and k, from the stored figure."""
    stored = figures.show("nev_shop").value
    return (stored and nev.shop(stored, form)) or (None, None)


def _half(responses: Sequence[Response]) -> float | None:
    n = len(responses)
    if n < 2:
        return None
    values = [float(one.value) for one in responses]
    mean = sum(values) / n
    spread = (sum((value - mean) ** 2 for value in values) / (n - 1)) ** 0.5
    return students_t.half_width(n, spread)


def _clusters(responses: Sequence[Response]) -> dict[str, Decimal | None]:
    means: dict[str, Decimal | None] = {}
    for cluster in emotions.CLUSTERS:
        known = [value for one in responses if (value := one.clusters[cluster]) is not None]
        means[cluster] = sum(known, Decimal()) / len(known) if known else None
    return means


@needs(Interaction)
def _tags(customer: Customer, first: date) -> Sequence[tuple[Any, ...]]:
    tags = InteractionEmotion.objects.filter(
        interaction__customer=customer, interaction__occurred_at__gt=_before(first)
    )
    return list(tags.values_list("interaction_id", "interaction__occurred_at", "emotion", "origin"))


def _tagged(customer: Customer, first: date, day: date, *, own: bool) -> Tagged:
    zone, felt = shop_zone(), defaultdict(list)
    for contact, at, emotion, origin in _tags(customer, first):
        said = origin == InteractionEmotion.Origin.CUSTOMER_SELF
        if said == own and first < day_of(at, zone) <= day:
            felt[contact].append(emotion)
    values = [value for codes in felt.values() if (value := emotions.tag_value(codes)) is not None]
    return Tagged(len(values), 100 * sum(values, Decimal()) / len(values) if values else None)


def _value_sentence(found: CustomerValue) -> str:
    if not found.responses:
        return _(
            "Nobody has asked this customer how they feel, or they did not answer enough: the value is unknown. Send a "
            "survey, or ask and record the answers."
        )
    n = len(found.responses)
    own = ngettext("%(n)s own answer", "%(n)s own answers", n) % {"n": display.number(n)}
    if found.value is None or found.k is None or found.shop is None:
        return _("Mean of %(own)s; the shop's own mean is not computed yet.") % {"own": own}
    whole = found.k == found.k.to_integral_value()
    k = display.number(found.k, 0 if whole else 1)
    thought = ngettext("%(k)s thought-of average answer", "%(k)s thought-of average answers", 1 if found.k == 1 else 2)
    named = {"value": display.signed(found.value, 1), "own": own, "thought": thought % {"k": k}}
    return _("Smoothed %(value)s: mean of %(own)s and %(thought)s.") % named


def _notes(found: CustomerValue) -> list[str]:
    """What was left out, and why."""
    notes = []
    if found.incomplete:
        n = found.incomplete
        notes.append(
            ngettext(
                "%(n)s sheet has too few emotions answered and does not count.",
                "%(n)s sheets have too few emotions answered and do not count.",
                n,
            )
            % {"n": display.number(n)}
        )
    if found.other_form:
        n = found.other_form
        notes.append(
            ngettext(
                "%(n)s answer to the short form is not mixed with the full one.",
                "%(n)s answers to the short form are not mixed with the full one.",
                n,
            )
            % {"n": display.number(n)}
        )
    return notes
