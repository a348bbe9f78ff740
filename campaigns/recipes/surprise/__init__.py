"""A surprise: on a day that nobody knows, within a budget that the database keeps, never the same twice."""

from django.utils.translation import gettext_lazy as _

from campaigns.recipe import Moment, Occasion, Query, Recipe
from campaigns.recipes.surprise import audience as drawn
from campaigns.recipes.surprise.settings import ALL, stands, trouble
from campaigns.recipes.surprise.texts import BLOCKS, SUBJECT
from crm.days import today


def audience(moment: Moment) -> Query:
    """Whose drawn day has come, as far as the budget reaches."""
    return drawn.audience(moment, RECIPE)


RECIPE = Recipe(
    code="surprise",
    label=_("Surprise"),
    description=_(
        "A small gift or a few kind words on a day that is drawn for each person. Nobody is told beforehand."
    ),
    occasion=Occasion.CALENDAR,
    audience=audience,
    around=drawn.budgeted,
    secret=True,
    aimed=True,
    trouble=lambda campaign: trouble(campaign, today()),
    stands=lambda campaign: stands(campaign, today()),
    message_class="advertising",
    purpose="newsletter",
    subject=SUBJECT,
    blocks=BLOCKS,
    brings="may",
    settings=ALL,
    at_most=_("Once in a window, and never the same gift again."),
    priority=60,
)
