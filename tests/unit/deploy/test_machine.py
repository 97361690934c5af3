"""Ports for servers of the local stack and of tests."""

import itertools
import socket

import pytest

from deploy.stack import machine
from deploy.stack.machine import LOOPBACK, PORTS, free_port

FIRST_OUTGOING_PORT = 32_768
"""Of Linux, unless net.ipv4.ip_local_port_range says otherwise."""


def test_free_port_is_none_of_outgoing_connections_and_another_each_time() -> None:
    ports = [free_port() for _ in range(200)]

    assert len(set(ports)) == len(ports)
    assert max(PORTS) < FIRST_OUTGOING_PORT
    assert set(ports) <= set(PORTS)


def test_free_port_is_none_on_which_a_server_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    free = free_port()
    with socket.create_server((LOOPBACK, 0)) as server:
        taken = server.getsockname()[1]
        monkeypatch.setattr(machine, "_candidates", itertools.cycle([taken, free]))

        assert [free_port(), free_port()] == [free, free]
