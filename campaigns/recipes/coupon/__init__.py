"""A coupon sent to everybody or to chosen stages: a mailing that says nothing without it."""

from django.utils.translation import gettext_lazy as _

from campaigns.recipe import Occasion, Recipe
from campaigns.recipes.coupon.texts import BLOCKS, SUBJECT
from campaigns.recipes.newsletter import audience

RECIPE = Recipe(
    code="coupon",
    label=_("Coupon by mail"),
    description=_("A code of their own for everybody in chosen stages, with all terms, at a time you choose."),
    occasion=Occasion.SCHEDULED,
    audience=audience,
    message_class="advertising",
    purpose="newsletter",
    subject=SUBJECT,
    blocks=BLOCKS,
    brings="always",
)
