"""Kinds of fact that one field alone has."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, ClassVar

from campaigns.segments.kinds import Among, Choice, Kind, YesNo
from campaigns.segments.options import NEVER_ASKED
from campaigns.segments.tree import Rule
from campaigns.segments.values import Bind
from loyalty import figures, motivators, scoring
from loyalty.barriers import SIGNALS
from loyalty.status import UNTIL, Status, status_sql

PLACES = {signal.code: place for place, signal in enumerate(SIGNALS, start=1)}
DATED = re.compile(r"\b(?=\w+_until\b)")  # where the name of a day of the assessment begins
RFM_COLUMNS = {"r": "metrics.last_order_on", "f": "metrics.orders", "m": "metrics.value"}
ANSWERED_MOTIVES = f"SELECT customer_id FROM ({motivators.SAID}) said WHERE top AND fulfilment IS NOT NULL"
CONNECTED = f"""CASE
  WHEN customer.id IN (SELECT customer_id FROM ({motivators.SAID}) said WHERE {motivators.CONNECTS}) THEN TRUE
  WHEN customer.id IN ({ANSWERED_MOTIVES}) THEN FALSE END"""


@dataclass(frozen=True)
class StatusOn(Choice):
    """Status on the day, worked out from the days that the assessment keeps."""

    def condition(self, rule: Rule, bind: Bind, of: str) -> str:
        day = bind(bind.today)
        stated = f"nullif({DATED.sub('assessment.', status_sql(f'{day}::date'))}, '')"
        if rule["operator"] in ("known", "unknown"):
            return f"({stated}) IS {'NOT ' if rule['operator'] == 'known' else ''}NULL"
        if rule["operator"] == "is" and rule["value"] == Status.LAPSED:  # in a form that an index can answer
            earlier = [f"coalesce(assessment.{column} < {day}, TRUE)" for _status, column in UNTIL[:-1]]
            return f"(assessment.{UNTIL[-1][1]} < {day} AND {' AND '.join(earlier)})"
        return self.compared(f"({stated})", rule["operator"], rule["value"], bind)


@dataclass(frozen=True)
class Rfm(Choice):
    """A class of recency, frequency or value, by its bounds in the stored figure; unknown until that was computed."""

    operators: ClassVar[tuple[str, ...]] = ("is", "is_not", "one_of")

    def condition(self, rule: Rule, bind: Bind, of: str) -> str:
        stored = figures.show("rfm").value
        if not stored:
            return "NULL::boolean"
        wanted = rule["value"] if rule["operator"] == "one_of" else [rule["value"]]
        column = RFM_COLUMNS[self.sql]
        spans = [
            f"{column} BETWEEN {bind(one['low'])}{self.cast} AND {bind(one['high'])}{self.cast}"
            for one in stored["classes"][self.sql]
            if str(one["code"]) in {str(code) for code in wanted}
        ]
        inside = f"({' OR '.join(spans) or 'FALSE'})"
        return f"CASE WHEN metrics.orders > 0 THEN {'NOT ' if rule['operator'] == 'is_not' else ''}{inside} END"

    @property
    def cast(self) -> str:
        return {"r": "::date", "f": "::int", "m": "::numeric"}[self.sql]


@dataclass(frozen=True)
class Signals(Among):
    """Signs of barriers that gave points. Unknown where none gave any and not all are known."""

    def condition(self, rule: Rule, bind: Bind, of: str) -> str:
        points = [f"assessment.points[{PLACES[code]}] > 0" for code in rule["value"]]
        return f"{'NOT ' if rule['operator'] == 'none_of' else ''}({' OR '.join(points)})"


@dataclass(frozen=True)
class Motives(YesNo):
    """What customers said of themselves within the time in which it counts."""

    def asked(self, bind: Bind) -> str:
        return bound(self.sql, bind)


@dataclass(frozen=True)
class MotivesAmong(Among):
    """Unknown of who said nothing."""

    def condition(self, rule: Rule, bind: Bind, of: str) -> str:
        said = f"SELECT customer_id FROM ({motivators.SAID}) said"
        found = bound(
            f"CASE WHEN customer.id IN ({said} WHERE motivator = ANY({bind(list(rule['value']))})) THEN TRUE"
            f" WHEN customer.id IN ({said}) THEN FALSE END",
            bind,
        )
        return f"{'NOT ' if rule['operator'] == 'none_of' else ''}({found})"


SAID_MOTIVES = MotivesAmong("")


def bound(statement: str, bind: Bind) -> str:
    """A statement about motivators with its parameters under names of ours."""
    for name, value in motivators.parameters(scoring.shown_day()).items():
        statement = statement.replace(f"%({name})s", bind(value))
    return statement


@dataclass(frozen=True)
class Consent(Kind):
    """Where somebody stands with a purpose on a channel. Never unknown: who was never asked is one of the states."""

    operators: ClassVar[tuple[str, ...]] = ("is", "is_not", "one_of")

    def fault(self, operator: str, value: Any, known: Collection[str] | None) -> str:
        return Choice("").fault(operator, value, known)

    def condition(self, rule: Rule, bind: Bind, of: str) -> str:
        operator, value = rule["operator"], rule["value"]
        states = set(value if operator == "one_of" else [value])
        purpose, _slash, channel = str(rule["of"]).partition("/")
        stated = (
            "EXISTS (SELECT FROM crm_consentstate stated WHERE stated.customer_id = customer.id"
            f" AND stated.purpose_id = {bind(purpose)} AND stated.channel = {bind(channel)}"
        )
        named = sorted(states - {NEVER_ASKED})
        parts = [f"{stated} AND stated.state = ANY({bind(named)}))"] if named else []
        parts += [f"NOT {stated})"] if NEVER_ASKED in states else []
        return f"{'NOT ' if operator == 'is_not' else ''}({' OR '.join(parts)})"

    def read(self, operator: str, given: Any) -> Any:
        return Choice("").read(operator, given)
