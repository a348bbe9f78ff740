"""Why somebody did, or did not, get a mail: every step with its answer, in whole sentences.

Where there is a delivery its row tells; for anybody else the steps are worked out from the rules as they stand now.
"""

from collections.abc import Iterable, Sequence

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns import hold_out, recipes, surprises
from campaigns.models import Campaign, Delivery, Receipt
from campaigns.reasons import sentence, why_closed
from campaigns.why_not import worked_out
from campaigns.why_steps import NO, OPEN, YES, Answer, Case, Step, group
from crm import display, permission
from crm.models import ConsentEvent, Customer, Shop

State = Delivery.State
# On what a mail may go; a row that passed the gate carries it.
GROUNDS = {reason.code for reason in permission.REASONS if reason.allowed}


def explain(customer: Customer, campaign: Campaign, *, sees_all: bool = False) -> Answer:
    """About twelve queries, however many mails and people there are."""
    mails = surprises.told(Delivery.objects.filter(customer=customer, campaign=campaign)).order_by("-planned_at", "-pk")
    recipe = recipes.everything()[campaign.recipe]
    if recipe.secret and not mails:
        return Answer(_("Who is going to be surprised is told to nobody: who knows might say so."), OPEN, [])
    case = Case(customer, campaign, recipe, Shop.current(), mails.first(), sees_all)
    steps = [*(_recorded(case) if case.mail else worked_out(case)), _permission_now(case)]
    return Answer(_outcome(case, steps), _got_it(case), steps)


def _got_it(case: Case) -> str:
    if case.mail is None:
        return NO
    return {State.SENT: YES, State.PLANNED: OPEN, State.CLAIMED: OPEN, State.SENDING: OPEN, State.UNKNOWN: OPEN}.get(
        State(case.mail.state), NO
    )


def _outcome(case: Case, steps: Sequence[Step]) -> str:
    mail = case.mail
    if mail is None:
        first = next((step for step in steps if step.answer == NO), None)
        why = f" {first.told}" if first else ""
        return _("No mail was planned.") + why
    if mail.state == State.SENT:
        return _("The mail was handed to the mail server on %(time)s.") % {"time": display.instant(mail.settled_at)}
    if mail.state == State.UNKNOWN:
        return _("Nobody knows whether the mail went: the connection broke while it was handed over.")
    if mail.state in (State.PLANNED, State.CLAIMED, State.SENDING):
        return _("The mail has not gone yet.")
    return _("The mail did not go. %(why)s") % {"why": sentence(mail.reason)}


# Where a row tells


def _recorded(case: Case) -> Iterable[Step]:
    mail = case.mail
    assert mail is not None
    yield _matched(case, mail)
    at_planning = _refused_at_planning(mail)
    if case.campaign.hold_out or mail.reason == hold_out.REASON:
        yield group(case, mail.reason == hold_out.REASON)
    if at_planning and mail.reason == "same_mailbox":
        yield Step(_("Mailbox"), NO, sentence(mail.reason))
    elif at_planning and mail.reason != hold_out.REASON:
        yield Step(_("Permission when it was planned"), NO, sentence(mail.reason), _evidence(mail))
    else:
        told = _("The person could be mailed when it was planned, on %(time)s.")
        yield Step(
            _("Permission when it was planned"), YES, told % {"time": display.instant(mail.planned_at)}, _evidence(mail)
        )
    if not at_planning:
        yield from _sending(case, mail)


def _refused_at_planning(mail: Delivery) -> bool:
    if mail.state != State.SUPPRESSED or mail.sending_at is not None or mail.settled_at is None:
        return False
    return mail.settled_at <= mail.planned_at


def _matched(case: Case, mail: Delivery) -> Step:
    if case.campaign.standing:
        told = _("It was the customer's turn: the mail was planned on %(time)s.")
    else:
        told = _("The customer was in the audience as it was frozen on %(time)s.")
    return Step(_("Occasion") if case.campaign.standing else _("Audience"), YES, told % {
        "time": display.instant(mail.planned_at)
    })  # fmt: skip


def _evidence(mail: Delivery) -> list[tuple[str, str, int]]:
    """What the permission, or the refusal, rests on."""
    if mail.evidence is None:
        return []
    event = ConsentEvent.objects.filter(pk=mail.evidence).first()
    if event is None:
        return []
    said = _("Entry %(number)s of the consent ledger: %(what)s, %(how)s, %(time)s.") % {
        "number": event.pk,
        "what": event.get_action_display(),
        "how": event.get_method_display(),
        "time": display.instant(event.occurred_at),
    }
    return [(YES, said, 0)]


def _sending(case: Case, mail: Delivery) -> Iterable[Step]:
    if mail.sending_at is None:
        yield _waiting(case, mail)
        return
    passed = _("It passed on %(time)s. %(why)s") % {
        "time": display.instant(mail.sending_at),
        "why": sentence(mail.reason) if mail.reason in GROUNDS else "",
    }
    yield Step(_("Asked again right before it went"), YES, passed.strip())
    yield _server(case, mail)
    yield from _receipts(mail)


def _waiting(case: Case, mail: Delivery) -> Step:
    """Before the gate: it waits for something, or was stopped there."""
    title = _("Time and pace")
    if mail.state in (State.SUPPRESSED, State.FAILED, State.QUARANTINED):
        at = {"time": display.instant(mail.settled_at), "why": sentence(mail.reason)}
        return Step(title, NO, _("It was stopped on %(time)s. %(why)s") % at)
    campaign = case.campaign
    if why := why_closed():
        return Step(title, OPEN, why)
    if campaign.status == Campaign.Status.PAUSED:
        return Step(title, OPEN, _("The mailing is paused."))
    if campaign.standing and not campaign.switched_on:
        return Step(title, OPEN, _("The recipe is switched off, so what was planned waits."))
    told = _("It waits for its time: not before %(start)s, and not after %(end)s.")
    return Step(
        title, OPEN, told % {"start": display.instant(mail.not_before), "end": display.instant(mail.not_after)}
    )


def _server(case: Case, mail: Delivery) -> Step:
    title = _("Mail server")
    # What a server writes may name the address: those who may not see it get the code alone.
    reply = mail.smtp_reply if case.sees_all else " ".join(
        part for part in mail.smtp_reply.split()[:2] if part.replace(".", "").isdigit()
    )  # fmt: skip
    lines = [(OPEN, _("Its answer: %(reply)s") % {"reply": reply}, 0)] if reply else []
    if mail.state == State.SENT:
        return Step(title, YES, _("It took the mail."), lines)
    if mail.state in (State.SENDING, State.UNKNOWN):
        return Step(title, OPEN, _("Its answer is not known."), lines)
    if mail.state in (State.PLANNED, State.CLAIMED):
        tries = ngettext(
            "It put the mail off; it is tried again.", "It put the mail off %(n)s times; it is tried again.", mail.deferrals
        )
        return Step(title, OPEN, tries % {"n": mail.deferrals}, lines)
    return Step(title, NO, sentence(mail.reason), lines)


def _receipts(mail: Delivery) -> Iterable[Step]:
    """What became of it behind our mail server."""
    answers = {Receipt.Status.DELIVERED: YES, Receipt.Status.ACCEPTED: YES, Receipt.Status.SENT: YES}
    bad = (Receipt.Status.BOUNCED, Receipt.Status.REJECTED, Receipt.Status.FAILED, Receipt.Status.SPAM_REPORT)
    for receipt in Receipt.objects.filter(delivery_id=mail.pk).order_by("at"):
        told = _("Reported on %(time)s: %(what)s.") % {
            "time": display.instant(receipt.at),
            "what": " ".join([receipt.get_status_display(), receipt.code]).strip(),
        }
        status = Receipt.Status(receipt.status)
        yield Step(_("Report"), NO if status in bad else answers.get(status, OPEN), told)


def _permission_now(case: Case) -> Step:
    """What the gate would say at this moment; of a mail that went, for what comes next."""
    found = permission.may_send(case.customer.pk, case.recipe.message_class, case.recipe.purpose, shop=case.shop)
    answer = YES if found.allowed else OPEN if found.code == "quiet_hours" else NO
    return Step(_("Permission now"), answer, found.detail)
