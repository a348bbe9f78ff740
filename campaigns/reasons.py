"""Why a mail was not sent, or where it is: one sentence each, for staff."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from campaigns import gating
from campaigns.models import Delivery
from crm import permission

# Reasons that planning and sending give; those of the gate word themselves.
OWN: dict[str, str | Promise] = {
    "same_mailbox": _("Another customer with the same address gets it."),
    "cancelled": _("The campaign was cancelled."),
    "expired": _("Its time was over before it could go."),
    "render_error": _("The text could not be filled in for this person."),
    "impossible_address": _("The address cannot be written in a mail."),
    "address_changed": _("The address changed after the mail was planned."),
    "crashed_3_times": _("Three tries in a row were cut off."),
    "hold_out": _("Left out on purpose, to measure what the mail does."),
    "refused": _("The recipient's mail server refused it."),
    "address": _("The recipient's mail server does not know this address."),
    "cause_gone": _("What it was about no longer holds."),
    "coupon_stopped": _("The coupon it brings was stopped."),
    "coupon_spent": _("The budget of the coupon it brings is used up."),
    "coupon_limit": _("The customer has used this coupon as often as it allows."),
    "coupon_voided": _("Its coupon code was ended before the mail could go."),
    "coupon_redeemed": _("Its coupon code was used already."),
    "coupon_expired": _("The coupon it brings has ended."),
    "coupon_missing": _("The coupon it brings could not be made."),
    "paused": _("The campaign rests."),
    "too_slow": _("Its mail server takes only so many mails an hour, and its time was over before its turn came."),
}
ICONS = {
    Delivery.State.PLANNED: ("clock", "soft"),
    Delivery.State.CLAIMED: ("send", "soft"),
    Delivery.State.SENDING: ("send", "soft"),
    Delivery.State.SENT: ("mail-check", "good"),
    Delivery.State.UNKNOWN: ("question-mark", "due"),
    Delivery.State.SUPPRESSED: ("mail-off", "bad"),
    Delivery.State.FAILED: ("mail-x", "bad"),
    Delivery.State.QUARANTINED: ("mail-x", "bad"),
}


def sentence(code: str) -> str:
    """A reason as a sentence in the active language; the bare code where nobody worded it, '' for none."""
    if code in OWN:
        return str(OWN[code])
    if code in permission.BY_CODE:
        return str(permission.BY_CODE[code].sentence)
    return code.replace("_", " ")


CLOSED = {
    "not armed": _("Sending is not armed for this installation, so no mail goes. An administrator runs arm_sending."),
    "no sender address": _("The shop has no sender address yet, so no mail goes. An administrator can set it."),
    "no imprint": _("The shop has no imprint yet, so no mail goes. An administrator can set it."),
}


def why_closed() -> str:
    """Why this installation sends nothing at all, as a sentence; '' if it does."""
    code = gating.closed()
    return str(CLOSED.get(code, code))
