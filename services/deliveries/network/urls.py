"""Which URLs of destinations can be used, before any name is resolved.

The URL is read by yarl, which also makes the request: two readers of one URL may disagree about
its host.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from yarl import URL

from services.deliveries.domain.reasons import RejectionReason
from services.deliveries.network.addresses import Network, is_allowed
from services.runtime.config.settings import Settings, SettingsError

SECRET_MEMBERS = frozenset(
    (
        "access_token", "api_key", "apikey", "auth", "key", "passwd", "password", "pwd", "secret",
        "sig", "signature", "token",
    )
)  # fmt: skip
"""Names of query members that hold secrets: URLs are shown to operators and written into logs."""
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
    found = sorted({name.lower() for name in url.query} & SECRET_MEMBERS)
    if found:
        raise UrlFault(
            RejectionReason.URL_HAS_SECRET,
            f"the URL has a secret in {found[0]}: leave it out, requests are signed",
        )
    _check_literal(host, rules)
    return url


def _read(text: str) -> URL:
    if not text.isascii() or any(character <= " " or character == "\\" for character in text):
        raise _not_allowed("the URL has a space, a control character, a backslash or no ASCII")
    try:
        return URL(text)
    except ValueError as error:
        raise _not_allowed(f"the URL cannot be read: {error}") from None


def _schemes(rules: NetworkRules) -> tuple[str, ...]:
    return ("https", "http") if rules.allows_http else ("https",)


def _check_literal(host: str, rules: NetworkRules) -> None:
    """Check an address that stands in the URL, as a name is checked when it is resolved."""
    try:
        ip_address(host)
    except ValueError:
        if host.rpartition(".")[2].isdecimal() or host.lower().startswith("0x"):
            raise _not_allowed(f"{host} is not a usual way to write an address") from None
        return
    if not is_allowed(host, rules.networks):
        raise UrlFault(
            RejectionReason.ADDRESS_NOT_ALLOWED, f"{host} is not a public address: use a public one"
        )


def _not_allowed(fact: str) -> UrlFault:
    return UrlFault(RejectionReason.URL_NOT_ALLOWED, fact)
