"""The rows of the customer list: {% load customer_rows %}.

Written here, not in a template: a page has fifty, and the engine takes longer for them than the database does.
"""

from collections.abc import Hashable, Sequence
from typing import Any

from django import template
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext

from crm import once
from crm.drawing import text
from crm.plugins import Column
from crm.templatetags.kit import icon, or_unknown

register = template.Library()

ROW = """<tr>
  <th scope="row"><span class="customers-name"><a class="sk-person" href="{}">{}</a>{}<span class="customers-number sk-small sk-soft">{}</span></span></th>
  {}
</tr>"""


@register.simple_tag(takes_context=True)
def cell(context: template.Context, column: Column, customer: Any) -> SafeString:
    """An upper app's column for one customer; cells that must be alike are rendered once a page (`Column.alike`)."""
    if column.alike is None:
        return _rendered(context, column, customer)
    # Not kept in the context: an included template, as a row of Today is, has one of its own.
    known: dict[Hashable, SafeString] | None = once.remembered("cells", dict)
    if known is None:
        return _rendered(context, column, customer)
    key = (column.code, column.alike(customer))
    if key not in known:
        known[key] = _rendered(context, column, customer)
    return known[key]


def _rendered(context: template.Context, column: Column, customer: Any) -> SafeString:
    with context.push(customer=customer):
        return context.template.engine.get_template(column.template).render(context)  # type: ignore[union-attr]


@register.simple_tag(takes_context=True)
def customer_rows(context: template.Context, customers: Sequence[Any], columns: Sequence[Column]) -> SafeString:
    """One <tr> a customer: name and what to know first, the upper apps' columns, town, e-mail, who looks after them.

    Each customer is as `crm.views.customers.complete` leaves it.
    """
    labels = (gettext("Town"), gettext("E-mail"), gettext("Looked after by"))
    none = format_html('<span class="sk-unknown">{}</span>', gettext("none"))
    nobody = format_html('<span class="sk-soft">{}</span>', gettext("nobody"))
    begins = [f'<td data-label="{text(head)}"><span>' for head in (*(column.label for column in columns), *labels)]
    before, after = reverse("customer", args=[0]).rsplit("0", 1)  # one address; the others differ by the number
    rows = []
    for customer in customers:
        name, cells = customer.display_name, [cell(context, column, customer) for column in columns]
        email = f'<span class="customers-email">{text(customer.email)}</span>' if customer.email else none
        own = (text(or_unknown(customer.city)), email, text(customer.assigned_to or nobody))
        below = "".join(f"{begin}{shown}</span></td>" for begin, shown in zip(begins, (*cells, *own), strict=True))
        number = customer.number if name != customer.number else customer.known_as
        rows.append(ROW.format(f"{before}{customer.pk}{after}", text(name), _marks(customer), text(number), below))
    return mark_safe("\n".join(rows))  # noqa: S308 - every part is escaped above


def _marks(customer: Any) -> SafeString:
    """The company of a person, an open complaint, a test account."""
    marks = []
    if customer.company_name and customer.family_name:
        marks.append(format_html(' <span class="sk-small sk-soft">{}</span>', customer.company_name))
    if customer.open_complaint:
        marks.append(_badge("alert-circle", " is-bad", gettext("open complaint")))
    if customer.is_test:
        marks.append(_badge("info-circle", "", gettext("test")))
    return mark_safe("".join(marks))  # noqa: S308 - each is escaped above


def _badge(sign: str, tone: str, word: str) -> SafeString:
    return format_html(' <span class="sk-badge{}">{}{}</span>', tone, icon(sign), word)
