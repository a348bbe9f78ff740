"""What may be asked of each kind of fact: its operators, and the SQL that a condition becomes.

SQL is true, false, or NULL where the answer is unknown. Values only ever enter it as bound parameters.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

from django.utils.translation import gettext as _

from campaigns.segments import days
from campaigns.segments.tree import Rule
from campaigns.segments.values import (
    Bind,
    choice_fault,
    choices_fault,
    day_fault,
    number_fault,
    read_days,
    read_number,
    text_fault,
    texts_fault,
    whole_fault,
)


@dataclass(frozen=True)
class Kind:
    """sql: what the condition asks, over the tables that `campaigns.segments.compiling` joins.

    `operators` are in the order in which they are offered.
    """

    sql: str
    operators: ClassVar[tuple[str, ...]] = ()

    def fault(self, operator: str, value: Any, known: Collection[str] | None) -> str:
        """What is wrong with a value, as a sentence; '' if nothing. known: what may be chosen, where there is a choice."""
        return ""

    def condition(self, rule: Rule, bind: Bind, of: str) -> str:
        """The SQL of a condition that `fault` found right. of: SQL that narrows to what it asks of."""
        raise NotImplementedError

    def read(self, operator: str, given: Sequence[str]) -> Any:
        """The value from what a form sent; what cannot be read stays as it is, so that it can be shown with its fault."""
        return given[0].strip() if given else ""


@dataclass(frozen=True)
class Scalar(Kind):
    """One value a customer, or unknown."""

    def condition(self, rule: Rule, bind: Bind, of: str) -> str:
        operator, sql = rule["operator"], self.sql.replace("{of}", of)
        if operator in ("known", "unknown"):
            return f"({sql}) IS {'NOT ' if operator == 'known' else ''}NULL"
        return self.compared(f"({sql})", operator, rule["value"], bind)

    def compared(self, sql: str, operator: str, value: Any, bind: Bind) -> str:
        if operator == "one_of":
            return f"{sql} = ANY({bind([self.stored(one) for one in value])})"
        if operator == "between":
            return f"{sql} BETWEEN {bind(self.stored(value[0]))} AND {bind(self.stored(value[1]))}"
        sign = {"is": "=", "is_not": "<>", "at_least": ">=", "at_most": "<="}[operator]
        return f"{sql} {sign} {bind(self.stored(value))}"

    def stored(self, value: Any) -> Any:
        """The value as the column has it."""
        return value


@dataclass(frozen=True)
class Text(Scalar):
    """Compared without regard to case."""

    operators: ClassVar[tuple[str, ...]] = ("is", "is_not", "one_of", "begins", "known", "unknown")

    def fault(self, operator: str, value: Any, known: Collection[str] | None) -> str:
        if operator in ("known", "unknown"):
            return ""
        return texts_fault(value) if operator == "one_of" else text_fault(value)

    def compared(self, sql: str, operator: str, value: Any, bind: Bind) -> str:
        if operator == "begins":
            return f"starts_with(lower({sql}), {bind(self.stored(value))})"
        return super().compared(f"lower({sql})", operator, value, bind)

    def stored(self, value: Any) -> Any:
        return str(value).strip().lower()

    def read(self, operator: str, given: Sequence[str]) -> Any:
        if operator == "one_of":
            parts = [part.strip() for line in given for part in line.replace("\n", ",").split(",")]
            return [part for part in parts if part]
        return super().read(operator, given)


@dataclass(frozen=True)
class Choice(Scalar):
    """One of a few codes. whole: the column holds whole numbers."""

    whole: bool = False
    operators: ClassVar[tuple[str, ...]] = ("is", "is_not", "one_of", "known", "unknown")

    def fault(self, operator: str, value: Any, known: Collection[str] | None) -> str:
        if operator in ("known", "unknown"):
            return ""
        return choices_fault(value, known) if operator == "one_of" else choice_fault(value, known)

    def stored(self, value: Any) -> Any:
        return int(value) if self.whole else str(value)

    def read(self, operator: str, given: Sequence[str]) -> Any:
        return list(given) if operator == "one_of" else super().read(operator, given)


@dataclass(frozen=True)
class Number(Scalar):
    operators: ClassVar[tuple[str, ...]] = ("at_least", "at_most", "between", "is", "is_not", "known", "unknown")

    def fault(self, operator: str, value: Any, known: Collection[str] | None) -> str:
        if operator in ("known", "unknown"):
            return ""
        if operator != "between":
            return number_fault(value)
        if not isinstance(value, list) or len(value) != 2:
            return _("Enter two numbers.")
        wrong = number_fault(value[0]) or number_fault(value[1])
        return wrong or (_("The first number must not be greater than the second.") if value[0] > value[1] else "")

    def read(self, operator: str, given: Sequence[str]) -> Any:
        found = [read_number(one) for one in given[:2]]
        return found if operator == "between" else (found or [""])[0]


@dataclass(frozen=True)
class Day(Scalar):
    """instants: the column holds instants and not days."""

    instants: bool = False
    operators: ClassVar[tuple[str, ...]] = (
        "in_last",
        "longer_ago",
        "before",
        "after",
        "between",
        "is",
        "known",
        "unknown",
    )

    def fault(self, operator: str, value: Any, known: Collection[str] | None) -> str:
        return "" if operator in ("known", "unknown") else day_fault(operator, value)

    def compared(self, sql: str, operator: str, value: Any, bind: Bind) -> str:
        return bind.within(sql, days.span(operator, value, bind.today), instants=self.instants)

    def read(self, operator: str, given: Sequence[str]) -> Any:
        return read_days(operator, given)


@dataclass(frozen=True)
class ComingDay(Day):
    """A day that may lie ahead."""

    operators: ClassVar[tuple[str, ...]] = ("in_next", *Day.operators)


@dataclass(frozen=True)
class Birthday(Kind):
    """sql is the table with birth_month and birth_day. Who was born on 29 February counts as on the 28th in other years."""

    operators: ClassVar[tuple[str, ...]] = ("in_next", "known", "unknown")

    def fault(self, operator: str, value: Any, known: Collection[str] | None) -> str:
        if operator in ("known", "unknown"):
            return ""
        return whole_fault(value, 366)

    def condition(self, rule: Rule, bind: Bind, of: str) -> str:
        operator, month = rule["operator"], f"{self.sql}.birth_month"
        if operator != "in_next":
            return f"{month} IS {'NOT ' if operator == 'known' else ''}NULL"
        start, end = bind.today, bind.today + timedelta(days=rule["value"] - 1)
        if rule["value"] >= 365:
            return f"{month} = ANY({bind(list(range(1, 13)))})"
        last = (2, 29) if (end.month, end.day) == (2, 28) else (end.month, end.day)
        row = f"({month}, {self.sql}.birth_day)"
        from_start = f"{row} >= ({bind(start.month)}, {bind(start.day)})"
        to_end = f"{row} <= ({bind(last[0])}, {bind(last[1])})"
        around = start.year != end.year
        return f"({from_start} {'OR' if around else 'AND'} {to_end})"

    def read(self, operator: str, given: Sequence[str]) -> Any:
        return read_days(operator, given)


@dataclass(frozen=True)
class YesNo(Kind):
    operators: ClassVar[tuple[str, ...]] = ("is",)

    def fault(self, operator: str, value: Any, known: Collection[str] | None) -> str:
        return "" if isinstance(value, bool) else _("Choose one of the two.")

    def condition(self, rule: Rule, bind: Bind, of: str) -> str:
        return f"({self.asked(bind)})" if rule["value"] else f"NOT ({self.asked(bind)})"

    def asked(self, bind: Bind) -> str:
        return self.sql.replace("{today}", bind(bind.today)) if "{today}" in self.sql else self.sql

    def read(self, operator: str, given: Sequence[str]) -> Any:
        return {"yes": True, "no": False}.get(given[0] if given else "", "")


@dataclass(frozen=True)
class Happening(Kind):
    """Something that happened any number of times. sql: the FROM and WHERE of it, with {of} and {when}; at: its time.

    It is never unknown: what is not recorded did not happen.
    """

    at: str = ""
    instants: bool = True
    operators: ClassVar[tuple[str, ...]] = (
        "ever",
        "never",
        "in_last",
        "not_in_last",
        "since",
        "not_since",
        "before",
        "between",
    )

    def fault(self, operator: str, value: Any, known: Collection[str] | None) -> str:
        return "" if operator in ("ever", "never") else day_fault(operator, value)

    def condition(self, rule: Rule, bind: Bind, of: str) -> str:
        operator = rule["operator"]
        positive = days.NEGATIVE.get(operator, operator)
        return self.exists(self.happened(str(positive), rule.get("value"), bind, of), operator != positive, of)

    def exists(self, happened: str, negative: bool, of: str) -> str:
        return f"{'NOT ' if negative else ''}{happened}"

    def happened(self, operator: str, value: Any, bind: Bind, of: str) -> str:
        when = bind.within(self.at, days.span(operator, value, bind.today), instants=self.instants)
        return f"EXISTS (SELECT {self.sql.replace('{of}', of).replace('{when}', when)})"

    def read(self, operator: str, given: Sequence[str]) -> Any:
        return read_days(operator, given)


@dataclass(frozen=True)
class Watched(Happening):
    """A happening that is recorded of some customers alone; watched: FROM and WHERE of those. Unknown of all others."""

    watched: str = ""

    def exists(self, happened: str, negative: bool, of: str) -> str:
        found = f"CASE WHEN {happened} THEN TRUE WHEN EXISTS (SELECT {self.watched.replace('{of}', of)}) THEN FALSE END"
        return f"NOT ({found})" if negative else f"({found})"


@dataclass(frozen=True)
class Among(Kind):
    """Any number of codes a customer. sql: the FROM and WHERE of them, with {values}."""

    whole: bool = False
    operators: ClassVar[tuple[str, ...]] = ("one_of", "none_of")

    def fault(self, operator: str, value: Any, known: Collection[str] | None) -> str:
        return choices_fault(value, known)

    def condition(self, rule: Rule, bind: Bind, of: str) -> str:
        values = bind([int(one) if self.whole else str(one) for one in rule["value"]])
        asked = self.sql.replace("{values}", values).replace("{of}", of)
        return f"{'NOT ' if rule['operator'] == 'none_of' else ''}EXISTS (SELECT {asked})"

    def read(self, operator: str, given: Sequence[str]) -> Any:
        return list(given)


@dataclass(frozen=True)
class InList(Kind):
    """Stands on a list. A rule segment has become its rule before it comes here."""

    operators: ClassVar[tuple[str, ...]] = ("is", "is_not")

    def fault(self, operator: str, value: Any, known: Collection[str] | None) -> str:
        return choice_fault(value, known)

    def condition(self, rule: Rule, bind: Bind, of: str) -> str:
        asked = self.sql.replace("{values}", bind(int(rule["value"])))
        return f"{'NOT ' if rule['operator'] == 'is_not' else ''}EXISTS (SELECT {asked})"
