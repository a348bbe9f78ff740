"""Reserve, redeem, release, void: the steps in the life of a code, each one statement that the database guards.

The guard is the conditional UPDATE together with the CHECK and UNIQUE constraints of `loyalty.models.coupon`; Python only
says what a basket is worth. Every step writes its entry in the same statement, so the ledger cannot lag behind.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import Model
from django.utils.timezone import now

from crm import sql
from crm.days import today
from crm.models import Customer, Source, User
from loyalty.coupons import codes, terms
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
class Checked:
    """A code that can be used now, and what it takes off. Checking promises nothing: only a reservation does."""

    coupon: Coupon
    discount: Decimal | None


# One use: the code, the customer's limit and the budget move together or not at all. A limit that is used up fails its
# CHECK, and with it the whole statement.
USE = """
WITH coupon AS (
  UPDATE loyalty_coupon c SET used = c.used + 1, "left" = c."left" - %(discount)s
  FROM loyalty_couponbatch b
  WHERE c.id = %(coupon)s AND b.id = c.batch_id AND b.stopped_at IS NULL AND c.voided_at IS NULL AND c.used < c.uses
    AND (c.valid_from IS NULL OR c.valid_from <= %(day)s) AND (c.valid_until IS NULL OR c.valid_until >= %(day)s)
    AND (c."left" IS NULL OR c."left" >= %(discount)s AND c."left" > 0)
    AND (b.per_customer IS NULL OR %(customer)s::bigint IS NOT NULL)
  RETURNING c.id, c.batch_id, c.used, c."left", b.per_customer, b.budget, b.combinable),
counted AS (
  INSERT INTO loyalty_couponcustomer AS counter (batch_id, customer_id, used, most)
  SELECT batch_id, %(customer)s, 1, per_customer FROM coupon WHERE per_customer IS NOT NULL
  ON CONFLICT (batch_id, customer_id) DO UPDATE SET used = counter.used + 1, most = excluded.most),
budgeted AS (
  UPDATE loyalty_couponbatch b SET spent = b.spent + %(discount)s
  FROM coupon WHERE b.id = coupon.batch_id AND coupon.budget IS NOT NULL),
made AS (
  INSERT INTO loyalty_redemption (coupon_id, customer_id, state, source_id, reference, place, basket, discount, given_back,
    exclusive, reserved_at, reserved_until, redeemed_at)
  SELECT id, %(customer)s, %(state)s, %(source)s, %(reference)s, %(place)s, %(basket)s, %(discount)s, 0,
    NOT combinable, CASE WHEN %(state)s = 'reserved' THEN %(moment)s END, %(until)s,
    CASE WHEN %(state)s = 'redeemed' THEN %(moment)s END FROM coupon
  RETURNING id, coupon_id, discount, basket),
entered AS (
  INSERT INTO loyalty_couponentry (coupon_id, redemption_id, step, amount, staff_id, source_id, place, reason, at)
  SELECT coupon_id, id, %(state)s, %(discount)s, %(staff)s, %(source)s, %(place)s, '', %(moment)s FROM made)
SELECT made.id, made.discount, made.basket, coupon.used, coupon."left" FROM made JOIN coupon ON coupon.id = made.coupon_id"""

REDEEM_RESERVED = """
WITH made AS (
  UPDATE loyalty_redemption SET state = 'redeemed', redeemed_at = %(moment)s, reserved_until = NULL,
    reference = CASE WHEN %(reference)s = '' THEN reference ELSE %(reference)s END
  WHERE id = %(redemption)s AND state = 'reserved' AND reserved_until > %(moment)s
  RETURNING id, coupon_id, discount)
INSERT INTO loyalty_couponentry (coupon_id, redemption_id, step, amount, staff_id, source_id, place, reason, at)
SELECT coupon_id, id, 'redeemed', discount, %(staff)s, %(source)s, %(place)s, '', %(moment)s FROM made
RETURNING redemption_id"""

# What a reservation or a redemption took is given back: the use, the amount, the customer's count, the budget.
RELEASE = """
WITH ended AS (
  UPDATE loyalty_redemption r SET state = 'released', ended_at = %(moment)s, reserved_until = NULL
  WHERE {which} RETURNING r.id, r.coupon_id, r.customer_id, r.discount, r.given_back),
sums AS (
  SELECT coupon_id, count(*) AS n, sum(discount - given_back) AS amount FROM ended GROUP BY coupon_id),
coupon AS (
  UPDATE loyalty_coupon c SET used = c.used - sums.n, "left" = c."left" + sums.amount
  FROM sums WHERE c.id = sums.coupon_id RETURNING c.id),
counted AS (
  UPDATE loyalty_couponcustomer k SET used = k.used - e.n
  FROM (SELECT c.batch_id, ended.customer_id, count(*) AS n FROM ended JOIN loyalty_coupon c ON c.id = ended.coupon_id
    GROUP BY 1, 2) e
  WHERE k.batch_id = e.batch_id AND k.customer_id = e.customer_id),
budgeted AS (
  UPDATE loyalty_couponbatch b SET spent = b.spent - e.amount
  FROM (SELECT c.batch_id, sum(discount - given_back) AS amount FROM ended JOIN loyalty_coupon c ON c.id = ended.coupon_id
    GROUP BY 1) e
  WHERE b.id = e.batch_id AND b.budget IS NOT NULL)
INSERT INTO loyalty_couponentry (coupon_id, redemption_id, step, amount, staff_id, source_id, place, reason, at)
SELECT coupon_id, id, 'released', given_back - discount, %(staff)s, %(source)s, %(place)s, %(reason)s, %(moment)s FROM ended
RETURNING redemption_id"""
THIS_ONE = "r.id = %(redemption)s AND r.state IN ('reserved', 'redeemed')"
RUN_OUT = "r.state = 'reserved' AND r.reserved_until <= %(moment)s AND (%(coupon)s::bigint IS NULL OR r.coupon_id = %(coupon)s)"

VOID = """
WITH gone AS (
  UPDATE loyalty_coupon SET voided_at = %(moment)s WHERE id = ANY(%(coupons)s) AND voided_at IS NULL RETURNING id)
INSERT INTO loyalty_couponentry (coupon_id, step, amount, staff_id, source_id, place, reason, at)
SELECT id, 'voided', 0, %(staff)s, %(source)s, %(place)s, %(reason)s, %(moment)s FROM gone RETURNING coupon_id"""

EXPIRE = """
WITH due AS MATERIALIZED (
  SELECT id FROM loyalty_coupon
  WHERE expired_at IS NULL AND voided_at IS NULL AND valid_until < %(day)s ORDER BY id LIMIT %(most)s
  FOR NO KEY UPDATE SKIP LOCKED),
gone AS (UPDATE loyalty_coupon c SET expired_at = %(moment)s FROM due WHERE c.id = due.id RETURNING c.id)
INSERT INTO loyalty_couponentry (coupon_id, step, amount, place, reason, at)
SELECT id, 'expired', 0, '', '', %(moment)s FROM gone RETURNING coupon_id"""


def find(typed: str) -> Coupon | None:
    """The code that somebody typed or scanned, with its batch. Changes nothing."""
    code = codes.canonical(typed)
    return Coupon.objects.select_related("batch", "customer").filter(code=code).first() if code else None


def check(typed: str, basket: Basket | None = None, customer: Customer | None = None) -> Checked:
    """Whether a code can be used now and what it would take off the basket. Raises Refused."""
    coupon = _usable(find(typed), customer)
    if basket is None:
        return Checked(coupon, None)
    return Checked(coupon, _worth(coupon, basket))


def reserve(
    typed: str, basket: Basket, actor: Actor, *,
    reference: str = "", customer: Customer | None = None, lasting: timedelta = RESERVED_FOR,
) -> Redemption:  # fmt: skip
    """Hold one use while a checkout runs. It is released by itself after `lasting`. Raises Refused."""
    return _use(typed, basket, actor, reference, customer, now() + min(lasting, LONGEST_RESERVATION))


def redeem(
    typed: str, basket: Basket, actor: Actor, *, reference: str = "", customer: Customer | None = None
) -> Redemption:
    """Use a code at once. Raises Refused."""
    return _use(typed, basket, actor, reference, customer, None)


def redeem_reserved(redemption_id: int, actor: Actor, reference: str = "") -> Redemption:
    """Turn a reservation of the same source into a redemption. Raises Refused for one that is gone or has run out."""
    known = _own(redemption_id, actor)
    with transaction.atomic(), connection.cursor() as cursor:
        if reference and reference != known.reference:
            _alone(cursor, known.coupon, actor, reference)
        parameters = _by(actor) | {"redemption": known.pk, "reference": reference}
        try:
            with transaction.atomic():
                done = sql.rows(cursor, REDEEM_RESERVED, parameters)
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
        if not sql.rows(cursor, RELEASE.format(which=THIS_ONE), parameters):
            raise Refused("not_standing")
    return _fresh(known.pk)


def void(coupon_ids: list[int], actor: Actor, reason: str) -> int:
    """End codes for good; what was redeemed stays redeemed. Answers how many it ended."""
    with connection.cursor() as cursor:
        parameters = _by(actor) | {"coupons": coupon_ids, "reason": reason[:200]}
        return len(sql.rows(cursor, VOID, parameters))


def release_run_out(coupon_id: int | None = None) -> int:
    """Release reservations whose shop never came back: of one code, or of all."""
    parameters: dict[str, Any] = {
        "moment": now(), "coupon": coupon_id, "staff": None, "source": None, "place": "", "reason": "run out",
    }  # fmt: skip
    with connection.cursor() as cursor:
        return len(sql.rows(cursor, RELEASE.format(which=RUN_OUT), parameters))


def expire(most: int = 10_000) -> int:
    """Enter in the ledger which codes ended with their last day. They are refused from midnight on without this."""
    with connection.cursor() as cursor:
        return len(sql.rows(cursor, EXPIRE, {"day": today(), "moment": now(), "most": most}))


def _use(
    typed: str, basket: Basket, actor: Actor, reference: str, customer: Customer | None, until: datetime | None
) -> Redemption:
    coupon = find(typed)
    if coupon is not None and coupon.used >= coupon.uses and release_run_out(coupon.pk):
        coupon = find(typed)
    for _try in range(TRIES):
        coupon = _usable(coupon, customer)
        made = _write(coupon, basket, actor, reference, customer, until, _worth(coupon, basket))
        if made is not None:
            return made
        if coupon.left is None:
            raise Refused("used_up")
        coupon = find(typed)
    raise Refused("used_up")


def _write(
    coupon: Coupon, basket: Basket, actor: Actor, reference: str, customer: Customer | None, until: datetime | None,
    amount: Decimal,
) -> Redemption | None:  # fmt: skip
    """The statement, alone among the coupons of its purchase. None if the code moved on in between."""
    user_id = customer.pk if customer else coupon.customer_id
    state = Redemption.State.RESERVED if until else Redemption.State.REDEEMED
    parameters = _by(actor) | {
        "coupon": coupon.pk, "customer": user_id, "day": today(), "discount": amount, "basket": max(Decimal(0), basket.total),
        "reference": reference, "until": until, "state": state.value,
    }  # fmt: skip
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            if reference:
                _alone(cursor, coupon, actor, reference)
            found = sql.rows(cursor, USE, parameters)
    except IntegrityError as error:
        raise Refused(_broken(error)) from error
    if not found:
        return None
    pk, discount, total, coupon.used, coupon.left = found[0]
    return Redemption(
        pk=pk, coupon=coupon, customer_id=user_id, state=state, source=actor.source, reference=reference,
        place=parameters["place"], basket=total, discount=discount, given_back=Decimal("0.00"),
        exclusive=not coupon.batch.combinable, reserved_at=parameters["moment"] if until else None, reserved_until=until,
        redeemed_at=None if until else parameters["moment"],
    )  # fmt: skip


def _alone(cursor: Any, coupon: Coupon, actor: Actor, reference: str) -> None:
    """Let coupons of one purchase come one after the other, and refuse one that may not join what is there."""
    cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [PURCHASE_LOCK, f"{actor.source.pk}:{reference}"])
    standing = Redemption.objects.filter(
        source=actor.source, reference=reference, state__in=[Redemption.State.RESERVED, Redemption.State.REDEEMED]
    )
    others = standing.exclude(coupon=coupon)
    if others.exists() and (not coupon.batch.combinable or others.filter(exclusive=True).exists()):
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
    if coupon.batch.per_customer and customer is None and coupon.customer is None:
        raise Refused("customer_needed")
    return coupon


def standing(coupon: Coupon, day: date) -> str:
    """Why a code cannot be used on a day whatever the basket: a reason's code, or '' if it can."""
    if coupon.voided_at or coupon.batch.stopped_at:
        return "voided"
    if coupon.valid_until and coupon.valid_until < day:
        return "expired"
    if coupon.valid_from and coupon.valid_from > day:
        return "not_yet"
    if coupon.used >= coupon.uses or coupon.left == 0:
        return "used_up"
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
