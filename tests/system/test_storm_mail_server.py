"""A mail server that refuses, hangs, answers late and breaks off: every recipient ends in exactly one state, once."""

import os
from collections import Counter

import pytest

from campaigns import planning, recipes
from campaigns.models import Delivery
from crm.models import ContactPoint
from tests.campaigns.people import person
from tests.smtp_sink import MOODS
from tests.system.storm import Storm, bought, crowd

pytestmark = pytest.mark.slow

OF_EACH = int(os.environ.get("OF_EACH_MOOD", "3"))
LATER = 25
USUAL = ("p",) * (3 * len(MOODS))
# Whatever the server does, the mail ends here. In doubt: nobody can know until a relay reports.
IN_DOUBT = {"too-late", "silent-after", "reset-after", "silent-lost", "reset-lost"}
REFUSED = {"no-mailbox", "refused"}


def test_a_mail_server_in_every_mood(storm: Storm) -> None:
    storm.open_mail_server("--moods", "--hang-up-after", "7")
    crowd(OF_EACH * (len(MOODS) + len(USUAL)), moods=tuple(MOODS) + USUAL)
    for _ in range(4):
        storm.sabotaged("impatient")
    states = storm.until_quiet()
    print("without receipts:", states)
    storm.assert_nobody_twice()
    storm.assert_nothing_lost()
    assert ends(storm, *REFUSED) == {"failed": OF_EACH * len(REFUSED)}
    assert ends(storm, *IN_DOUBT) == {"unknown": OF_EACH * len(IN_DOUBT)}
    others = set(MOODS) - REFUSED - IN_DOUBT
    assert ends(storm, "p", *others) == {"sent": OF_EACH * (len(USUAL) + len(others))}

    # With receipts: what arrived is sent, what provably did not goes once more. Later mails show that the relay reports.
    planning.switch(recipes.standing_campaign(recipes.everything()["thank_you"]).pk, True)
    for _ in range(LATER):
        bought(person("", "newsletter"))
    assert storm.until_settled().keys() == {"sent", "failed"}
    print("with receipts:", storm.states())
    assert ends(storm, *IN_DOUBT) == {"sent": OF_EACH * len(IN_DOUBT)}
    assert Delivery.objects.filter(recipe="thank_you", state="sent").count() == LATER
    storm.assert_nobody_twice()
    storm.assert_nothing_lost()
    silenced = ContactPoint.objects.filter(state=ContactPoint.State.HARD_BOUNCED).values_list("value", flat=True)
    assert {address.partition(".")[0] for address in silenced} == {"no-mailbox"} and len(silenced) == OF_EACH
    storm.assert_sound()


def ends(storm: Storm, *moods: str) -> dict[str, int]:
    """In which states the mails to people with these addresses ended."""
    of_mood = Delivery.objects.filter(customer__contact_points__value__regex=rf"^({'|'.join(moods)})\.")
    return dict(Counter(of_mood.values_list("state", flat=True)))
