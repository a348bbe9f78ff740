"""Celery carries wake-ups only: a task has a name and at most an id. What must happen is a row in PostgreSQL."""

import os

from celery import Celery
from celery.schedules import crontab

from config import broker

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

broker.use()
app = Celery("stammkunde")
app.config_from_object("config.settings:CELERY")
app.autodiscover_tasks()
app.conf.beat_schedule = {
    "score-changed": {"task": "loyalty.tasks.score_changed", "schedule": 20},
    "score-all": {"task": "loyalty.tasks.score_all_once_a_day", "schedule": 600},
    "figures": {"task": "loyalty.tasks.refresh_wanted_figures", "schedule": 15},
    "months": {"task": "loyalty.tasks.update_months", "schedule": 60},
    "lifetime-value": {"task": "loyalty.tasks.refit_lifetime_value", "schedule": 900},
    "settle-coupons": {"task": "loyalty.tasks.settle_coupons", "schedule": 60},
    "end-coupons": {"task": "loyalty.tasks.end_coupons", "schedule": 3600},
    "plan": {"task": "campaigns.tasks.plan_due", "schedule": 10},
    "send": {"task": "campaigns.tasks.send_due", "schedule": 10},
    "resolve": {"task": "campaigns.tasks.resolve_unknown", "schedule": 60},
    "read-mailbox": {"task": "campaigns.tasks.read_mailbox", "schedule": 60},
    "retention": {"task": "crm.tasks.retention_nightly", "schedule": crontab(hour=1, minute=40)},
}
