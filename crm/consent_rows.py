"""Rows about consents from outside: what is in them, and what is wrong with them."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.utils.timezone import now
from django.utils.translation import gettext as _

from crm.consent import How
from crm.models import Channel, ConsentEvent, Purpose, Wording
from crm.sync_fields import CLOCK_SKEW, KEY_LENGTH, Fields, Json, Problem
from crm.sync_people import normal_email

Action, Method = ConsentEvent.Action, ConsentEvent.Method
NAMES = frozenset(
    {"customer", "email", "purpose", "channel", "action", "occurred_at", "wording", "method", "evidence", "form",
     "notice_version", "language", "double_opt_in", "request_double_opt_in"}
)  # fmt: skip
ACTIONS = frozenset({Action.GIVEN.value, Action.WITHDRAWN.value, Action.OBJECTED.value})
CHANNELS = frozenset(Channel.values)
METHODS = frozenset({"web", "paper", "phone"})
WORDING_NAMES = frozenset({"version", "language"})
PROOF_NAMES = frozenset({"confirmed_at", "message_id", "ip"})
LANGUAGES = frozenset({"de", "en"})


@dataclass
class Row:
    """One declaration, checked. `confirmed_at`: when its double opt-in, made elsewhere, was confirmed.

    `future_end` is an end that is dated in the future: it counts from now on. With `customer` and `email` both given, the
    first says who it is and the second for which address it was declared.
    """

    position: int
    given: Json
    customer: str = ""
    email: str = ""
    normal: str = ""
    purpose: str = ""
    channel: str = "email"
    action: str = ""
    method: str = Method.API.value
    occurred_at: datetime = field(default_factory=now)
    wording_id: int | None = None
    evidence: str = ""
    form: str = ""
    notice_version: str = ""
    language: str = ""
    confirmed_at: datetime | None = None
    message_id: str = ""
    ip: str | None = None
    ask: bool = False
    future_end: bool = False
    customer_ids: list[int] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def grants(self) -> bool:
        return self.action == Action.GIVEN

    def how(self, source_id: int) -> How:
        return How(
            self.method,
            occurred_at=self.occurred_at,
            wording_id=self.wording_id,
            source_id=source_id,
            note=self.evidence,
            address=self.email,
            ip=self.ip,
            form=self.form,
            notice_version=self.notice_version,
            message_id=self.message_id,
        )


class Checker:
    """Checks rows against the purposes and wordings there are; two queries for all of them.

    `method` is the ledger's name of the door: "api" or "import".
    """

    def __init__(self, method: str) -> None:
        self.method = method
        # No tolerance for fast clocks: a grant from the future would outrank a withdrawal that comes after it.
        self.check = Fields(now() - CLOCK_SKEW)
        self.purposes = dict(Purpose.objects.values_list("pk", "active"))
        wordings = Wording.objects.values_list("purpose_id", "version", "language", "pk")
        self.wordings: Mapping[tuple[str, int, str], int] = {row[:3]: row[3] for row in wordings}

    def row(self, position: int, given: Json) -> Row:
        """The row as far as it can be read, with every problem it has."""
        self.check.problems = []
        made = Row(position, given)
        if self.check.is_object(given, ""):
            self.check.only(given, NAMES, "")
            self._who(made, given)
            self._what(made, given)
            self._proof(made, given)
        made.problems = self.check.problems
        return made

    def _who(self, made: Row, given: dict[str, Json]) -> None:
        named, address = given.get("customer"), given.get("email")
        if named is None and address is None:
            self.check.problem("required", "customer", _("Send the customer's number or the e-mail address."))
        if named is not None:
            made.customer = self.check.key(given, "customer")
        if address is not None:
            made.email = self.check.text(given, "email", 254).strip()
            made.normal = normal_email(made.email)[0] if made.email else ""
            if not made.normal:
                self.check.problem("not_an_email", "email", _("This is no e-mail address. Correct it."))

    def _what(self, made: Row, given: dict[str, Json]) -> None:
        made.action = self.check.choice(given, "action", ACTIONS)
        made.channel = self.check.choice(given, "channel", CHANNELS) if given.get("channel") is not None else "email"
        made.purpose = self._purpose(made, given)
        if made.action and not made.grants:
            # An end is never refused for lying in the future.
            made.future_end, made.occurred_at = self._end(given)
        else:
            made.occurred_at = self.check.instant(given, "occurred_at")

    def _purpose(self, made: Row, given: dict[str, Json]) -> str:
        if made.action == Action.OBJECTED and given.get("purpose") is None:
            return ""
        code = self.check.text(given, "purpose", 30)
        if not code or code not in self.purposes:
            known = ", ".join(sorted(self.purposes))
            self.check.problem("unknown_purpose", "purpose", _("Send one of: %(choices)s.") % {"choices": known})
        elif made.grants and not self.purposes[code]:
            self.check.problem("inactive_purpose", "purpose", _("The shop no longer asks for this. Leave the row out."))
        return code

    def _end(self, given: dict[str, Json]) -> tuple[bool, datetime]:
        kept = list(self.check.problems)
        at = self.check.instant(given, "occurred_at")
        if any(problem["code"] == "in_the_future" for problem in self.check.problems[len(kept) :]):
            self.check.problems = kept
            return True, now()
        return False, at

    def _proof(self, made: Row, given: dict[str, Json]) -> None:
        claimed = self.check.choice(given, "method", METHODS) if given.get("method") is not None else "web"
        made.method = claimed if claimed in ("paper", "phone") else self.method
        for name, limit in (("evidence", 200), ("form", 80), ("notice_version", 40)):
            setattr(made, name, self.check.text(given, name, limit))
        if given.get("language") is not None:
            made.language = self.check.choice(given, "language", LANGUAGES)
        if type(given.get("request_double_opt_in", False)) is not bool:
            self.check.problem("wrong_type", "request_double_opt_in", _("Send true or false."))
        made.ask = given.get("request_double_opt_in") is True and made.grants and made.channel == "email"
        if made.grants:
            self._wording(made, given)
        if made.grants and claimed == "paper" and not made.evidence:
            self.check.problem("required", "evidence", _("Say where the signed paper can be found."))
        if given.get("double_opt_in") is not None:
            self._confirmation(made, given["double_opt_in"])

    def _wording(self, made: Row, given: dict[str, Json]) -> None:
        wording = given.get("wording")
        if wording is None:
            self.check.problem("required", "wording", _("Send version and language of the wording that was agreed to."))
        elif self.check.is_object(wording, "wording"):
            self.check.only(wording, WORDING_NAMES, "wording.")
            language = self.check.choice(wording, "language", LANGUAGES, "wording.")
            version = wording.get("version")
            known = self.wordings.get((made.purpose, version, language)) if type(version) is int else None
            made.wording_id = known
            made.language = made.language or language
            if known is None and made.purpose in self.purposes and language:
                there = sorted(key[1] for key in self.wordings if key[0] == made.purpose and key[2] == language)
                self.check.problem(
                    "unknown_wording",
                    "wording.version",
                    _("There is no such version of this wording. Published are: %(versions)s.")
                    % {"versions": ", ".join(map(str, there)) or "–"},
                )

    def _confirmation(self, made: Row, proof: Json) -> None:
        if not made.grants or made.channel != "email" or made.method in ("paper", "phone"):
            self.check.problem("not_possible", "double_opt_in", _("Only a consent given on-line to e-mail has one."))
        elif self.check.is_object(proof, "double_opt_in"):
            self.check.only(proof, PROOF_NAMES, "double_opt_in.")
            made.confirmed_at = self.check.instant(proof, "confirmed_at", "double_opt_in.")
            made.message_id = self.check.text(proof, "message_id", 200, "double_opt_in.")
            made.ip = self._ip(self.check.text(proof, "ip", 45, "double_opt_in."))
            if not self.check.problems and made.confirmed_at < made.occurred_at:
                self.check.problem(
                    "before_request", "double_opt_in.confirmed_at", _("It was confirmed before it was asked for.")
                )

    def _ip(self, text: str) -> str | None:
        try:
            return str(ipaddress.ip_address(text)) if text else None
        except ValueError:
            self.check.problem("not_an_ip", "double_opt_in.ip", _("This is no IP address. Leave it out if unknown."))
            return None


def named(row: Row) -> str:
    """What the row calls the person, for the quarantine's own column."""
    return row.customer[:KEY_LENGTH]
