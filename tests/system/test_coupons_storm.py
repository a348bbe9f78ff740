"""Coupons under a storm over HTTP, against real web processes: exactly as often as allowed, whatever is killed."""

import http.client
import json
import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django.utils.timezone import now

from crm.invariants import verify
from crm.models import ApiKey, Call, Shop
from loyalty.coupons.issuing import Wanted, issue
from loyalty.models import Coupon, CouponEntry, Redemption
from tests.factories import SourceFactory
from tests.loyalty.coupons import batch
from tests.system.installation import Processes

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

STORM = int(os.environ.get("STORM", "500"))
# A source may miss 120 times a minute, so the storm comes from many shops.
SHOPS = 10
BODY = {"basket": {"total": "50.00", "currency": "EUR"}}


@dataclass(frozen=True)
class Said:
    """What a client heard; status 0: the line went dead."""

    status: int
    body: bytes
    key: str
    shop: str


class Web:
    """Two gunicorn processes on the test database, and the keys of the shops that call them."""

    def __init__(self, processes: Processes) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        processes.environment |= {"PORT": str(self.port), "WEB_PROCESSES": "2", "LOG_LEVEL": "ERROR"}
        self.master = processes.start("-m", "gunicorn", "--config", "config/gunicorn.py", "config.wsgi")
        self.shops = [
            ApiKey.issue(SourceFactory(name=f"shop {n}"), ["coupons:redeem"], now() + timedelta(days=1))[1]
            for n in range(SHOPS)
        ]
        self.wait()

    def wait(self, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while True:
            try:
                return socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                assert self.master.poll() is None and time.monotonic() < end, "the web process does not start"
                time.sleep(0.1)

    def workers(self) -> list[int]:
        children = Path(f"/proc/{self.master.pid}/task/{self.master.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def redeem(self, code: str, shop: str, key: str) -> Said:
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        headers = {
            "Authorization": f"Bearer {shop}", "Idempotency-Key": key, "Content-Type": "application/json",
            "Host": "localhost",
        }  # fmt: skip
        try:
            line.request("POST", "/api/v1/coupons/redeem", json.dumps(BODY | {"code": code}), headers)
            answer = line.getresponse()
            return Said(answer.status, answer.read(), key, shop)
        except (OSError, http.client.HTTPException):
            return Said(0, b"", key, shop)
        finally:
            line.close()

    def storm(self, code: str, times: int, key: str = "", meanwhile: threading.Thread | None = None) -> list[Said]:
        """Redemptions that begin at the same moment, from all shops; with `key`, the same call of one shop again and again."""
        gate = threading.Barrier(times)

        def one(number: int) -> Said:
            shop = self.shops[0 if key else number % SHOPS]
            gate.wait()
            return self.redeem(code, shop, key or uuid4().hex)

        with ThreadPoolExecutor(times) as pool:
            calls = [pool.submit(one, number) for number in range(times)]
            if meanwhile:
                meanwhile.start()
            return [call.result() for call in calls]


@pytest.fixture
def web(process_environment: dict[str, str]) -> Iterator[Web]:
    Shop.current()
    processes = Processes(process_environment)
    yield Web(processes)
    processes.end()


def code_with(uses: int) -> str:
    return issue(batch(), [Wanted(uses=uses)])[0]


def assert_whole(code: str, uses: int) -> None:
    """The code, its redemptions, their entries and the kept answers tell the same."""
    assert Coupon.objects.get(code=code).used == uses
    assert Redemption.objects.filter(coupon__code=code, state="redeemed").count() == uses
    assert CouponEntry.objects.filter(coupon__code=code, step="redeemed").count() == uses
    assert Call.objects.filter(status=201).count() == uses == Call.objects.count()
    assert [found for found in verify() if found[1]] == []


@pytest.mark.parametrize("uses", [1, 3, 50])
def test_of_a_storm_exactly_as_many_succeed_as_the_code_allows(web: Web, uses: int) -> None:
    code = code_with(uses)
    began = time.monotonic()
    said = web.storm(code, STORM)
    print(f"{STORM} calls in {time.monotonic() - began:.1f} s:", Counter(one.status for one in said))
    assert Counter(one.status for one in said) == {201: uses, 409: STORM - uses}
    assert len({one.body for one in said if one.status == 409}) == 1, "one text for every no"
    assert b"not_redeemable" in next(one.body for one in said if one.status == 409)
    assert_whole(code, uses)


def test_the_same_call_fifty_times_is_one_redemption_with_one_answer(web: Web) -> None:
    code = code_with(50)
    said = web.storm(code, 50, key="the-same-key")
    assert Counter(one.status for one in said) == {201: 50}
    assert len({one.body for one in said}) == 1
    assert_whole(code, 1)


def test_a_web_process_killed_in_the_middle_leaves_nothing_half_done(web: Web) -> None:
    uses = STORM // 2
    code = code_with(uses)
    killed: list[int] = []

    def kill() -> None:
        """One process after the other, each once redemptions go through again: a kill of idle ones would prove nothing."""
        for _time in range(2):
            begun = Redemption.objects.count()
            end = time.monotonic() + 60
            while Redemption.objects.count() < begun + 20 and time.monotonic() < end:
                time.sleep(0.02)
            victim = web.workers()[0]
            os.kill(victim, signal.SIGKILL)
            killed.append(victim)
        from django.db import connection

        connection.close()

    killer = threading.Thread(target=kill)
    said = web.storm(code, STORM, meanwhile=killer)
    killer.join()
    lost = [one for one in said if one.status == 0]
    heard = Counter(one.status for one in said)
    print("killed:", len(killed), "heard:", heard)
    assert len(killed) == 2 and lost, "the kill came too late to prove anything"
    done = Redemption.objects.filter(state="redeemed").count()
    assert heard[201] <= done <= heard[201] + len(lost)
    assert set(heard) <= {0, 201, 409}

    # Who heard nothing asks again with the same key, and hears what was done, or it is done now.
    web.wait()
    again = [web.redeem(code, one.shop, one.key) for one in lost]
    assert set(one.status for one in again) <= {201, 409}
    assert heard[201] + sum(one.status == 201 for one in again) == Redemption.objects.count()
    assert Redemption.objects.count() == Coupon.objects.get(code=code).used <= uses
    assert_whole(code, Redemption.objects.count())
