"""Questions to DNS that end soon, and that tell "there is none" from "nobody answered"."""

import time

import dns.exception
import dns.resolver
from django.conf import settings

SECONDS, ALTOGETHER_S = 3.0, 8.0


class Silent(Exception):
    """DNS did not answer, or not to the point."""


class Dns:
    """Asks the servers of DNS_SERVERS (host or host:port), or those of the machine, for 8 s altogether."""

    def __init__(self) -> None:
        servers = [server.rpartition(":") for server in settings.DNS_SERVERS]
        self._resolver = dns.resolver.Resolver(configure=not servers)
        self._resolver.timeout = SECONDS
        self._ends = time.monotonic() + ALTOGETHER_S
        if servers:
            self._resolver.nameservers = [host or port for host, _colon, port in servers]
            self._resolver.nameserver_ports = {host: int(port) for host, _colon, port in servers if host}

    def ask(self, name: str, kind: str) -> list[str]:
        """The answers as texts, TXT joined, in one order; empty if there are none. Raises Silent."""
        left = min(SECONDS, self._ends - time.monotonic())
        if left <= 0:
            raise Silent("too slow altogether")
        try:
            found = self._resolver.resolve(name, kind, search=False, lifetime=left)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except (dns.exception.DNSException, OSError, ValueError) as error:
            raise Silent(type(error).__name__) from error
        if kind == "TXT":
            return sorted(b"".join(one.strings).decode("utf-8", "replace") for one in found)
        return sorted(one.to_text() for one in found)

    def addresses(self, name: str) -> list[str]:
        return self.ask(name, "A") + self.ask(name, "AAAA")
