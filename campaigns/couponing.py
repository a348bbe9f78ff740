"""The coupon of a mail: named by its campaign, one code for each delivery, shown with all its terms.

Codes are made as mails are claimed, up to fifty in one statement, and not in the gate's transaction: a mail has to be
whole before the gate is asked, and the gate holds the customer's row. The price is a code whose mail does not go after
all; nobody has seen it, and it is taken back as soon as the mail is settled (`take_back`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Max, Q, QuerySet
from django.utils import translation
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns import rendering
from campaigns.models import Campaign, Delivery, TemplateVersion
from campaigns.recipe import COUPON_BLOCK
from crm import display
from crm.days import today
from crm.models import Shop, User
from loyalty.coupons import codes, issuing, ledger, report, terms
from loyalty.models import Coupon, CouponBatch

if TYPE_CHECKING:
    from campaigns.composing import Order

OPTION = "coupon"
# Invented: it stands in previews and test mails, where no code may be spent.
EXAMPLE = "0000000000000"
NOT_SENT = """
SELECT 'delivery/' || delivery.id FROM campaigns_campaign campaign
JOIN campaigns_delivery delivery ON delivery.campaign_id = campaign.id
WHERE (campaign.options ? 'coupon' OR %(ids)s::uuid[] IS NOT NULL)
  AND delivery.state IN ('suppressed', 'failed', 'quarantined') AND delivery.email_hash IS NOT NULL
  AND delivery.settled_at > now() - interval '2 days'
  AND (%(ids)s::uuid[] IS NULL OR delivery.id = ANY(%(ids)s::uuid[]))
  AND EXISTS (SELECT FROM loyalty_coupon coupon WHERE coupon.cause = 'delivery/' || delivery.id
              AND coupon.voided_at IS NULL AND coupon.used = 0)
"""

# The gate's question (`campaigns.gating`): why the coupon of a claimed mail holds no longer; '' if it does.
TROUBLE = """
SELECT CASE
    WHEN %(coupon_batch)s = 0 THEN ''
    WHEN batch.id IS NULL THEN 'coupon_missing'
    WHEN batch.stopped_at IS NOT NULL THEN 'coupon_stopped'
    WHEN batch.spent >= batch.budget THEN 'coupon_spent'
    WHEN coupon.voided_at IS NOT NULL THEN 'coupon_voided'
    WHEN coupon.used > 0 THEN 'coupon_redeemed'
    WHEN coalesce(coupon.valid_until, batch.valid_until) < %(day)s::date THEN 'coupon_expired'
    WHEN coupon.id IS NULL THEN 'coupon_missing'
    WHEN EXISTS (SELECT FROM loyalty_couponcustomer counter WHERE counter.batch_id = batch.id
      AND counter.customer_id = coupon.customer_id AND counter.used >= counter.most) THEN 'coupon_limit'
    ELSE '' END AS trouble
FROM (SELECT) AS one
LEFT JOIN loyalty_couponbatch batch ON batch.id = %(coupon_batch)s
LEFT JOIN loyalty_coupon coupon ON %(coupon_batch)s > 0 AND coupon.cause = 'delivery/' || {delivery}
"""


@dataclass(frozen=True)
class Given:
    """The code of one mail. `told`: what is said of it, by language; mails with the same terms share it."""

    coupon: Coupon
    told: dict[Any, dict[str, str]] = field(default_factory=dict)


def cause(delivery_id: UUID) -> str:
    """What a code was issued for: one mail."""
    return f"delivery/{delivery_id}"


# Choosing


def choices() -> QuerySet[CouponBatch]:
    """The batches that a campaign may name: neither stopped nor ended."""
    return CouponBatch.objects.filter(Q(valid_until=None) | Q(valid_until__gte=today()), stopped_at=None).order_by(
        "-pk"
    )


def of_campaign(campaign: Campaign) -> CouponBatch | None:
    """The batch that a campaign names, whatever became of it."""
    chosen = campaign.options.get(OPTION)
    return CouponBatch.objects.select_related("free_product").filter(pk=chosen).first() if chosen else None


def refusal(batch: CouponBatch | None) -> str:
    """Why no mail may promise a batch, as a sentence; '' if one may."""
    if batch is None:
        return _("Its coupon is gone. Choose another one.")
    if batch.stopped_at:
        return _("The coupon “%(title)s” was stopped. Choose another one, or make a new one.") % {"title": batch.title}
    if batch.valid_until and batch.valid_until < today():
        return _("The coupon “%(title)s” has ended. Choose another one, or make a new one.") % {"title": batch.title}
    if batch.budget is not None and batch.spent >= batch.budget:
        said = _("The budget of the coupon “%(title)s” is used up. Choose another one, or make a new one.")
        return said % {"title": batch.title}
    return ""


def problems(campaign: Campaign, *, needed: bool = False) -> list[str]:
    """What is wrong with a campaign's coupon, in sentences. `needed`: a mail without one says nothing."""
    version = campaign.template_version
    if not campaign.options.get(OPTION):
        return [_("Choose the coupon that this mailing brings.")] if needed else []
    batch = of_campaign(campaign)
    if (why := refusal(batch)) or batch is None or version is None:
        return [why] if why else []
    return [
        _("The mail does not show all terms of its coupon: %(terms)s") % {"terms": " ".join(left_out)}
        for language in rendering.languages(version)
        if (left_out := untold(version, batch, language))
    ]


def shortfall(campaign: Campaign, mails: int) -> str:
    """That the budget of a campaign's coupon cannot pay for as many more mails, as a sentence; '' if it can.

    The mail promises its worth to each and says nothing of a budget, so all of it must be there, and so must be what open
    codes and the mails planned by others promise. Of other kinds than amounts nobody knows the worth before.
    """
    batch = of_campaign(campaign)
    left = report.budget_left(batch) if batch else None
    if batch is None or left is None or batch.value is None or batch.kind != CouponBatch.Kind.AMOUNT:
        return ""
    each = batch.value * (1 if batch.in_parts else batch.uses)
    left = max(Decimal(0), left - each * _planned_elsewhere(campaign, batch))
    if each * mails <= left:
        return ""
    currency = Shop.current().currency
    return ngettext(
        "The coupon's budget is too small: %(n)s mail promises %(promised)s, and %(left)s are not promised yet. Choose fewer"
        " people, or make a coupon with a larger budget.",
        "The coupon's budget is too small: %(n)s mails promise %(promised)s, and %(left)s are not promised yet. Choose fewer"
        " people, or make a coupon with a larger budget.",
        mails,
    ) % {
        "n": display.number(mails),
        "promised": display.money(each * mails, currency),
        "left": display.money(left, currency),
    }


def _planned_elsewhere(campaign: Campaign, batch: CouponBatch) -> int:
    """Mails of other campaigns that will bring this coupon and have no code yet."""
    waiting = Delivery.objects.filter(campaign__options__coupon=batch.pk, state=Delivery.State.PLANNED)
    return waiting.exclude(campaign=campaign).count()


def untold(version: TemplateVersion, batch: CouponBatch, language: str) -> list[str]:
    """Terms that a reader of the mail would not find in it: value, minimum, period, exclusions (§ 6(1) no. 3 DDG)."""
    given = example(batch)
    try:
        content = rendering.example(version, language, values(given, language))
    except rendering.RenderError:
        return []  # said elsewhere
    with translation.override(language):
        said = terms.sentences(batch, given.coupon)
    flat = " ".join(content.text.split())
    return [sentence for sentence in said if " ".join(sentence.split()) not in flat]


# Making codes


def with_codes(orders: Mapping[UUID, "Order"], versions: Mapping[int, TemplateVersion]) -> dict[UUID, "Order"]:
    """The orders, each with its code where its campaign and its text bring one. Safe to repeat: a mail has one code.

    A few statements for each campaign, however many mails. An order that keeps a `coupon_batch` and has no code cannot
    be sent; the gate says why.
    """
    found = {pk: order if _brings(order, versions) else replace(order, coupon_batch=0) for pk, order in orders.items()}
    wanted = [order for order in found.values() if order.coupon_batch]
    if not wanted:
        return found
    batches = CouponBatch.objects.select_related("free_product").in_bulk({order.coupon_batch for order in wanted})
    for number, name in {(order.coupon_batch, order.campaign_name) for order in wanted}:
        batch = batches.get(number)
        if batch is None or refusal(batch):
            continue
        theirs = [one for one in wanted if (one.coupon_batch, one.campaign_name) == (number, name)]
        issuing.issue(batch, [issuing.Wanted(one.customer_id, cause(one.id)) for one in theirs], reason=name)
    made = issuing.of_causes([cause(order.id) for order in wanted])
    told: dict[Any, dict[str, str]] = {}
    for order in wanted:
        if coupon := made.get(cause(order.id)):
            coupon.batch = batches.get(coupon.batch_id, coupon.batch)
            found[order.id] = replace(order, coupon=Given(coupon, told))
    return found


def _brings(order: "Order", versions: Mapping[int, TemplateVersion]) -> bool:
    return bool(order.coupon_batch and order.address and rendering.has_coupon(versions[order.version_id]))


def take_back(delivery_ids: list[UUID] | None = None) -> int:
    """End the unused codes of mails that will never go: of these, or of all that were settled in the last two days.

    A mail that may have arrived keeps its code. Answers how many codes it ended.
    """
    with connection.cursor() as cursor:
        cursor.execute(NOT_SENT, {"ids": list(map(str, delivery_ids)) if delivery_ids is not None else None})
        causes = [row[0] for row in cursor.fetchall()]
    return issuing.take_back(causes, issuing.NOT_SENT) if causes else 0


def end(delivery_ids: Sequence[UUID]) -> int:
    """End the unused codes of these mails at once. Answers how many."""
    return issuing.take_back([cause(pk) for pk in delivery_ids], issuing.NOT_SENT) if delivery_ids else 0


# In words


def of_mails(delivery_ids: Sequence[UUID]) -> dict[UUID, Coupon]:
    """The codes that these mails brought. One query."""
    made = issuing.of_causes([cause(pk) for pk in delivery_ids])
    return {pk: made[cause(pk)] for pk in delivery_ids if cause(pk) in made}


def shown(coupon: Coupon) -> str:
    """A code as people read it."""
    return coupon.written or codes.shown(coupon.code)


def standing(coupon: Coupon) -> str:
    """What became of a mail's code, in a few words."""
    if coupon.used:
        return _("coupon redeemed") if coupon.used >= coupon.uses or coupon.left == 0 else _("coupon used in part")
    words = {"voided": _("coupon ended"), "expired": _("coupon expired"), "not_yet": _("coupon not yet valid")}
    return words.get(ledger.standing(coupon, today()), _("coupon open"))


def values(given: Given, language: str) -> dict[str, str]:
    """What a text may say of the mail's code, in the customer's language."""
    coupon = given.coupon
    key = (coupon.batch_id, language, coupon.valid_from, coupon.valid_until, coupon.uses, coupon.left)
    if key not in given.told:
        with translation.override(language):
            given.told[key] = {
                "coupon_worth": terms.worth(coupon.batch, coupon.left),
                "coupon_terms": " ".join(terms.sentences(coupon.batch, coupon)),
                "coupon_valid_until": display.day(coupon.valid_until) or "",
            }
    return {"coupon_code": shown(coupon)} | given.told[key]


def example(batch: CouponBatch) -> Given:
    """A code of the batch that nobody can use, not stored: for previews, test mails and checks."""
    start, end = terms.validity(batch, today())
    left = batch.value if batch.in_parts else None
    return Given(Coupon(batch=batch, code=EXAMPLE, uses=batch.uses, left=left, valid_from=start, valid_until=end))


# Choosing for a recipe that runs by itself


@transaction.atomic
def choose(campaign: Campaign, batch: CouponBatch | None, by: User) -> None:
    """Let a standing campaign's mails bring a coupon from now on, or none. What is planned keeps its text.

    A text without a block for it gets one, as its next version, in front of the closing.
    """
    version = campaign.template_version
    if batch is not None and version is not None and not rendering.has_coupon(version):
        last = version.template.versions.aggregate(last=Max("number"))["last"]
        campaign.template_version = TemplateVersion.objects.create(
            template=version.template, number=last + 1, subject=version.subject, frozen_at=now(), created_by=by,
            blocks=with_block(version.blocks, rendering.languages(version)),
        )  # fmt: skip
    campaign.options = campaign.options | {OPTION: batch.pk if batch else None}
    campaign.save(update_fields=["options", "template_version"])


def with_block(blocks: Sequence[Mapping[str, Any]], languages: Sequence[str]) -> list[Mapping[str, Any]]:
    """The blocks of a text, with one that shows the coupon in front of the closing."""
    shown = {**COUPON_BLOCK, "text": {code: COUPON_BLOCK["text"][code] for code in languages}}
    at = next((n for n, block in enumerate(blocks) if block["kind"] == "closing"), len(blocks))
    return [*blocks[:at], shown, *blocks[at:]]
