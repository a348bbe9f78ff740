"""What a shop system sends again about a person who was erased here.

Purchases up to the erasure stay, and stay anonymous: the sums are right, and nobody is made known again. Somebody who
buys afterwards is a new customer like any other, except that their address stays suppressed (`Suppression`).
"""

from django.db.backends.utils import CursorWrapper

from crm import keyed, sql
from crm.sync_checks import Checked

ANY = "SELECT EXISTS (SELECT FROM crm_erasedkey WHERE source_id = %s)"
KNOWN = "SELECT key_hash, erased_at FROM crm_erasedkey WHERE source_id = %s AND key_hash = ANY(%s)"


def make_anonymous(cursor: CursorWrapper, source_id: int, checked: Checked) -> None:
    """Take the customer out of rows about the time before an erasure. The source's lock must be held."""
    if not checked.customers or not sql.rows(cursor, ANY, [source_id])[0][0]:
        return
    hashes = {keyed.source_key_hash(source_id, key): key for key in checked.customers}
    erased = {hashes[found]: at for found, at in sql.rows(cursor, KNOWN, [source_id, list(hashes)])}
    if not erased:
        return
    returning = set()
    for side in (checked.purchases, checked.returns):
        for record in side.records.values():
            if record.customer not in erased:
                continue
            if record.at <= erased[record.customer]:
                record.customer = ""
            else:
                returning.add(record.customer)
    for key in erased.keys() - returning:
        del checked.customers[key]
