"""What the storms share: one installation for all of them, emptied after each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:  # models may be imported no earlier than the settings are chosen
    from tests.system.installation import Installation
    from tests.system.storm import Storm


@pytest.fixture(scope="session")
def installation() -> Iterator[Installation]:
    from tests.system.installation import Installation

    made = Installation()
    yield made
    made.end()


@pytest.fixture
def storm(installation: Installation, tmp_path: Path, django_db_blocker: Any) -> Iterator[Storm]:
    """A storm on the installation's database, which this process uses, too, instead of the tests' own."""
    from django.db import connection

    from tests.clean_slate import CleanSlate
    from tests.system.storm import Storm

    place = connection.settings_dict
    before = {key: place[key] for key in installation.database()}
    with django_db_blocker.unblock():
        connection.close()
        place.update(installation.database())
        made = Storm(installation, tmp_path)
        slate = CleanSlate.seen()
        try:
            yield made
            made.tell()
        finally:
            made.processes.end()
            connection.close()
            slate.restore()
            connection.close()
            place.update(before)
