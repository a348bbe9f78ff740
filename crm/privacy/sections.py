"""A part of what is handed out to a person."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Section:
    """code: name of its file; columns and rows: what the page shows; records: the machine form, as plain values."""

    code: str
    title: str
    columns: list[str] = field(default_factory=list)
    rows: list[list[Any]] = field(default_factory=list)
    records: list[dict[str, Any]] | None = None

    @property
    def machine(self) -> list[dict[str, Any]]:
        if self.records is not None:
            return self.records
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]

    @property
    def filled(self) -> "Section":
        """The readable form without columns that are empty throughout."""
        kept = [at for at in range(len(self.columns)) if any(row[at] not in ("", None) for row in self.rows)]
        rows = [[row[at] for at in kept] for row in self.rows]
        return Section(self.code, self.title, [self.columns[at] for at in kept], rows)
