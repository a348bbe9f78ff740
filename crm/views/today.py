"""What waits today: the worklist, and finishing what stands on it."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from crm import access, display, duties, plugins, worklist
from crm.access import requires
from crm.forms import blank
from crm.forms_tasks import FinishForm, OwnerForm, PromiseForm
from crm.models import Customer, Task, User
from crm.views.profile import living


@requires("customers.view")
@require_GET
def today(request: HttpRequest) -> HttpResponse:
    """Everything that waits, most urgent first; ?kind= one kind, ?mine=1 one's own, ?open= what is shown beside it."""
    user = request.user
    assert isinstance(user, User)
    found = worklist.waiting(
        user,
        kind=request.GET.get("kind", ""),
        mine=bool(request.GET.get("mine")),
        open_key=request.GET.get("open", ""),
    )
    return render(
        request,
        "today/today.html",
        {
            "found": found,
            "notices": plugins.collect(lambda plugin: plugin.notices(user)),
            "weekday": display.long_day(timezone.localdate()),
            "finish": blank(FinishForm, auto_id="finish_%s"),
            "owner": _owner_form(found),
            "sees_contacts": access.may(request.user, "pii.view"),
        },
    )


def _owner_form(found: "worklist.Worklist") -> OwnerForm | None:
    task = found.chosen.task if found.chosen else None
    return OwnerForm(initial={"owner": task.owner_id}, auto_id="owner_%s") if task else None


@requires("customers.edit")
@require_POST
def finish_task(request: HttpRequest, pk: int) -> HttpResponse:
    task = task_of(pk)
    form = FinishForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("It is not finished: choose how it went, and keep the note below 5,000 characters."))
        return redirect(back(request, task))
    duties.finish(task, staff=request.user, **form.cleaned_data)  # type: ignore[arg-type]  # `requires` lets only users pass
    held = task.kind == Task.Kind.ALERT
    messages.success(request, _("Done. Advertising may go to this customer again.") if held else _("Done."))
    return redirect(back(request, task))


@requires("customers.edit")
@require_POST
def reopen_task(request: HttpRequest, pk: int) -> HttpResponse:
    task = duties.reopen(task_of(pk))
    messages.success(request, _("It waits again."))
    return redirect(back(request, task))


@requires("customers.edit")
@require_POST
def put_off_task(request: HttpRequest, pk: int) -> HttpResponse:
    task = duties.put_off(task_of(pk))
    messages.success(request, _("Put off until the next working day."))
    return redirect(back(request, task))


@requires("customers.edit")
@require_POST
def give_task(request: HttpRequest, pk: int) -> HttpResponse:
    task, form = task_of(pk), OwnerForm(request.POST)
    if form.is_valid():
        duties.give_to(task, form.cleaned_data["owner"])
        messages.success(request, _("Saved."))
    else:
        messages.error(request, _("This person does not work here any more. Choose another one."))
    return redirect(back(request, task))


@requires("customers.edit")
@require_POST
def congratulate(request: HttpRequest, pk: int) -> HttpResponse:
    """This year's birthday is done: somebody congratulated in person."""
    customer, form = living(pk), FinishForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("It is not finished: choose how it went, and keep the note below 5,000 characters."))
    else:
        duties.congratulated(customer, timezone.localdate().year, staff=request.user, **form.cleaned_data)  # type: ignore[arg-type]
        messages.success(request, _("Done."))
    return redirect("today")


@requires("customers.edit")
@require_POST
def promise_call(request: HttpRequest, pk: int) -> HttpResponse:
    customer: Customer = living(pk)
    form = PromiseForm(request.POST)
    if form.is_valid():
        given = form.cleaned_data
        duties.promise(customer, text=given["text"], due_at=given["due_at"], owner=request.user)  # type: ignore[arg-type]
        messages.success(request, _("The call stands on the list of its day."))
    else:
        problems = [str(problem) for found in form.errors.values() for problem in found]
        messages.error(request, " ".join([_("The call is not noted."), *problems]))
    return redirect("customer", pk=pk)


def task_of(pk: int) -> Task:
    """The task, unless its customer is gone. Raises Http404."""
    return get_object_or_404(Task.objects.select_related("customer"), pk=pk, customer__erased_at=None)


def back(request: HttpRequest, task: Task) -> str:
    """The page the form stood on: the list or the customer."""
    url = request.POST.get("next", "")
    ours = url_has_allowed_host_and_scheme(url, {request.get_host()}, require_https=request.is_secure())
    return url if ours and url.startswith("/") else reverse("customer", args=[task.customer_id])
