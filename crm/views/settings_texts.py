"""Where an administrator publishes legal texts and what people are asked to agree to, each version for good."""

from collections.abc import Callable
from dataclasses import dataclass

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from crm import texts
from crm.access import requires
from crm.filters import purpose_label
from crm.forms_settings import TextForm
from crm.models import LegalText, Purpose, Shop

ASK = "ask-"


@dataclass(frozen=True)
class Text:
    """One text that has versions: its newest ones by language, proposals where there is none, how to publish more."""

    code: str
    name: str
    newest: dict[str, str]
    proposed: dict[str, str]
    publish: Callable[[dict[str, str], int], int]

    @property
    def languages(self) -> str:
        return ", ".join(sorted(self.newest))


@requires("settings.manage")
@require_GET
def overview(request: HttpRequest) -> HttpResponse:
    """All texts, and in which languages they are published."""
    kinds = [_legal(kind) for kind in LegalText.Kind.values]
    asked = [_wording(purpose) for purpose in Purpose.objects.filter(active=True)]
    return render(request, "settings/texts.html", {"legal": kinds, "asked": asked})


@requires("settings.manage")
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, code: str) -> HttpResponse:
    """Write the next version. What is published stays readable in the proofs and can never be edited."""
    text = _text(code)
    form = TextForm(request.POST or None, initial=text.newest or text.proposed)
    if request.method == "POST" and form.is_valid():
        written = form.cleaned_data
        if written == {language: text.newest.get(language, "") for language in texts.LANGUAGES}:
            messages.info(request, _("The text is as it was, so no new version was published."))
        else:
            version = text.publish(written, request.user.pk or 0)
            messages.success(request, _("Version %(number)s is published.") % {"number": version})
        return redirect("settings_texts")
    return render(request, "settings/text.html", {"text": text, "form": form}, status=422 if form.errors else 200)


def _text(code: str) -> Text:
    if code in LegalText.Kind.values:
        return _legal(code)
    purpose = Purpose.objects.filter(pk=code.removeprefix(ASK)).first() if code.startswith(ASK) else None
    if purpose is None:
        raise Http404
    return _wording(purpose)


def _legal(kind: str) -> Text:
    name = str(LegalText.Kind(kind).label)
    return Text(kind, name, texts.newest_legal(kind), {}, lambda new, actor: texts.publish_legal(kind, new, actor))


def _wording(purpose: Purpose) -> Text:
    shop = Shop.current()
    return Text(
        ASK + purpose.pk,
        purpose_label(purpose),
        texts.newest_wording(purpose.pk),
        {language: texts.proposed(purpose.pk, language, shop) for language in texts.LANGUAGES},
        lambda new, actor: texts.publish_wording(purpose, new, actor),
    )
