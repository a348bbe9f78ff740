"""Two reports about one mailbox at once, with real transactions; the guard with a control that goes red without it."""

from threading import Event

import pytest
from django.db import transaction

from campaigns import bounces
from tests.campaigns.people import open_shop, person
from tests.campaigns.test_bounces import point_of, tell, went
from tests.campaigns.test_races import Side, somebody_waits_for_a_lock, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(("guarded", "state"), [(True, "soft_bounced"), (False, "usable")])
def test_the_second_sees_what_the_first_reported(monkeypatch: pytest.MonkeyPatch, guarded: bool, state: str) -> None:
    if not guarded:
        monkeypatch.setattr(bounces, "HOLD", "SELECT 1")
    open_shop()
    anna = person("anna@example.test")
    mails = [went(anna, days) for days in (3, 2, 1)]
    tell(mails[0], "soft_bounced")
    told, go_on = Event(), Event()

    def first() -> None:
        with transaction.atomic():
            tell(mails[1], "soft_bounced")
            told.set()
            go_on.wait(20)

    one = Side(first)
    assert told.wait(20)
    other = Side(lambda: tell(mails[2], "soft_bounced"))
    wait_until(somebody_waits_for_a_lock, 20)
    go_on.set()
    one.ended(20), other.ended(20)
    assert point_of(anna).state == state
