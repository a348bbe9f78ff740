"""What waits for the staff today: alerts and complaints with their deadlines, promised calls, birthdays.

A fixed number of queries, whatever waits. The upper apps add theirs by the hook `worklist`.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Q, QuerySet, Value
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm import plugins
from crm.compiled import compiled
from crm.days import next_working_day
from crm.models import ContactPoint, Customer, Task, User
from crm.worklist_rows import SOURCES, Entry, born_today, end_of, of, open_cases, open_tasks

GROUPS: dict[str, tuple[str | Promise, str | Promise]] = {
    "first": (gettext_lazy("First: complaints and alerts"), gettext_lazy("Deadlines")),
    "call_back": (gettext_lazy("Promised calls"), gettext_lazy("Calls")),
    "birthday": (gettext_lazy("Birthdays"), gettext_lazy("Birthdays")),
    "review": (gettext_lazy("Reviews without an answer"), gettext_lazy("Reviews")),
    "data": (gettext_lazy("Data to put in order"), gettext_lazy("Data")),
}
SHOWN, SHOWN_OF_ONE_KIND, GREETED_SHOWN = 20, 100, 12


@dataclass
class Chip:
    """A filter: `query` is its part of the address."""

    label: str | Promise
    count: int
    query: str
    current: bool


@dataclass
class Worklist:
    """What is shown, and how much there is. `waiting` and `due_today` count what is not shown, too."""

    groups: list[tuple[str | Promise, int, list[Entry], int]]
    chips: list[Chip]
    waiting: int
    due_today: int
    done: list[Task]
    done_count: int
    chosen: Entry | None = None
    points: list[ContactPoint] = field(default_factory=list)
    by_itself: bool = False
    marks: list[plugins.Column] = field(default_factory=list)
    query: str = ""
    greeted: list[tuple[Customer, datetime]] = field(default_factory=list)
    greeted_count: int = 0


def waiting(user: User, *, kind: str = "", mine: bool = False, open_key: str = "") -> Worklist:
    """What waits. kind: one of GROUPS, or '' for all; mine: what this person looks after; open_key: shown beside."""
    kind = kind if kind in GROUPS else ""
    limit = SHOWN_OF_ONE_KIND if kind else SHOWN
    found: list[Entry] = []
    numbers = Counter[str]()
    for group, source in SOURCES.items():
        if kind in ("", group):
            entries, number = source(user, mine, limit)
            found += entries
            numbers[group] += number
    for entry in plugins.collect(lambda plugin: plugin.worklist(user, limit)):
        if kind in ("", entry.group) and (not mine or entry.owner_id == user.pk):
            found.append(entry)
            numbers[entry.group] += 1
    with_customers(found)
    found = [entry for entry in found if entry.customer]
    counts = _counts(user)
    if not mine and kind in ("", "first"):
        numbers["first"] += counts["by_group"]["first"]
    everywhere = counts["by_group"] + Counter({group: numbers[group] for group in ("review", "data")})
    personal, mailed = born_today(None)
    everywhere["birthday"] = len(personal)
    greeted = sorted(mailed.items(), key=lambda one: one[1])[:GREETED_SHOWN] if kind in ("", "birthday") else []
    names = Customer.objects.in_bulk([pk for pk, _at in greeted])
    chosen = next((entry for entry in found if entry.key == open_key), None)
    by_itself = chosen is None
    chosen = chosen or next((entry for entry in found if not entry.url), None)
    groups = []
    for group, (title, _label) in GROUPS.items():
        rows = [entry for entry in found if entry.group == group]
        if rows:
            groups.append((title, numbers[group], rows, max(0, numbers[group] - len(rows))))
    return Worklist(
        groups=groups,
        chips=_chips(kind, mine, everywhere, counts["mine"]),
        waiting=sum(everywhere.values()),
        due_today=counts["due_today"],
        done=list(_done_today().select_related("customer", "closed_by").order_by("-closed_at")[:5]),
        done_count=counts["done"],
        chosen=chosen,
        points=_points(chosen),
        by_itself=by_itself,
        marks=[column for column in plugins.collect(lambda plugin: plugin.list_columns()) if column.code == "stage"],
        greeted=[(names[pk], at) for pk, at in greeted],
        greeted_count=len(mailed) if greeted else 0,
        query="mine=1&" if mine else f"kind={kind}&" if kind else "",
    )


def with_customers(entries: Sequence[Entry]) -> None:
    """Give each entry its customer, with what the upper apps show of one, in one query and theirs."""
    rows: QuerySet[Any] = Customer.objects.filter(pk__in={entry.customer_id for entry in entries}, erased_at=None)
    for plugin in plugins.registered():
        rows = plugin.list_queryset(rows)
    customers = {customer.pk: customer for customer in rows}
    for entry in entries:
        entry.customer = customers.get(entry.customer_id)


def _points(entry: Entry | None) -> list[ContactPoint]:
    """How the chosen customer can be reached."""
    if entry is None:
        return []
    points = ContactPoint.objects.filter(customer_id=entry.customer_id, is_primary=True, kind__in=["phone", "email"])
    return list(points.exclude(state=ContactPoint.State.GONE).order_by("-kind"))


# How much there is


def _done_today() -> QuerySet[Task]:
    start = end_of(timezone.localdate() - timedelta(days=1))
    return Task.objects.filter(state=Task.State.DONE, closed_at__gte=start, customer__erased_at=None)


def _counts(user: User) -> dict[str, Any]:
    """Numbers of what waits, in three queries."""
    tonight, soon = end_of(timezone.localdate()), end_of(next_working_day(timezone.localdate()))
    by_group, due, mine = Counter[str](), 0, 0
    for row in [*_tasks_by_kind(user.pk, tonight, soon), *_cases_together(user.pk, tonight)]:
        by_group[row["kind"] if row["kind"] in GROUPS else "first"] += row["all"]
        due, mine = due + row["due"], mine + row["mine"]
    return {"by_group": by_group, "due_today": due, "mine": mine, "done": _done_today().count()}


def _numbers(user: int, tonight: datetime) -> dict[str, Count]:
    return {
        "all": Count("pk"),
        "due": Count("pk", filter=Q(due_at__lt=tonight)),
        "mine": Count("pk", filter=of(user)),
    }


@compiled
def _tasks_by_kind(user: int, tonight: datetime, soon: datetime) -> QuerySet[Any, Any]:
    shown = Q(kind=Task.Kind.ALERT) | Q(kind=Task.Kind.CALL_BACK, due_at__lt=soon)
    return open_tasks(user, False).filter(shown).order_by().values("kind").annotate(**_numbers(user, tonight))


@compiled
def _cases_together(user: int, tonight: datetime) -> QuerySet[Any, Any]:
    """One row, none without a case."""
    return open_cases(user, False).order_by().values(kind=Value("case")).annotate(**_numbers(user, tonight))


def _chips(kind: str, mine: bool, numbers: Counter[str], of_user: int) -> list[Chip]:
    chips = [
        Chip(_("All"), sum(numbers.values()), "", not kind and not mine),
        Chip(_("Mine"), of_user, "mine=1", mine),
    ]
    for group, (_title, label) in GROUPS.items():
        if numbers[group] or group == kind:
            chips.append(Chip(label, numbers[group], f"kind={group}", kind == group))
    return chips
