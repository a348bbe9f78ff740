from collections.abc import Iterator

import pytest
import time_machine


@pytest.fixture(autouse=True)
def today() -> Iterator[None]:
    """It is NOW, whenever the tests run."""
    from tests.factories import NOW

    with time_machine.travel(NOW, tick=False):
        yield
