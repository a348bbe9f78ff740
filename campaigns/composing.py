"""Make the mail of one delivery: the same bytes on every attempt."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from email.headerregistry import Address as MailAddress
from email.utils import format_datetime
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from django.conf import settings
from django.utils.html import escape
from django.utils.timezone import now

from campaigns import couponing, local_days, prepared, recipes, rendering, return_path, tracking, transport
from campaigns.message import StableMessage
from campaigns.models import TemplateVersion
from crm import links, permission, salutation, tokens
from crm.models import Shop

UNSUBSCRIBE = "unsubscribe"
# Filled in by the legal notice alone.
LINKS = ("unsubscribe_url", "preferences_url", "privacy_url")


@dataclass(frozen=True)
class Order:
    """A claimed delivery with all that its mail needs. `ground`: why it may be sent, as the gate saw it on loading;
    `occasion`: the detail of the event that caused it, whose `language` comes before the customer's; `tracking`: how
    its links are counted, as Delivery.Tracking has it, on loading; `coupon_batch`: what its campaign gives, 0 for nothing;
    `coupon`: its code, once made (`campaigns.couponing`). `cause`: what the mail is about, and `options`: its campaign's
    settings, both as planned; `staff`: name and address of who looks after the customer, '' for nobody;
    `own`: values of this mail alone (`Recipe.own_values`).
    """

    id: UUID
    customer_id: int
    version_id: int
    recipe: str
    message_class: str
    purpose: str
    planned_at: datetime
    person_key: UUID
    language: str
    who: salutation.Address
    address: str
    ground: str
    purchase: Mapping[str, Any]
    occasion: Mapping[str, Any] = field(default_factory=dict)
    campaign_id: int = 0
    tracking: str = ""
    coupon_batch: int = 0
    campaign_name: str = ""
    coupon: couponing.Given | None = None
    cause: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    staff: tuple[str, str] = ("", "")
    own: Mapping[str, str] = field(default_factory=dict)


LOAD = """
SELECT delivery.id, delivery.customer_id, delivery.template_version_id, delivery.recipe, delivery.message_class,
  delivery.purpose, delivery.planned_at, customer.person_key, customer.language, customer.kind, customer.salutation,
  customer.title, customer.given_name, customer.family_name, customer.company_name, verdict.address, verdict.code,
  purchase.external_id, purchase.ordered_on, purchase.place, event.detail, delivery.campaign_id, {tracking},
  coalesce((campaign.options->>'coupon')::bigint, 0), campaign.name, delivery.cause, campaign.options,
  coalesce(trim(staff.first_name || ' ' || staff.last_name), ''), coalesce(staff.email, '')
FROM campaigns_delivery delivery
JOIN campaigns_campaign campaign ON campaign.id = delivery.campaign_id
JOIN crm_customer customer ON customer.id = delivery.customer_id
JOIN ({verdicts}) verdict ON verdict.customer_id = delivery.customer_id
LEFT JOIN crm_event event ON event.id = delivery.event_id
LEFT JOIN crm_user staff ON staff.id = customer.assigned_to_id AND staff.is_active
  AND staff.first_name || staff.last_name <> ''
LEFT JOIN crm_purchase purchase ON purchase.id = event.purchase_id
WHERE delivery.id = ANY(%(ids)s::uuid[])
"""

_TRACKING = tracking.decision("delivery.customer_id", "verdict.contact_point_id")


def load(ids: Sequence[UUID], message_class: str, purpose: str, shop: Shop) -> dict[UUID, Order]:
    """What the mails of these deliveries need; all are of one class and purpose. Stores their links to preferences.

    Two statements, however many mails.
    """
    asked = "(SELECT DISTINCT customer_id FROM campaigns_delivery WHERE id = ANY(%(ids)s::uuid[]))"
    statement = LOAD.format(verdicts=permission.verdicts(asked, timely=False), tracking=_TRACKING)
    parameters = permission.parameters(message_class, purpose, shop=shop) | {"ids": list(map(str, ids))}
    orders = {row[0]: _order(row) for row in prepared.fetch((statement, parameters))}
    if message_class != "transactional":
        tokens.remember(
            (tokens.of_mail(str(order.id)), order.customer_id, order.address)
            for order in orders.values()
            if order.address
        )
    return _with_own_values(orders)


def _with_own_values(orders: dict[UUID, Order]) -> dict[UUID, Order]:
    """The orders, each with what its mail alone says; asked once for each recipe."""
    for code in {order.recipe for order in orders.values()}:
        recipe = recipes.everything().get(code)
        if recipe and recipe.own_values:
            theirs = [pk for pk, order in orders.items() if order.recipe == code]
            found = recipe.own_values(theirs)
            orders |= {pk: replace(orders[pk], own=found[pk]) for pk in theirs}
    return orders


def _order(row: Sequence[Any]) -> Order:
    purchase = {"number": row[17], "day": row[18], "place": row[19]} if row[17] is not None else {}
    more = {"who": salutation.Address(*row[9:15]), "address": row[15] or "", "ground": row[16], "purchase": purchase}
    more |= {"occasion": json.loads(row[20] or "{}"), "campaign_id": row[21], "tracking": row[22]}
    more |= {"coupon_batch": row[23], "campaign_name": row[24], "cause": row[25]}
    more |= {"options": json.loads(row[26]), "staff": (row[27], row[28])}
    return Order(*row[:9], **more)


def compose(
    order: Order, shop: Shop, version: TemplateVersion, codes: Mapping[int, str] | None = None
) -> StableMessage:
    """The finished mail. `codes`: its links to count (`campaigns.tracking.codes`). Raises RenderError if the text cannot be filled in, ValueError for an impossible address."""
    wanted = order.occasion.get("language") or order.language
    language = rendering.language_for(version, wanted, shop.language)
    url = unsubscribe_url(order.person_key, order.purpose)
    text = rendering.compiled_once(version, language, order.message_class, coupon=order.coupon is not None)
    counted = tracking.values(order.id, order.tracking, codes or {})
    given = couponing.values(order.coupon, language) if order.coupon else {}
    content = text.fill(values(order, shop, language) | given | links_of(order, url) | counted)
    message = StableMessage(
        content.subject,
        content.text,
        _sender(shop.sender_name or shop.name, shop.sender_email),
        [transport.in_ascii(order.address)],
        reply_to=[answers] if (answers := _answers_to(order, shop, version)) else None,
        headers=_headers(order, url),
    )
    message.attach_alternative(content.html, "text/html")
    message.boundary = f"=_{order.id.hex}"
    message.metadata = {"d": str(order.id)}
    message.envelope_from = return_path.of(order.id)
    if order.occasion and (told := recipes.everything()[order.recipe].composed):
        told(order.occasion, message_id(order.id), f"{content.subject}\n{content.text}\n{content.html}")
    return message


def probe(number: UUID, address: str, subject: str, text: str, shop: Shop) -> StableMessage:
    """A mail that shows how advertising arrives: its headers, about nobody. Raises ValueError as `compose`."""
    order = Order(
        number, 0, 0, "", "advertising", "newsletter", now(), uuid4(), "", salutation.Address("person", "", "", "", "", ""),
        address, "", {},
    )  # fmt: skip
    message = StableMessage(
        subject,
        text,
        _sender(shop.sender_name or shop.name, shop.sender_email),
        [transport.in_ascii(address)],
        headers=_headers(order, unsubscribe_url(order.person_key, order.purpose)),
    )
    message.attach_alternative(f"<p>{escape(text)}</p>", "text/html")
    message.boundary = f"=_{number.hex}"
    message.metadata = {"d": str(number)}
    message.envelope_from = return_path.of(number)
    return message


def _answers_to(order: Order, shop: Shop, version: TemplateVersion) -> str:
    """Where answers go: to who looks after the customer, if the text is signed by them and their address is known."""
    signs = order.staff[1] and any("signed_by" in text for block in version.blocks for text in block["text"].values())
    return order.staff[1] if signs else shop.reply_to


def _headers(order: Order, url: str) -> dict[str, str]:
    headers = {
        "Message-ID": message_id(order.id),
        "X-Delivery-ID": str(order.id),
        "Date": format_datetime(order.planned_at),
    }
    if order.message_class != "transactional":
        by_mail = return_path.to_unsubscribe(order.id)
        headers["List-Unsubscribe"] = f"<{url}>" + (f", <mailto:{by_mail}?subject=unsubscribe>" if by_mail else "")
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return headers


@lru_cache(maxsize=16)
def _sender(name: str, address: str) -> str:
    return str(MailAddress(" ".join(rendering.cleaned(name).split()), addr_spec=address))


def message_id(delivery_id: UUID) -> str:
    return f"<{delivery_id}@{_host(settings.PUBLIC_BASE_URL)}>"


@lru_cache(maxsize=16)
def _host(url: str) -> str | None:
    return urlsplit(url).hostname


def links_of(order: Order, unsubscribe: str) -> dict[str, str]:
    """The links of the legal notice."""
    preferences = f"{settings.PUBLIC_BASE_URL}/preferences/{tokens.of_mail(str(order.id))}/"
    return dict(zip(LINKS, (unsubscribe, preferences, f"{settings.PUBLIC_BASE_URL}/legal/privacy/"), strict=True))


def unsubscribe_url(person_key: UUID, purpose: str) -> str:
    return f"{settings.PUBLIC_BASE_URL}/u/{links.sign(UNSUBSCRIBE, person_key, purpose)}/"


def values(order: Order, shop: Shop, language: str) -> dict[str, str]:
    """What a text may use, as plain texts in the customer's language."""
    who = order.who
    common = {
        "opening": salutation.opening(who, language),
        "title": who.title,
        "given_name": who.given_name,
        "family_name": who.family_name,
        "company_name": who.company_name,
        "name": salutation.person_name(who) or who.company_name,
        "shop_name": shop.name,
        "sender_name": shop.sender_name or shop.name,
        "signed_by": order.staff[0] or shop.sender_name or shop.name,
        "imprint": shop.imprint,
        "ground": order.ground,
    }
    if order.purchase:
        common |= {
            "purchase_number": order.purchase["number"],
            "purchase_date": local_days.written(order.purchase["day"], language),
            "place": order.purchase["place"],
        }
    recipe = recipes.everything()[order.recipe]
    if recipe.more_values and (order.occasion or order.cause or not recipe.standing):
        about = {"options": order.options, "cause": order.cause}
        common |= recipe.more_values(about | dict(order.occasion), language)
    return common | dict(order.own)
