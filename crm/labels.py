"""Names of things that the merchant may choose: an upper app keeps them, every page and answer uses them.

`named("stage", "regular", _("Regular customer"))` is a lazy text: the merchant's own word in the reader's language, else
the product's. Own words are looked up at most once a request, and only by requests that need one; outside of requests
(migrations, commands) the product's words stand.
"""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import cached_property

from django.http import HttpRequest, HttpResponse
from django.utils.functional import Promise, lazy
from django.utils.translation import get_language, override


class Chosen:
    """The merchant's own words of one request: {"stage.regular": {"de": …, "en": …}}."""

    @cached_property
    def words(self) -> Mapping[str, Mapping[str, str]]:
        from crm import plugins  # it imports the models, whose choices are named here

        return {name: texts for plugin in plugins.registered() for name, texts in plugin.labels().items()}

    @cached_property
    def signature(self) -> str:
        return repr(self.words)


_chosen: ContextVar[Chosen | None] = ContextVar("chosen_labels", default=None)


def _word(kind: str, code: str, preset: str | Promise) -> str:
    chosen = _chosen.get()
    own = chosen.words.get(f"{kind}.{code}", {}) if chosen else {}
    return own.get((get_language() or "en")[:2]) or str(preset)


named: Callable[[str, str, str | Promise], Promise] = lazy(_word, str)  # type: ignore[assignment]


def wording() -> tuple[str | None, str]:
    """The reader's language and a signature of the merchant's own words: what was written under them may be kept."""
    chosen = _chosen.get()
    return get_language(), chosen.signature if chosen else ""


def product_word(label: str | Promise, language: str) -> str:
    """What the product itself calls it in a language, whatever the merchant chose."""
    token = _chosen.set(None)
    try:
        with override(language):
            return str(label)
    finally:
        _chosen.reset(token)


class OwnWords:
    """Middleware: what this request calls things by."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        token = _chosen.set(Chosen())
        try:
            return self.get_response(request)
        finally:
            _chosen.reset(token)
