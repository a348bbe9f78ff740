"""Invented coupons for the demo shop: what they promise, who got them, who used them. Every one of them is made up."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction

from crm.models import Purchase, Shop
from loyalty.coupons import codes, terms
from loyalty.coupons.terms import Basket
from loyalty.models import Coupon, CouponBatch, CouponEntry, Redemption

DAYS = 150
BUYERS = 3_000  # purchases looked at, so that a large shop takes no longer
Step = CouponEntry.Step


@dataclass
class Rows:
    """Codes with what happened to them, each entry and redemption still naming its code's place."""

    coupons: list[Coupon] = field(default_factory=list)
    entries: list[CouponEntry] = field(default_factory=list)
    redemptions: list[Redemption] = field(default_factory=list)


@transaction.atomic
def tell(seed: int, until: date) -> None:
    """A thank-you, a birthday coupon and a code on a poster, issued and used in the 150 days before `until`."""
    rng, shop = Random(f"{seed}/coupons"), Shop.current()  # noqa: S311 - a story
    zone = ZoneInfo(shop.time_zone)
    bought = _purchases(until)
    if not bought:
        return
    german = shop.language == "de"
    thanks = _batch("Danke für Ihre Treue: 5 €" if german else "Thank you: €5", until, zone, kind="amount", value=5,
                    minimum=25, valid_days=60, origin="Stammkunden-Liste" if german else "list of regulars")  # fmt: skip
    birthday = _batch("Zum Geburtstag: 10 %" if german else "Birthday: 10%", until, zone, kind="percent", value=10,
                      valid_days=30, origin="Geburtstag" if german else "birthday")  # fmt: skip
    poster = _batch("Aushang im Laden: 3 €" if german else "Poster in the shop: €3", until, zone, kind="amount", value=3,
                    minimum=15, valid_until=until + timedelta(days=45), uses=200, origin="Aushang" if german else "poster")  # fmt: skip
    buyers = sorted(bought)
    used: set[int] = set()
    for batch, share, chance in ((thanks, 0.2, 0.45), (birthday, 0.12, 0.35)):
        rows = Rows()
        for customer_id in rng.sample(buyers, min(200, max(1, int(len(buyers) * share)))):
            _one(rng, rows, batch, customer_id, bought[customer_id], until, zone, chance, used)
        _store(rows)
    _shared(rng, poster, "AMSEL3", bought, until, zone, used)


def _batch(title: str, until: date, zone: ZoneInfo, **terms_: Any) -> CouponBatch:
    made = CouponBatch.objects.create(title=title, note="", **terms_)
    CouponBatch.objects.filter(pk=made.pk).update(created_at=_at(until - timedelta(days=DAYS), zone, 9))
    made.refresh_from_db()
    return made


def _purchases(until: date) -> dict[int, list[Purchase]]:
    """The last purchases of customers, oldest first, by customer."""
    found = Purchase.objects.filter(
        ordered_on__gte=until - timedelta(days=DAYS), ordered_on__lt=until, status__in=["paid", "completed"], net__gt=0,
        customer__is_test=False, customer__is_placeholder=False, customer__erased_at=None, customer__merged_into=None,
    ).order_by("pk")[:BUYERS]  # fmt: skip
    by_customer: dict[int, list[Purchase]] = {}
    for purchase in sorted(found, key=lambda one: (one.ordered_at, one.pk)):
        assert purchase.customer_id
        by_customer.setdefault(purchase.customer_id, []).append(purchase)
    return by_customer


def _one(
    rng: Random, rows: Rows, batch: CouponBatch, customer_id: int, bought: Sequence[Purchase], until: date,
    zone: ZoneInfo, chance: float, used: set[int],
) -> None:  # fmt: skip
    """One customer's code: issued on some day, used with a purchase that really followed, else open, expired or void."""
    day = until - timedelta(days=rng.randrange(1, DAYS))
    start, end = terms.validity(batch, day)
    coupon = Coupon(
        batch=batch, code=_code(rng), customer_id=customer_id, uses=1, used=0, valid_from=start, valid_until=end,
        guessable=False, imported=False, issued_at=_at(day, zone, 10),
    )  # fmt: skip
    rows.coupons.append(coupon)
    rows.entries.append(_entry(coupon, Step.ISSUED, coupon.issued_at))
    fitting = [
        one for one in bought
        if one.ordered_at > coupon.issued_at and end and one.ordered_on <= end and one.pk not in used
    ]  # fmt: skip
    purchase = next((one for one in fitting if _discount(batch, one)), None)
    if purchase and rng.random() < chance * 2:
        _use(rows, coupon, purchase, used)
    elif rng.random() < 0.03:
        coupon.voided_at = min(_at(day + timedelta(days=2), zone, 12), _at(until - timedelta(days=1), zone, 12))
        coupon.voided_at = max(coupon.voided_at, coupon.issued_at)
        rows.entries.append(_entry(coupon, Step.VOIDED, coupon.voided_at, reason="verloren"))
    elif end and end < until:
        coupon.expired_at = _at(end + timedelta(days=1), zone, 0)
        rows.entries.append(_entry(coupon, Step.EXPIRED, coupon.expired_at))


def _shared(
    rng: Random, batch: CouponBatch, written: str, bought: dict[int, list[Purchase]], until: date, zone: ZoneInfo,
    used: set[int],
) -> None:  # fmt: skip
    """A code that everybody may read on the wall, used by some in the last six weeks."""
    rows, begun = Rows(), _at(until - timedelta(days=42), zone, 9)
    coupon = Coupon(
        batch=batch, code=codes.canonical(written), written=written, uses=batch.uses, used=0, valid_from=None,
        valid_until=batch.valid_until, guessable=True, imported=False, issued_at=begun,
    )  # fmt: skip
    rows.coupons.append(coupon)
    rows.entries.append(_entry(coupon, Step.ISSUED, begun))
    recent = [one for each in bought.values() for one in each if one.ordered_at > begun and one.pk not in used]
    fitting = [one for one in sorted(recent, key=lambda one: one.pk) if _discount(batch, one)]
    for purchase in rng.sample(fitting, min(40, len(fitting) // 6)):
        _use(rows, coupon, purchase, used)
    _store(rows)


def _use(rows: Rows, coupon: Coupon, purchase: Purchase, used: set[int]) -> None:
    amount = _discount(coupon.batch, purchase)
    assert amount is not None
    done = Redemption(
        coupon=coupon, customer_id=purchase.customer_id, state=Redemption.State.REDEEMED, source_id=purchase.source_id,
        reference=purchase.external_id, place=purchase.place, purchase=purchase, basket=purchase.net, discount=amount,
        exclusive=True, redeemed_at=purchase.ordered_at,
    )  # fmt: skip
    coupon.used += 1
    used.add(purchase.pk)
    rows.redemptions.append(done)
    rows.entries.append(_entry(coupon, Step.REDEEMED, purchase.ordered_at, done))


def _discount(batch: CouponBatch, purchase: Purchase) -> Decimal | None:
    return terms.discount(batch, Basket(purchase.net))


def _entry(
    coupon: Coupon, step: Step, at: datetime, done: Redemption | None = None, reason: str = ""
) -> CouponEntry:  # fmt: skip
    return CouponEntry(
        coupon=coupon, redemption=done, step=step, amount=done.discount if done else 0, at=at, reason=reason,
        source_id=done.source_id if done else None, place=done.place if done else "",
    )  # fmt: skip


def _store(rows: Rows) -> None:
    Coupon.objects.bulk_create(rows.coupons)
    Redemption.objects.bulk_create(rows.redemptions)
    CouponEntry.objects.bulk_create(sorted(rows.entries, key=lambda one: one.at))


def _code(rng: Random) -> str:
    """From the seed, so that the same seed tells the same story: an invented code protects nothing."""
    body = "".join(rng.choices(codes.ALPHABET, k=codes.RANDOM))
    return body + codes.check_symbol(body)


def _at(day: date, zone: ZoneInfo, hour: int) -> datetime:
    return datetime.combine(day, time(hour), zone)
