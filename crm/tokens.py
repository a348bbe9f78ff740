"""Links in mails that show or change data: 160 random bits, of which only the SHA-256 is stored, for one use and time.

What is harmless in any hands has a signed link instead (`crm.links`).
"""

import hashlib
import hmac
import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.db import connection
from django.utils.timezone import now

from crm import keyed
from crm.models import Customer, LinkToken

BYTES = 20
SHAPE = re.compile(r"[A-Za-z0-9_-]{27}").fullmatch
LIFETIME = {LinkToken.Use.PREFERENCES: timedelta(days=30)}

# Locks the customers, so that none is erased between being found and being linked.
REMEMBER = """
INSERT INTO crm_linktoken (digest, use, customer_id, address, expires_at)
SELECT mail.digest, %(use)s, customer.id, mail.address, now() + %(lifetime)s
FROM unnest(%(digests)s::text[], %(customers)s::bigint[], %(addresses)s::text[]) mail(digest, customer_id, address)
JOIN crm_customer customer ON customer.id = mail.customer_id
FOR KEY SHARE OF customer
ON CONFLICT (digest) DO NOTHING
"""


def issue(use: LinkToken.Use, customer_id: int, address: str) -> str:
    """A new link's token. `address` is the mailbox it goes to."""
    plain = _text(secrets.token_bytes(BYTES))
    LinkToken.objects.bulk_create([_row(use, plain, customer_id, address)])
    return plain


def of_mail(seed: str, use: str = "preferences") -> str:
    """The token for one use in one mail: the same on every attempt, and for strangers as good as random.

    `seed` names the mail. It works only once it is stored (`remember`, `crm.surveys.invite`).
    """
    made = hmac.digest(keyed.subkey(keyed.keys()[0], use), seed.encode(), "sha256")
    return _text(made[:BYTES])


def remember(mails: Iterable[tuple[str, int, str]]) -> None:
    """Store the tokens of mails: (token, customer, address), in one statement. What is stored already stays."""
    rows = list(mails)
    parameters: dict[str, Any] = {
        "use": LinkToken.Use.PREFERENCES,
        "lifetime": LIFETIME[LinkToken.Use.PREFERENCES],
        "digests": [digest(plain) for plain, _customer, _address in rows],
        "customers": [customer for _plain, customer, _address in rows],
        "addresses": [address for _plain, _customer, address in rows],
    }
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(REMEMBER, parameters)


def find(use: LinkToken.Use, plain: str) -> LinkToken | None:
    """The valid token of this use, its customer being the record in use, or None. Changes nothing."""
    if not SHAPE(plain):
        return None
    rows = LinkToken.objects.filter(digest=digest(plain), use=use, expires_at__gt=now())
    found = rows.select_related("customer").first()
    if found is None:
        return None
    found.customer = in_use(found.customer)
    return None if found.customer.erased_at else found


def in_use(customer: Customer) -> Customer:
    """The record that a merged one became."""
    while customer.merged_into is not None:
        customer = customer.merged_into
    return customer


def digest(plain: str) -> str:
    return hashlib.sha256(plain.encode()).hexdigest()


def _row(use: LinkToken.Use, plain: str, customer_id: int, address: str) -> LinkToken:
    return LinkToken(
        digest=digest(plain),
        use=use,
        customer_id=customer_id,
        address=address,
        expires_at=now() + LIFETIME[use],
    )


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
