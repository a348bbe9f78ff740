"""What waits for the staff today."""

from collections.abc import Sequence
from dataclasses import dataclass

from crm.models import Task, User


@dataclass(frozen=True)
class Entry:
    key: str
    task: Task | None = None


@dataclass(frozen=True)
class Worklist:
    entries: Sequence[Entry] = ()
    chosen: Entry | None = None


def waiting(user: User, *, kind: str = "", mine: bool = False, open_key: str = "") -> Worklist:
    return Worklist()
