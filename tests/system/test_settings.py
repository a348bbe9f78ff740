"""A wrong value in the environment stops the start and says what to write instead."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOUND = {
    "PATH": os.environ["PATH"],
    "DATABASE_URL": "postgres://app@127.0.0.1:1/none",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "SECRET_KEY": "k" * 40,
    "LINK_KEY": "l" * 40,
    "SEAL_KEY": "s" * 40,
    "PUBLIC_BASE_URL": "https://crm.example.test",
}


def load_settings(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "import config.settings"],
        cwd=ROOT,
        env=SOUND | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_sound_values_are_taken():
    assert load_settings().returncode == 0


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("SECRET_KEY", "short", "40 characters"),
        ("LINK_KEY", "short", "40 characters"),
        ("SEAL_KEY", "short", "40 characters"),
        ("LINK_KEY", "", "40 characters"),
        ("PUBLIC_BASE_URL", "http://crm.example.test", "https"),
        ("PUBLIC_BASE_URL", "crm.example.test", "https://crm.example.com"),
        ("DATABASE_URL", "sqlite:///db", "postgres://user:password@host/name"),
        ("RECEIPT_SECRET", "short", "32 characters"),
        ("BOUNCE_ADDRESS", "bounces+shop@shop.test", "no +"),
        ("BOUNCE_MAILBOX", "imaps://mail.shop.test/INBOX", "imaps://user:password@host/INBOX"),
        ("ALLOWED_HOSTS", "*", "List the names"),
        ("SEND_LEASE_S", "soon", "Leave it out for 60"),
        ("SEND_GRACE_S", "-1", "Leave it out for 900"),
        ("DEMO", "perhaps", "DEMO"),
        ("DEBUG", "1", "loopback"),
    ],
)
def test_a_wrong_value_stops_the_start_with_a_hint(name: str, value: str, hint: str):
    started = load_settings(**{name: value})
    assert started.returncode != 0
    last = started.stderr.strip().splitlines()[-1]
    assert name in last and hint in last


def test_a_mail_provider_may_not_report_without_a_password():
    for given in ({}, {"ANYMAIL_WEBHOOK_SECRET": "mail:short"}, {"ANYMAIL_WEBHOOK_SECRET": "w" * 40}):
        started = load_settings(ANYMAIL_ESP="postmark", **given)
        assert started.returncode != 0 and "ANYMAIL_WEBHOOK_SECRET" in started.stderr
    assert load_settings(ANYMAIL_ESP="postmark", ANYMAIL_WEBHOOK_SECRET=f"mail:{'w' * 40}").returncode == 0
