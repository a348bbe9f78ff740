"""Counters that hold when many knock at once, and who counts as one visitor."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.test import RequestFactory
from django.utils.timezone import now

from crm import throttle
from crm.models import Throttle
from crm.privacy import retention
from crm.throttle import Limit

THREE = (Limit("test", 3, timedelta(minutes=1)),)


def visit(remote: str, forwarded: str = ""):
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    return RequestFactory().get("/", REMOTE_ADDR=remote, headers=headers)


@pytest.mark.django_db
def test_the_limit_is_reached_and_passes_with_its_time():
    assert [throttle.allowed(THREE, "a") for _ in range(5)] == [True, True, True, False, False]
    assert throttle.allowed(THREE, "b"), "somebody else is counted apart"
    assert throttle.allowed((Limit("other", 3, timedelta(minutes=1)),), "a"), "so is something else"
    Throttle.objects.update(started_at=now() - timedelta(seconds=61))
    assert throttle.allowed(THREE, "a")


@pytest.mark.django_db
def test_refused_tries_do_not_make_the_wait_longer():
    for _ in range(50):
        throttle.allowed(THREE, "a")
    assert Throttle.objects.get().count == 4
    assert Throttle.objects.get().started_at < now()


@pytest.mark.django_db(transaction=True)
def test_at_once_exactly_as_many_pass_as_may():
    def knock(_number: int) -> bool:
        try:
            return throttle.allowed(THREE, "crowd")
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(knock, range(24))) == 3


@pytest.mark.django_db
def test_the_counter_does_not_say_who_it_counts():
    throttle.allowed(THREE, "192.0.2.77")
    assert "192.0.2" not in Throttle.objects.get().key


@pytest.mark.django_db
def test_old_counters_are_forgotten():
    throttle.allowed(THREE, "a")
    Throttle.objects.update(started_at=now() - timedelta(days=2))
    throttle.allowed(THREE, "b")
    retention.run()
    assert Throttle.objects.count() == 1


@pytest.mark.parametrize(
    ("remote", "forwarded", "computer"),
    [
        ("203.0.113.9", "", "203.0.113.9"),
        ("203.0.113.9", "192.0.2.1", "203.0.113.9"),  # a stranger's claim
        ("127.0.0.1", "192.0.2.1", "192.0.2.1"),  # our proxy's word
        ("127.0.0.1", "10.0.0.1, 192.0.2.1", "192.0.2.1"),  # what stood before it is the visitor's invention
        ("127.0.0.1", "", "127.0.0.1"),
        ("", "192.0.2.1", "192.0.2.1"),  # a socket in the file system
        ("127.0.0.1", "nonsense", ""),
    ],
)
def test_a_visitor_is_known_by_the_nearest_computer_that_is_not_ours(remote, forwarded, computer):
    assert throttle.computer(visit(remote, forwarded)) == computer


def test_a_network_of_ipv6_is_one_visitor():
    assert throttle.network(visit("2001:db8:1:2:aaaa::1")) == throttle.network(visit("2001:db8:1:2:bbbb::2"))
    assert throttle.network(visit("2001:db8:1:3::1")) != throttle.network(visit("2001:db8:1:2::1"))
