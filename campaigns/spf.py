"""Sender Policy Framework records (RFC 7208): do they let a host send, and what would have to stand in them?"""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from campaigns.dns_lookup import Dns

Address = IPv4Address | IPv6Address

MOST_LOOKUPS = 10  # RFC 7208, 4.6.4
# Domains below which people register theirs; two labels are right nearly everywhere else.
SECOND_LEVEL = {"co.uk", "org.uk", "co.at", "or.at", "com.au", "co.nz", "com.br", "co.jp", "com.tr", "co.za"}


def covers(record: str, domain: str, addresses: Sequence[str], dns: Dns) -> bool:
    """Whether the record lets any of these addresses send. Raises Silent if DNS does not answer."""
    return _covers(record, domain, [ip_address(one) for one in addresses], dns, [MOST_LOOKUPS])


def _covers(record: str, domain: str, addresses: Sequence[Address], dns: Dns, left: list[int]) -> bool:
    for term in record.lower().split()[1:]:
        name, _colon, value = term.lstrip("+").partition(":")
        if name in ("ip4", "ip6"):
            if _within(addresses, value):
                return True
        elif name.partition("/")[0] in ("a", "mx", "include", "redirect") or name.startswith("redirect="):
            left[0] -= 1
            if left[0] < 0:
                return False
            if _named(name, value.partition("/")[0], domain, addresses, dns, left):
                return True
    return False


def _named(name: str, value: str, domain: str, addresses: Sequence[Address], dns: Dns, left: list[int]) -> bool:
    """Whether a term that names a host or another record covers an address."""
    target = name.partition("=")[2] or value or domain
    if name.startswith(("include", "redirect")):
        records = [text for text in dns.ask(target, "TXT") if text.lower().startswith("v=spf1")]
        return bool(records) and _covers(records[0], target, addresses, dns, left)
    hosts = [host.split()[-1] for host in dns.ask(target, "MX")] if name.startswith("mx") else [target]
    return any(ip_address(found) in addresses for host in hosts for found in dns.addresses(host))


def _within(addresses: Sequence[Address], network: str) -> bool:
    try:
        block = ip_network(network, strict=False)
    except ValueError:
        return False
    return any(one in block for one in addresses if one.version == block.version)


def lets_everybody(record: str) -> bool:
    return record.lower().split()[-1] in ("+all", "all")


def closed(record: str) -> str:
    return " ".join([*record.split()[:-1], "~all"])


def with_host(record: str, host: str) -> str:
    """The record with one more host that may send, before what it says of all others."""
    terms = record.split()
    at = next((at for at, term in enumerate(terms) if term.lower().lstrip("+-~?") == "all"), len(terms))
    return " ".join([*terms[:at], f"a:{host}", *terms[at:]])


def joined(records: Sequence[str]) -> str:
    """One record out of several, for a domain may have only one."""
    terms = [term for record in records for term in record.split()[1:] if term.lower().lstrip("+-~?") != "all"]
    return " ".join(["v=spf1", *dict.fromkeys(terms), "~all"])


def proposed(relay: str) -> str:
    """A record for a domain that has none. Without a relay of one's own the provider says what to include."""
    return f"v=spf1 a:{relay} ~all" if relay and not is_local(relay) else "v=spf1 mx ~all"


def is_local(host: str) -> bool:
    """Whether the relay's name says nothing about the address it sends from: this machine, or one beside it."""
    if host == "localhost" or "." not in host:
        return True
    try:
        return ip_address(host).is_private
    except ValueError:
        return False


def organization(domain: str) -> str:
    """The domain that somebody registered."""
    labels = domain.split(".")
    return ".".join(labels[-3 if ".".join(labels[-2:]) in SECOND_LEVEL else -2 :])


def upwards(domain: str) -> Iterator[str]:
    """The domain, then the one that was registered."""
    yield domain
    if organization(domain) != domain:
        yield organization(domain)
