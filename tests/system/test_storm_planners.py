"""Two clocks and many planners at once: one row for each occasion, and one mail for each row."""

import os
import signal
from datetime import date
from threading import Thread

import pytest
from django.db import connection

from campaigns import planning, recipes
from campaigns.models import Delivery, JobRun
from crm.models import Customer, Event
from tests.campaigns.people import open_shop, person
from tests.system.storm import Storm, bought

pytestmark = pytest.mark.slow

BUYERS = int(os.environ.get("PLANNER_BUYERS", "300"))
BIRTHDAYS = 200
DAY = date(date.today().year + 1, 5, 17)  # far enough that no greeting goes now
PLANNERS = 4


def test_two_clocks_and_many_planners(storm: Storm) -> None:
    """Purchases come in while two beats, two workers, two senders and four commands plan, and one of each is killed."""
    storm.open_mail_server()
    open_shop()
    for code in ("thank_you", "birthday"):
        planning.switch(recipes.standing_campaign(recipes.everything()[code]).pk, True)
    buyers = [person("", "newsletter") for _ in range(BUYERS)]
    for _ in range(BIRTHDAYS):
        person("", "birthday", birth_month=DAY.month, birth_day=DAY.day)

    def shop() -> None:
        for buyer in buyers:
            bought(buyer)
        connection.close()

    shopping = Thread(target=shop)
    started = [start() for start in (storm.beat, storm.worker, storm.sender) for _ in range(2)]
    shopping.start()
    commands = [storm.processes.start("manage.py", "plan_occasions", "--as-of", str(DAY)) for _ in range(PLANNERS)]
    storm.until(lambda: storm.number_taken() > 20, "no mail goes out")
    for victim in started[::2]:
        storm.processes.kill(victim, signal.SIGKILL)
    for command in commands:
        assert command.wait(300) == 0
    shopping.join(300)

    def everything_planned_and_tried() -> bool:
        tried = Delivery.objects.filter(recipe="thank_you", state__in=["sent", "unknown"]).count()
        return tried == BUYERS and not Event.objects.filter(planned_at=None).exists()

    def everything_reported() -> bool:
        storm.report()
        return storm.states() == {"planned": BIRTHDAYS, "sent": BUYERS}

    storm.until(everything_planned_and_tried, "not every purchase was thanked for")
    storm.until(everything_reported, "not everything was settled")
    of_recipes = dict(storm.ask("SELECT recipe, count(*) FROM campaigns_delivery GROUP BY 1"))
    print("rows:", of_recipes, "taken:", len(storm.taken()))
    assert of_recipes == {"thank_you": BUYERS, "birthday": BIRTHDAYS}
    assert Delivery.objects.values("dedupe_key").distinct().count() == BUYERS + BIRTHDAYS
    assert Delivery.objects.filter(recipe="birthday").values("customer").distinct().count() == BIRTHDAYS
    storm.assert_nobody_twice()
    assert len(storm.taken()) == BUYERS == len(set(storm.ids("sent")))
    assert JobRun.objects.count() == JobRun.objects.values("job", "slot").distinct().count() > 0
    assert Customer.objects.count() == BUYERS + BIRTHDAYS
    storm.assert_sound()
