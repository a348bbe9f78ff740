"""docs/adding.md tells the truth: each thing is one entry in one file, without a migration.

The entries of the document are put into a copy of the sources, and a process of its own judges and explains with it.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT.joinpath("docs/adding.md").read_text()
APPS = ("config", "crm", "loyalty", "campaigns", "templates", "static", "locale")

PROBE = """
    import io, json, sys
    from datetime import timedelta
    from uuid import uuid4
    import django
    django.setup()
    from django.core.management import call_command
    from django.db import transaction
    from django.test import Client
    from django.utils import translation
    from django.utils.timezone import now
    from crm.models import Answer, BarrierFact, Customer, Purchase, Shop, Source, User
    from loyalty import explain, rulebook, scoring
    from loyalty.models import Assessment

    translation.activate("en")
    call_command("makemigrations", check=True, dry_run=True, stdout=io.StringIO())
    said = {}
    with transaction.atomic():
        user = User.objects.create(username=uuid4().hex, role="admin", language="en")
        source = Source.objects.create(name=uuid4().hex)
        customer = Customer.objects.create()
        for days in (5, 20, 40):
            at = now() - timedelta(days=days)
            Purchase.objects.create(source=source, external_id=str(days), customer=customer, ordered_at=at, net=10, gross=10,
                                    ordered_on=at.date(), status="paid", currency="EUR", version=at)
        sheet, at = uuid4(), now() - timedelta(days=1)
        for item in ("csat", "trust", "commitment"):
            Answer.objects.create(customer=customer, response=sheet, item=item, value=9, answered_at=at)
        for signal in ("rented_machine", "owns_field"):
            BarrierFact.objects.create(customer=customer, signal=signal, value=1, recorded_at=at)
        scoring.score_all()
        told = explain.explain(customer)
        client = Client(headers={"host": "localhost"})
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        page = client.get(f"/customers/{customer.pk}/").content.decode()
        said["condition"] = [[one.code, one.state, one.text] for one in told.next.conditions]
        said["next"] = told.next.sentence
        said["action"] = told.next.action.code
        said["technical"] = [[line.code, line.points] for one in told.barriers if one.code == "technical" for line in one.lines]
        said["barriers"] = [[one.code, one.score] for one in told.barriers]
        said["lock_in"] = told.lock_in
        said["form"] = [code for code in ("rented_machine", "owns_field") if f'name="{code}"' in page]
        said["emotion"] = 'value="surprised"' in page
        said["breadth"] = "Range of what they buy" in page
        said["rules"] = sorted(v.name for v in rulebook.listed() if v.name.rsplit(".")[-1] in ("rented_machine", "habit", "owns_field"))
        transaction.set_rollback(True)
    print("SAID " + json.dumps(said))
"""


def put_in(folder: Path, file: str, code: str, before: str) -> None:
    path = folder / file
    source = path.read_text()
    assert source.count(before) == 1, (file, before)
    path.write_text(source.replace(before, code + before))


@pytest.mark.django_db(transaction=True)
def test_each_thing_is_one_entry_in_one_file(tmp_path, process_environment):
    for name in APPS:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "manage.py", tmp_path)
    snippets = {kind: code for kind, code in documented()}
    put_in(tmp_path, "loyalty/stages.py", snippets["condition"], '        Condition("no_severe_complaint"')
    put_in(tmp_path, "loyalty/barriers.py", snippets["signal"], '        Signal("owns_system"')
    put_in(tmp_path, "loyalty/barriers.py", snippets["barrier"], '    Barrier("lost_benefits"')
    put_in(tmp_path, "crm/emotions.py", snippets["emotion"], '    Emotion("irritated"')

    said = probed(tmp_path, process_environment)

    assert ["two_categories", "missing", "buying from a second category: 0 so far"] in said["condition"]
    assert "buying from a second category" in said["next"]
    assert said["action"] == "say_thanks"
    assert ["rented_machine", 30] in said["technical"]
    assert said["barriers"][-3] == ["habit", 25]
    assert "Habit 17.5 (25 points × 0.7: Takes us for granted)" in said["lock_in"]
    assert said["form"] == ["rented_machine", "owns_field"]
    assert said["emotion"]
    assert said["breadth"]
    assert said["rules"] == ["points.owns_field", "points.rented_machine", "weights.habit"]


def documented() -> list[tuple[str, str]]:
    """The entries that the document shows: those indented blocks that begin with the name of their kind."""
    found = {}
    for block in re.findall(r"(?:^    .*\n)+", DOCUMENT, flags=re.M):
        for kind in ("Condition", "Signal", "Barrier", "Emotion"):
            if block.startswith(f"    {kind}("):
                found.setdefault(kind.lower(), block.replace("    ", "        ", 1))
    return list(found.items())


def probed(folder: Path, environment: dict[str, str]) -> dict:
    done = subprocess.run(
        [sys.executable, "-c", dedent(PROBE)],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("SAID ")]
    assert lines, done.stderr[-3000:]
    return json.loads(lines[0].removeprefix("SAID "))
