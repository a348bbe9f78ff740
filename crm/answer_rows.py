"""Rows about what customers answered, from outside: what is in them, and what is wrong with them."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from crm import emotions
from crm.answers import ITEMS, LONGEST_NOTE, MOST_MOTIVATORS, Motive, asked_by
from crm.models.contact import Touchpoint
from crm.privacy.vocabulary import motivators
from crm.sync_fields import EPOCH, KEY_LENGTH, Fields, Json, Problem

NAMES = frozenset(
    {"external_id", "customer", "answered_at", "touchpoint", "purchase", "items", "nev", "motivators", "comment"}
)
NEV_NAMES = frozenset({"form", "ratings"})
MOTIVATOR_NAMES = frozenset({"motivator", "importance", "fulfilment"})
TOUCHPOINTS = frozenset(Touchpoint.values)
FORMS = frozenset(emotions.FORMS)
WHOLE = {"wallet_rank", "wallet_shops"}


@dataclass
class Row:
    """One response, checked as far as it can be read. `erased`: its customer was erased after it was answered."""

    position: int
    given: Json
    external_id: str = ""
    customer: str = ""
    answered_at: datetime = EPOCH
    touchpoint: str = ""
    purchase: str = ""
    items: dict[str, Decimal] = field(default_factory=dict)
    form: str = ""
    felt: dict[str, Decimal] = field(default_factory=dict)
    motives: list[Motive] = field(default_factory=list)
    comment: str = ""
    customer_id: int = 0
    purchase_id: int | None = None
    erased: bool = False
    problems: list[Problem] = field(default_factory=list)

    def refuse(self, code: str, field: str, message: str) -> None:
        self.problems.append({"code": code, "field": field, "message": message})


class Checker:
    """Checks rows; asks no database."""

    def __init__(self, now: datetime) -> None:
        self.check = Fields(now)
        self.motivators = frozenset(motivators())

    def row(self, position: int, given: Json) -> Row:
        """The row as far as it can be read, with every problem it has."""
        self.check.problems = []
        made = Row(position, given)
        if self.check.is_object(given, ""):
            self.check.only(given, NAMES, "")
            self._head(made, given)
            self._items(made, given.get("items"))
            self._nev(made, given.get("nev"))
            self._motives(made, given.get("motivators"))
            if not self.check.problems and not made.items and not made.felt and not made.motives:
                self.check.problem("empty", "items", _("There is no answer in this row. Send one at least, or no row."))
        made.problems = self.check.problems
        return made

    def _head(self, made: Row, given: dict[str, Json]) -> None:
        made.external_id = self.check.key(given, "external_id")
        made.customer = self.check.key(given, "customer")
        made.answered_at = self.check.instant(given, "answered_at")
        if given.get("touchpoint") not in (None, ""):
            made.touchpoint = self.check.choice(given, "touchpoint", TOUCHPOINTS)
        if given.get("purchase") not in (None, ""):
            made.purchase = self.check.key(given, "purchase")
        made.comment = self.check.text(given, "comment", LONGEST_NOTE)

    def _items(self, made: Row, given: Json) -> None:
        if given is None or not self.check.is_object(given, "items"):
            return
        for item, value in given.items():
            place = f"items.{item[:KEY_LENGTH]}"
            if item not in ITEMS:
                known = ", ".join(ITEMS)
                self.check.problem(
                    "unknown_item", place, _("There is no such question. Known are: %(names)s.") % {"names": known}
                )
                continue
            score = self._score(value, place, *ITEMS[item], whole=item in WHOLE)
            if score is not None:
                made.items[item] = score
        rank, shops = made.items.get("wallet_rank"), made.items.get("wallet_shops")
        if rank is not None and shops is not None and rank > shops:
            self.check.problem(
                "out_of_range", "items.wallet_rank", _("The rank is at most the number of shops, “wallet_shops”.")
            )

    def _nev(self, made: Row, given: Json) -> None:
        if given is None:
            return
        if type(given) is list:
            message = _("Send one form for each response. Answers to the full and the short form are never mixed.")
            self.check.problem("two_forms", "nev", message)
            return
        if not self.check.is_object(given, "nev"):
            return
        self.check.only(given, NEV_NAMES, "nev.")
        made.form = self.check.choice(given, "form", FORMS, "nev.")
        ratings = given.get("ratings")
        if ratings is None:
            self.check.problem("required", "nev.ratings", _("Send each emotion asked for with its rating, 0 to 10."))
        elif self.check.is_object(ratings, "nev.ratings") and made.form:
            self._ratings(made, ratings)

    def _ratings(self, made: Row, ratings: dict[str, Json]) -> None:
        asked = asked_by(made.form)
        for code, value in ratings.items():
            place = f"nev.ratings.{code[:KEY_LENGTH]}"
            if code not in asked:
                message = _("The %(form)s form does not ask for this. It asks for: %(names)s.")
                self.check.problem("not_asked", place, message % {"form": made.form, "names": ", ".join(asked)})
            elif (score := self._score(value, place, 0, 10)) is not None:
                made.felt[code] = score

    def _motives(self, made: Row, given: Json) -> None:
        if given is None:
            return
        if type(given) is not list:
            self.check.problem("wrong_type", "motivators", _("Send a list in brackets."))
            return
        if len(given) > MOST_MOTIVATORS:
            self.check.problem("too_many", "motivators", _("Send three motivators at most: the most important ones."))
            return
        for place, one in enumerate(given):
            self._motive(made, one, f"motivators[{place}]")

    def _motive(self, made: Row, given: Json, place: str) -> None:
        if not self.check.is_object(given, place):
            return
        prefix = f"{place}."
        self.check.only(given, MOTIVATOR_NAMES, prefix)
        code = self.check.choice(given, "motivator", self.motivators, prefix)
        importance = self._score(given.get("importance"), prefix + "importance", 0, 10, whole=True)
        fulfilment = self._score(given.get("fulfilment"), prefix + "fulfilment", 0, 10, whole=True)
        if given.get("importance") is None:
            self.check.problem("required", prefix + "importance", _("Say how important it is, from 0 to 10."))
        if code in {motive.motivator for motive in made.motives}:
            self.check.problem("repeated", prefix + "motivator", _("This motivator stands here twice. Send it once."))
        elif code and importance is not None:
            made.motives.append(Motive(code, int(importance), None if fulfilment is None else int(fulfilment)))

    def _score(self, value: Any, place: str, low: int, high: int, whole: bool = False) -> Decimal | None:
        """A number on its scale with at most one decimal; None for one that is absent or wrong."""
        if value is None:
            return None
        if type(value) not in (int, float):
            self.check.problem(
                "not_a_number", place, _("Send a number without quotation marks, or null if unanswered.")
            )
            return None
        score = Decimal(repr(value))
        if not score.is_finite() or not low <= score <= high:
            message = _("This is answered from %(low)s to %(high)s; %(value)s does not fit.")
            self.check.problem("out_of_range", place, message % {"low": low, "high": high, "value": str(value)[:20]})
        elif score != round(score, 0 if whole else 1):
            message = _("Send a whole number.") if whole else _("Send one decimal at most.")
            self.check.problem("too_exact", place, message)
        else:
            return score
        return None
