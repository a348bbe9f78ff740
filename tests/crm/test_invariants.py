"""verify_invariants finds each thing that does not add up."""

import json

import pytest
from django.core.management import call_command
from django.db import connection

from crm import sync
from tests.crm.shop_rows import brought_back, fixed_day, line, purchase
from tests.factories import SourceFactory

pytestmark = pytest.mark.django_db

DAMAGE = {
    "purchase_gross_is_the_sum_of_its_lines": "UPDATE crm_purchase SET gross = gross + 1, net = net + 1",
    "purchase_returned_is_the_sum_of_its_allocations": "UPDATE crm_purchase SET returned = 0, net = gross",
    "purchase_categories_are_those_of_lines_that_stayed": "UPDATE crm_purchase SET categories = '{77}'",
    "line_net_is_quantity_times_price_times_rate": "UPDATE crm_purchaseline SET net = net + 1",
    "line_returned_quantity_is_the_sum_of_its_allocations": "UPDATE crm_purchaseline SET returned_quantity = 0",
    "return_net_is_the_sum_of_its_lines": "UPDATE crm_return SET net = net + 1",
    "return_line_gives_no_more_than_it_has": "UPDATE crm_returnallocation SET quantity = 9",
    "returns_are_allocated_as_defined": "DELETE FROM crm_returnallocation",
    "return_unallocated_is_what_met_no_purchase": "UPDATE crm_return SET unallocated = 1",
    "returns_beyond_the_purchase_are_held": "UPDATE crm_returnline SET quantity = 9",
    "returns_wait_only_for_purchases_that_are_missing": "UPDATE crm_return SET purchase_id = NULL",
    "days_are_days_in_the_shops_zone": "UPDATE crm_purchase SET ordered_on = ordered_on + 1",
    "a_purchase_is_announced_once": """INSERT INTO crm_event (kind, purchase_id, occurred_at)
        SELECT 'purchase.created', id, now() FROM crm_purchase, generate_series(1, 2)""",
    "a_placeholder_has_no_fields": """UPDATE crm_customer SET field_versions = '{"title": []}'""",
    "consent_state_follows_from_the_ledger": """INSERT INTO crm_consentevent
        (person_key, purpose_id, channel, action, method, occurred_at)
        SELECT person_key, 'newsletter', 'email', 'given', 'paper', now() FROM crm_customer""",
}


@pytest.fixture
def shop(db):
    sync.apply(
        SourceFactory(),
        [purchase(lines=[line(quantity=3)]), purchase("p2", at=fixed_day(1))],
        [brought_back(purchase="p1"), brought_back("r2", customer={"external_id": "anna"})],
    )


def checks(capsys):
    try:
        call_command("verify_invariants", "--json")
    except SystemExit as ended:
        assert ended.code == 1
    answer = json.loads(capsys.readouterr().out)
    broken = {check["name"] for check in answer["checks"] if check["violations"]}
    assert answer["ok"] is not bool(broken)
    return broken


def test_what_sync_writes_adds_up(shop, capsys):
    assert checks(capsys) == set()


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_found(shop, capsys, name):
    with connection.cursor() as cursor:
        cursor.execute(DAMAGE[name])
    assert name in checks(capsys)
    assert name in checks(capsys)  # looking repaired nothing
