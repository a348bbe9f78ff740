"""What an administrator sets: the shop itself, and a look at where its data comes from."""

from datetime import timedelta

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Count, Prefetch
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from crm.access import requires
from crm.forms_settings import ShopForm
from crm.models import ApiKey, Quarantine, Return, Shop, Source

KEPT_DAYS = 30
SHOWN = 50


@requires("settings.manage")
@require_http_methods(["GET", "HEAD", "POST"])
def shop(request: HttpRequest) -> HttpResponse:
    """The shop's settings. A wrong value is answered beside its field and nothing is saved."""
    form = ShopForm(request.POST or None, instance=Shop.current())
    if request.method == "POST" and form.is_valid():
        try:
            form.save()
        except ValidationError as refused:
            form.add_error(None, refused)
        else:
            messages.success(request, _("The settings are saved."))
            return redirect("settings")
    return render(request, "settings/shop.html", {"form": form}, status=422 if form.errors else 200)


@requires("settings.manage")
@require_GET
def sources(request: HttpRequest) -> HttpResponse:
    """Sources with their keys, what was refused in the last 30 days, and returns that wait for something."""
    since = timezone.now() - timedelta(days=KEPT_DAYS)
    refused = Quarantine.objects.filter(received_at__gte=since)
    held = Return.objects.exclude(held="")
    context = {
        "sources": Source.objects.order_by("name").prefetch_related(
            Prefetch("api_keys", ApiKey.objects.order_by("revoked_at", "-created_at"))
        ),
        "refused": refused.select_related("source").order_by("-received_at", "-pk")[:SHOWN],
        "refused_by_source": refused.values("source__name").annotate(rows=Count("pk")).order_by("source__name"),
        "held": held.select_related("source").order_by("-received_at", "-pk")[:SHOWN],
        "held_total": held.count(),
        "shown": SHOWN,
        "kept_days": KEPT_DAYS,
        "now": timezone.now(),
    }
    return render(request, "settings/sources.html", context)


@requires("settings.manage")
@require_POST
def revoke_key(request: HttpRequest, pk: int) -> HttpResponse:
    """End a key for good. Ending it twice changes nothing."""
    key = get_object_or_404(ApiKey, pk=pk)
    ApiKey.objects.filter(pk=pk, revoked_at=None).update(revoked_at=timezone.now())
    messages.success(request, _("The key %(prefix)s… no longer opens anything.") % {"prefix": key.prefix})
    return redirect("settings_sources")
