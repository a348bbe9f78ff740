"""Several calls that begin at the same moment."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connection


def at_once(times: int, action: Any) -> list[Any]:
    """The answers of `times` calls that begin at the same moment, each on a connection of its own."""
    gate = threading.Barrier(times)

    def one(_number: int) -> Any:
        gate.wait()
        try:
            return action()
        finally:
            connection.close()

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(one, range(times)))
