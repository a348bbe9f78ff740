"""Settings → Rules: edit a draft, see what it would change, save it as the next version, go back to a former one."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from django.contrib import messages
from django.db import IntegrityError, OperationalError, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from crm.access import requires
from crm.display import number
from crm.privacy import audit
from loyalty import badges, bond_check, rules
from loyalty.forms_rules import RulesForm, changes
from loyalty.models import Calibration, RuleSet
from loyalty.preview import SAMPLE, Moves, Preview, preview
from loyalty.rules import Rules

SHOWN_VERSIONS = 50


@requires("settings.manage")
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest) -> HttpResponse:
    """The rules in force, or with ?version= a former one to go back to. Nothing is saved without having been previewed."""
    base = newest_version()
    form = RulesForm(request.POST or None, shown=starting_point(request), base=base)
    if request.method != "POST":
        return page(request, form)
    if not form.is_valid():
        return page(request, form, status=422)
    if form.cleaned_data["base"] != base:
        form.add_error(None, overtaken(base))
        return page(request, form, status=422)
    if request.POST.get("seen") == fingerprint(form.draft):
        return save(request, form)
    return page(request, form, found=previewed(form.draft), seen=fingerprint(form.draft))


def starting_point(request: HttpRequest) -> Rules:
    """The version that the form starts from. Raises Http404 for one that never was."""
    asked = request.GET.get("version", "")
    try:
        return rules.of_version(int(asked)) if asked else rules.current()
    except (ValueError, OverflowError, RuleSet.DoesNotExist) as unknown:
        if isinstance(unknown, rules.RulesError):
            messages.error(request, _("These rules cannot be used any more: %(why)s") % {"why": unknown})
            return Rules()
        raise Http404 from unknown


def newest_version() -> int:
    return RuleSet.objects.order_by("-version").values_list("version", flat=True).first() or 1


def overtaken(base: int) -> str:
    newest = RuleSet.objects.filter(version=base).select_related("created_by").first()
    who = newest.created_by if newest and newest.created_by else _("somebody")
    return _(
        "%(who)s saved version %(version)s while you were editing. Your values are kept below: compare them with the list "
        "of versions, open the rules anew, and enter what is still missing."
    ) % {"who": who, "version": number(base)}


def fingerprint(draft: Rules) -> str:
    """Names a draft: only what was previewed unchanged may be saved."""
    return sha256(repr(sorted(rules.differences(draft).items())).encode()).hexdigest()[:16]


def previewed(draft: Rules) -> Preview | None:
    """What the draft would change; None if that takes too long even for a small part of the customers."""
    for sample in (SAMPLE, SAMPLE // 10):
        try:
            return preview(draft, sample)
        except OperationalError:
            continue
    return None


def save(request: HttpRequest, form: RulesForm) -> HttpResponse:
    """Store the draft as the next version. Everybody is judged anew by the worker, history keeps its own versions."""
    base, values = form.cleaned_data["base"], rules.differences(form.draft)
    if values == rules.differences(rules.current()):
        messages.info(request, _("The rules are as they were, so no new version was saved."))
        return redirect("rules")
    try:
        with transaction.atomic():
            user: Any = request.user
            RuleSet.objects.create(version=base + 1, values=values, created_by=user, note=form.cleaned_data["note"])
            audit.record(user.pk, "rules_saved", "rules", base + 1)
    except IntegrityError:
        form.add_error(None, overtaken(newest_version()))
        return page(request, form, status=422)
    messages.success(
        request,
        _("Version %(version)s is saved. All customers are being judged anew; that takes a minute or so.")
        % {"version": number(base + 1)},
    )
    return redirect("rules")


def page(
    request: HttpRequest, form: RulesForm, found: Preview | None = None, seen: str = "", status: int = 200
) -> HttpResponse:
    known = Calibration.objects.filter(pk=1).first()
    newest = newest_version()
    context = {
        "form": form,
        "version": newest,
        "former": form.shown.version if form.shown.version != newest else None,
        "seen": seen,
        "preview": found,
        "tables": tables(found) if found else [],
        "changes": changes(rules.current(), form.draft) if seen else [],
        "versions": versions(),
        "waiting": known is not None and known.rules_version != newest and not known.pinned_on,
        "self_calibrated": known is not None and known.self_calibrated,
        "bond_check": bond_check.sentences(),
    }
    return render(request, "loyalty/rules.html", context, status=status)


@dataclass(frozen=True)
class Table:
    """From where to where customers would go. rows: (place, [n or None for each column, None where nobody goes])."""

    title: str
    columns: list[str]
    rows: list[tuple[str, list[tuple[int, bool]]]]
    moves: list[tuple[str, str, int, list[Any]]]


def tables(found: Preview) -> list[Table]:
    words = [
        ("stage", badges.STAGE_NAMES),
        ("status", {code: badge.word for code, badge in badges.STATUSES.items()} | {"": _("no order yet")}),
        ("bond", {code: badge.word for code, badge in badges.BONDS.items()} | {"": _("unknown")}),
        ("type", {code: badge.word for code, badge in badges.TYPES.items()}),
    ]
    return [table(title(output, found.moves[output], found), found.moves[output], names) for output, names in words]


def title(output: str, moves: Moves, found: Preview) -> str:
    if not moves.n:
        return {
            "stage": _("Nobody would change stage"),
            "status": _("Nobody would change status"),
            "bond": _("Nobody would change the type of bond"),
            "type": _("Nobody would change the type of loyalty"),
        }[output]
    texts = {
        "stage": ngettext("%(n)s customer would change stage", "%(n)s customers would change stage", moves.n),
        "status": ngettext("%(n)s customer would change status", "%(n)s customers would change status", moves.n),
        "bond": ngettext(
            "%(n)s customer would change the type of bond", "%(n)s customers would change the type of bond", moves.n
        ),
        "type": ngettext(
            "%(n)s customer would change the type of loyalty",
            "%(n)s customers would change the type of loyalty",
            moves.n,
        ),
    }
    text = texts[output] % {"n": number(moves.n)}
    interval = moves.changed.interval
    if found.sampled and interval:
        low, high = (number(round(share * found.customers)) for share in interval)
        text = _("About %(sentence)s (95 percent sure: %(low)s to %(high)s)") % {
            "sentence": text, "low": low, "high": high,
        }  # fmt: skip
    return text


def table(heading: str, moves: Moves, names: dict[Any, str | Promise]) -> Table:
    codes = [str(code) for code in names if any(str(code) in pair for pair in moves.cells)]
    word = {str(code): str(name) for code, name in names.items()}
    rows = [
        (word[was], [(moves.cells[was, to].n if (was, to) in moves.cells else 0, was == to) for to in codes])
        for was in codes
        if any(pair[0] == was for pair in moves.cells)
    ]
    gone = [(word[was], word[to], cell.n, cell.examples) for (was, to), cell in moves.cells.items() if was != to]
    return Table(heading, [word[code] for code in codes], rows, sorted(gone, key=lambda one: -one[2]))


def versions() -> list[dict[str, Any]]:
    """The latest versions, newest first, each with what it changed. Two queries."""
    stored = list(RuleSet.objects.select_related("created_by").order_by("-version")[: SHOWN_VERSIONS + 1])
    found = []
    for place, one in enumerate(stored[:SHOWN_VERSIONS]):
        before = stored[place + 1] if place + 1 < len(stored) else None
        found.append({"set": one, "changes": difference(before, one)})
    return found


def difference(before: RuleSet | None, after: RuleSet) -> list[tuple[str, str, str]] | None:
    """What a version changed; None if it cannot be read any more."""
    try:
        old = rules.unchecked(before.values, before.version) if before else Rules()
        return changes(old, rules.unchecked(after.values, after.version))
    except rules.RulesError:
        return None
