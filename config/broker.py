"""Redis as Celery's broker, survived by the worker when it is killed.

What the worker does last with a connection that broke (give back or confirm messages) asks kombu for a new one, and
kombu fails over the settings that it has dropped already: an AttributeError, which ends the worker (kombu#582, seen with
5.7.0). As an error of the connection, which it is, the worker goes on and connects anew.
"""

from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis


class Channel(redis.Channel):
    def _connparams(self, *given: Any, **named: Any) -> dict[str, Any]:
        if getattr(self.connection, "client", None) is None:
            raise ConnectionError("this connection to the broker was given up")
        return super()._connparams(*given, **named)


class Transport(redis.Transport):
    Channel = Channel


def use() -> None:
    """Let every Redis address lead here."""
    for scheme, transport in TRANSPORT_ALIASES.items():
        if transport == "kombu.transport.redis:Transport":
            TRANSPORT_ALIASES[scheme] = f"{__name__}:Transport"
