"""Which addresses a request may go to: public ones, and networks that the operator allows.

A shop names the host, so that an address of this network (a database, the metadata of a cloud's
machine) must not be reached through it: OWASP, Server-Side Request Forgery Prevention.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))  # RFC 6052, RFC 8215
_V4_COMPATIBLE = IPv6Network("::/96")  # RFC 4291, deprecated
_NEVER = tuple(
    ip_network(each)
    for each in (
        "168.63.129.16/32",  # Azure's own services, on a public address
        "192.88.99.0/24",  # relays of 6to4, RFC 7526
        "fec0::/10",  # site-local, RFC 3879
        "100::/64",  # discard, RFC 6666
    )
)


@lru_cache(maxsize=4_096)  # Each attempt asks, mostly about the same addresses.
def is_allowed(address: str, networks: tuple[Network, ...]) -> bool:
    """Whether a request may go to this address.

    An address of IPv6 that stands for one of IPv4 (mapped, NAT64, 6to4, Teredo) is judged by both.
    """
    found = ip_address(address.partition("%")[0])
    if any(found in network for network in networks if network.version == found.version):
        return True
    return "%" not in address and all(_is_public(each) for each in _meant(found))


def _meant(address: Address) -> Iterator[Address]:
    yield address
    if isinstance(address, IPv4Address):
        return
    number = int(address)
    if address.ipv4_mapped:
        yield address.ipv4_mapped
    if address.sixtofour:
        yield address.sixtofour
    if address.teredo:
        yield from address.teredo
    if address in _V4_COMPATIBLE or any(address in network for network in _NAT64):
        yield IPv4Address(number & 0xFFFFFFFF)


def _is_public(address: Address) -> bool:
    if any(address in network for network in _NEVER if network.version == address.version):
        return False
    if isinstance(address, IPv6Address) and (
        address.ipv4_mapped or any(address in network for network in _NAT64)
    ):
        return True  # The address of IPv4 in it decides.
    return address.is_global and not address.is_multicast and not address.is_reserved
