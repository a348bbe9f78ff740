"""How mails leave this installation: who sends, what rests, how fast, and whether receivers can tell that it is us."""

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from campaigns import breaker, mail_auth, pacing, testing, transport
from campaigns.forms_sending import LimitForm, ProbeForm, WarmUpForm
from campaigns.mail_auth_words import said
from campaigns.models import Campaign, Circuit, Delivery, MailCheck, Pace, SenderHeartbeat, WarmUp
from campaigns.reasons import why_closed
from crm import days
from crm.access import requires
from crm.models import Shop

ALIVE = timedelta(seconds=60)
SHOWN = 50


@requires("settings.manage")
@require_GET
def sending(request: HttpRequest) -> HttpResponse:
    """A fixed number of queries, whatever waits; DNS is never asked here."""
    return _page(request)


def _page(request: HttpRequest, **forms: Any) -> HttpResponse:
    shop = Shop.current()
    kept = mail_auth.kept_for(shop)
    found = [said(one) for one in mail_auth.known(kept)]
    warm_up = pacing.current_warm_up()
    today = days.today()
    context = {
        "closed": why_closed(),
        "transport": transport.current(),
        "senders": _senders(),
        "circuits": Circuit.objects.exclude(state=Circuit.State.CLOSED).order_by("domain", "transport")[:SHOWN],
        "stopped": breaker.stopped(),
        "limits": _limits(),
        "warm_up": warm_up,
        "steps": pacing.forecast(warm_up, today) if warm_up else [],
        "used_today": warm_up.used if warm_up and warm_up.day == today else 0,
        "kept": kept,
        "found": found,
        "sender": mail_auth.sender_of(shop),
        "limit_form": LimitForm(),
        "warm_up_form": WarmUpForm(),
        "probe_form": ProbeForm(),
    }
    wrong = any(form.errors for form in forms.values())
    return render(request, "settings/sending.html", context | forms, status=422 if wrong else 200)


def _senders() -> list[tuple[SenderHeartbeat, bool]]:
    """Every process that sent within a day, and whether it lives, the latest first."""
    since = now() - ALIVE
    rows = SenderHeartbeat.objects.filter(at__gte=now() - timedelta(days=1)).order_by("-at")[:SHOWN]
    return [(row, row.at >= since) for row in rows]


def _limits() -> list[tuple[Pace, int]]:
    """Each limit with how many mails wait for their turn under it."""
    paces = list(Pace.objects.order_by("name"))
    waiting = Delivery.objects.filter(state=Delivery.State.PLANNED, slot_at__isnull=False).order_by()
    counts = {f"n{at}": Count("pk", filter=Q(domain__in=pace.domains)) for at, pace in enumerate(paces) if pace.domains}
    numbers = waiting.aggregate(**counts) if counts else {}
    return [(pace, numbers[f"n{at}"] if pace.domains else _advertising_due()) for at, pace in enumerate(paces)]


def _advertising_due() -> int:
    """Mails that could go now and that somebody may stop: those are held back by a limit for all advertising."""
    live = [Campaign.Status.SCHEDULED, Campaign.Status.RUNNING]
    going = Campaign.objects.filter(Q(standing=False) | Q(switched_on=True), status__in=live, send_at__lte=now())
    due = Delivery.objects.filter(state=Delivery.State.PLANNED, not_before__lte=now(), not_after__gt=now())
    return due.filter(campaign__in=list(going)).exclude(message_class="transactional").count()


@requires("settings.manage")
@require_POST
def limit(request: HttpRequest) -> HttpResponse:
    """Set or change a limit."""
    form = LimitForm(request.POST)
    if not form.is_valid() or not form.keep():
        return _page(request, limit_form=form)
    messages.success(request, _("The limit holds from the next mail on."))
    return redirect("sending")


@requires("settings.manage")
@require_POST
def unlimit(request: HttpRequest) -> HttpResponse:
    """End the limit that `name` names. Ending it twice changes nothing."""
    pacing.unlimit(request.POST.get("name", "")[:80])
    messages.success(request, _("The limit is gone. Whoever waited for it may go."))
    return redirect("sending")


@requires("settings.manage")
@require_POST
def warm_up(request: HttpRequest) -> HttpResponse:
    """Begin the warm-up of the configured transport today, or begin it anew."""
    form = WarmUpForm(request.POST)
    if not form.is_valid():
        return _page(request, warm_up_form=form)
    begun = {"started_on": days.today(), "started_by": request.user}
    WarmUp.objects.update_or_create(transport=transport.current(), defaults=form.cleaned_data | begun)
    messages.success(request, _("The warm-up has begun. Today counts as its first day."))
    return redirect("sending")


@requires("settings.manage")
@require_POST
def cool_down(request: HttpRequest) -> HttpResponse:
    """End the warm-up: no limit a day any more."""
    WarmUp.objects.filter(transport=transport.current()).delete()
    messages.success(request, _("The warm-up is over; a day takes any number of mails again."))
    return redirect("sending")


@requires("settings.manage")
@require_POST
def try_now(request: HttpRequest, pk: int) -> HttpResponse:
    """Let one mail try at once what rests."""
    if breaker.try_now(pk):
        messages.success(request, _("The next mail tries it. If it goes, all others follow."))
    else:
        messages.info(request, _("It does not rest any more."))
    return redirect("sending")


@requires("settings.manage")
@require_POST
def look_up(request: HttpRequest) -> HttpResponse:
    """Ask DNS now, for a few seconds at most, and keep what it says."""
    if not Shop.current().sender_email:
        messages.error(request, _("The shop has no sender address yet. Set it first."))
        return redirect("sending")
    mail_auth.look_up(Shop.current())
    messages.success(request, _("Looked up."))
    return redirect("sending")


@requires("settings.manage")
@require_POST
def probe(request: HttpRequest) -> HttpResponse:
    """Send a probe to whoever asks, with the headers that every advertising mail has."""
    try:
        address, number = testing.send_probe(request.user)  # type: ignore[arg-type]
    except testing.TestMailError as error:
        messages.error(request, str(error))
        return redirect("sending")
    domain = mail_auth.sender_of(Shop.current()).domain
    MailCheck.objects.update_or_create(domain=domain, defaults={"probe": number, "probe_sent_at": now()})
    messages.success(request, _("The probe is on its way to %(address)s.") % {"address": address})
    return redirect("sending")


@requires("settings.manage")
@require_POST
def evidence(request: HttpRequest) -> HttpResponse:
    """Take the headers of the probe as it arrived."""
    kept = mail_auth.kept_for(Shop.current())
    if kept is None:
        raise Http404
    form = ProbeForm(request.POST)
    if form.is_valid() and not mail_auth.take_evidence(kept, form.cleaned_data["headers"]):
        form.add_error(
            "headers", _("These are not the headers of the last probe. Paste all of them, X-Delivery-ID included.")
        )
    if form.errors:
        return _page(request, probe_form=form)
    messages.success(request, _("Read. What it showed stands below."))
    return redirect("sending")
