"""Resolves names of hosts, and lets only addresses through to which requests may go."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from ipaddress import ip_address

import aiodns
import pycares
from aiohttp.abc import AbstractResolver, ResolveResult

from services.deliveries.network.addresses import is_allowed
from services.deliveries.network.urls import NetworkRules

RESOLVE_SECONDS = 5.0
ADDRESSES_MAX = 16
_NO_NAME = frozenset(
    (pycares.errno.ARES_ENOTFOUND, pycares.errno.ARES_ENODATA, pycares.errno.ARES_ENONAME)
)


class NotResolved(Exception):
    """The name has no address, or no name server answered; `is_final` where there is none."""

    def __init__(self, host: str, why: str, *, is_final: bool) -> None:
        super().__init__(f"{host} cannot be resolved: {why}")
        self.is_final = is_final


class AddressNotAllowed(Exception):
    """The name has an address to which no request may go."""

    def __init__(self, host: str) -> None:
        super().__init__(f"{host} has an address that is not public: all must be")


class CheckedResolver(AbstractResolver):
    """The only way from a name to an address.

    `check` resolves a name and checks each of its addresses. The connection of the request then
    gets exactly these from `resolve`: the name is not asked for again between check and use.
    """

    def __init__(self, rules: NetworkRules, nameservers: Sequence[str] = ()) -> None:
        self._rules = rules
        self._dns = aiodns.DNSResolver(nameservers=list(nameservers) or None, tries=2, timeout=2.0)
        self._checked: dict[str, tuple[str, ...]] = {}
        self._inner: set[str] = set()
        """Hosts that had an address which is not public: a connection to it may still be open."""

    async def check(self, host: str) -> tuple[str, ...]:
        """The addresses of a host name, or of an address; all are allowed.

        Raises:
            NotResolved: it has none.
            AddressNotAllowed: one of them is not allowed.
        """
        addresses = await self._addresses(host)
        if not all(is_allowed(each, self._rules.networks) for each in addresses):
            self._checked.pop(host, None)
            raise AddressNotAllowed(host)
        self._checked[host] = addresses
        if not all(is_allowed(each, ()) for each in addresses):
            self._inner.add(host)
        return addresses

    def is_public(self, host: str) -> bool:
        """Whether all addresses that this host had in its checks were public."""
        return host in self._checked and host not in self._inner

    async def _addresses(self, host: str) -> tuple[str, ...]:
        try:
            return (str(ip_address(host)),)
        except ValueError:
            pass
        try:
            async with asyncio.timeout(RESOLVE_SECONDS):
                found = await self._dns.getaddrinfo(host, type=socket.SOCK_STREAM)
        except aiodns.error.DNSError as error:
            code, text = (*error.args, "")[:2]
            raise NotResolved(host, str(text), is_final=code in _NO_NAME) from None
        except TimeoutError:
            raise NotResolved(host, "no answer of a name server", is_final=False) from None
        addresses = dict.fromkeys(_text(node.addr[0]) for node in found.nodes)
        if not addresses:
            raise NotResolved(host, "it has no address", is_final=True)
        return tuple(addresses)[:ADDRESSES_MAX]

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_UNSPEC,  # noqa: ARG002 - of the base class
    ) -> list[ResolveResult]:
        """The addresses of the last check of this host.

        Raises:
            OSError: the host was not checked.
        """
        try:
            addresses = self._checked[host]
        except KeyError:
            raise OSError(f"{host} was not checked before a connection was opened") from None
        return [_result(host, each, port) for each in addresses]

    async def close(self) -> None:
        """Forget the checks and stop asking."""
        self._checked.clear()
        await self._dns.close()


def _text(address: str | bytes) -> str:
    return address.decode() if isinstance(address, bytes) else address


def _result(host: str, address: str, port: int) -> ResolveResult:
    is_v4 = ip_address(address.partition("%")[0]).version == 4
    return ResolveResult(
        hostname=host,
        host=address,
        port=port,
        family=socket.AF_INET if is_v4 else socket.AF_INET6,
        proto=socket.IPPROTO_TCP,
        flags=socket.AI_NUMERICHOST,
    )
