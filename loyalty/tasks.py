"""What Celery wakes. The rules are in `loyalty.scoring`."""

from celery import shared_task
from django.db import OperationalError

from loyalty import scoring


@shared_task(autoretry_for=(OperationalError,), retry_backoff=True, max_retries=3)
def score_changed() -> int:
    """Judge the customers whose facts changed."""
    return scoring.score_changed()


@shared_task(autoretry_for=(OperationalError,), retry_backoff=True, max_retries=3)
def score_all_once_a_day() -> int:
    """Judge everybody unless that was done today, in the shop's zone. Time alone changes stages."""
    return 0 if scoring.judged_today() else scoring.score_all().judged
