"""Why somebody did, or did not, get a mail: every step with its answer, in whole sentences.

Where there is a delivery its row tells; for anybody else the steps are worked out from the rules as they stand now.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns import forecast, hold_out, recipes, segments, surprises
from campaigns.models import Campaign, Delivery, Receipt
from campaigns.reasons import sentence, why_closed
from campaigns.recipe import Moment, Occasion, Recipe
from crm import days, display, permission
from crm.models import ConsentEvent, Customer, Event, Shop
from loyalty.explain import stage_label
from loyalty.models import Assessment

State = Delivery.State
YES, NO, OPEN = "yes", "no", "open"
LOOKED_BACK, LOOKED_AHEAD = 7, 30
EVENTS_ASKED = 50
# Planning leaves what time alone changes to the gate; these reasons can stand in a row only from there.
ALLOWED = {reason.code for reason in permission.REASONS if reason.allowed}


@dataclass(frozen=True)
class Step:
    """One question on the way to the mail: its answer (yes, no, open), and what stands behind it."""

    title: str
    answer: str
    told: str
    lines: Sequence[tuple[str, str, int]] = field(default_factory=tuple)


@dataclass(frozen=True)
class Answer:
    """The outcome in one sentence, and the steps to it."""

    outcome: str
    got_it: str
    steps: list[Step]


@dataclass(frozen=True)
class Case:
    """Whom and what is asked about. `sees_all`: the reader may see personal data, such as what a mail server wrote."""

    customer: Customer
    campaign: Campaign
    recipe: Recipe
    shop: Shop
    mail: Delivery | None
    sees_all: bool = False


def explain(customer: Customer, campaign: Campaign, *, sees_all: bool = False) -> Answer:
    """About twelve queries, however many mails and people there are."""
    mails = surprises.told(Delivery.objects.filter(customer=customer, campaign=campaign)).order_by("-planned_at", "-pk")
    recipe = recipes.everything()[campaign.recipe]
    if recipe.secret and not mails:
        return Answer(_("Who is going to be surprised is told to nobody: who knows might say so."), OPEN, [])
    case = Case(customer, campaign, recipe, Shop.current(), mails.first(), sees_all)
    steps = [*(_recorded(case) if case.mail else _worked_out(case)), _permission_now(case)]
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
        yield _group(case, mail.reason == hold_out.REASON)
    if at_planning and mail.reason == "same_mailbox":
        yield Step(_("Mailbox"), NO, sentence(mail.reason))
    elif at_planning and mail.reason != hold_out.REASON:
        yield Step(_("Permission when it was planned"), NO, sentence(mail.reason), _evidence(mail))
    else:
        told = _("The person might be mailed when it was planned, on %(time)s.")
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
        "why": sentence(mail.reason) if mail.reason in ALLOWED else "",
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


# Where there is no row


def _worked_out(case: Case) -> Iterable[Step]:
    campaign = case.campaign
    if campaign.standing:
        yield from _occasion(case)
    else:
        yield _life(case)
        yield from _audience(case)


def _life(case: Case) -> Step:
    """Whether the mailing was launched at all, and after the customer came."""
    campaign, title = case.campaign, _("Launch")
    if campaign.launched_at is None:
        return Step(title, NO, _("The mailing was never launched. The steps below say what holds now."))
    at = {"time": display.instant(campaign.launched_at)}
    if case.customer.created_at > campaign.launched_at:
        return Step(title, NO, _("The customer came only after the audience was frozen on %(time)s.") % at)
    return Step(title, YES, _("Text and audience were frozen on %(time)s.") % at)


def _audience(case: Case) -> Iterable[Step]:
    campaign, customer = case.campaign, case.customer
    if customer.is_placeholder:
        yield Step(_("Audience"), NO, _("Nothing but a number is known of this customer, so no mailing is meant."))
    if campaign.stages:
        stood = Assessment.objects.filter(customer=customer).values_list("stage", flat=True).first()
        named = ", ".join(stage_label(code) for code in campaign.stages)
        if stood is None:
            yield Step(_("Stage"), NO, _("It went to: %(stages)s. This customer has no stage yet.") % {"stages": named})
        else:
            told = _("It went to: %(stages)s. This customer is now: %(stage)s.")
            answer = YES if stood in campaign.stages else NO
            yield Step(_("Stage"), answer, told % {"stages": named, "stage": stage_label(stood)})
    rule = segments.rule_of(campaign)
    if rule is not None:
        yield _segment(case, rule)
    if not campaign.stages and rule is None and not customer.is_placeholder:
        yield Step(_("Audience"), YES, _("It went to everybody."))


def _segment(case: Case, rule: object) -> Step:
    try:
        lines = segments.explain(rule, case.customer.pk, launched=case.campaign.audience_rule is not None)
    except segments.RuleError as error:
        return Step(_("Segment"), OPEN, str(error))
    met = lines[0].met if lines else NO
    told = {
        YES: _("The customer is in the segment now. When the audience was frozen this was not so."),
        NO: _("The customer is not in the segment."),
    }.get(met, _("Whether the customer is in the segment is not known."))
    if case.campaign.launched_at is None and met == YES:
        told = _("The customer is in the segment.")
    return Step(_("Segment"), {"unknown": OPEN}.get(met, met), told, [
        ({"unknown": OPEN}.get(line.met, line.met), line.sentence, min(line.depth, 4)) for line in lines
    ])  # fmt: skip


def _occasion(case: Case) -> Iterable[Step]:
    campaign, recipe = case.campaign, case.recipe
    if campaign.switched_on:
        yield Step(_("Switch"), YES, _("The recipe is switched on."))
    else:
        yield Step(_("Switch"), NO, _("The recipe is switched off."))
    if recipe.occasion is Occasion.EVENT:
        yield _event(case)
        return
    if recipe.code == "birthday" and not case.customer.birth_month:
        yield Step(_("Occasion"), NO, _("The birthday is not known."))
        return
    yield from _day(case)


def _event(case: Case) -> Step:
    """Whether what it answers to happened, and why that caused no mail."""
    title = _("Occasion")
    found = Event.objects.filter(customer=case.customer, kind=case.recipe.event_kind).order_by("-occurred_at")
    latest = list(found[:EVENTS_ASKED])
    if not latest:
        return Step(title, NO, _("What this mail answers to has not happened live. Imported history causes no mail."))
    at = {"time": display.instant(latest[0].occurred_at)}
    if any(event.planned_at is None for event in latest):
        return Step(title, OPEN, _("It happened on %(time)s and is about to be planned.") % at)
    audience, asked = case.recipe.audience(Moment(case.campaign, case.shop, event_ids=[event.pk for event in latest]))
    if forecast.matches(audience, asked, case.customer.pk):
        return Step(title, NO, _("It last happened on %(time)s, while the recipe was switched off.") % at)
    return Step(title, NO, _("It last happened on %(time)s, but does not meet the recipe's conditions.") % at)


def _day(case: Case) -> Iterable[Step]:
    title, today = _("Occasion"), days.today()
    asked = [today + timedelta(days=n) for n in range(-LOOKED_BACK, LOOKED_AHEAD + 1)]
    turn = forecast.next_of(case.recipe, case.campaign, case.shop, case.customer.pk, asked)
    if not turn:
        told = _("From %(first)s to %(last)s there is no day on which it is the customer's turn.")
        yield Step(title, NO, told % {"first": display.day(asked[0]), "last": display.day(asked[-1])})
        return
    # The day of the greeting is the birthday, which not everybody may see.
    shown = display.day(turn["day"]) if case.sees_all or case.recipe.code != "birthday" else ""
    if turn["day"] > today:
        told = _("It is the customer's turn on %(day)s.") if shown else _("It is the customer's turn in the next days.")
        yield Step(title, OPEN, told % {"day": shown})
    else:
        told = _("It was the customer's turn on %(day)s.") if shown else _("It was the customer's turn some days ago.")
        yield Step(title, YES, told % {"day": shown})
    held = hold_out.is_member(case.campaign, case.recipe, case.customer.person_key, turn["cause"])
    if case.campaign.hold_out:
        yield _group(case, held)


# What holds either way


def _group(case: Case, held: bool) -> Step:
    share = {"share": case.campaign.hold_out}
    if held:
        told = _("The customer belongs to the control group of %(share)s per cent, which gets nothing, for comparison.")
        return Step(_("Control group"), NO, told % share)
    return Step(_("Control group"), YES, _("The customer is not in the control group."))


def _permission_now(case: Case) -> Step:
    """What the gate would say at this moment; of a mail that went, for what comes next."""
    found = permission.may_send(case.customer.pk, case.recipe.message_class, case.recipe.purpose, shop=case.shop)
    answer = YES if found.allowed else OPEN if found.code == "quiet_hours" else NO
    return Step(_("Permission now"), answer, found.detail)
