"""The page at the counter: find a code or a customer, redeem, undo, say how it was. It works without JavaScript."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any, cast
from urllib.parse import urlencode
from uuid import uuid4

import orjson
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe
from rest_framework.exceptions import APIException

from crm import contacts, display, emotions, idempotency
from crm.access import may, requires
from crm.models import Customer, Interaction, User
from crm.models.contact import Touchpoint
from loyalty.counter import finding
from loyalty.counter.card import card
from loyalty.counter.forms import MomentForm, RedeemForm
from loyalty.coupons import guarding, ledger, terms
from loyalty.coupons import pages as coupons
from loyalty.coupons.guarding import REFUSAL, TOO_MANY, TooMany
from loyalty.coupons.ledger import Refused
from loyalty.models import Coupon, CouponBatch, CouponEntry, Redemption

UNDONE_WITHIN = timedelta(minutes=5)
REMEMBERED = timedelta(hours=12)
RECENT = 5
NEAR = ("pleased", "valued", "cared_for", "interested", "hurried", "disappointed", "irritated")
TOUCHPOINT = "counter_touchpoint"  # in the session
# The camera is for this page alone; everywhere else it stays off (`crm.middleware.PrivacyHeaders`).
CAMERA = "camera=(self), microphone=(), geolocation=(), payment=()"


@requires("coupons.redeem")
@require_safe
def counter(request: HttpRequest) -> HttpResponse:
    """?q= whatever was typed or scanned, ?customer= who stands here, ?done= what was just redeemed."""
    typed, buyer = request.GET.get("q", ""), finding.customer(request.GET.get("customer", ""))
    found = finding.look_up(typed, buyer, coupons.counter(request), may(request.user, "pii.view"))
    if len(found.people) == 1 and not found.refusal:
        return redirect(f"{reverse('counter')}?customer={found.people[0].pk}")
    done = redeemed(request, request.GET.get("done", ""))
    buyer = None if found.people else buyer  # somebody else is looked for
    return page(request, found, buyer, typed=typed, done=done, status=429 if found.throttled else 200)


@requires("coupons.redeem")
@require_POST
def redeem(request: HttpRequest) -> HttpResponse:
    """Use a code once, however often the form is sent; then to the page that says what to take off."""
    buyer = finding.customer(request.POST.get("customer", ""))
    coupon = ledger.find(request.POST.get("code", ""))
    actor = coupons.counter(request)
    if coupon is None:
        found = finding.tried(request.POST.get("code", ""), buyer, actor)
        return page(request, found, buyer, status=429 if found.throttled else 409)
    form = RedeemForm(request.POST, batch=coupon.batch, buyer=buyer or coupon.customer, find=finder(request))
    if not form.is_valid():
        return page(request, finding.Found(coupon), buyer, form=form, status=422)
    given = form.cleaned_data

    def work() -> idempotency.Answer:
        who = form.buyer if form.buyer != coupon.customer else None
        made = ledger.redeem(coupon.code, form.basket(), actor, reference=given["reference"].strip(), customer=who)
        return 201, {"redemption": made.pk}

    try:
        _code, answer = guarding.guarded(actor.source.pk, str(actor.staff.pk), lambda: once(request, work))  # type: ignore[union-attr]
    except TooMany:
        return refused(request, coupon, buyer, form, str(TOO_MANY), 429)
    except Refused:
        return refused(request, coupon, buyer, form, str(REFUSAL), 409)
    except APIException:
        return refused(request, coupon, buyer, form, _("This form was sent before. Look the code up again."), 409)
    return redirect(f"{reverse('counter')}?done={answer['redemption']}")


@requires("coupons.redeem")
@require_POST
def undo(request: HttpRequest) -> HttpResponse:
    """Give the last redemption of this member of staff back, within five minutes."""
    wanted = request.POST.get("redemption", "")
    last = last_step(cast(User, request.user))
    if last is None or str(last.pk) != wanted:
        messages.error(request, _("This can no longer be undone here: only your last one, within five minutes."))
        return redirect("counter")
    try:
        ledger.release(last.pk, coupons.counter(request), _("undone at the counter"))
    except Refused:
        pass  # a second tap: it is undone
    words = {"code": coupons.written(last.coupon)}
    messages.success(request, _("Undone. The code %(code)s is as it was before.") % words)
    return redirect("counter")


@requires("customers.edit")
@require_POST
def moment(request: HttpRequest, pk: int) -> HttpResponse:
    """Record how it was, once, however often the form is sent."""
    living = {"erased_at": None, "merged_into": None, "restricted_at": None, "deceased_at": None}
    customer = get_object_or_404(Customer, pk=pk, **living)
    here = f"{reverse('counter')}?customer={pk}"
    form = MomentForm(request.POST)
    if not form.is_valid():
        messages.error(request, " ".join(str(error) for errors in form.errors.values() for error in errors))
        return redirect(here)
    given = form.cleaned_data

    def work() -> idempotency.Answer:
        made = contacts.record_interaction(
            customer,
            channel=form.channel,
            touchpoint=given["touchpoint"],
            staff=cast(User, request.user),
            note=given["note"].strip(),
            felt=[given["emotion"]] if given["emotion"] else [],
        )
        return 201, {"interaction": made.pk}

    try:
        once(request, work)
    except ValueError as error:
        messages.error(request, str(error))
        return redirect(here)
    except APIException:
        messages.error(request, _("This form was sent before. Open the customer again to record something else."))
        return redirect(here)
    request.session[TOUCHPOINT] = given["touchpoint"]
    messages.success(request, _("Recorded for %(name)s.") % {"name": customer.display_name})
    return redirect("counter")


def once(request: HttpRequest, work: Callable[[], idempotency.Answer]) -> idempotency.Answer:
    """The form's hidden key makes a double tap one call. Raises APIException for a key that did something else."""
    given = sorted((name, value) for name, value in request.POST.items() if name not in ("csrfmiddlewaretoken", "key"))
    call = orjson.dumps([request.path, given])
    return idempotency.once(idempotency.claim(f"staff/{request.user.pk}", request.POST.get("key", ""), call), work)


def refused(
    request: HttpRequest, coupon: Coupon, buyer: Customer | None, form: RedeemForm, said: str, status: int
) -> HttpResponse:
    """The form again with why, as long as the code itself could be used; else the one no."""
    fresh = ledger.find(coupon.code)
    if fresh is None or ledger.standing(fresh, timezone.localdate()):
        return page(request, finding.Found(refusal=said), buyer, typed=coupons.written(coupon), status=status)
    form.add_error(None, said)
    return page(request, finding.Found(fresh), buyer, form=form, status=status)


def finder(request: HttpRequest) -> Callable[[str], list[Customer]]:
    sees_contacts = may(request.user, "pii.view")
    return lambda typed: list(finding.customers(typed, sees_contacts)[:2])


# What the page shows


def page(
    request: HttpRequest, found: finding.Found, buyer: Customer | None, *, typed: str = "",
    form: RedeemForm | None = None, done: dict[str, Any] | None = None, status: int = 200,
) -> HttpResponse:  # fmt: skip
    user = cast(User, request.user)
    coupon = found.coupon
    owner = coupon.customer if coupon and coupon.customer and coupon.customer.erased_at is None else None
    shown = buyer or (finding.customer(str(owner.pk)) if owner else None)
    context = {
        "typed": typed if found.coupon is None else coupons.written(found.coupon),
        "found": found,
        "buyer": shown,
        "code": code_panel(coupon) if coupon else None,
        "stranger": owner if owner and buyer and owner != buyer else None,
        "form": form or (RedeemForm(batch=coupon.batch, buyer=shown, find=finder(request)) if coupon else None),
        "key": uuid4().hex,
        "done": done,
        "undo": None if done else last_step(user),
        "recent": recent(user),
        "here": coupons.place(request),
        "people": [(one, f"?{urlencode({'customer': one.pk})}") for one in found.people],
    }
    if shown and may(user, "customers.view"):
        context |= {"card": card(shown, user), "moment": moment_panel(request), "moment_key": uuid4().hex}
    response = render(request, "counter/counter.html", context, status=status)
    response["Permissions-Policy"] = CAMERA
    return response


def code_panel(coupon: Coupon) -> dict[str, Any]:
    batch = coupon.batch
    return {
        "coupon": coupon,
        "worth": terms.worth(batch, coupon.left),
        "minimum": batch.minimum,
        "terms": terms.sentences(batch, coupon),
        "needs_buyer": bool(batch.per_customer),
    }


def moment_panel(request: HttpRequest) -> dict[str, Any]:
    chosen = request.session.get(TOUCHPOINT, Touchpoint.ADVICE)
    return {
        "form": MomentForm(initial={"touchpoint": chosen}),
        "touchpoint": Touchpoint(chosen).label if chosen in Touchpoint.values else Touchpoint.ADVICE.label,
        "near": [emotions.BY_CODE[code] for code in NEAR],
        "further": [one for one in emotions.EMOTIONS if one.code not in NEAR],
    }


def own_steps(user: User) -> Any:
    """What this member of staff redeemed at the counter, the latest first."""
    steps = CouponEntry.objects.filter(staff=user, step=CouponEntry.Step.REDEEMED, redemption__isnull=False)
    return steps.select_related("redemption__coupon__batch", "redemption__customer").order_by("-pk")


def last_step(user: User) -> Redemption | None:
    """The last redemption of this member of staff, while it can still be undone."""
    step = own_steps(user).filter(at__gte=timezone.now() - UNDONE_WITHIN).first()
    return step.redemption if step and step.redemption.state == Redemption.State.REDEEMED else None


def redeemed(request: HttpRequest, number: str) -> dict[str, Any] | None:
    """What a redemption of this member of staff took off, for the page after it."""
    if not number.isdecimal() or len(number) > 18:
        return None
    user = cast(User, request.user)
    step = own_steps(user).filter(redemption=int(number)).first()
    if step is None:
        return None
    made: Redemption = step.redemption
    delivery = made.coupon.batch.kind == CouponBatch.Kind.FREE_DELIVERY
    last = last_step(user)
    return {
        "redemption": made,
        "shown": coupons.written(made.coupon),
        "stands": made.state == Redemption.State.REDEEMED,
        "delivery": delivery,
        "to_pay": made.basket if delivery else max(Decimal(0), made.basket - made.discount),
        "left": made.coupon.left,
        "can_undo": last is not None and last.pk == made.pk,
    }


def recent(user: User) -> list[dict[str, Any]]:
    """Whom this member of staff last met at the counter, and how it was."""
    met = Interaction.objects.filter(
        staff=user, channel=Interaction.Channel.SHOP, occurred_at__gte=timezone.now() - REMEMBERED,
        customer__erased_at=None,
    )  # fmt: skip
    rows = met.select_related("customer").prefetch_related("emotions").order_by("-occurred_at", "-pk")[:RECENT]
    return [
        {
            "customer": one.customer,
            "when": when(one),
            "felt": [
                emotions.BY_CODE[tag.emotion].label for tag in one.emotions.all() if tag.emotion in emotions.BY_CODE
            ],
        }
        for one in rows
    ]


def when(met: Interaction) -> str | None:
    """12 min ago; after an hour the time of day."""
    minutes = int((timezone.now() - met.occurred_at).total_seconds() // 60)
    if minutes < 1:
        return _("just now")
    if minutes < 60:
        return ngettext("%(n)s min ago", "%(n)s min ago", minutes) % {"n": display.number(minutes)}
    return display.clock(met.occurred_at)
