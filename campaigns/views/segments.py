"""Segments and lists: all of them, the builder, and what a page shows while a rule is built."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from campaigns import segments
from campaigns.models import Segment
from campaigns.segments import building, keeping, members
from campaigns.segments.checking import Known, faults_sentence
from campaigns.segments.keeping import SegmentError
from crm import access
from crm.access import requires

PAGE = 50


def segment_of(pk: int) -> Segment:
    """A segment or list that was not put away; else 404."""
    found = Segment.objects.select_related("changed_by", "created_by")
    return get_object_or_404(found, pk=pk, archived_at=None)


@requires("campaigns.view")
@require_GET
def overview(request: HttpRequest) -> HttpResponse:
    """All segments and lists by name. A fixed number of queries, however many."""
    found = Segment.objects.filter(archived_at=None).select_related("changed_by").order_by("name", "pk")
    at = request.GET.get("at", "")
    start = int(at) if at.isascii() and at.isdecimal() and len(at) <= 6 else 0
    rows = list(found[start : start + PAGE + 1])
    kept = rows[:PAGE]
    known = Known(*(one.rule for one in kept))
    used = keeping.uses(kept)
    context = {
        "rows": [
            (one, segments.sentence(one.rule, known) if one.kind == Segment.Kind.RULE else "", used[one.pk])
            for one in kept
        ],
        "columns": columns(),
        "previous": f"?at={max(0, start - PAGE)}" if start else "",
        "next": f"?at={start + PAGE}" if len(rows) > PAGE else "",
    }
    return render(request, "campaigns/segments.html", context)


def columns() -> list[tuple[str, str, str, str]]:
    """Columns of the table, as <c-table> takes them."""
    return [
        (label, "", kind, "")
        for label, kind in [(_("Name"), ""), (_("Customers"), "num"), (_("Used by"), ""), (_("Changed"), "")]
    ]


@requires("campaigns.manage")
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Build a segment; it is kept when it is saved."""
    return _built(request, Segment(kind=Segment.Kind.RULE, rule=building.EMPTY))


@requires("campaigns.view")
@require_http_methods(["GET", "HEAD", "POST"])
def segment(request: HttpRequest, pk: int) -> HttpResponse:
    """A segment to look at and, for who may, to change."""
    found = segment_of(pk)
    if found.kind != Segment.Kind.RULE:
        return redirect("segment_list", pk=pk)
    if not access.may(request.user, "campaigns.manage"):
        if request.method == "POST":
            raise Http404
        return render(request, "campaigns/segment.html", _context(found, found.name, found.rule, keep=True))
    return _built(request, found)


def _built(request: HttpRequest, found: Segment) -> HttpResponse:
    """The builder: every button of it is a submit of the whole tree."""
    if request.method != "POST":
        return render(request, "campaigns/segment_builder.html", _context(found, found.name, found.rule, keep=True))
    name = request.POST.get("name", "").replace("\0", "")[: keeping.NAME_LENGTH]
    rule, verb = building.read(request.POST), request.POST.get("do", "save")
    if verb != "save":
        context = _context(found, name, building.act(rule, verb), patient=True)
        return render(request, "campaigns/segment_builder.html", context)
    told: dict[str, str] = {}
    try:
        keeping.save(found, name, rule, request.user)  # type: ignore[arg-type]
    except segments.RuleError as error:
        told["trouble"] = faults_sentence(len(error.faults))
        told |= {} if name.strip() else {"name_trouble": str(keeping.nameless())}
    except SegmentError as error:
        told["name_trouble"] = str(error)
    else:
        messages.success(request, _("The segment “%(name)s” is kept.") % {"name": found.name})
        return redirect("segment", pk=found.pk)
    return render(request, "campaigns/segment_builder.html", _context(found, name, rule) | told, status=422)


def _context(found: Segment, name: str, rule: Any, patient: bool = False, keep: bool = False) -> dict[str, Any]:
    """What the builder shows. patient: what is merely unfinished is no fault yet. keep: remember the count."""
    known = Known(rule)
    wrong = segments.faults(rule, own=found.pk, known=known)
    fresh = found.pk is None and not rule["rules"][0].get("field") if rule.get("rules") else True
    look = _look(rule, known, bool(wrong))
    if keep and found.pk and look["count"]:
        keeping.remember(found, look["count"])
    return {
        "segment": found,
        "name": name,
        "box": building.shown(rule, known, () if patient or (keep and fresh) else wrong),
        "uses": keeping.uses([found])[found.pk] if found.pk else None,
        **look,
    }


def _look(rule: Any, known: Known, wrong: bool) -> dict[str, Any]:
    """The sentence of a rule and, if it can be asked, how many it means and some of them."""
    look: dict[str, Any] = {
        "sentence": segments.sentence(rule, known),
        "count": None,
        "people": [],
        "unfinished": wrong,
    }
    if wrong:
        return look
    try:
        return look | {"count": members.count(rule), "people": members.sample(rule)}
    except segments.RuleError as error:  # a segment that it names
        return look | {"unfinished": True, "cannot": str(error)}


@requires("campaigns.manage")
@require_POST
def build(request: HttpRequest) -> HttpResponse:
    """The tree after a button or another choice, for htmx; nothing is kept."""
    verb = request.POST.get("do", "")
    rule = building.act(building.read(request.POST), verb)
    focus = building.focus_after(rule, verb, request.headers.get("HX-Source", "").partition("#")[2])
    context = {"box": building.shown(rule, Known(rule), ()), "changed": True, "focus": focus}
    return render(request, "campaigns/segment_tree.html", context)


@requires("campaigns.manage")
@require_POST
def look(request: HttpRequest) -> HttpResponse:
    """Sentence, number and some people of the rule as it stands in the form, for htmx; nothing is kept."""
    rule = building.read(request.POST)
    known = Known(rule)
    own = request.POST.get("own", "")
    wrong = segments.faults(
        rule, own=int(own) if own.isascii() and own.isdecimal() and len(own) < 18 else None, known=known
    )
    return render(request, "campaigns/segment_look.html", _look(rule, known, bool(wrong)))


@requires("campaigns.manage")
@require_POST
def copy(request: HttpRequest, pk: int) -> HttpResponse:
    made = keeping.copy(segment_of(pk), request.user)  # type: ignore[arg-type]
    messages.success(request, _("This is the copy. Change what you like; the first one stays as it is."))
    return redirect("segment" if made.kind == Segment.Kind.RULE else "segment_list", pk=made.pk)


@requires("campaigns.manage")
@require_POST
def archive(request: HttpRequest, pk: int) -> HttpResponse:
    """Put a segment away, or say what still needs it."""
    found = segment_of(pk)
    try:
        keeping.archive(found)
    except SegmentError as error:
        messages.error(request, str(error))
        return redirect("segment" if found.kind == Segment.Kind.RULE else "segment_list", pk=pk)
    messages.success(request, _("“%(name)s” is put away. Mailings that ended still know it.") % {"name": found.name})
    return redirect("segments")
