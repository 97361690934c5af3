"""Connections that are slow, half-closed, too many or no HTTP cost only themselves."""

import asyncio
import contextlib
import json
import socket
import struct
import time

import pytest
import trustme

from schemas.topics import ORDERS_COMMANDS

from .conftest import until

PLACE = {
    "shop_slug": "demo-shop",
    "order": {"order_number": "1001", "address": {"zip_code": "10115"}},
}
BODY = json.dumps({"id": "c1", "type": "order.place", "data": PLACE}).encode()
STRUCTURED = "content-type: application/cloudevents+json"


def head(key, *more, path="/shops/demo-shop/commands"):
    lines = [f"POST {path} HTTP/1.1", "host: x", f"authorization: Bearer {key}", STRUCTURED, *more]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def whole(key, *more):
    return head(key, f"content-length: {len(BODY)}", *more) + BODY


@contextlib.asynccontextmanager
async def connected(gateway):
    """A connection as bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def status_after(gateway, *parts, pause=0.0):
    """Send parts, and read all until the gateway ends the connection; the status."""
    async with connected(gateway) as (reader, writer):
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)
        answer = await asyncio.wait_for(reader.read(), 20)
    return int(answer.split(b" ", 2)[1]) if answer else None


async def until_refused(gateway):
    """Connect until the port is closed.

    Raises:
        ConnectionRefusedError: it is.
    """
    while True:
        async with asyncio.timeout(20), connected(gateway):
            await asyncio.sleep(0.02)


async def is_served(gateway, key):
    """Whether another client gets its answer."""
    headers = {"authorization": f"Bearer {key}", "content-type": "application/cloudevents+json"}
    answer = await gateway.client.post("/shops/demo-shop/commands", content=BODY, headers=headers)
    return answer.status_code == 202


async def test_slow_head_is_ended_while_others_are_served(gateway):
    key = await gateway.shop_key()

    async def drip(count):
        async with connected(gateway) as (reader, writer):
            with contextlib.suppress(OSError):
                for byte in head(key)[:count]:
                    writer.write(bytes([byte]))
                    await writer.drain()
                    await asyncio.sleep(0.05)
                return await reader.read()

    began = time.monotonic()
    slow = [asyncio.create_task(drip(200)) for _ in range(20)]
    await until(lambda: gateway.service.web._server.server_state.connections)
    assert await is_served(gateway, key)
    await asyncio.gather(*slow)

    assert time.monotonic() - began < 20
    assert gateway.refused("unknown", "slow_head") == 20
    assert await is_served(gateway, key)


async def test_connection_that_sends_nothing_is_ended(gateway):
    async with connected(gateway) as (reader, _):
        assert await asyncio.wait_for(reader.read(), 20) == b""


async def test_second_request_of_a_connection_has_the_same_limit(gateway):
    key = await gateway.shop_key()

    async with connected(gateway) as (reader, writer):
        writer.write(whole(key))
        await reader.readuntil(b"]}")
        writer.write(b"POST /sho")
        rest = await asyncio.wait_for(reader.read(), 20)

    assert rest.startswith(b"HTTP/1.1 408 ")


async def test_slow_body_is_408_and_is_not_held(gateway):
    key = await gateway.shop_key()

    status = await status_after(gateway, head(key, "content-length: 1000"), b"{")

    assert status == 408
    assert gateway.refused("shop", "slow_body") == 1
    assert gateway.service._requests._held._held == 0


@pytest.mark.parametrize("part", [b"POST /shops/x HTT", None, b"{"])
async def test_connection_that_its_client_closes_costs_nothing_else(gateway, part):
    key = await gateway.shop_key()
    async with connected(gateway) as (_, writer):
        sent = head(key, "content-length: 1000")
        writer.write(sent if part is None else part if part != b"{" else sent + part)
        await writer.drain()
        writer.write_eof()  # Half-closed: it could still read.
        await until(lambda: not gateway.service.web._server.server_state.connections)

    assert await is_served(gateway, key)
    assert gateway.service._requests._held._held == 0


async def test_whole_requests_of_a_client_that_sends_no_more_are_answered(gateway):
    key = await gateway.shop_key()

    async with connected(gateway) as (reader, writer):
        writer.write(whole(key) * 2)
        await writer.drain()
        writer.write_eof()
        answer = await asyncio.wait_for(reader.read(), 20)

    assert answer.count(b"HTTP/1.1 202 ") == 2
    assert len(await gateway.records(ORDERS_COMMANDS)) == 2
    await until(lambda: not gateway.service.web._server.server_state.connections)


@pytest.mark.parametrize("is_whole", [True, False])
async def test_connection_that_its_client_resets_costs_nothing_else(gateway, caplog, is_whole):
    key = await gateway.shop_key()
    async with connected(gateway) as (_, writer):
        writer.write(whole(key) if is_whole else head(key, "content-length: 1000") + b"{")
        await writer.drain()
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()
        await until(lambda: not gateway.service.web._server.server_state.connections)

    assert await is_served(gateway, key)
    assert gateway.service._requests._held._held == 0
    assert [each for each in caplog.records if each.levelname == "ERROR"] == []


async def test_connections_beyond_the_limit_are_503(gateway):
    key = await gateway.shop_key()
    most = gateway.settings.gateway_max_connections
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(most):
            await stack.enter_async_context(connected(gateway))
        connections = gateway.service.web._server.server_state.connections
        await until(lambda: len(connections) == most)

        assert await status_after(gateway) == 503
        assert gateway.refused("unknown", "too_many_connections") == 1

    await until(lambda: len(connections) < most)
    assert await is_served(gateway, key)


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nx: a\x00b\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nx: a\rb\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nx y: a\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\na: " + b"x" * 70_000,
    ],
)
async def test_bytes_that_are_no_http_are_400(gateway, sent):
    assert await status_after(gateway, sent) in (400, 431, 501)
    assert gateway.refused("unknown", "malformed_request") == 1


@pytest.mark.parametrize("is_known", [True, False])
async def test_body_that_is_no_http_is_400_and_ends_its_request(gateway, caplog, is_known):
    key = await gateway.shop_key() if is_known else "ofk_wrong"
    began = head(key, "transfer-encoding: chunked") + b"2\r\n{}\r\n"

    status = await status_after(gateway, began, b"nonsense\r\n", pause=0.2)

    assert status == 400
    assert gateway.refused("unknown", "malformed_request") == 1
    assert [each for each in caplog.records if each.levelname == "ERROR"] == []
    assert gateway.service._requests._held._held == 0


async def test_head_that_is_too_large_is_refused(gateway):
    key = await gateway.shop_key()

    assert (
        await status_after(
            gateway, head(key, "x: " + "x" * 20_000, "content-length: 0", "connection: close")
        )
        == 431
    )


async def test_request_with_two_lengths_is_refused(gateway):
    key = await gateway.shop_key()
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
    both = head(key, "content-length: 5", "transfer-encoding: chunked", "connection: close")

    assert await status_after(gateway, both + chunks) == 400
    assert gateway.refused("shop", "ambiguous_length") == 1
    assert await gateway.records(ORDERS_COMMANDS) == []


async def test_body_that_goes_on_after_its_refusal_ends_the_connection(gateway):
    began = time.monotonic()
    async with connected(gateway) as (reader, writer):
        writer.write(head("ofk_wrong", "transfer-encoding: chunked"))
        with contextlib.suppress(OSError):
            while time.monotonic() - began < 15:
                writer.write(b"1\r\nx\r\n")
                await writer.drain()
                await asyncio.sleep(0.05)
                if reader.at_eof():
                    break
        answer = b""
        with contextlib.suppress(OSError):
            answer = await reader.read()

    assert time.monotonic() - began < 10
    assert answer == b"" or answer.startswith(b"HTTP/1.1 401 ")
    assert gateway.refused("shop", "wrong_key") == 1


async def test_request_that_waits_for_a_continue_gets_it(gateway):
    key = await gateway.shop_key()
    async with connected(gateway) as (reader, writer):
        writer.write(head(key, f"content-length: {len(BODY)}", "expect: 100-continue"))
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
        writer.write(BODY)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 202 ")


async def test_pipelined_requests_are_answered_in_order(gateway):
    key = await gateway.shop_key()

    async with connected(gateway) as (reader, writer):
        writer.write(whole(key) * 2 + whole(key, "connection: close"))
        answer = await asyncio.wait_for(reader.read(), 20)

    assert answer.count(b"HTTP/1.1 202 ") == 3
    assert len(await gateway.records(ORDERS_COMMANDS)) == 3


async def test_request_in_progress_is_finished_by_a_stop(gateway):
    key = await gateway.shop_key()
    async with connected(gateway) as (reader, writer):
        writer.write(head(key, f"content-length: {len(BODY)}") + BODY[:10])
        await writer.drain()
        await until(lambda: gateway.service._requests._held._held == 10)
        stopping = asyncio.create_task(gateway.service.stop())
        await until(lambda: not gateway.service.web.is_running())
        with pytest.raises(ConnectionRefusedError):
            await until_refused(gateway)
        writer.write(BODY[10:])
        answer = await asyncio.wait_for(reader.read(), 20)
        await stopping

    assert answer.startswith(b"HTTP/1.1 202 ")
    assert len(await gateway.records(ORDERS_COMMANDS)) == 1
    assert await gateway.service._check_requests() == (False, "stopping")


async def test_request_that_does_not_go_on_ends_a_stop_after_the_drain_timeout(start, settings):
    limits = {"drain_timeout_seconds": 1, "gateway_body_seconds": 60.0}
    gateway = await start(settings.model_copy(update=limits))
    key = await gateway.shop_key()
    async with connected(gateway) as (reader, writer):
        writer.write(head(key, f"content-length: {len(BODY)}") + BODY[:10])
        await until(lambda: gateway.service._requests._held._held == 10)
        began = time.monotonic()
        await gateway.service.stop()
        took = time.monotonic() - began
        answer = await asyncio.wait_for(reader.read(), 20)

    assert took < 30
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b'"stopping"' in answer
    assert await gateway.records(ORDERS_COMMANDS) == []
    assert gateway.service._requests._held._held == 0


async def test_connections_without_a_request_do_not_delay_a_stop(start, settings):
    gateway = await start(settings.model_copy(update={"drain_timeout_seconds": 60}))
    key = await gateway.shop_key()
    async with connected(gateway) as (idle, _), connected(gateway) as (kept, sending):
        sending.write(whole(key))
        await kept.readuntil(b"]}")
        began = time.monotonic()
        await gateway.service.stop()

        assert time.monotonic() - began < gateway.settings.drain_timeout_seconds / 2
        assert await idle.read() == await kept.read() == b""


async def test_gateway_with_a_certificate_speaks_tls(start, settings, tmp_path):
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_and_cert_chain_pem.write_to_path(tmp_path / "cert.pem")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    files = {
        "gateway_tls_certfile": tmp_path / "cert.pem",
        "gateway_tls_keyfile": tmp_path / "key.pem",
    }

    gateway = await start(settings.model_copy(update=files))

    assert await is_served(gateway, await gateway.shop_key())


async def test_certificate_that_cannot_be_used_is_an_error_with_its_setting(
    start, settings, tmp_path
):
    from services.runtime.config.environment import SettingsError

    (tmp_path / "cert.pem").write_text("no certificate")
    wrong = settings.model_copy(update={"gateway_tls_certfile": tmp_path / "cert.pem"})

    with pytest.raises(SettingsError, match="ORDERFLOW_GATEWAY_TLS_CERTFILE"):
        await start(wrong)
