"""What campaigns knows about a person: every mail that went or did not go, classified, handed out and cut off."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, QuerySet, TextField, Value
from django.db.models.functions import Cast, Concat
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns import couponing, freezing, mail_use, news
from campaigns.models import Delivery, Link, MailUse, ReadMail, Receipt
from campaigns.reasons import sentence
from crm.privacy.registry import Data, Fate, Table
from crm.privacy.retention import Rule
from crm.privacy.sections import Section

State = Delivery.State
DETAIL_MONTHS = 13
READ_MAIL_DAYS = 60
# They ask a mailbox whether it is right; no sale is prepared, carried out or undone by them.
NO_LETTERS = ("double_opt_in", "address_change")

TABLES = (
    Table(
        "campaigns.Delivery",
        Fate.PSEUDONYMISE,
        {
            Data.IDENTIFIER: "email_hash domain dedupe_key cause message_id provider_id",
            Data.CONTENT: "smtp_reply",
            Data.BEHAVIOUR: "recipe message_class purpose state reason evidence tracking planned_at sending_at settled_at",
            Data.TECHNICAL: "id priority not_before not_after slot_at token lease_until attempts deferrals transport",
        },
        gettext_lazy("Mails, sent and not sent: technical record"),
        person="customer",
        order="planned_at",
        withheld="token",
        why=gettext_lazy("The figures of the campaigns must stay right."),
        until=gettext_lazy("without an end: it no longer leads to the person"),
    ),
    Table(
        "campaigns.MailUse",
        Fate.DELETE,
        {Data.BEHAVIOUR: "kind at", Data.TECHNICAL: "by_machine"},
        gettext_lazy("Mails opened and links clicked, by your consent"),
        person="delivery__customer",
        shown=(
            ("at", gettext_lazy("When")),
            ("delivery__campaign__name", gettext_lazy("Mail")),
            ("kind", gettext_lazy("What")),
            ("link__target", gettext_lazy("Link")),
            ("by_machine", gettext_lazy("By a machine")),
        ),
        order="at",
    ),
    Table("campaigns.Link", Fate.NOT_OF_CUSTOMERS, {Data.NONE: "code position target good_until"}),
    Table("campaigns.LinkCount", Fate.NOT_OF_CUSTOMERS, {Data.NONE: "day clicks machine"}),
    Table("campaigns.TrackingSwitch", Fate.NOT_OF_CUSTOMERS, {Data.NONE: "id counts changed_at"}),
    Table(
        "campaigns.Receipt",
        Fate.KEEP,
        {Data.BEHAVIOUR: "status at", Data.TECHNICAL: "delivery_id source code received_at"},
    ),
    Table("campaigns.ReadMail", Fate.NOT_OF_CUSTOMERS, {Data.NONE: "digest kind at"}),
    Table("campaigns.Template", Fate.NOT_OF_CUSTOMERS, {Data.NONE: "name recipe created_at"}),
    Table(
        "campaigns.TemplateVersion", Fate.NOT_OF_CUSTOMERS, {Data.NONE: "number subject blocks frozen_at created_at"}
    ),
    Table(
        "campaigns.Campaign",
        Fate.NOT_OF_CUSTOMERS,
        {
            Data.NONE: "recipe name standing switched_on status stages audience_rule hold_out window_from"
            " window_until weekdays send_at options created_at checked_at checked_recipients launched_at"
            " expected_recipients"
        },
    ),
    Table(
        "campaigns.Segment",
        Fate.NOT_OF_CUSTOMERS,
        {Data.NONE: "name kind rule created_at changed_at archived_at counted counted_exactly counted_at"},
    ),
    Table(
        "campaigns.SegmentMember",
        Fate.DELETE,
        {Data.BEHAVIOUR: "added_at"},
        gettext_lazy("Lists you stand on"),
        person="customer",
        shown=(("segment__name", gettext_lazy("List")), ("added_at", gettext_lazy("Since"))),
        order="added_at",
    ),
    Table(
        "campaigns.SurprisePeriod",
        Fate.NOT_OF_CUSTOMERS,
        {Data.NONE: "first_day last_day begun_on gifts_most money_most gifts money"},
    ),
    Table(
        "campaigns.SurpriseGift",
        Fate.DELETE,
        {Data.BEHAVIOUR: "gift cost taken_at returned_at", Data.TECHNICAL: "words"},
        gettext_lazy("Surprises"),
        person="customer",
        shown=(
            ("taken_at", gettext_lazy("When")),
            ("delivery__campaign__name", gettext_lazy("Mail")),
            ("cost", gettext_lazy("Worth")),
        ),
        order="taken_at",
    ),
    Table("campaigns.Run", Fate.NOT_OF_CUSTOMERS, {Data.NONE: "created_at frozen_at"}),
    Table("campaigns.Move", Fate.NOT_OF_CUSTOMERS, {Data.NONE: "by slices created_at"}),
    Table("campaigns.JobRun", Fate.NOT_OF_CUSTOMERS, {Data.NONE: "job slot at"}),
    Table("campaigns.Pace", Fate.NOT_OF_CUSTOMERS, {Data.NONE: "name domains per_hour next_at parked_until"}),
    Table(
        "campaigns.WarmUp", Fate.NOT_OF_CUSTOMERS, {Data.NONE: "transport started_on per_day growth ceiling day used"}
    ),
    Table(
        "campaigns.Circuit",
        Fate.NOT_OF_CUSTOMERS,
        {Data.NONE: "transport domain state failures rests_until since changed_at reply"},
    ),
    Table("campaigns.Pulse", Fate.NOT_OF_CUSTOMERS, {Data.NONE: "handled unfilled recent tripped_at reason errors of"}),
    Table(
        "campaigns.MailCheck",
        Fate.NOT_OF_CUSTOMERS,
        {Data.NONE: "domain asked_at checked_at findings probe probe_sent_at evidence evidence_at"},
    ),
    Table("campaigns.SenderHeartbeat", Fate.NOT_OF_CUSTOMERS, {Data.NONE: "name at sent"}),
)


def mails(customer_ids: Sequence[int]) -> list[Section]:
    """Every mail with its text's subject, where it is, and why it did not go. One query."""
    found = news.with_news(Delivery.objects.filter(customer__in=customer_ids))
    rows = [
        [
            one.settled_at or one.sending_at or one.planned_at,
            one.campaign.name,
            " / ".join(str(text) for text in one.template_version.subject.values()),
            one.get_message_class_display(),
            one.purpose,
            one.get_state_display(),
            sentence(one.reason) if one.reason else "",
            "; ".join(news.of(one)[0]),
        ]
        for one in found.select_related("campaign", "template_version").order_by("planned_at", "pk")
    ]
    columns = [
        _("When"),
        _("Mail"),
        _("Subject"),
        _("Kind"),
        _("Purpose"),
        _("State"),
        _("Reason"),
        _("Reported since"),
    ]
    return [Section("mails", _("Mails, sent and not sent"), columns, rows)]


def letters(customer_ids: Sequence[int]) -> list[tuple[datetime, dict[str, Any]]]:
    """Transactional mails that went, with the text they were made from; those that ask for a confirmation are none."""
    found = Delivery.objects.filter(customer__in=customer_ids, message_class="transactional", state=State.SENT)
    found = found.exclude(recipe__in=NO_LETTERS).select_related("template_version").order_by("planned_at")
    return [
        (
            at := one.settled_at or one.planned_at,
            {
                "kind": one.recipe,
                "at": at.isoformat(),
                "subject": " / ".join(map(str, one.template_version.subject.values())),
                "text": "\n".join(
                    str(text) for block in one.template_version.blocks for text in block["text"].values()
                ),
            },
        )
        for one in found
    ]


def cut_off(customer_ids: Sequence[int], shell_id: int) -> int:
    """Give the person's mails to the shell that stays, without anything that leads back. Returns how many.

    What has not passed the gate never goes; what is on the wire is settled as usual. What they did with their mails is
    deleted. Waits for planning under way: what it writes for this person is found here.
    """
    freezing.alone()
    MailUse.objects.filter(delivery__customer__in=customer_ids).delete()
    theirs = Delivery.objects.filter(customer__in=customer_ids)
    waiting = list(theirs.filter(state__in=[State.PLANNED, State.CLAIMED]).values_list("pk", flat=True))
    theirs.filter(pk__in=waiting).update(
        state=State.SUPPRESSED, reason="erased", token=None, lease_until=None, settled_at=F("planned_at")
    )
    couponing.end(waiting)
    return theirs.update(
        customer=shell_id,
        event=None,
        email_hash=None,
        domain="",
        evidence=None,
        cause="",
        message_id="",
        provider_id="",
        smtp_reply="",
        dedupe_key=Concat(Value("erased:"), Cast("id", TextField())),
    )


def old_detail() -> QuerySet[Delivery]:
    """Mails settled more than 13 months ago that still carry what the mail server said, or whose server it was."""
    edge = now() - timedelta(days=DETAIL_MONTHS * 365 // 12)
    settled = Delivery.objects.filter(settled_at__lt=edge)
    return settled.exclude(smtp_reply="", message_id="", provider_id="", domain="")


def old_reports() -> QuerySet[Receipt]:
    """News about mails that is older than 13 months."""
    return Receipt.objects.filter(received_at__lt=now() - timedelta(days=DETAIL_MONTHS * 365 // 12))


def old_read_mails() -> QuerySet[ReadMail]:
    """Fingerprints of returned mails that cannot come again."""
    return ReadMail.objects.filter(at__lt=now() - timedelta(days=READ_MAIL_DAYS))


def old_uses() -> QuerySet[MailUse]:
    """What people did with their mails more than 13 months ago."""
    return MailUse.objects.filter(at__lt=now() - timedelta(days=DETAIL_MONTHS * 365 // 12))


def old_links() -> QuerySet[Link]:
    """Links that lead nowhere any more, for no mail with them went for 400 days."""
    return Link.objects.filter(good_until__lt=now())


RULES = (
    Rule(
        "mail_detail",
        gettext_lazy("Answers of mail servers, their names and message numbers"),
        gettext_lazy("blanked 13 months after the mail"),
        gettext_lazy("Whether and when a mail went stays; how the servers spoke is no longer needed."),
        old_detail,
        lambda rows: rows.update(smtp_reply="", message_id="", provider_id="", domain=""),
        "settled_at",
    ),
    Rule(
        "mail_reports",
        gettext_lazy("What mail servers and providers reported about mails: delivered, came back, spam"),
        gettext_lazy("deleted after 13 months"),
        gettext_lazy("What follows from it stands on the address and in the ledger of consents."),
        old_reports,
        lambda rows: rows.delete()[0],
        "received_at",
    ),
    Rule(
        "read_mails",
        gettext_lazy("Fingerprints of the returned mails that were read"),
        gettext_lazy("deleted after 60 days"),
        gettext_lazy("They keep a mail from being read twice; it holds nothing of its content."),
        old_read_mails,
        lambda rows: rows.delete()[0],
        "at",
    ),
    Rule(
        "mail_use",
        gettext_lazy("Mails opened and links clicked by people who agreed"),
        gettext_lazy("deleted after 13 months"),
        gettext_lazy("Older habits say nothing about the next mail."),
        old_uses,
        lambda rows: rows.delete()[0],
        "at",
    ),
    Rule(
        "mail_use_ended",
        gettext_lazy("The same of people who do not agree any more"),
        gettext_lazy("deleted at once; what a merge or an import left behind, at night"),
        gettext_lazy("The consent was the only ground to keep it (Art. 17(1)(b) GDPR)."),
        mail_use.without_consent,
        lambda rows: rows.delete()[0],
        "at",
    ),
    Rule(
        "counted_links",
        gettext_lazy("Counted links with their totals"),
        gettext_lazy("deleted 400 days after the last mail with them"),
        gettext_lazy("Nobody follows them any more, and their target may belong to somebody else by then."),
        old_links,
        lambda rows: rows.delete()[0],
        "good_until",
    ),
)
