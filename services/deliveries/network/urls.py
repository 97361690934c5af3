"""Which URLs of destinations can be used, before any name is resolved.

The URL is read by yarl, which also makes the request: two readers of one URL may disagree about
its host.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address, ip_network

from yarl import URL

from services.deliveries.domain.reasons import RejectionReason
from services.deliveries.network.addresses import Network, is_allowed
from services.runtime.config.settings import Settings, SettingsError

_SECRET_MEMBERS = frozenset(
    ("auth", "authorization", "jwt", "key", "pass", "passwd", "pwd", "sig", "xamzcredential")
)
_SECRET_ENDINGS = ("apikey", "password", "privatekey", "secret", "signature", "token")
"""Names of query members that hold secrets, without signs and capitals, and how such names end.

URLs are shown to operators and written into logs. A path is not looked at: Slack, Discord, Zapier
and others give every hook a path that cannot be guessed, and words in paths mean anything.
"""
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
HOST_MAX_CHARACTERS = 253


@dataclass(frozen=True, slots=True)
class NetworkRules:
    """Where requests may go; the settings say how much more than https to public hosts."""

    ports: frozenset[int] = frozenset((443, 8443))
    allows_http: bool = False
    networks: tuple[Network, ...] = ()


def rules_of(settings: Settings) -> NetworkRules:
    """The rules that the settings say.

    Raises:
        SettingsError: a port or a network cannot be read.
    """
    try:
        return NetworkRules(
            ports=frozenset(map(int, words_of(settings.deliveries_ports))),
            allows_http=settings.deliveries_allow_http,
            networks=tuple(map(ip_network, words_of(settings.deliveries_networks))),
        )
    except ValueError as error:
        raise SettingsError(
            "ORDERFLOW_DELIVERIES_PORTS is a list such as 443,8443, and "
            f"ORDERFLOW_DELIVERIES_NETWORKS one such as 10.1.0.0/16,fd00::/8: {error}"
        ) from None


def words_of(text: str | None) -> tuple[str, ...]:
    """The words of a setting that is a list, with commas between them."""
    return tuple(filter(None, (each.strip() for each in (text or "").split(","))))


class UrlFault(Exception):
    """The URL cannot be used: a reason code, and the fact with the way out."""

    def __init__(self, reason: RejectionReason, fact: str) -> None:
        super().__init__(fact)
        self.reason = reason
        self.fact = fact


@lru_cache(maxsize=4_096)  # Each attempt asks, mostly about the same URLs.
def checked_url(text: str, rules: NetworkRules) -> URL:
    """Read a URL.

    Raises:
        UrlFault: it cannot be used.
    """
    url = _read(text)
    host = url.raw_host
    if url.scheme not in _schemes(rules):
        raise _not_allowed(f"the scheme is {url.scheme or 'missing'}: use https")
    if not host or len(host) > HOST_MAX_CHARACTERS:
        raise _not_allowed("the URL names no host: write https://host/path")
    if url.raw_user is not None or url.raw_password is not None:
        raise UrlFault(
            RejectionReason.URL_HAS_SECRET,
            "the URL has a user name or a password: leave them out, requests are signed",
        )
    if url.raw_fragment:
        raise _not_allowed("the URL has a fragment (#), which is never sent: leave it out")
    if url.port not in rules.ports:
        allowed = ", ".join(map(str, sorted(rules.ports)))
        raise _not_allowed(f"port {url.port} is not allowed: use {allowed}")
    found = sorted(name for name in url.query if _holds_secret(name))
    if found:
        raise UrlFault(
            RejectionReason.URL_HAS_SECRET,
            f"the URL has a secret in {found[0]!r}: leave it out, requests are signed",
        )
    _check_host(host, rules)
    return url


def _holds_secret(name: str) -> bool:
    plain = "".join(filter(str.isalnum, name)).lower()
    return plain in _SECRET_MEMBERS or plain.endswith(_SECRET_ENDINGS)


def _read(text: str) -> URL:
    """Letters beyond ASCII are encoded by yarl: the host as punycode, the rest with %XX."""
    if any(not each.isprintable() or each in " \\" for each in text):
        raise _not_allowed("the URL has a space, a control character or a backslash: leave it out")
    try:
        return URL(text)
    except ValueError as error:
        raise _not_allowed(f"the URL cannot be read: {error}") from None


def _schemes(rules: NetworkRules) -> tuple[str, ...]:
    return ("https", "http") if rules.allows_http else ("https",)


def _check_host(host: str, rules: NetworkRules) -> None:
    """Check an address in the URL as those of a name are, and that a name is written as usual.

    A last label that is a number makes the host an address of IPv4 (https://url.spec.whatwg.org,
    "ends in a number"), which readers of URLs write and read in different ways.
    """
    try:
        ip_address(host)
    except ValueError:
        labels = host.lower().removesuffix(".").split(".")
        if _NUMBER.fullmatch(labels[-1]):
            raise _not_allowed(
                f"{host} is not a usual way to write an address: write it as 192.0.2.1"
            ) from None
        if not all(map(_LABEL.fullmatch, labels)):
            raise _not_allowed(
                f"{host} is no name of a host: labels of a-z, 0-9, - and _ with dots between"
            ) from None
        return
    if not is_allowed(host, rules.networks):
        raise UrlFault(
            RejectionReason.ADDRESS_NOT_ALLOWED, f"{host} is not a public address: use a public one"
        )


def _not_allowed(fact: str) -> UrlFault:
    return UrlFault(RejectionReason.URL_NOT_ALLOWED, fact)
