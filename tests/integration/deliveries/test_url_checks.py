"""URLs of commands are checked by what name servers answer, within a bounded time."""

import asyncio
import socket
import threading
from contextlib import contextmanager
from ipaddress import ip_network

import pytest
from dnslib import QTYPE, RCODE, RR, A, DNSError
from dnslib.server import BaseResolver

from services.deliveries.app import build
from services.deliveries.domain.reasons import RejectionReason
from services.deliveries.network import url_checks
from services.deliveries.network.url_checks import HOSTS_MAX, HOSTS_SECONDS, UrlChecks
from services.deliveries.network.urls import NetworkRules
from tests.integration.deliveries.conftest import (
    DEADLINE_SECONDS,
    a_destination,
    asked,
    name_server,
    until,
)

PUBLIC, PRIVATE = "93.184.216.34", "10.0.0.1"
OPEN_TRANSACTIONS = """
    SELECT query FROM pg_stat_activity
     WHERE datname = current_database() AND state LIKE 'idle in transaction%'
"""


class Names(BaseResolver):
    """A name server: `good.*` is public, `inner.*` private, `broken.*` fails, `silent.*` gets no
    answer, `late.*` gets one once `released` is set; other names do not exist.
    """

    def __init__(self) -> None:
        self.asked: set[str] = set()
        self.released = threading.Event()

    def resolve(self, request, handler):
        reply, name = request.reply(), str(request.q.qname).rstrip(".")
        self.asked.add(name)
        first = name.partition(".")[0].rstrip("0123456789")
        if first == "silent":
            raise DNSError("no answer")
        if first == "late":
            self.released.wait(DEADLINE_SECONDS)
        address = {"good": PUBLIC, "inner": PRIVATE}.get(first)
        if first == "broken":
            reply.header.rcode = RCODE.SERVFAIL
        elif address is None:
            reply.header.rcode = RCODE.NXDOMAIN
        elif request.q.qtype == QTYPE.A:
            reply.add_answer(RR(str(request.q.qname), QTYPE.A, rdata=A(address), ttl=0))
        return reply


@pytest.fixture
def names():
    """A name server on this machine; `names.server` is its address."""
    found = Names()
    with name_server(found) as found.server:
        yield found
        found.released.set()


@contextmanager
def silent_server():
    """The address of a name server that takes questions and never answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


async def test_url_whose_name_has_a_private_address_or_none_is_at_fault(names):
    checks = UrlChecks(NetworkRules(), [names.server])
    urls = [f"https://{name}.example/" for name in ("good", "inner", "missing", "broken")]

    faults = await checks.find_faults(["http://good.example/", *urls])

    assert {url: reason for url, (reason, _) in faults.items()} == {
        "http://good.example/": RejectionReason.URL_NOT_ALLOWED,
        "https://inner.example/": RejectionReason.ADDRESS_NOT_ALLOWED,
        "https://missing.example/": RejectionReason.NAME_NOT_RESOLVED,
    }


async def test_name_servers_that_never_answer_hold_up_a_batch_for_a_bounded_time(monkeypatch):
    """All names together have one deadline; a name that is not known by then is no fault."""
    monkeypatch.setattr(url_checks, "HOSTS_SECONDS", 0.3)
    urls = [f"https://hook{n}.example/" for n in range(100)]
    with silent_server() as server:
        checks = UrlChecks(NetworkRules(), [server])
        async with asyncio.timeout(HOSTS_SECONDS):
            assert await checks.find_faults([*urls, "https://10.0.0.1/"]) == {
                "https://10.0.0.1/": (
                    RejectionReason.ADDRESS_NOT_ALLOWED,
                    "10.0.0.1 is not a public address: use a public one",
                )
            }


async def test_fault_that_is_known_stands_beside_names_that_are_not(names, monkeypatch):
    monkeypatch.setattr(url_checks, "HOSTS_SECONDS", 0.5)
    checks = UrlChecks(NetworkRules(), [names.server])

    faults = await checks.find_faults(["https://silent.example/", "https://inner.example/"])

    assert list(faults) == ["https://inner.example/"]


async def test_names_of_a_batch_are_bounded(names):
    urls = [f"https://good{n}.example/" for n in range(HOSTS_MAX + 50)]

    assert not await UrlChecks(NetworkRules(), [names.server]).find_faults(urls)

    assert len(names.asked) <= HOSTS_MAX


async def test_name_of_several_urls_is_resolved_once(names):
    urls = [f"https://missing.example/{n}" for n in range(HOSTS_MAX + 1)]

    faults = await UrlChecks(NetworkRules(), [names.server]).find_faults(urls)

    assert faults.keys() == set(urls)


async def test_url_that_was_prepared_is_not_asked_for_again(names):
    checks = UrlChecks(NetworkRules(networks=(ip_network(f"{PRIVATE}/32"),)), [names.server])
    await checks.prepare({"https://inner.example/", "https://missing.example/"})
    names.asked.clear()

    faults = await checks.find_faults({"https://inner.example/", "https://missing.example/"})

    assert list(faults) == ["https://missing.example/"]
    assert not names.asked


async def test_no_transaction_is_open_while_names_are_resolved(names, settings, command):
    service = build(settings.model_copy(update={"deliveries_nameservers": names.server}))
    await service.start()
    url = "http://late.example:9000/"

    sent = asyncio.create_task(command("destination.upsert", a_destination(url)))
    await until(lambda: "late.example" in names.asked)
    open_ones = await asked(settings, OPEN_TRANSACTIONS)
    is_answered = sent.done()
    names.released.set()
    outcome = await sent

    assert not is_answered
    assert not open_ones
    assert (outcome["outcome"], outcome["reason"]) == ("rejected", "name_not_resolved")
    await service.stop()
