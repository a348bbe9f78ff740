"""Static lists: made from a file, a pasted text or the filtered list of customers."""

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from campaigns.models import Segment, SegmentMember
from campaigns.segments import keeping, lists
from campaigns.segments.keeping import SegmentError
from campaigns.segments.members import Count
from campaigns.views.segments import segment_of
from crm import access, display, search
from crm.access import requires
from crm.filters import customer_filter
from crm.models import Customer

DOUBTFUL_SHOWN = 200
SHOWN = 20


@requires("campaigns.manage")
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Make a list: a name and, perhaps, the first people."""
    return _filled(request, Segment(kind=Segment.Kind.LIST))


@requires("campaigns.view")
@require_http_methods(["GET", "HEAD", "POST"])
def one(request: HttpRequest, pk: int) -> HttpResponse:
    """A list: who is on it, and the form that puts people on it or takes them off."""
    found = segment_of(pk)
    if found.kind != Segment.Kind.LIST:
        return redirect("segment", pk=pk)
    if request.method == "POST" and access.may(request.user, "campaigns.manage"):
        return _filled(request, found)
    return render(request, "campaigns/segment_list.html", _context(found, found.name))


def _filled(request: HttpRequest, found: Segment) -> HttpResponse:
    if request.method != "POST":
        return render(request, "campaigns/segment_list.html", _context(found, ""))
    name = request.POST.get("name", "").replace("\0", "")[: keeping.NAME_LENGTH]
    made = found.pk is None
    context: dict[str, Any] = {"pasted": request.POST.get("pasted", "")[: lists.MOST_BYTES]}
    try:
        report = _kept(request, found, name)
    except SegmentError as error:
        if made:
            found.pk = None
        return render(
            request,
            "campaigns/segment_list.html",
            _context(found, name) | context | {"trouble": str(error)},
            status=422,
        )
    if report is None:
        messages.success(request, _("The list “%(name)s” is kept.") % {"name": found.name})
        return redirect("segment_list", pk=found.pk)
    told = {"report": report, "doubtful": report.doubtful[:DOUBTFUL_SHOWN], "doubtful_shown": DOUBTFUL_SHOWN}
    return render(request, "campaigns/segment_list.html", _context(found, found.name) | told)


@transaction.atomic
def _kept(request: HttpRequest, found: Segment, name: str) -> lists.Report | None:
    """Keep the name and whoever was named; None if nobody was. A file that cannot be read keeps nothing."""
    file, pasted = request.FILES.get("file"), request.POST.get("pasted", "")
    if file is not None and file.size is not None and file.size > lists.MOST_BYTES:
        raise SegmentError(_("This file is too large: at most %(n)s MB.") % {"n": lists.MOST_BYTES // 1_000_000})
    given = lists.read(file.read()) if file is not None else lists.read(pasted) if pasted.strip() else []
    if found.pk is None or name != found.name:
        keeping.save_list(found, name, request.user)  # type: ignore[arg-type]
    if not given:
        return None
    return lists.take_off(found, given) if request.POST.get("way") == "off" else lists.put(found, given)


def _context(found: Segment, name: str) -> dict[str, Any]:
    people: list[Any] = []
    number = 0
    if found.pk:
        number = SegmentMember.objects.filter(
            segment=found, customer__erased_at=None, customer__merged_into=None
        ).count()
        keeping.remember(found, Count(number))
        on_it = SegmentMember.objects.filter(segment=found).order_by("-pk").select_related("customer__assessment")
        people = [row.customer for row in on_it[:SHOWN]]
    return {
        "segment": found,
        "name": name,
        "number": number,
        "people": people,
        "uses": keeping.uses([found])[found.pk] if found.pk else None,
        "most": lists.MOST_LINES,
    }


@requires("campaigns.manage")
@require_http_methods(["GET", "HEAD", "POST"])
def from_customers(request: HttpRequest) -> HttpResponse:
    """Put everybody of the filtered list of customers on a list; the list's filters stand in the address."""
    everybody = Customer.objects.filter(merged_into=None, erased_at=None)
    chosen = customer_filter(request.GET, search.matching(everybody, request.GET.get("q", ""), beginnings=False)).qs
    count = chosen.count()
    found = list(Segment.objects.filter(kind=Segment.Kind.LIST, archived_at=None).order_by("name"))
    context: dict[str, Any] = {"lists": found, "count": count, "back": request.GET.urlencode(), "name": ""}
    if request.method == "POST" and count:
        name = request.POST.get("name", "").replace("\0", "")
        target = next((one for one in found if str(one.pk) == request.POST.get("list")), None)
        try:
            with transaction.atomic():
                target = target or keeping.save_list(Segment(), name, request.user)  # type: ignore[arg-type]
                number = lists.add_all(target, chosen)
        except SegmentError as error:
            context |= {"trouble": str(error), "name": name}
            return render(request, "campaigns/segment_from_customers.html", context, status=422)
        said = ngettext("%(n)s customer was put on the list.", "%(n)s customers were put on the list.", number)
        messages.success(request, said % {"n": display.number(number)})
        return redirect("segment_list", pk=target.pk)
    return render(request, "campaigns/segment_from_customers.html", context)
