"""What the shop asks permission for, in which words, and who agreed to which of them."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from crm import double_opt_in, wordings
from crm.access import requires
from crm.consent import ConsentError, How
from crm.filters import purpose_label
from crm.forms_purposes import NewPurposeForm, PurposeForm
from crm.models import Channel, ConsentEvent, ConsentState, Purpose
from crm.views.profile import living


@requires("settings.manage")
@require_http_methods(["GET", "HEAD", "POST"])
def purposes(request: HttpRequest) -> HttpResponse:
    """Every purpose with its newest wording and how many consents hold; a POST adds one."""
    form = NewPurposeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = wordings.add_purpose(**form.cleaned_data, actor_id=request.user.pk)
        except wordings.WordingError as refused:
            form.add_error(refused.field, str(refused))
        else:
            messages.success(request, _("The purpose is added. Write what people agree to, so that it can be asked."))
            return redirect("settings_purpose", made.pk)
    agreed = wordings.agreements()
    rows = [
        {
            "purpose": one,
            "label": purpose_label(one),
            "version": agreed[one.pk][0].wording.version if one.pk in agreed else None,
            "agreed": sum(agreement.agreed for agreement in agreed.get(one.pk, ())),
            "hold": sum(agreement.hold for agreement in agreed.get(one.pk, ())),
        }
        for one in Purpose.objects.all()
    ]
    status = 422 if form.errors else 200
    return render(request, "wordings/purposes.html", {"rows": rows, "form": form}, status=status)


@requires("settings.manage")
@require_http_methods(["GET", "HEAD", "POST"])
def purpose(request: HttpRequest, code: str) -> HttpResponse:
    """One purpose: its name, whether it is asked for, and every wording with who agreed to it."""
    found = get_object_or_404(Purpose, pk=code)
    held = {"label_de": found.label_de, "label_en": found.label_en, "active": found.active}
    form = PurposeForm(request.POST if request.method == "POST" else None, initial=held)
    if request.method == "POST" and form.is_valid():
        try:
            wordings.change_purpose(code, **form.cleaned_data, actor_id=request.user.pk)
        except wordings.WordingError as refused:
            form.add_error(refused.field, str(refused))
        else:
            messages.success(request, _("Saved."))
            return redirect("settings_purpose", code)
    context = {
        "purpose": found,
        "label": purpose_label(found),
        "form": form,
        "agreements": wordings.agreements().get(code, []),
    }
    return render(request, "wordings/purpose.html", context, status=422 if form.errors else 200)


# Given for another address, it has to be confirmed for the one in use.
ASKABLE = (ConsentState.State.PENDING, ConsentState.State.MOVED)


@requires("customers.edit")
@require_POST
def ask(request: HttpRequest, pk: int) -> HttpResponse:
    """Send a mail that asks the customer to confirm what is pending, or was given for a former address."""
    customer = living(pk)
    waiting = ConsentState.objects.filter(customer=customer, channel=Channel.EMAIL, purpose__active=True)
    states = dict(
        waiting.filter(state__in=ASKABLE).order_by("purpose__position").values_list("purpose_id", "state")
    )
    language = customer.language or request.shop.language  # type: ignore[attr-defined]
    how = How(ConsentEvent.Method.STAFF, actor_id=request.user.pk)
    moved = [purpose for purpose, state in states.items() if state == ConsentState.State.MOVED]
    try:
        became = double_opt_in.ask_for(pk, list(states), moved, language, how)
    except ConsentError as refused:
        messages.error(request, str(refused))
    else:
        tell(request, became)
    return redirect("customer", pk=pk)


def tell(request: HttpRequest, became: double_opt_in.Requested) -> None:
    if became.state == "pending":
        messages.success(request, _("The confirmation mail is on its way. Until it is answered, no consent holds."))
    elif became.state == "limited":
        messages.warning(request, _("Three such mails went to this address within 24 hours. Please wait for a day."))
    else:
        messages.error(
            request, _("This address wants no mail, or gets none. Only the person can sign up again, by the form.")
        )
