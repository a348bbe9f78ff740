"""A storm: mails go out while processes and servers are killed, and afterwards the books are asked what became of them.

Time-outs are about progress: a slow machine makes a storm longer, never red.
"""

import json
import random
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
from django.db import InterfaceError, OperationalError, connection
from django.test import Client
from django.utils.timezone import now

from campaigns.api import signature
from campaigns.models import Run
from crm import consent, invariants, keyed
from crm.models import ConsentEvent, ContactPoint, Customer, PurchaseLine
from tests.campaigns.people import AGREED_AT, buys, launched, open_shop
from tests.system.installation import STALLED_S, Installation, Processes

OPEN = ("planned", "claimed", "sending")


class Storm:
    """One storm: a mail server is up, senders may be started, killed and asked about."""

    def __init__(self, installation: Installation, folder: Path) -> None:
        self.installation = installation
        self.mails = folder / "mails.jsonl"
        self.processes = Processes(dict(installation.environment), folder / "processes.log")
        self.chance = random.Random(7)
        self.kills = 0
        self.lines: list[dict[str, Any]] = []
        self._read = self._reported = 0

    # The mail server

    def open_mail_server(self, *options: str) -> None:
        sink = self.processes.start("-m", "tests.smtp_sink", "--port", "0", "--log", str(self.mails), *options)
        assert sink.stdout
        self.processes.environment["EMAIL_URL"] = f"smtp://127.0.0.1:{int(sink.stdout.readline())}"

    def taken(self) -> Counter[str]:
        """How often the mail server took each delivery."""
        self._read_on()
        return Counter(line["delivery_id"] for line in self.lines)

    def number_taken(self) -> int:
        self._read_on()
        return len(self.lines)

    def _read_on(self) -> None:
        if self.mails.exists():
            with self.mails.open("rb") as file:
                file.seek(self._read)
                new = file.read()
            whole = new[: new.rfind(b"\n") + 1]
            self._read += len(whole)
            self.lines += [json.loads(line) for line in whole.splitlines()]

    def report(self) -> None:
        """What a relay's log tailer does: report every mail that was taken since the last time, over HTTP."""
        self._read_on()
        while new := self.lines[self._reported : self._reported + 1000]:
            rows = [
                {"delivery_id": line["delivery_id"], "status": "delivered", "at": now().isoformat()} for line in new
            ]
            body = orjson.dumps(rows)
            headers = {"x-signature": signature(body, now())}
            answer = Client().post("/webhooks/receipts/", body, content_type="application/json", headers=headers)
            assert answer.status_code == 200, answer.content
            self._reported += len(new)

    # Processes

    def sender(self, **environment: str) -> subprocess.Popen[bytes]:
        return self.processes.start("manage.py", "sender", **environment)

    def sabotaged(self, *edits: str, **environment: str) -> subprocess.Popen[bytes]:
        return self.processes.start("-m", "tests.system.sabotaged_sender", *edits, **environment)

    def worker(self) -> subprocess.Popen[bytes]:
        return self.processes.start("-m", "celery", "--app", "config", "worker", "--concurrency", "2",
                                    "--loglevel", "ERROR", "--without-gossip", "--without-mingle")  # fmt: skip

    def beat(self) -> subprocess.Popen[bytes]:
        return self.processes.start("-m", "celery", "--app", "config", "beat", "--loglevel", "ERROR",
                                    "--scheduler", "celery.beat:Scheduler",
                                    "--schedule", str(self.mails.parent / "schedule"))  # fmt: skip

    # What became of the mails

    def ask(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Rows of a question to the database, as often as it takes: it may be down."""
        end = time.monotonic() + STALLED_S
        while True:
            try:
                with connection.cursor() as cursor:
                    cursor.execute(statement, parameters or None)
                    return cursor.fetchall()
            except (OperationalError, InterfaceError):
                connection.close()
                assert time.monotonic() < end, "the database stays away"
                time.sleep(0.2)

    def states(self) -> dict[str, int]:
        return dict(self.ask("SELECT state, count(*) FROM campaigns_delivery GROUP BY 1"))

    def ids(self, *states: str) -> set[str]:
        found = self.ask("SELECT id FROM campaigns_delivery WHERE state = ANY(%s)", list(states))
        return {str(pk) for (pk,) in found}

    def open_rows(self) -> int:
        return sum(self.states().get(state, 0) for state in OPEN)

    def until(self, true: Callable[[], bool], what: str, pause: float = 0.2) -> None:
        """Wait until something is true, for as long as anything moves."""
        last, since = self._position(), time.monotonic()
        while not true():
            time.sleep(pause)
            if time.monotonic() - since > 1 and (position := self._position()) != last:
                last, since = position, time.monotonic()
            assert time.monotonic() - since < STALLED_S, f"{what}: nothing moves any more"

    def _position(self) -> object:
        return self.states(), self.number_taken()

    def until_quiet(self, meanwhile: Callable[[], object] = lambda: None) -> dict[str, int]:
        """The states once no mail is open any more."""

        def quiet() -> bool:
            meanwhile()
            return not self.open_rows()

        self.until(quiet, "mails stay open", pause=0.5)
        return self.states()

    def until_settled(self) -> dict[str, int]:
        """The states once everything taken is reported and nothing is open or unknown."""

        def settled() -> bool:
            self.report()
            return not self.open_rows() and not self.states().get("unknown")

        self.until(settled, "mails stay unknown", pause=1)
        return self.states()

    def assert_nobody_twice(self) -> None:
        twice = {pk: times for pk, times in self.taken().items() if times > 1}
        assert not twice, f"{len(twice)} people were mailed twice"

    def assert_nothing_lost(self) -> None:
        """Whatever the books call sent did arrive, and whatever arrived is sent or in doubt."""
        seen, sent, unknown = set(self.taken()), self.ids("sent"), self.ids("unknown")
        assert sent <= seen, f"{len(sent - seen)} mails are called sent and never arrived"
        assert seen <= sent | unknown, f"{len(seen - sent - unknown)} mails arrived, and the books do not say so"

    def assert_sound(self) -> None:
        """Every invariant holds, once nobody works any more."""
        self.processes.end()
        broken = [found for found in invariants.verify() if found[1]]
        assert not broken, broken

    def tell(self) -> None:
        """For whoever reads of a failure."""
        seen = self.taken()
        print(
            "kills:", self.kills, "states:", self.states(), "taken:", len(seen), "twice:", len(self.lines) - len(seen)
        )
        log = self.processes.log
        if log and log.exists():
            print("the processes' last words:\n" + log.read_text(errors="replace")[-3000:])


def crowd(size: int, moods: tuple[str, ...] = ("p",)) -> Run:
    """A mailing to `size` people, launched. Their addresses begin with the moods in turn."""
    open_shop()
    people = Customer.objects.bulk_create([Customer(family_name=f"Beispiel{n}") for n in range(size)])
    addresses = {c.pk: f"{moods[n % len(moods)]}.{c.pk}@example.test" for n, c in enumerate(people)}
    ContactPoint.objects.bulk_create(
        ContactPoint(customer_id=pk, kind="email", value=address, normal=address) for pk, address in addresses.items()
    )
    keys = Customer.objects.filter(pk__in=addresses).values_list("person_key", "pk")
    ConsentEvent.objects.bulk_create(
        ConsentEvent(
            person_key=key, purpose_id="newsletter", channel="email", action="given", method="paper",
            occurred_at=AGREED_AT, address_hash=keyed.address_hash(addresses[pk]),
        )
        for key, pk in keys
    )  # fmt: skip
    consent.refresh(list(addresses))
    return launched()


def bought(customer: Customer) -> None:
    """A live purchase of one article, with its event and books that balance."""
    purchase = buys(customer)
    PurchaseLine.objects.create(
        purchase=purchase, position=1, quantity=1, unit_price=purchase.gross, net=purchase.gross
    )
