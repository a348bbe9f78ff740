import time
from argparse import ArgumentTypeError
from collections import Counter
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from crm.days import today
from loyalty import figures, lifetime_value, scoring, stages
from loyalty.status import Status

EARLIEST = date(1900, 1, 1)


def past_day(text: str) -> date:
    """Raises ArgumentTypeError for what is no day, and for one before any shop."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no day of the calendar: write it as 2026-06-30.") from None
    if day < EARLIEST:
        raise ArgumentTypeError(f"{day} lies before {EARLIEST}: check the year.")
    return day


class Command(BaseCommand):
    help = "Judge every customer now, or report how they stood at the end of a past day."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--as-of", type=past_day, metavar="YYYY-MM-DD", help="A past day.")
        parser.add_argument(
            "--store",
            action="store_true",
            help="Keep the judgements of that day; pages show them until the next run without --as-of.",
        )

    def handle(self, as_of: date | None, store: bool, **options: Any) -> None:
        if store and as_of is None:
            raise CommandError("--store needs --as-of with the day to keep.")
        if as_of and as_of > today():
            raise CommandError(f"{as_of} is in the future: customers can only be judged up to today.")
        started = time.monotonic()
        if as_of:
            try:
                outcome, standing = scoring.score_past(as_of, store)
            except scoring.PinnedError as error:
                raise CommandError(f"{error}. Leave out --store to see the figures only.") from error
        else:
            outcome = scoring.score_all()
            standing = scoring.standing_of(outcome.day)
        self.report(outcome, standing, time.monotonic() - started)
        if store or not as_of:
            self.fit()
            started = time.monotonic()
            count = figures.refresh_all()
            self.stdout.write(f"{count} figures of the insights pages computed in {time.monotonic() - started:.1f} s")

    def fit(self) -> None:
        """Fit the model of future purchases, which the figures read."""
        fit = lifetime_value.refit()
        if fit is None:
            self.stdout.write("the model of future purchases is being fitted by another process")
        elif fit.shown:
            self.stdout.write(f"model of future purchases fitted in {(fit.took_ms or 0) / 1000:.1f} s, back-test {fit.ratio:.2f}")
        else:
            self.stdout.write(f"model of future purchases hidden: {', '.join(reason['code'] for reason in fit.hidden)}")

    def report(self, outcome: scoring.Outcome, standing: list[tuple[str, str, int]], seconds: float) -> None:
        by_stage: Counter[str] = Counter()
        by_status: Counter[str] = Counter()
        for stage_code, status, customers in standing:
            by_stage[stage_code] += customers
            by_status[status] += customers
        for stage in stages.STAGES:
            self.stdout.write(f"{stage.code:<12} {by_stage[stage.code]:>10,}")
        for code in (*Status.values, ""):
            self.stdout.write(f"{code or 'no order':<12} {by_status[code]:>10,}")
        rhythm = outcome.rhythm
        self.stdout.write(
            f"base cycle {rhythm.days:.1f} days ({rhythm.kind}, {rhythm.gaps:,} gaps), "
            f"{len(rhythm.cycles)} categories with their own; thresholds {rhythm.active} / {rhythm.overdue} / "
            f"{rhythm.at_risk} ({'from own history' if rhythm.self_calibrated else 'preset'})"
        )
        self.stdout.write(
            self.style.SUCCESS(
                f"{outcome.judged:,} customers judged as of {outcome.day}, {outcome.changed:,} rows changed, "
                f"{outcome.moved:,} stages changed, in {seconds:.1f} s"
            )
        )
