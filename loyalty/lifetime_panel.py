"""What can be expected of one customer, on their page: the model's figures with what they rest on."""

from collections.abc import Iterable

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crm.compiled import compiled
from crm.display import day as day_text
from crm.display import money, number, percent
from crm.models import Customer, Shop
from crm.plugins import Panel
from loyalty import lifetime_value
from loyalty.models import LifetimeFit, LifetimeValue


def panels(customer: Customer) -> Iterable[Panel]:
    """Two queries. Nothing before the first fit, and nothing for who has not bought."""
    fit = lifetime_value.latest()
    if fit is None or not fit.shown:
        return []
    known = next(iter(_values(customer.pk)), None)
    if known is None:
        return []
    context = {"facts": facts(known, fit), "sentences": sentences(known, fit)}
    return [Panel("side", "loyalty/lifetime_panel.html", context, order=70)]


@compiled
def _values(customer: int) -> QuerySet[LifetimeValue]:
    return LifetimeValue.objects.filter(customer=customer).select_related("customer__metrics")


def within(fit: LifetimeFit) -> str:
    return ngettext("in %(n)s month", "in %(n)s months", fit.months) % {"n": number(fit.months)}


def facts(known: LifetimeValue, fit: LifetimeFit) -> list[tuple[str, str | None]]:
    """The probability of being alive is told only with a repeat order: without one the model knows nothing of it."""
    currency, months = Shop.current().currency, within(fit)
    found: list[tuple[str, str | None]] = [
        (_("Chance of another order %(months)s") % {"months": months}, rounded(known.chance)),
        (_("Expected orders %(months)s") % {"months": months}, number(known.orders, 1)),
    ]
    if known.alive is not None:
        found.append((_("Chance of still being a customer"), rounded(known.alive)))
    if known.value is not None:
        found.append((_("Expected value of an order"), money(known.order_value, currency)))
        found.append((_("Expected value %(months)s") % {"months": months}, money(known.value, currency)))
    return found


def rounded(chance: float) -> str:
    """Never 0 % or 100 %: a model is not certain of anybody."""
    if chance < 0.01:
        return _("below %(share)s") % {"share": percent(0.01)}
    if chance > 0.99:
        return _("above %(share)s") % {"share": percent(0.99)}
    return percent(chance) or ""


def sentences(known: LifetimeValue, fit: LifetimeFit) -> list[str]:
    """What the figures rest on, how well the model did, and that it decides nothing."""
    metrics = known.customer.metrics
    found = [
        ngettext(
            "From %(n)s order day, %(first)s, and from %(all)s customers of this shop.",
            "From %(n)s order days, the first on %(first)s, the last on %(last)s, and from %(all)s customers of this shop.",
            metrics.orders,
        )
        % {
            "n": number(metrics.orders), "first": day_text(metrics.first_order_on),
            "last": day_text(metrics.last_order_on), "all": number(fit.customers),
        }
    ]  # fmt: skip
    if metrics.orders == 1:
        found.append(
            _("With one order nobody can tell whether somebody is still a customer, so only the chance is shown.")
        )
    if known.value is None:
        found.append(_("No amounts: an assumption of the model does not hold in this shop."))
    else:
        found.append(value_sentence(fit))
    if fit.predicted is not None and fit.actual is not None:
        text = _("Back-test: since %(day)s the model predicted %(predicted)s orders of all, %(actual)s came.")
        named = {"day": day_text(fit.test_from), "predicted": number(fit.predicted), "actual": number(fit.actual)}
        found.append(text % named)
    found.append(_("The model informs; the status is decided by the rule alone."))
    return found


def value_sentence(fit: LifetimeFit) -> str:
    rate = percent(fit.discount_rate, 1)
    if fit.margin == 1:
        return _("The value is revenue net of returns, because no margin is set, discounted by %(rate)s a year.") % {
            "rate": rate
        }
    named = {"margin": percent(fit.margin), "rate": rate}
    return _("The value is the margin of %(margin)s of the net, discounted by %(rate)s a year.") % named
