"""Whether the world can tell that the shop's mails are the shop's: what stands in DNS, and what a received probe shows.

Nothing here asks the network unless somebody presses the button (`look_up`); pages read what was kept. What DNS does
not answer is unknown, never wrong. Each finding brings the very text to publish.
Sources: RFC 7208 (SPF), 6376 (DKIM), 7489 (DMARC), 8058 (one-click: a signature must cover both headers), 8601.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from email import message_from_string
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.utils.timezone import now

from campaigns import spf
from campaigns.dns_lookup import Dns, Silent
from campaigns.models import MailCheck
from crm.models import Shop

YES, NO, UNKNOWN = "yes", "no", "unknown"
# Both must be in the signature's h=, or a mailbox provider may not offer its button (RFC 8058, section 4).
ONE_CLICK = {"list-unsubscribe", "list-unsubscribe-post"}
RESULT = re.compile(r"\b(spf|dkim|dmarc)\s*=\s*([a-z]+)", re.I)
HEADERS_LIMIT = 100_000


@dataclass(frozen=True)
class Finding:
    """What one check found: `verdict` yes, no or unknown; `case` picks the sentence (`campaigns.mail_auth_words`), with
    `about` its values. `record` and `text`: the name and the value of the DNS entry to publish, '' if nothing is to do.
    """

    check: str
    verdict: str
    case: str
    about: dict[str, str] = field(default_factory=dict)
    record: str = ""
    kind: str = "TXT"
    text: str = ""


@dataclass(frozen=True)
class Sender:
    """Who writes, and by what: `domain` of the From address, `returns` of the envelope's, `relay` host or ''."""

    address: str
    domain: str
    returns: str
    relay: str


def sender_of(shop: Shop) -> Sender:
    domain = _domain(shop.sender_email)
    returns = _domain(settings.BOUNCE_ADDRESS) or domain
    smtp = settings.EMAIL_BACKEND.endswith("smtp.EmailBackend")
    return Sender(shop.sender_email, domain, returns, settings.EMAIL_HOST if smtp else "")


def _domain(address: str) -> str:
    return address.rpartition("@")[2].strip().lower()


# What DNS says


def _replies(sender: Sender, dns: Dns) -> Finding:
    """Answers can arrive: the domain has a mail server."""
    hosts = dns.ask(sender.domain, "MX")
    about = {"domain": sender.domain}
    if any(not host.endswith(" .") for host in hosts) or (not hosts and dns.addresses(sender.domain)):
        return Finding("replies", YES, "found", about)
    return Finding("replies", NO, "none", about, sender.domain, "MX", "10 mail." + sender.domain + ".")


def _spf(sender: Sender, dns: Dns) -> Finding:
    about = {"domain": sender.returns, "relay": sender.relay}
    records = [text for text in dns.ask(sender.returns, "TXT") if text.lower().split(" ")[0] == "v=spf1"]
    if len(records) > 1:
        joined = spf.joined(records)
        return Finding("spf", NO, "several", about, sender.returns, text=joined)
    if not records:
        return Finding("spf", NO, "none", about, sender.returns, text=spf.proposed(sender.relay))
    if spf.lets_everybody(records[0]):
        return Finding("spf", NO, "everybody", about, sender.returns, text=spf.closed(records[0]))
    if not sender.relay or spf.is_local(sender.relay):
        return Finding("spf", YES, "found", about)
    if spf.covers(records[0], sender.returns, dns.addresses(sender.relay), dns):
        return Finding("spf", YES, "covers", about)
    # Many relays take mail on one machine and hand it on from another, so this proves nothing.
    return Finding("spf", UNKNOWN, "not_named", about, sender.returns, text=spf.with_host(records[0], sender.relay))


def _dmarc(sender: Sender, dns: Dns) -> Finding:
    about = {"domain": sender.domain, "returns": sender.returns}
    for domain in spf.upwards(sender.domain):
        records = [text for text in dns.ask(f"_dmarc.{domain}", "TXT") if text.lower().startswith("v=dmarc1")]
        if len(records) == 1:
            tags = _tags(records[0])
            about |= {"policy": tags.get("p", tags.get("sp", "none"))}
            strict = "s" in (tags.get("aspf", "r"), tags.get("adkim", "r"))
            if not aligned(sender.returns, sender.domain, strict=strict):
                return Finding("dmarc", UNKNOWN, "not_aligned", about)
            return Finding("dmarc", YES, "found", about)
    wanted = f"v=DMARC1; p=none; rua=mailto:{sender.address}"
    return Finding("dmarc", NO, "none", about, f"_dmarc.{sender.domain}", text=wanted)


def _dkim(sender: Sender, dns: Dns) -> Finding:
    """A key is published for each selector that the operator named."""
    selectors = list(settings.DKIM_SELECTORS)
    about = {"domain": sender.domain, "selectors": ", ".join(selectors)}
    if not selectors:
        return Finding("dkim", UNKNOWN, "no_selector", about)
    for selector in selectors:
        name = f"{selector}._domainkey.{sender.domain}"
        keys = [_tags(text) for text in dns.ask(name, "TXT")]
        if not any(tags.get("p") for tags in keys):
            case = "revoked" if any("p" in tags for tags in keys) else "none"
            return Finding("dkim", NO, case, about | {"selector": selector}, name, text="v=DKIM1; k=rsa; p=…")
    return Finding("dkim", YES, "found", about)


def _https(sender: Sender, dns: Dns) -> Finding:
    """One-click links must be https (RFC 8058)."""
    parts = urlsplit(settings.PUBLIC_BASE_URL)
    good = parts.scheme == "https"
    return Finding("https", YES if good else NO, "found" if good else "none", {"url": settings.PUBLIC_BASE_URL})


CHECKS: Sequence[tuple[str, Callable[[Sender, Dns], Finding]]] = (
    ("spf", _spf), ("dkim", _dkim), ("dmarc", _dmarc), ("replies", _replies), ("https", _https),
)  # fmt: skip


def look_up(shop: Shop) -> MailCheck:
    """Ask DNS about everything and keep it. Takes a few seconds at most; what does not answer is unknown.

    Raises ValueError if the shop has no sender address.
    """
    sender = sender_of(shop)
    if not sender.domain:
        raise ValueError("no sender address")
    with ThreadPoolExecutor(len(CHECKS)) as pool:
        findings = list(pool.map(lambda one: _asked(one[0], one[1], sender), CHECKS))
    kept, _made = MailCheck.objects.update_or_create(
        domain=sender.domain, defaults={"checked_at": now(), "findings": [asdict(one) for one in findings]}
    )
    return kept


def _asked(code: str, check: Callable[[Sender, Dns], Finding], sender: Sender) -> Finding:
    try:
        return check(sender, Dns())
    except Silent:
        return Finding(code, UNKNOWN, "silent", {"domain": sender.domain})


# What a received probe shows


def take_evidence(kept: MailCheck, headers: str) -> bool:
    """Read the headers of the probe as it arrived. Returns whether they are the probe's; keeps no address of it."""
    mail = message_from_string(headers.strip()[:HEADERS_LIMIT] + "\n\n")
    if kept.probe is None or _number(str(mail["X-Delivery-ID"] or "")) != kept.probe:
        return False
    signatures = [_tags(str(value)) for value in mail.get_all("DKIM-Signature", [])]
    results = dict(RESULT.findall(str((mail.get_all("Authentication-Results") or [""])[0])))
    kept.evidence = {
        "signatures": [
            {"d": one.get("d", "").lower(), "s": one.get("s", ""), "one_click": _covered(one) >= ONE_CLICK}
            for one in signatures
        ],
        "results": {name.lower(): verdict.lower() for name, verdict in results.items()},
    }
    kept.evidence_at = now()
    kept.save(update_fields=["evidence", "evidence_at"])
    return True


def _number(text: str) -> UUID | None:
    try:
        return UUID(text.strip())
    except ValueError:
        return None


def _covered(signature: dict[str, str]) -> set[str]:
    return {name.strip().lower() for name in signature.get("h", "").split(":")}


def _tags(text: str) -> dict[str, str]:
    """A tag list (RFC 6376, 3.2): `a=b; c=d`, without the folding."""
    pairs = (part.partition("=") for part in re.sub(r"\s*\n\s*", "", text).split(";"))
    return {
        name.strip().lower(): re.sub(r"\s+", "", value) if name.strip() != "v" else value for name, _is, value in pairs
    }


def seen(kept: MailCheck) -> list[Finding]:
    """What the probe showed; nothing if none was read."""
    if not kept.evidence_at:
        return []
    signatures, results = kept.evidence["signatures"], kept.evidence["results"]
    ours = [one for one in signatures if aligned(one["d"], kept.domain)]
    about = {"domain": kept.domain, "signers": ", ".join(sorted({one["d"] for one in signatures}))}
    found = [_signed(signatures, ours, about)]
    if ours:
        covered = any(one["one_click"] for one in ours)
        found.append(Finding("one_click", YES if covered else NO, "found" if covered else "not_covered", about))
    else:
        found.append(Finding("one_click", NO, "not_signed", about))
    for name, verdict in results.items():
        good = verdict in ("pass", "bestguesspass")
        found.append(
            Finding(
                "result", YES if good else NO, "found" if good else "failed", {"name": name.upper(), "result": verdict}
            )
        )
    return found


def _signed(signatures: list[Any], ours: list[Any], about: dict[str, str]) -> Finding:
    if ours:
        return Finding("signed", YES, "found", about)
    return Finding("signed", NO, "foreign" if signatures else "none", about)


def aligned(one: str, other: str, *, strict: bool = False) -> bool:
    """Whether two domains belong together as DMARC sees it; relaxed: one is the other's parent, or they share one."""
    if strict:
        return one == other
    return bool(one) and bool(other) and spf.organization(one) == spf.organization(other)


# For the launch of a mailing


def kept_for(shop: Shop) -> MailCheck | None:
    return MailCheck.objects.filter(domain=_domain(shop.sender_email)).first() if shop.sender_email else None


def known(kept: MailCheck | None) -> Iterator[Finding]:
    """All findings that are kept, DNS first."""
    if kept:
        yield from (Finding(**one) for one in kept.findings)
        yield from seen(kept)


def blocking(findings: Iterable[Finding]) -> list[Finding]:
    """What must not be sent with: a signature that was seen to leave the one-click headers out."""
    return [one for one in findings if one.check == "one_click" and one.verdict == NO]


def unwise(findings: Iterable[Finding]) -> list[Finding]:
    """What mailbox providers mark down."""
    return [one for one in findings if one.verdict == NO and one.check != "one_click"]
