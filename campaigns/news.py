"""What staff see of the reports about mails: on the timeline, and whom to ask for a new address."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, QuerySet
from django.urls import reverse
from django.utils.timezone import localtime, now
from django.utils.translation import gettext as _

from campaigns.models import Delivery, Receipt
from crm import display
from crm.models import ContactPoint
from crm.worklist_rows import Entry

Status = Receipt.Status
WORTH_TELLING = (
    Status.BOUNCED,
    Status.SOFT_BOUNCED,
    Status.REJECTED,
    Status.SPAM_REPORT,
    Status.UNSUBSCRIBED,
    Status.AUTO_REPLY,
)
ALARMING = (Status.BOUNCED, Status.SPAM_REPORT)
LOYAL = ("loyal", "ambassador")
SHOWN_DAYS = 30


def with_news(mails: QuerySet[Delivery]) -> QuerySet[Delivery]:
    """The same with what was reported about each, for `of`."""
    rows = Receipt.objects.filter(delivery_id=OuterRef("pk"), status__in=WORTH_TELLING).order_by("at", "status")
    return mails.annotate(news=ArraySubquery(rows.values("status")), news_at=ArraySubquery(rows.values("at")))


def of(mail: Any) -> tuple[list[str], str]:
    """(what was reported about a mail of `with_news`, and what of it must not be overlooked or '')."""
    words, warning = [], ""
    for code, at in zip(mail.news, mail.news_at, strict=True):
        status = Status(code)
        if status in ALARMING:
            warning = str(status.label)
        words.append(_("%(what)s on %(day)s") % {"what": status.label, "day": display.short_day(localtime(at).date())})
    return words, warning


def to_ask(limit: int) -> Iterator[Entry]:
    """Loyal customers whose mail came back for good in the last 30 days: somebody should ask for the new address.

    One query.
    """
    points = ContactPoint.objects.filter(
        kind="email",
        is_primary=True,
        state=ContactPoint.State.HARD_BOUNCED,
        bounced_at__gt=now() - timedelta(days=SHOWN_DAYS),
        customer__assessment__stage__in=LOYAL,
        customer__erased_at=None,
        customer__merged_into=None,
        customer__deceased_at=None,
    )
    rows = points.order_by("-bounced_at", "pk").values_list("customer_id", "customer__assigned_to_id", "bounced_at")
    for customer_id, owner_id, at in rows[:limit]:
        yield Entry(
            key=f"address-{customer_id}",
            group="data",
            customer_id=customer_id,
            icon="mail-x",
            when=display.short_day(localtime(at).date()) or "",
            text=_("Mail comes back: the mailbox does not exist. Ask for the new address."),
            verb=_("Open profile"),
            verb_icon="user",
            url=reverse("customer", args=[customer_id]),
            owner_id=owner_id,
        )
