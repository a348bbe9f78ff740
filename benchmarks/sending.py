"""How fast mails are planned and sent, as ratios to limits measured in the same run.

    python -m benchmarks.sending [--customers 1000000] [--mails 2000] [--rounds 5] [--smtp HOST:PORT]

Works on a PostgreSQL of its own in a throw-away folder (or in STAMMKUNDE_VAR, kept), or the one DATABASE_URL names.
Mails go to a discarding server: Postfix's `smtp-sink` is started if it is installed. The limit of sending is what
these guarantees cost at least if each step is committed alone: two committed single-row UPDATEs and one smtplib send for
each mail. Senders write both as well, in one commit: the end of a mail goes with the gate of the next.
Goals: planning ≥ 60,000 rows/s with a reason for everyone left out; 1 sender ≥ 40 % of the limit, 2 senders ≥ 1.6 times
one; a sender ≤ 150 MB.
"""

import argparse
import multiprocessing
import os
import resource
import shutil
import smtplib
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

PEOPLE = """
INSERT INTO crm_customer (family_name, given_name, salutation)
SELECT 'Muster' || i, 'Kim', CASE i % 3 WHEN 0 THEN 'ms' WHEN 1 THEN 'mr' ELSE 'none' END
FROM generate_series(1, {customers}) i;
INSERT INTO crm_contactpoint (customer_id, kind, value, normal)
SELECT id, 'email', 'kunde' || id || '@example.test', 'kunde' || id || '@example.test' FROM crm_customer;
INSERT INTO crm_consentevent (person_key, purpose_id, channel, action, method, occurred_at)
SELECT person_key, 'newsletter', 'email', 'given', 'paper', now() - interval '1 year' FROM crm_customer
WHERE id % 4 <> 0;
INSERT INTO crm_consentstate (customer_id, purpose_id, channel, state, since, evidence_id, address)
SELECT customer.id, purpose_id, channel, CASE WHEN customer.id % 20 = 1 THEN 'withdrawn' ELSE 'given' END,
  event.occurred_at, event.id, CASE WHEN customer.id % 20 = 1 THEN '' ELSE 'kunde' || customer.id || '@example.test' END
FROM crm_consentevent event JOIN crm_customer customer USING (person_key);
"""


def timed(job: Callable[[], Any]) -> float:
    started = time.perf_counter()
    job()
    return time.perf_counter() - started


def run_sql(statements: str) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statements)


def prepare(customers: int) -> None:
    from crm.models import Shop

    Shop.current()
    Shop.objects.update(
        sender_name="Kim Beispiel", sender_email="kim@example.test", imprint="Beispiel GmbH", armed_for="benchmark",
        quiet_from="00:00", quiet_until="00:00", mails_per_fortnight=30_000,
    )  # fmt: skip
    run_sql(PEOPLE.replace("{customers}", str(customers)))
    for table in ("crm_customer", "crm_contactpoint", "crm_consentevent", "crm_consentstate"):
        run_sql(f"VACUUM ANALYZE {table}")


def measure_planning() -> None:
    from django.utils.timezone import now

    from campaigns import planning, recipes
    from campaigns.models import Campaign, Delivery

    version = recipes.first_version(recipes.everything()["newsletter"])
    campaign = Campaign.objects.create(
        recipe="newsletter", name="Benchmark", status="checked", template_version=version,
        send_at=now() - timedelta(minutes=1),
    )
    began = time.perf_counter()
    audience = planning.preview(campaign)
    counted = time.perf_counter() - began
    whole = timed(lambda: planning.launch(campaign.pk, audience.recipients))
    rows = Delivery.objects.count()
    assert rows == audience.matched and Delivery.objects.filter(state="planned").count() == audience.recipients
    planning.advance_campaigns()
    run_sql("VACUUM ANALYZE campaigns_delivery")
    print(f"audience of {rows:,} counted with reasons: {counted:.1f} s")
    print(
        f"launched (counted once more, and planned): {whole:.1f} s; planning alone {rows / (whole - counted):,.0f} rows/s"
    )


def limit(mails: int, address: tuple[str, int]) -> float:
    """Mails/s of a loop that only commits two one-row UPDATEs and hands over a finished mail of the same size."""
    from django.db import connection

    from campaigns.models import Delivery

    ids = list(Delivery.objects.filter(state="planned").values_list("pk", flat=True)[:mails])
    body = b"Subject: x\r\n\r\n" + b"x" * 76 * 130
    server = smtplib.SMTP(*address)

    def loop() -> None:
        with connection.cursor() as cursor:
            for pk in ids:
                cursor.execute("UPDATE campaigns_delivery SET deferrals = 1 WHERE id = %s", [pk])
                server.sendmail("kim@example.test", ["kunde@example.test"], body)
                cursor.execute("UPDATE campaigns_delivery SET deferrals = 0 WHERE id = %s", [pk])

    seconds = timed(loop)
    server.quit()
    return len(ids) / seconds


def work(ready: Any, start: Any, results: Any, mails: int) -> None:
    """One sender process: as many mails as it is told, then its memory."""
    import django

    django.setup()
    from django.db import connection

    from campaigns.sending import Sender

    connection.close()
    sender = Sender(f"benchmark:{os.getpid()}")
    ready.release()
    start.wait()
    began = time.perf_counter()
    while sender.sent < mails and sender.work(0.5):
        pass
    results.put((sender.sent, time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def rate(senders: int, mails: int) -> tuple[float, float]:
    """Mails/s of several senders together, re-counted in the table, and the memory of the largest in MB."""
    from django.db import connection

    from campaigns.models import Delivery

    before = Delivery.objects.filter(state="sent").count()
    connection.close()
    context = multiprocessing.get_context("spawn")
    ready, start, results = context.Semaphore(0), context.Event(), context.Queue()
    processes = [context.Process(target=work, args=(ready, start, results, mails)) for _ in range(senders)]
    for process in processes:
        process.start()
    for _ in processes:
        ready.acquire()
    start.set()
    found = [results.get() for _ in processes]
    for process in processes:
        process.join()
    sent = sum(count for count, _seconds, _memory in found)
    assert Delivery.objects.filter(state="sent").count() - before == sent
    return sent / max(seconds for _count, seconds, _memory in found), max(memory for *_of, memory in found)


def limited(on: bool) -> None:
    """Put a limit on every mail that is too high to hold any back, to see what asking costs; or end it."""
    from campaigns import pacing

    if on:
        pacing.limit(["example.test"], 100_000_000)
        pacing.limit([], 100_000_000)
    else:
        pacing.unlimit("example.test")
        pacing.unlimit("*")


def measure_sending(mails: int, rounds: int, address: tuple[str, int]) -> None:
    found: dict[str, list[float]] = {"limit": [], "1 sender": [], "2 senders": [], "4 senders": [], "1, paced": []}
    memory = 0.0
    for _ in range(rounds):
        found["limit"].append(limit(mails, address))
        for senders, name in ((1, "1 sender"), (2, "2 senders"), (4, "4 senders"), (1, "1, paced")):
            limited(name == "1, paced")
            speed, used = rate(senders, mails)
            found[name].append(speed)
            memory = max(memory, used)
        limited(False)
    middle = {name: statistics.median(speeds) for name, speeds in found.items()}
    for name, speed in middle.items():
        print(f"{name:<10} {speed:>8.0f} mails/s  {speed / middle['limit']:.2f} x the limit")
    one = middle["1 sender"]
    print(f"2 senders / 1 sender: {middle['2 senders'] / one:.2f}; 4 senders / 1: {middle['4 senders'] / one:.2f}")
    print(f"with limits / without: {middle['1, paced'] / one:.2f}; largest sender {memory:.0f} MB")


def sink() -> tuple[subprocess.Popen[bytes] | None, tuple[str, int]]:
    """Postfix's discarding mail server on a free port."""
    program = shutil.which("smtp-sink") or "/usr/sbin/smtp-sink"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    started = subprocess.Popen([program, "-u", "nobody", "-c", f"127.0.0.1:{port}", "1000"], stdout=subprocess.DEVNULL)  # noqa: S603
    time.sleep(1)
    return started, ("127.0.0.1", port)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--mails", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--smtp", help="HOST:PORT of a discarding mail server; smtp-sink if left out")
    options = parser.parse_args()
    server, address = (None, ("", 0)) if options.smtp else sink()
    if options.smtp:
        host, _colon, port = options.smtp.partition(":")
        address = (host, int(port))
    folder = os.environ.get("STAMMKUNDE_VAR") or tempfile.mkdtemp(prefix="stammkunde-benchmark-")
    Path(folder).chmod(0o711)
    os.environ |= {
        "STAMMKUNDE_VAR": folder, "DATABASE_ROLE": "owner", "DJANGO_SETTINGS_MODULE": "config.settings",
        "DEPLOYMENT_ID": "benchmark", "EMAIL_URL": f"smtp://{address[0]}:{address[1]}", "LOG_LEVEL": "ERROR",
    }  # fmt: skip
    import django

    django.setup()
    from django.core.management import call_command

    from config import embedded
    from crm.models import Customer

    try:
        call_command("migrate", verbosity=0)
        if not Customer.objects.exists():
            print(f"{options.customers:,} customers generated in {timed(lambda: prepare(options.customers)):.0f} s")
        measure_planning()
        measure_sending(options.mails, options.rounds, address)
    finally:
        if server:
            server.terminate()
        if not os.environ.get("DATABASE_URL"):
            embedded.discard()


if __name__ == "__main__":
    main()
