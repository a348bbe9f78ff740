"""Rows that every request reads by a statement that never changes: built once, not anew each time.

Django's query builder takes longer to write such a statement than PostgreSQL takes to answer it.
"""

from functools import cached_property
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import Model


class Fixed:
    """Reads `models`, side by side, from tables that keep their names.

    tail: everything from FROM on, with %s for each parameter.
    """

    def __init__(self, tail: str, *models: type[Model]) -> None:
        self.tail, self.models = tail, models

    @cached_property
    def statement(self) -> str:
        """Raises TypeError for a field that needs more than the driver. Built at the first use: all models are there."""
        fields = [(model, field) for model in self.models for field in model._meta.concrete_fields]
        if any(field.get_db_converters(connection) for _model, field in fields):
            raise TypeError(f"{self.models}: one of the fields is not read by the driver alone.")
        columns = ", ".join(f'"{model._meta.db_table}"."{field.column}"' for model, field in fields)
        return f"SELECT {columns} {self.tail}"

    @cached_property
    def names(self) -> list[list[str]]:
        return [[field.attname for field in model._meta.concrete_fields] for model in self.models]

    def first(self, *parameters: Any) -> list[Any] | None:
        """The first row, as one object of each model; None without a row."""
        with connection.cursor() as cursor:
            cursor.execute(self.statement, parameters)
            row = cursor.fetchone()
        if row is None:
            return None
        made, begin = [], 0
        for model, names in zip(self.models, self.names, strict=True):
            made.append(model.from_db(DEFAULT_DB_ALIAS, names, row[begin : begin + len(names)]))
            begin += len(names)
        return made
