"""What is logged says what went wrong and nothing about a person."""

import structlog

from config.logs import mask


def logged(text: str) -> str:
    return mask(None, "error", {"event": text})["event"]


def test_addresses_and_numbers_are_masked():
    assert logged("mail to anna@example.test failed, call +49 171 3920012") == "mail to [address] failed, call [number]"


def test_a_database_error_keeps_its_message_and_loses_its_row():
    error = "IntegrityError: null value\nDETAIL:  Failing row contains (7, Anna,\nBeispiel).\n\n\nTraceback follows"
    assert logged(error) == "IntegrityError: null value\n[row]\n\n\nTraceback follows"


def test_status_codes_and_ids_stay():
    assert logged('"GET /customers/104217/ HTTP/1.1" 200 12345') == '"GET /customers/104217/ HTTP/1.1" 200 12345'


def test_structlog_uses_it():
    assert mask in structlog.get_config()["processors"]
