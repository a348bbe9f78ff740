"""What web, sender and worker may do in the database, on whichever server the tests run."""

import psycopg2
import pytest


@pytest.mark.parametrize(
    "statement",
    ["CREATE TABLE mine (n int)", "ALTER TABLE crm_customer ADD mine int", "TRUNCATE crm_customer", "DROP TABLE crm_customer"],
)  # fmt: skip
def test_app_changes_no_table(app_cursor, statement):
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        app_cursor.execute(statement)


def test_app_reads_and_writes_rows(app_cursor):
    app_cursor.execute("SELECT count(*) FROM crm_customer")
    assert app_cursor.fetchone() == (0,)
    app_cursor.execute("INSERT INTO crm_shop (id, name) VALUES (1, 'Laden') ON CONFLICT DO NOTHING")
    app_cursor.execute("CREATE TEMP TABLE staging (n int)")
