"""A name server whose one name can lead now to this machine's receiver, now elsewhere."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dnslib import QTYPE, RCODE, RR, A
from dnslib.server import BaseResolver, DNSLogger, DNSServer

from chaos.proxy import LOOPBACK

HOST = "hooks.shop.example"
FORBIDDEN = "127.0.0.2"
"""An address that no setting of the services allows."""
SILENT = "-recv,-send,-request,-reply,-truncated,-error,-data"


class Names(BaseResolver):  # type: ignore[misc]
    """While `is_moving`, every second answer is FORBIDDEN; no answer may be kept."""

    def __init__(self) -> None:
        self.is_moving = False
        self.address = ""
        """Of the name server itself."""
        self._turns = itertools.cycle((LOOPBACK, FORBIDDEN))

    def resolve(self, request: Any, _handler: Any) -> Any:
        """Answer one question."""
        reply = request.reply()
        if str(request.q.qname).rstrip(".") != HOST:
            reply.header.rcode = RCODE.NXDOMAIN
        elif request.q.qtype == QTYPE.A:
            address = next(self._turns) if self.is_moving else LOOPBACK
            reply.add_answer(RR(HOST, QTYPE.A, rdata=A(address), ttl=0))
        return reply


@contextmanager
def naming() -> Iterator[Names]:
    """Run the name server in a thread."""
    names = Names()
    server = DNSServer(names, port=0, address=LOOPBACK, logger=DNSLogger(SILENT))
    server.start_thread()
    names.address = f"{LOOPBACK}:{server.server.server_address[1]}"
    try:
        yield names
    finally:
        server.stop()
        server.server.server_close()
