"""The client of webhooks against hostile names, servers and answers, on real sockets."""

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_network

import pytest
import trustme
from dnslib import AAAA, QTYPE, RCODE, RR, A
from dnslib.server import BaseResolver
from yarl import URL

from services.deliveries.network import addresses
from services.deliveries.network.client import ANSWER_MAX_BYTES, WebhookClient
from services.deliveries.network.resolver import AddressNotAllowed, NotResolved
from services.deliveries.network.urls import NetworkRules
from tests.integration.deliveries.conftest import name_server

LOCAL = NetworkRules(allows_http=True, networks=(ip_network("127.0.0.1/32"),))
BODY = b'{"event_name":"TEST"}'


class Names(BaseResolver):
    """A name server: each name has a list of answers, given one after the other."""

    def __init__(self) -> None:
        self.answers: dict[str, list[list[str]]] = {}
        self.asked: list[str] = []

    def resolve(self, request, handler):
        reply, name = request.reply(), str(request.q.qname).rstrip(".")
        self.asked.append(name)
        if name not in self.answers:
            reply.header.rcode = RCODE.NXDOMAIN
            return reply
        if request.q.qtype == QTYPE.A:
            left = self.answers[name]
            for each in left.pop(0) if len(left) > 1 else left[0]:
                if ":" not in each:
                    reply.add_answer(RR(name, QTYPE.A, rdata=A(each), ttl=0))
        elif request.q.qtype == QTYPE.AAAA:
            for each in self.answers[name][0]:
                if ":" in each:
                    reply.add_answer(RR(name, QTYPE.AAAA, rdata=AAAA(each), ttl=0))
        return reply


@pytest.fixture
def names():
    """A name server on this machine; `names.server` is its address."""
    found = Names()
    with name_server(found) as found.server:
        yield found


@pytest.fixture
async def client_of(names) -> AsyncIterator[Callable]:
    """Makes clients that use the name server."""
    made = []

    def make(rules=LOCAL, **more):
        made.append(WebhookClient(rules, connections=10, nameservers=[names.server], **more))
        return made[-1]

    yield make
    for each in made:
        await each.close()


@asynccontextmanager
async def serving(answer, context=None):
    """A server that reads the head of a request and then does what `answer` does."""
    connections = []

    async def serve(reader, writer):
        connections.append(writer)
        try:
            await reader.readuntil(b"\r\n\r\n")
            await answer(writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1], connections
    finally:
        server.close()
        for each in connections:
            each.close()


async def ok(writer):
    """Answer 204."""
    writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
    await writer.drain()


async def test_name_whose_address_changes_between_check_and_use_is_asked_once(names, client_of):
    names.answers["hooks.example"] = [["127.0.0.1"], ["10.0.0.1"]]
    async with serving(ok) as (port, connections):
        response = await client_of().post(URL(f"http://hooks.example:{port}/"), {}, BODY)

    assert response.answer.status == 204
    assert len(connections) == 1


async def test_name_whose_address_changes_is_checked_at_each_attempt(names, client_of):
    names.answers["hooks.example"] = [["127.0.0.1"], ["10.0.0.1"]]
    client = client_of()
    async with serving(ok) as (port, connections):
        url = URL(f"http://hooks.example:{port}/")
        first = await client.post(url, {}, BODY)
        second = await client.post(url, {}, BODY)

    assert first.answer.status == 204
    assert second.answer.status is None
    assert "not public" in second.answer.error
    assert len(connections) == 1


@pytest.mark.parametrize(
    "found",
    [["169.254.169.254"], ["127.0.0.1", "10.0.0.1"], ["fd00::1"], ["::1", "127.0.0.1"]],
    ids=str,
)
async def test_name_with_one_address_that_is_not_public_is_refused(names, client_of, found):
    names.answers["hooks.example"] = [found]

    with pytest.raises(AddressNotAllowed):
        await client_of().resolve("hooks.example")


async def test_name_that_does_not_exist_is_final(client_of):
    with pytest.raises(NotResolved) as found:
        await client_of().resolve("nobody.example")

    assert found.value.is_final


async def test_redirect_is_not_followed(client_of, names):
    names.answers["hooks.example"] = [["127.0.0.1"]]

    async def redirect(writer):
        writer.write(
            b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/latest/meta-data\r\n"
            b"Content-Length: 0\r\n\r\n"
        )
        await writer.drain()

    async with serving(redirect) as (port, _):
        response = await client_of().post(URL(f"http://hooks.example:{port}/"), {}, BODY)

    assert response.answer.status == 302
    assert "169.254.169.254" not in names.asked


@pytest.fixture
def make_loopback_public(monkeypatch):
    """Makes addresses of this machine public; what was found of addresses before is forgotten."""

    def make():
        monkeypatch.setattr(addresses, "_is_public", lambda _address: True)
        addresses.is_allowed.cache_clear()

    yield make
    addresses.is_allowed.cache_clear()


@pytest.fixture
def loopback_is_public(make_loopback_public):
    """Answers are kept from public receivers alone; those of the tests are on this machine."""
    make_loopback_public()


async def test_of_a_receiver_that_is_not_public_no_answer_is_kept(client_of, names):
    names.answers["inner.example"] = [["127.0.0.1"]]

    async def secret(writer):
        writer.write(b"HTTP/1.1 500 Oops\r\nContent-Length: 15\r\n\r\npassword=hunter")
        await writer.drain()

    async with serving(secret) as (port, _):
        for host in ("127.0.0.1", "inner.example"):
            response = await client_of().post(URL(f"http://{host}:{port}/"), {}, BODY)
            assert (response.answer.status, response.text) == (500, "")


async def test_of_a_receiver_that_became_public_no_answer_is_kept(
    client_of, names, make_loopback_public
):
    """Its name has another address by now, but the connection of before may still be used."""
    names.answers["hooks.example"] = [["127.0.0.1"], ["93.184.216.34"], ["127.0.0.1"]]
    client = client_of()

    async def page(writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\ninner")
        await writer.drain()

    async with serving(page) as (port, _):
        first = await client.post(URL(f"http://hooks.example:{port}/"), {}, BODY)
        await client.resolve("hooks.example")
        make_loopback_public()
        second = await client.post(URL(f"http://hooks.example:{port}/"), {}, BODY)

    assert (first.answer.status, first.text) == (200, "")
    assert (second.answer.status, second.text) == (200, "")


async def test_answer_of_a_public_receiver_is_kept(client_of, loopback_is_public):
    async def page(writer):
        writer.write(b"HTTP/1.1 422 No\r\nContent-Length: 9\r\n\r\nno such x")
        await writer.drain()

    async with serving(page) as (port, _):
        response = await client_of().post(URL(f"http://127.0.0.1:{port}/"), {}, BODY)

    assert response.text == "no such x"


async def test_answer_without_end_is_cut(client_of, loopback_is_public):
    async def endless(writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n")
        while True:
            writer.write(b"x" * 65_536)
            await writer.drain()

    async with serving(endless) as (port, _):
        response = await client_of().post(URL(f"http://127.0.0.1:{port}/"), {}, BODY)

    assert response.answer.status == 200
    assert response.text == "x" * ANSWER_MAX_BYTES


async def test_answer_that_is_compressed_is_not_unpacked(client_of, loopback_is_public):
    bomb = gzip.compress(bytes(50_000_000))

    async def answer(writer):
        head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n"
        writer.write(head.encode() + bomb)
        await writer.drain()

    async with serving(answer) as (port, _):
        response = await client_of().post(URL(f"http://127.0.0.1:{port}/"), {}, BODY)

    assert response.answer.status == 200
    assert 0 < len(response.text) <= ANSWER_MAX_BYTES


async def test_answer_with_control_characters_can_be_shown(client_of, loopback_is_public):
    async def answer(writer):
        writer.write(b"HTTP/1.1 500 Oops\r\nContent-Length: 10\r\n\r\n\x1b[2Jred\x00\xff\n")
        await writer.drain()

    async with serving(answer) as (port, _):
        response = await client_of().post(URL(f"http://127.0.0.1:{port}/"), {}, BODY)

    assert "red" in response.text
    assert response.text.isprintable()


@pytest.mark.parametrize(
    ("head", "why"),
    [
        (b"nonsense\r\n\r\n", "is not HTTP/1"),
        (b"HTTP/1.1 999999 X\r\n\r\n", "is not HTTP/1"),
        (b"HTTP/1.1 200 OK\r\n" + b"X-Long: " + b"a" * 100_000 + b"\r\n\r\n", "16,384 bytes"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", "is not HTTP/1"),
        (b"", "closed the connection"),
    ],
    ids=["nonsense", "status", "long", "length", "nothing"],
)
async def test_answer_that_is_no_http_counts_as_none(client_of, head, why):
    async def answer(writer):
        writer.write(head)
        await writer.drain()

    async with serving(answer) as (port, _):
        response = await client_of().post(URL(f"http://127.0.0.1:{port}/"), {}, BODY)

    assert response.answer.status is None
    assert why in response.answer.error


async def test_receiver_that_does_not_listen_is_named_so_without_its_address(client_of):
    async with serving(ok) as (port, _):
        pass

    response = await client_of().post(URL(f"http://127.0.0.1:{port}/"), {}, BODY)

    assert response.answer.error == "no connection, or it broke: Connection refused"


async def test_certificate_of_another_name_is_refused(names, client_of, tmp_path):
    authority = trustme.CA()
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    names.answers |= {"right.example": [["127.0.0.1"]], "wrong.example": [["127.0.0.1"]]}
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("right.example").configure_cert(context)
    client = client_of(ca_file=file)

    async with serving(ok, context) as (port, _):
        right = await client.post(URL(f"https://right.example:{port}/"), {}, BODY)
        wrong = await client.post(URL(f"https://wrong.example:{port}/"), {}, BODY)

    assert right.answer.status == 204
    assert wrong.answer.status is None
    assert "certificate" in wrong.answer.error


async def test_proxy_of_the_environment_is_not_used(names, client_of, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    names.answers["hooks.example"] = [["127.0.0.1"]]

    async with serving(ok) as (port, _):
        response = await client_of().post(URL(f"http://hooks.example:{port}/"), {}, BODY)

    assert response.answer.status == 204


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        ("  7 ", 7),
        ("-5", None),
        ("soon", None),
        ("9" * 30, None),
        (f"Mon, 01 Jan {'9' * 20} 00:00:00 GMT", None),
        (f"Mon, 01 Jan 2026 00:00:00 +{'9' * 20}", None),
    ],
)
async def test_retry_after_is_read(client_of, header, seconds):
    async def answer(writer):
        writer.write(
            f"HTTP/1.1 503 X\r\nRetry-After: {header}\r\nContent-Length: 0\r\n\r\n".encode()
        )
        await writer.drain()

    async with serving(answer) as (port, _):
        response = await client_of().post(URL(f"http://127.0.0.1:{port}/"), {}, BODY)

    assert response.answer.retry_after_seconds == seconds
