"""What may be chosen in a condition: (value, words) pairs, values as texts. Each is one query at most.

A long list is cut short; what a rule names already is in it all the same (`wanted`).
"""

from collections.abc import Callable, Collection, Sequence

from django.db.models import Q, QuerySet
from django.utils.dates import MONTHS
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from campaigns import recipes
from campaigns.models import Campaign, Segment
from crm.filters import purpose_label
from crm.models import Category, Channel, ConsentState, Customer, Interaction, Product, Purpose, Source, User
from crm.models.staff import LANGUAGES
from loyalty import motivators
from loyalty.barriers import BARRIERS
from loyalty.models import Assessment, CouponBatch
from loyalty.stages import STAGES
from loyalty.status import Status

Pairs = Sequence[tuple[str, str | Promise]]
Options = Callable[[Collection[str]], Pairs]

OFFERED = 300
ANYTHING = "any"
NEVER_ASKED = "never"


def numbers(wanted: Collection[str]) -> list[int]:
    """Those that can be a row's number."""
    return [int(one) for one in wanted if one.isascii() and one.isdecimal() and len(one) <= 18]


def latest(rows: QuerySet, wanted: Collection[str], name: Callable[..., str] = str) -> Pairs:
    """The latest rows, and those wanted, by name."""
    newest = rows.order_by("-pk").values("pk")[:OFFERED]
    found = rows.filter(Q(pk__in=newest) | Q(pk__in=numbers(wanted)))
    return sorted(((str(one.pk), name(one)) for one in found), key=lambda pair: pair[1].lower())


def with_any(options: Options, words: Callable[[], str]) -> Options:
    """The same with a first choice that means all of them."""
    return lambda wanted: [(ANYTHING, words()), *options(wanted)]


def kinds(wanted: Collection[str]) -> Pairs:
    return Customer.Kind.choices


def languages(wanted: Collection[str]) -> Pairs:
    return LANGUAGES


def months(wanted: Collection[str]) -> Pairs:
    return [(str(number), name) for number, name in MONTHS.items()]


def staff(wanted: Collection[str]) -> Pairs:
    return latest(User.objects.filter(Q(is_active=True) | Q(pk__in=numbers(wanted))), wanted)


def sources(wanted: Collection[str]) -> Pairs:
    return latest(Source.objects.all(), wanted)


def categories(wanted: Collection[str]) -> Pairs:
    return latest(Category.objects.all(), wanted)


def products(wanted: Collection[str]) -> Pairs:
    """Only what a rule names: there are too many to choose from. By number or name, whatever the case."""
    if not wanted:
        return []
    asked = {one.strip().lower() for one in wanted}
    named = Product.objects.extra(
        where=["lower(external_id) = ANY(%s) OR lower(name) = ANY(%s)"], params=[list(asked), list(asked)]
    )
    words = {text.lower(): str(one) for one in named for text in (one.external_id, one.name)}
    return [(one, words[key]) for one in wanted if (key := one.strip().lower()) in words]


def channels(wanted: Collection[str]) -> Pairs:
    return Interaction.Channel.choices


def stages(wanted: Collection[str]) -> Pairs:
    return [(stage.code, stage.label) for stage in STAGES]


def statuses(wanted: Collection[str]) -> Pairs:
    return Status.choices


def loyalty_types(wanted: Collection[str]) -> Pairs:
    return Assessment.LoyaltyType.choices


def bond_types(wanted: Collection[str]) -> Pairs:
    return Assessment.BondType.choices


def signals(wanted: Collection[str]) -> Pairs:
    return [(signal.code, f"{barrier.label}: {signal.label}") for barrier in BARRIERS for signal in barrier.signals]


def motives(wanted: Collection[str]) -> Pairs:
    return [(code, one.label) for code, one in motivators.BY_CODE.items()]


def fifths(wanted: Collection[str]) -> Pairs:
    words = {"1": _("1 (lowest fifth)"), "5": _("5 (highest fifth)")}
    return [(code, words.get(code, code)) for code in "12345"]


def permissions(wanted: Collection[str]) -> Pairs:
    """Every purpose on every channel."""
    purposes = Purpose.objects.filter(Q(active=True) | Q(pk__in={one.partition("/")[0] for one in wanted}))
    return [
        (f"{purpose.code}/{code}", f"{purpose_label(purpose)} ({label})")
        for code, label in Channel.choices
        for purpose in purposes
    ]


def consent_states(wanted: Collection[str]) -> Pairs:
    return [*ConsentState.State.choices, (NEVER_ASKED, _("never asked"))]


def campaigns(wanted: Collection[str]) -> Pairs:
    known = Campaign.objects.filter(Q(launched_at__isnull=False) | Q(pk__in=numbers(wanted)))
    return latest(known, wanted, recipes.name_of)


def all_recipes(wanted: Collection[str]) -> Pairs:
    return [(code, recipe.label) for code, recipe in recipes.everything().items()]


def coupons(wanted: Collection[str]) -> Pairs:
    return latest(CouponBatch.objects.all(), wanted)


def segments(wanted: Collection[str]) -> Pairs:
    return _named(Segment.Kind.RULE)


def lists(wanted: Collection[str]) -> Pairs:
    return _named(Segment.Kind.LIST)


def _named(kind: Segment.Kind) -> Pairs:
    found = Segment.objects.filter(kind=kind, archived_at=None).order_by("name")
    return [(str(pk), name) for pk, name in found.values_list("pk", "name")]


any_campaign = with_any(campaigns, lambda: _("any mail"))
any_coupon = with_any(coupons, lambda: _("any coupon"))
any_category = with_any(categories, lambda: _("anything"))
any_channel = with_any(channels, lambda: _("any channel"))
