"""Celery's worker outlives its broker: what it does last with a broken connection is an error of that connection."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from kombu import Connection, Queue
from kombu.common import ignore_errors
from kombu.message import Message
from kombu.transport import redis

from config import broker
from config.celery import app


@pytest.fixture
def connection() -> Iterator[Connection]:
    connection = app.connection()
    yield connection
    ignore_errors(connection, connection.release)


def taken_and_not_confirmed(connection: Connection) -> Message:
    queue = Queue(f"test-{uuid4().hex}", auto_delete=True)
    with connection.Producer() as producer:
        producer.publish("wake", routing_key=queue.name, declare=[queue])
    message = queue(connection.default_channel).get()
    assert message is not None
    return message


def given_up(connection: Connection) -> Message:
    """As kombu leaves a connection whose closing broke off: without its settings, a message in hand."""
    message = taken_and_not_confirmed(connection)
    connection.transport.client = None
    return message


def test_a_connection_given_up_with_a_message_in_hand_is_closed(connection: Connection) -> None:
    message = given_up(connection)
    errors = connection.connection_errors
    ignore_errors(connection, connection.close)
    with pytest.raises(errors):
        message.ack()


def test_kombu_alone_would_end_the_worker(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, kombu was mended, and config/broker.py can go."""
    monkeypatch.setattr(broker.Channel, "_connparams", redis.Channel._connparams)
    given_up(connection)
    with pytest.raises(AttributeError):
        ignore_errors(connection, connection.close)


def test_tries_for_ever_and_whatever_the_error() -> None:
    assert app.conf.broker_connection_max_retries is None
    assert app.conf.broker_connection_retry and app.conf.broker_connection_retry_on_startup
    assert app.conf.broker_channel_error_retry
    # A task that runs goes on: whoever is on the wire with a mail must not be ended for the broker's sake.
    assert not app.conf.worker_cancel_long_running_tasks_on_connection_loss


def test_redis_gives_a_task_again_after_five_minutes() -> None:
    """In all three places that Celery's documentation of Redis names."""
    for options in (app.conf.broker_transport_options, app.conf.result_backend_transport_options, app.conf):
        assert options["visibility_timeout"] == 300
