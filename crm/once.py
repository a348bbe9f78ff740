"""What many parts of one page ask for is looked up once while that page is read, and settings once in any request."""

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, TypeVar

Answer = TypeVar("Answer")
_answers: ContextVar[dict[Any, Any] | None] = ContextVar("answers_of_this_page", default=None)
_settings: ContextVar[dict[Any, Any] | None] = ContextVar("settings_of_this_request", default=None)


@contextmanager
def page(reads_only: bool = True) -> Iterator[None]:
    """While a request is answered that only reads; others ask anew each time, for they may have changed the answer."""
    token, settings = _answers.set({} if reads_only else None), _settings.set({})
    try:
        yield
    finally:
        _answers.reset(token)
        _settings.reset(settings)


def a_request(question: Callable[[], Answer]) -> Callable[[], Answer]:
    """A function without arguments whose answer holds for any request until `forget_settings` is called."""
    return _kept_in(_settings, question)


def forget_settings() -> None:
    """The settings were changed: whoever asks next gets them anew."""
    if (answers := _settings.get()) is not None:
        answers.clear()


def a_page(question: Callable[[], Answer]) -> Callable[[], Answer]:
    """A function without arguments whose answer holds for the whole page; outside of pages it is asked every time."""
    return _kept_in(_answers, question)


def remembered(key: Hashable, question: Callable[[], Answer]) -> Answer | None:
    """The answer that holds for the whole page under a key; None, without asking, while no page is read."""
    answers = _answers.get()
    if answers is None:
        return None
    if key not in answers:
        answers[key] = question()
    return answers[key]


def _kept_in(place: ContextVar[dict[Any, Any] | None], question: Callable[[], Answer]) -> Callable[[], Answer]:
    @wraps(question)
    def asked() -> Answer:
        answers = place.get()
        if answers is None:
            return question()
        if question not in answers:
            answers[question] = question()
        return answers[question]

    return asked
