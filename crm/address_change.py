"""A person's own change of address: the new mailbox must answer before anything changes (`docs/public-pages.md`).

While it is asked, the new address belongs to a nameless record that is counted as the same person: an erasure or an
export takes it along, and what is never answered is deleted after 30 days. What the person allows for the old address
is declared for the new one by the same request, and confirmed by the same answer.
"""

from dataclasses import replace

from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _

from crm import consent, double_opt_in, prospects
from crm.consent import ConsentError, How
from crm.double_opt_in import Answer
from crm.models import ConsentEvent, ConsentState, ContactPoint, Customer, DoubleOptIn
from crm.privacy import rectify
from crm.sync_people import normal_email


@transaction.atomic
def request(customer_id: int, email: str, language: str, how: How) -> str:
    """Have a new mailbox asked whether it is this person's. Changes nothing else.

    Returns "pending", "same" (it is the address in use), "limited" or "silent" (`double_opt_in.Requested`); strangers
    are told none of the last two. Raises ConsentError for what is no address.
    """
    normal = normal_email(email.strip())[0]
    if not normal:
        raise ConsentError("malformed_address", _("This is no e-mail address. Please check the spelling."))
    address_hash = double_opt_in.lock_address(normal)
    customer = Customer.objects.select_for_update().get(pk=customer_id, erased_at=None, merged_into=None)
    if ContactPoint.objects.filter(customer=customer, kind="email", is_primary=True, normal=normal).exists():
        return "same"
    if refusal := double_opt_in.refusal_for(address_hash, ConsentEvent.Method.WEB):
        return refusal.state
    held = ConsentState.objects.filter(customer=customer, channel="email", state=ConsentState.State.GIVEN)
    purposes = list(held.order_by("purpose__position").values_list("purpose_id", flat=True))
    carrier = prospects.make([(email.strip(), normal, language)])[normal]
    return double_opt_in.open_request(carrier.pk, purposes, language, how, address_hash, moves=customer).state


@transaction.atomic
def confirm(token: str, how: How) -> Answer:
    """What the button behind any confirmation link does: make the address the person's, or confirm the consent.

    The link of an earlier request is answered "ended" once a later one was confirmed.
    """
    asked = double_opt_in.of_token(token)
    if asked is None or asked.moves_id is None:
        return double_opt_in.confirm(token, how)
    # Both records in the order of their numbers, as an erasure locks them.
    people = Customer.objects.select_for_update(of=["self"]).filter(pk__in=[asked.customer_id, asked.moves_id])
    living = {one.pk: one for one in people.order_by("pk")}
    asked = DoubleOptIn.objects.select_for_update(of=["self"]).filter(pk=asked.pk).first()
    if asked is None or asked.moves_id not in living:
        return Answer("unknown")
    if asked.confirmed_at:
        return double_opt_in.answer("done", asked)
    if asked.expires_at <= now():
        return double_opt_in.answer("expired", asked)
    if living[asked.moves_id].merged_into_id or _overtaken(asked):
        return double_opt_in.answer("ended", asked)
    _move(asked, how)
    return double_opt_in.answer("confirmed", asked)


def _overtaken(asked: DoubleOptIn) -> bool:
    later = DoubleOptIn.objects.filter(moves=asked.moves_id, requested_at__gt=asked.requested_at)
    return later.exclude(confirmed_at=None).exists()


def _move(asked: DoubleOptIn, how: How) -> None:
    carrier_id, person_id = asked.customer_id, asked.moves_id
    assert person_id is not None
    address = ContactPoint.objects.get(customer=carrier_id, kind="email", is_primary=True).value
    rectify.rectify(person_id, {"email": address}, None)
    proof = replace(
        how, address=address, wordings=asked.wordings, form=asked.form, notice_version=asked.notice_version,
        token_hash=asked.token_hash, message_id=asked.message_id, content_hash=asked.content_hash,
    )  # fmt: skip
    if asked.purposes:
        request = replace(
            proof, occurred_at=asked.requested_at, ip=asked.ip, user_agent=asked.user_agent, token_hash="",
            message_id="", content_hash="",
        )  # fmt: skip
        consent.give(person_id, asked.purposes, request)
        consent.confirm(person_id, asked.purposes, proof)
    double_opt_in.settle(asked)
    DoubleOptIn.objects.filter(customer=carrier_id).update(customer=person_id)
    ContactPoint.objects.filter(customer=carrier_id).delete()
    Customer.objects.filter(pk=carrier_id).update(merged_into=person_id)
