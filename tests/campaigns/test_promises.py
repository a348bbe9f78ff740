"""What sending promises, where no other test says it: its numbers fit together, and Celery carries nothing but wake-ups."""

import ast
import inspect
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.db.models import F
from django.utils.timezone import now

from campaigns import planning, resolving, transport
from campaigns.models import Campaign, Delivery
from config.celery import app
from crm.models import Customer
from tests.campaigns.people import deliver, launched, open_shop, person, states
from tests.smtp_sink import SmtpSink

ROOT = Path(settings.BASE_DIR)
SMTP_SERVER_IDLE_S = 300  # RFC 5321, 4.5.3.2.7
CODE = [file for app_name in ("crm", "loyalty", "campaigns", "config") for file in (ROOT / app_name).rglob("*.py")]


class TestNumbers:
    """Grace > a mail server's patience > our own, so a paused sender cannot end a mail after it was ruled unclear."""

    def test_of_time(self) -> None:
        source = (ROOT / "config" / "settings.py").read_text()
        assert 'seconds("SEND_LEASE_S", 60, 1)' in source and 'seconds("SEND_GRACE_S", 900, 0)' in source
        assert 900 > SMTP_SERVER_IDLE_S > settings.EMAIL_TIMEOUT

    def test_a_key_is_asked_for_again_only_while_it_lives(self) -> None:
        for one in transport.CAPABILITIES:
            # Four hours of margin, one of them for what still waits in the queue.
            assert one.hours * 3600 - 4 * 3600 > 900 + 2 * 60, one.transport


class TestCelery:
    def test_keeps_no_results_takes_one_task_at_a_time_and_reads_json_alone(self) -> None:
        assert app.conf.task_ignore_result and app.conf.worker_prefetch_multiplier == 1
        assert app.conf.accept_content == ["json"] and app.conf.task_serializer == "json"

    def test_tasks_carry_no_data(self) -> None:
        app.loader.import_default_modules()
        ours = {name: task for name, task in app.tasks.items() if name.split(".")[0] in ("crm", "loyalty", "campaigns")}
        assert len(ours) > 10
        for name, task in ours.items():
            given = inspect.signature(task.run).parameters.values()
            assert all(one.annotation is bool and one.default is False for one in given), name

    def test_nothing_is_put_off_in_redis_or_sent_before_it_is_committed(self) -> None:
        found = {str(file.relative_to(ROOT)): wrong for file in CODE if (wrong := wrong_calls(file.read_text()))}
        assert found == {"campaigns/wake.py": {"send_task"}}, "it waits for the commit, in a thread"

    def test_and_this_would_be_noticed(self) -> None:
        bad = "a.delay(1)\nb.apply_async(countdown=61)\nc.apply_async(eta=x)\napp.send_task('x')\nchord([a])(b)\n"
        assert wrong_calls(bad) == {"delay", "apply_async", "countdown", "eta", "send_task", "chord"}
        assert not wrong_calls("a.delay_on_commit()")


def wrong_calls(source: str) -> set[str]:
    """Ways to call a task that it must not be called by."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            called = node.func
            names.add(called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", ""))
            names |= {keyword.arg for keyword in node.keywords if keyword.arg in ("eta", "countdown")}
    return names & {"delay", "apply_async", "apply_async_on_commit", "send_task", "chord", "eta", "countdown"}


@pytest.mark.django_db
class TestMails:
    @pytest.fixture(autouse=True)
    def shop(self) -> None:
        open_shop()

    def test_each_has_one_recipient_and_names_no_other(self, smtp_sink: SmtpSink) -> None:
        addresses = {f"p{number}@example.test" for number in range(3)}
        for address in addresses:
            person(address, "newsletter")
        launched()
        deliver()
        assert sorted(envelope.rcpt_tos for envelope in smtp_sink.envelopes) == sorted([one] for one in addresses)
        for mail, envelope in zip(smtp_sink.messages, smtp_sink.envelopes, strict=True):
            assert mail["To"] == envelope.rcpt_tos[0] and mail["Cc"] is None and mail["Bcc"] is None
            assert not any(other in mail.as_string() for other in addresses - {mail["To"]})

    def test_none_goes_to_a_record_that_was_merged_meanwhile(self, smtp_sink: SmtpSink) -> None:
        anna, kept = person("anna@example.test", "newsletter"), person("kept@example.test")
        launched()
        Customer.objects.filter(pk=anna.pk).update(merged_into=kept)
        deliver()
        assert not smtp_sink.messages and Delivery.objects.get(customer=anna).state == "suppressed"

    def test_none_goes_after_its_days_though_the_campaign_is_resumed(self, smtp_sink: SmtpSink) -> None:
        person("anna@example.test", "newsletter")
        run = launched()
        planning.pause(run.campaign_id)
        by = timedelta(days=4)
        Campaign.objects.update(send_at=now() - by)
        Delivery.objects.update(not_before=F("not_before") - by, not_after=F("not_after") - by)
        planning.resume(run.campaign_id)
        planning.advance_campaigns()
        deliver()
        resolving.resolve()
        assert not smtp_sink.messages and states() == {"suppressed": 1}
        assert Delivery.objects.get().reason == "expired"
