"""Why there is no mail for somebody: worked out from the audience, the occasion and the rules as they stand now."""

from collections.abc import Iterable
from datetime import timedelta

from django.utils.translation import gettext as _

from campaigns import forecast, hold_out, segments
from campaigns.recipe import Moment, Occasion
from campaigns.why_steps import NO, OPEN, YES, Case, Step, group
from crm import days, display
from crm.models import Event
from loyalty.explain import stage_label
from loyalty.models import Assessment

LOOKED_BACK, LOOKED_AHEAD = 7, 30
EVENTS_ASKED = 50


def worked_out(case: Case) -> Iterable[Step]:
    """The steps as the rules answer them now."""
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
        yield group(case, held)
