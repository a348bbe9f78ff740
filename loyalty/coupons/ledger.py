"""Reserve, redeem, release, void: the steps in the life of a code, each one statement that the database guards.

The guard is the conditional UPDATE together with the CHECK and UNIQUE constraints of `loyalty.models.coupon`; Python only
says what a basket is worth. Every step writes its entry in the same statement, so the ledger cannot lag behind.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson
from django.db import IntegrityError, connection, transaction
from django.db.models import Model, QuerySet
from django.utils.timezone import now

from crm import idempotency, sql
from crm.compiled import compiled
from crm.days import today
from crm.models import Customer, Source, User
from loyalty.coupons import codes, statements, terms
from loyalty.coupons.terms import Basket
from loyalty.models import Coupon, CouponEntry, Redemption

RESERVED_FOR = timedelta(minutes=30)
LONGEST_RESERVATION = timedelta(days=7)
TRIES = 5
PURCHASE_LOCK = 0x636F7570  # "coup": the first half of the advisory lock, a hash of the purchase is the second


class Refused(Exception):
    """The code cannot be used. `reason` is for logs and for staff who may see the code; a caller gets one text for all."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Actor:
    """Who takes a step: a shop or till by its source, a member of staff at the counter, and where."""

    source: Source
    staff: User | None = None
    place: str = ""


@dataclass(frozen=True)
class Call:
    """The call that uses a code, and how it is answered: an object whose first field is the redemption's `id`."""

    claim: idempotency.Claim
    status: int
    answer: Callable[[Redemption], dict[str, Any]]


@dataclass(frozen=True)
class Checked:
    """A code that can be used now, and what it takes off. Checking promises nothing: only a reservation does."""

    coupon: Coupon
    discount: Decimal | None


def find(typed: str) -> Coupon | None:
    """The code that somebody typed or scanned, with its batch. Changes nothing."""
    code = codes.canonical(typed)
    found = _with_batch(code) if code else None
    return found[0] if found else None


@compiled
def _with_batch(code: str) -> QuerySet[Coupon]:
    return Coupon.objects.select_related("batch").filter(code=code)


def check(typed: str, basket: Basket | None = None, customer: Customer | None = None) -> Checked:
    """Whether a code can be used now and what it would take off the basket. Raises Refused."""
    coupon = _usable(find(typed), customer)
    if basket is None:
        return Checked(coupon, None)
    return Checked(coupon, _worth(coupon, basket))


def reserve(
    typed: str, basket: Basket, actor: Actor, *,
    reference: str = "", customer: Customer | None = None, lasting: timedelta = RESERVED_FOR, call: Call | None = None,
) -> Redemption:  # fmt: skip
    """Hold one use while a checkout runs. It is released by itself after `lasting`. Raises Refused, as `redeem`."""
    return _use(typed, basket, actor, reference, customer, now() + min(lasting, LONGEST_RESERVATION), call)


def redeem(
    typed: str, basket: Basket, actor: Actor, *, reference: str = "", customer: Customer | None = None,
    call: Call | None = None,
) -> Redemption:  # fmt: skip
    """Use a code at once. Raises Refused.

    call: claims its key and keeps its answer in the same statement. Refused then may also mean that the key was used
    before, so `idempotency.once` must have the last word on it.
    """
    return _use(typed, basket, actor, reference, customer, None, call)


def redeem_reserved(redemption_id: int, actor: Actor, reference: str = "") -> Redemption:
    """Turn a reservation of the same source into a redemption. Raises Refused for one that is gone or has run out."""
    known = _own(redemption_id, actor)
    with transaction.atomic(), connection.cursor() as cursor:
        if reference and reference != known.reference:
            _alone(cursor, known.coupon, actor, reference)
        parameters = _by(actor) | {"redemption": known.pk, "reference": reference}
        try:
            with transaction.atomic():
                done = sql.rows(cursor, statements.REDEEM_RESERVED, parameters)
        except IntegrityError as error:
            raise Refused("not_combinable") from error
    if not done:
        raise Refused("not_reserved")
    return _fresh(known.pk)


def release(redemption_id: int, actor: Actor, reason: str = "") -> Redemption:
    """Give a reservation or a redemption back as if it had never been. Raises Refused if it stands no longer."""
    known = _own(redemption_id, actor)
    with connection.cursor() as cursor:
        parameters = _by(actor) | {"redemption": known.pk, "reason": reason[:200]}
        if not sql.rows(cursor, statements.RELEASE.format(which=statements.THIS_ONE), parameters):
            raise Refused("not_standing")
    return _fresh(known.pk)


def void(coupon_ids: list[int], actor: Actor, reason: str) -> int:
    """End codes for good; what was redeemed stays redeemed. Answers how many it ended."""
    with connection.cursor() as cursor:
        parameters = _by(actor) | {"coupons": coupon_ids, "reason": reason[:200]}
        return len(sql.rows(cursor, statements.VOID, parameters))


def release_run_out(coupon_id: int | None = None) -> int:
    """Release reservations whose shop never came back: of one code, or of all."""
    parameters: dict[str, Any] = {
        "moment": now(), "coupon": coupon_id, "staff": None, "source": None, "place": "", "reason": "run out",
    }  # fmt: skip
    with connection.cursor() as cursor:
        return len(sql.rows(cursor, statements.RELEASE.format(which=statements.RUN_OUT), parameters))


def expire(most: int = 10_000) -> int:
    """Enter in the ledger which codes ended with their last day. They are refused from midnight on without this."""
    with connection.cursor() as cursor:
        return len(sql.rows(cursor, statements.EXPIRE, {"day": today(), "moment": now(), "most": most}))


def _use(
    typed: str, basket: Basket, actor: Actor, reference: str, customer: Customer | None, until: datetime | None,
    call: Call | None,
) -> Redemption:  # fmt: skip
    coupon = find(typed)
    if coupon is not None and coupon.used >= coupon.uses and release_run_out(coupon.pk):
        coupon = find(typed)
    for _try in range(1 if call else TRIES):
        coupon = _usable(coupon, customer)
        planned = _planned(coupon, basket, actor, reference, customer, until)
        if _write(planned, actor, call):
            return planned
        if coupon.left is None:
            raise Refused("used_up")
        coupon = find(typed)
    raise Refused("used_up")


def _planned(
    coupon: Coupon, basket: Basket, actor: Actor, reference: str, customer: Customer | None, until: datetime | None
) -> Redemption:
    moment, discount = now(), _worth(coupon, basket).quantize(terms.CENT)
    if not discount:
        raise Refused("basket")  # a use would be lost for nothing, such as free delivery of what is taken along
    return Redemption(
        pk=0, coupon=coupon, customer_id=customer.pk if customer else coupon.customer_id,
        state=(Redemption.State.RESERVED if until else Redemption.State.REDEEMED).value, source=actor.source,
        reference=reference, place=actor.place[:60], basket=max(terms.ZERO, basket.total),
        discount=discount, given_back=terms.ZERO.quantize(terms.CENT),
        exclusive=not coupon.batch.combinable, reserved_at=moment if until else None, reserved_until=until,
        redeemed_at=None if until else moment,
    )  # fmt: skip


def _write(planned: Redemption, actor: Actor, call: Call | None) -> bool:
    """The statement, alone among the coupons of its purchase. False if the code moved on in between."""
    coupon, reference = planned.coupon, planned.reference
    parameters = {
        "moment": planned.redeemed_at or planned.reserved_at, "source": actor.source.pk, "staff": _pk(actor.staff),
        "place": planned.place, "coupon": coupon.pk, "customer": planned.customer_id, "day": today(),
        "discount": planned.discount, "basket": planned.basket, "reference": reference, "until": planned.reserved_until,
        "state": planned.state,
    }  # fmt: skip
    if call:
        parameters |= _kept(call, planned)
    try:
        with _transaction(planned), connection.cursor() as cursor, idempotency.patient():
            if reference:
                _alone(cursor, coupon, actor, reference)
            once = statements.USE_ONCE
            found = once.rows(cursor, parameters) if call else sql.rows(cursor, statements.USE, parameters)
    except IntegrityError as error:
        raise Refused(_broken(error)) from error
    if not found:
        return False
    ((planned.pk, coupon.used, coupon.left),) = found
    return True


def _transaction(planned: Redemption) -> AbstractContextManager[None]:
    """None where one statement stands alone. A savepoint costs two round trips, and only limits can make it needed."""
    if not (planned.reference or connection.in_atomic_block):
        return nullcontext()
    batch = planned.coupon.batch
    return transaction.atomic(savepoint=bool(planned.reference or batch.per_customer or batch.budget is not None))


def _kept(call: Call, planned: Redemption) -> dict[str, Any]:
    """The answer around the number that only the statement knows."""
    before, answer = '{"id":', orjson.dumps(call.answer(planned)).decode()
    assert answer.startswith(f"{before}0,")
    return vars(call.claim) | {"status": call.status, "before_id": before, "after_id": answer[len(before) + 1 :]}


def _alone(cursor: Any, coupon: Coupon, actor: Actor, reference: str) -> None:
    """Let coupons of one purchase come one after the other, and refuse one that may not join what is there."""
    source = actor.source.pk
    parameters = [PURCHASE_LOCK, f"{source}:{reference}", source, reference, coupon.pk]
    ((others, exclusive),) = sql.rows(cursor, statements.OTHERS, parameters)
    if others and (exclusive or not coupon.batch.combinable):
        raise Refused("not_combinable")


def _broken(error: IntegrityError) -> str:
    """Which limit the database held."""
    limits = {
        "loyalty_coupon_customer_within_limit": "customer_limit",
        "loyalty_coupon_batch_within_budget": "budget",
        "loyalty_redemption_once_a_purchase": "already_on_purchase",
        "loyalty_redemption_alone": "not_combinable",
    }
    name = getattr(getattr(error.__cause__, "diag", None), "constraint_name", "") or ""
    if name not in limits:
        raise error
    return limits[name]


def _usable(coupon: Coupon | None, customer: Customer | None) -> Coupon:
    """The code, if nothing but its basket can refuse it. Raises Refused with the first thing that does."""
    if coupon is None:
        raise Refused("unknown")
    reason = standing(coupon, today())
    if reason:
        raise Refused(reason)
    if coupon.batch.per_customer and customer is None and coupon.customer_id is None:
        raise Refused("customer_needed")
    return coupon


def standing(coupon: Coupon, day: date) -> str:
    """Why a code cannot be used on a day whatever the basket: a reason's code, or '' if it can."""
    if coupon.voided_at:
        return "voided"
    if coupon.used >= coupon.uses or coupon.left == 0:
        return "used_up"  # before the days: a code that was redeemed in time did not expire
    if coupon.batch.stopped_at:
        return "voided"
    if coupon.valid_until and coupon.valid_until < day:
        return "expired"
    if coupon.valid_from and coupon.valid_from > day:
        return "not_yet"
    return ""


def _worth(coupon: Coupon, basket: Basket) -> Decimal:
    amount = terms.discount(coupon.batch, basket, coupon.left)
    if amount is None:
        raise Refused("basket")
    return amount


def _own(redemption_id: int, actor: Actor) -> Redemption:
    """A redemption that the actor's source made; another source's is as good as unknown."""
    known = Redemption.objects.select_related("coupon__batch").filter(pk=redemption_id, source=actor.source).first()
    if known is None:
        raise Refused("unknown")
    return known


def _fresh(redemption_id: int) -> Redemption:
    return Redemption.objects.select_related("coupon__batch").get(pk=redemption_id)


def _by(actor: Actor) -> dict[str, Any]:
    return {"moment": now(), "source": actor.source.pk, "staff": _pk(actor.staff), "place": actor.place[:60]}


def _pk(row: Model | None) -> Any:
    return row.pk if row else None


def history(coupon: Coupon) -> list[CouponEntry]:
    """Every step of a code, oldest first, with who took it."""
    return list(coupon.entries.select_related("redemption__purchase", "staff", "source").order_by("pk"))
