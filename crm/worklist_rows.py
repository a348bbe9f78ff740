"""Where the rows of the worklist come from, and how they are worded. Each source is a fixed number of queries."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.db import connection
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crm import alerts, display, once, permission, plugins
from crm.compiled import compiled
from crm.days import next_working_day
from crm.models import Answer, Complaint, Customer, Task, User

SOON = timedelta(hours=48)


Born = tuple[list[tuple[int, str, bool]], dict[int, datetime]]


@dataclass
class Entry:
    """One row. `key` names it in the URL; without a `url` its verb opens it beside the list.

    when: the bold word on the left, `when_note` below it; `urgent` if the deadline is today or past; `tone` bad for
    what must come first. `text` is why, `own_words` what the customer said.
    """

    key: str
    group: str
    customer_id: int
    icon: str
    when: str
    text: str
    verb: str | Promise
    verb_icon: str
    when_note: str = ""
    urgent: bool = False
    tone: str = ""
    own_words: str = ""
    url: str = ""
    task: Task | None = None
    birthday: bool = False
    owner_id: int | None = None
    customer: Customer | None = None


def deadlines(user: User, mine: bool, limit: int) -> tuple[list[Entry], int]:
    """Alerts and complaints, the nearest deadline first. Their number is told for `mine` only: all are counted anyway."""
    shown = _alerts(user.pk, mine=mine, limit=limit)
    words = _own_words(shown)
    entries = [_alert(task, words.get(task.cause, "")) for task in shown]
    listed = [(task.due_at, entry) for task, entry in zip(shown, entries, strict=True)]
    listed += [(case.due_at, _case(case)) for case in _cases(user.pk, mine=mine, limit=limit)]
    listed.sort(key=lambda one: one[0])
    number = 0
    if mine:
        number = open_tasks(user.pk, mine).filter(kind=Task.Kind.ALERT).count() + open_cases(user.pk, mine).count()
    return [entry for _due, entry in listed[:limit]], number


@compiled
def _alerts(user: int, *, mine: bool, limit: int) -> QuerySet[Task]:
    return open_tasks(user, mine).filter(kind=Task.Kind.ALERT).order_by("due_at", "pk")[:limit]


@compiled
def _cases(user: int, *, mine: bool, limit: int) -> QuerySet[Complaint]:
    return open_cases(user, mine).order_by("due_at", "pk")[:limit]


def calls(user: User, mine: bool, limit: int) -> tuple[list[Entry], int]:
    """Promised calls up to the next working day."""
    soon = end_of(next_working_day(timezone.localdate()))
    shown = _calls(user.pk, soon, mine=mine, limit=limit)
    return [_call(task) for task in shown], _promised(user.pk, soon, mine).count()


def _promised(user: int, until: datetime, mine: bool) -> QuerySet[Task]:
    return open_tasks(user, mine).filter(kind=Task.Kind.CALL_BACK, due_at__lt=until)


@compiled
def _calls(user: int, until: datetime, *, mine: bool, limit: int) -> QuerySet[Task]:
    return _promised(user, until, mine).order_by("due_at", "pk")[:limit]


def birthdays(user: User, mine: bool, limit: int) -> tuple[list[Entry], int]:
    """Today's birthdays of those who get no mail: somebody has to congratulate them."""
    rows, _mailed = born_today(user.pk if mine else None)
    return [_birthday(*row) for row in rows[:limit]], len(rows)


BIRTHDAYS = """
SELECT judged.customer_id, judged.code, judged.allowed
FROM ({verdicts}) judged JOIN crm_customer born ON born.id = judged.customer_id
ORDER BY judged.allowed, born.sort_key, born.id"""
BORN = """(
  SELECT born.id AS customer_id FROM crm_customer born
  WHERE (born.birth_month, born.birth_day) IN ({days}) AND born.merged_into_id IS NULL AND born.erased_at IS NULL
    AND born.deceased_at IS NULL AND born.restricted_at IS NULL AND NOT born.is_test
    AND (%(mine)s::bigint IS NULL OR born.assigned_to_id = %(mine)s)
    AND NOT EXISTS (SELECT FROM crm_task done WHERE done.cause = 'birthday:' || born.id || ':' || %(year)s))"""


def born_today(mine: int | None) -> Born:
    """Whose birthday it is: who gets no mail, as (customer, the gate's code, allowed); and who gets one, with when.

    mine: only those whom this member of staff looks after. The gate judges everybody who was born today, so a page asks
    it once.
    """
    return once.remembered(("born today", mine), lambda: _born_today(mine)) or _born_today(mine)


def _born_today(mine: int | None) -> Born:
    day = timezone.localdate()
    dates = [(day.month, day.day)]
    if (day.month, day.day) == (2, 28) and (day + timedelta(days=1)).day == 1:
        dates.append((2, 29))
    born = BORN.format(days=", ".join(f"({month}, {of_month})" for month, of_month in dates))
    with connection.cursor() as cursor:
        cursor.execute(
            BIRTHDAYS.format(verdicts=permission.verdicts(born, timely=False)),
            permission.parameters("advertising", "birthday") | {"mine": mine, "year": str(day.year)},
        )
        rows = cursor.fetchall()
    mailed: dict[int, datetime] = {}
    for plugin in plugins.registered():
        mailed |= plugin.greetings(day, [pk for pk, _code, allowed in rows if allowed])
    return [row for row in rows if row[0] not in mailed], mailed


def open_tasks(user: int, mine: bool) -> QuerySet[Task]:
    """Nobody is asked whether the customer was erased: tasks and complaints are deleted with the customer."""
    tasks = Task.objects.filter(state=Task.State.OPEN)
    return tasks.filter(of(user)) if mine else tasks


def open_cases(user: int, mine: bool) -> QuerySet[Complaint]:
    cases = Complaint.objects.exclude(state=Complaint.State.CLOSED)
    return cases.filter(of(user)) if mine else cases


def of(user: int) -> Q:
    """What this member of staff, told by key, has taken on, and what nobody has of the customers they look after."""
    return Q(owner=user) | Q(owner=None, customer__in=Customer.objects.filter(assigned_to=user).values("pk"))


def end_of(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day + timedelta(days=1), time()))


def _own_words(tasks: Iterable[Task]) -> dict[str, str]:
    """What the customers wrote on the sheets that caused the tasks, by cause."""
    responses = [task.cause.removeprefix("response:") for task in tasks if task.cause.startswith("response:")]
    comments = Answer.objects.filter(response__in=responses).exclude(comment="").values_list("response", "comment")
    return {f"response:{response}": comment for response, comment in comments} if responses else {}


# How a row is worded


def _alert(task: Task, own_words: str) -> Entry:
    when, note, urgent = due_words(task.due_at)
    return Entry(
        key=f"task-{task.pk}",
        group="first",
        customer_id=task.customer_id,
        icon="mood-angry",
        tone="bad",
        when=when,
        when_note=note,
        urgent=urgent,
        text=_("Alert: %(reason)s") % {"reason": alerts.sentence(task.detail)},
        own_words=own_words,
        verb=task.get_kind_display(),
        verb_icon="phone",
        task=task,
        owner_id=task.owner_id,
    )


def _case(case: Complaint) -> Entry:
    when, note, urgent = due_words(case.due_at)
    named = {"number": case.number, "severity": case.get_severity_display()}
    return Entry(
        key=f"case-{case.pk}",
        group="first",
        customer_id=case.customer_id,
        icon="alert-circle",
        tone="bad",
        when=when,
        when_note=note,
        urgent=urgent,
        text=_("Complaint %(number)s, severity %(severity)s.") % named,
        own_words=case.text if len(case.text) < 120 else f"{case.text[:119]}…",
        verb=_("Give an answer") if case.state == Complaint.State.OPEN else _("Close the case"),
        verb_icon="message-2",
        url=case.get_absolute_url(),
        owner_id=case.owner_id,
    )


def _call(task: Task) -> Entry:
    when, note, urgent = due_words(task.due_at)
    return Entry(
        key=f"task-{task.pk}",
        group="call_back",
        customer_id=task.customer_id,
        icon="phone-call",
        when=when,
        when_note=note,
        urgent=urgent,
        text=task.text,
        verb=task.get_kind_display(),
        verb_icon="phone",
        task=task,
        owner_id=task.owner_id,
    )


def _birthday(customer_id: int, code: str, allowed: bool) -> Entry:
    if allowed:
        text = _("A mail is allowed, but no birthday mail is on its way.")
    else:
        text = _("No mail: %(reason)s") % {"reason": permission.BY_CODE[code].sentence}
    return Entry(
        key=f"birthday-{customer_id}",
        group="birthday",
        customer_id=customer_id,
        icon="cake",
        when=_("today"),
        text=text,
        verb=Task.Kind.BIRTHDAY.label,
        verb_icon="cake",
        birthday=True,
    )


def due_words(due: datetime) -> tuple[str, str, bool]:
    """The deadline in bold, how long it still is, and whether it is urgent: today or past."""
    now, here = timezone.now(), timezone.localtime(due)
    days = (here.date() - timezone.localdate()).days
    day = display.ago(here.date()) if days in (0, 1) else display.short_day(due)
    bold = f"{day} {display.clock(due)}"
    if due < now:
        return bold, _("overdue"), True
    hours = int((due - now).total_seconds() // 3600)
    if due - now > SOON:
        return bold, "", False
    if hours < 1:
        return bold, _("less than an hour left"), True
    left = ngettext("%(n)s hour left", "%(n)s hours left", hours) % {"n": display.number(hours)}
    return bold, left, days == 0


SOURCES = {"first": deadlines, "call_back": calls, "birthday": birthdays}
