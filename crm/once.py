"""What many parts of one page ask for is looked up once while that page is read."""

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, TypeVar

Answer = TypeVar("Answer")
_answers: ContextVar[dict[Any, Any] | None] = ContextVar("answers_of_this_page", default=None)


@contextmanager
def page(reads_only: bool = True) -> Iterator[None]:
    """While a request is answered that only reads; others ask anew each time, for they may have changed the answer."""
    token = _answers.set({} if reads_only else None)
    try:
        yield
    finally:
        _answers.reset(token)


def a_page(question: Callable[[], Answer]) -> Callable[[], Answer]:
    """A function without arguments whose answer holds for the whole page; outside of pages it is asked every time."""

    @wraps(question)
    def asked() -> Answer:
        answers = _answers.get()
        if answers is None:
            return question()
        if question not in answers:
            answers[question] = question()
        return answers[question]

    return asked


def remembered(key: Hashable, question: Callable[[], Answer]) -> Answer | None:
    """The answer that holds for the whole page under a key; None, without asking, while no page is read."""
    answers = _answers.get()
    if answers is None:
        return None
    if key not in answers:
        answers[key] = question()
    return answers[key]
