"""Checks URLs of commands: as texts, and by the addresses that their names have now."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Iterable, Mapping, Sequence

from services.deliveries.domain.reasons import RejectionReason
from services.deliveries.network.resolver import AddressNotAllowed, CheckedResolver, NotResolved
from services.deliveries.network.urls import NetworkRules, UrlFault, checked_url

HOSTS_MAX = 256
"""Most names that are resolved for one batch; URLs beyond are checked as texts."""
HOSTS_SECONDS = 3.0
"""How long a batch waits for the addresses of all its names together."""

Fault = tuple[str, str]
"""A reason code and the fact: why a URL cannot be used."""


class UrlChecks:
    """Why URLs of commands cannot be used.

    A name whose addresses are not known in time is no fault: each attempt checks them again.
    """

    def __init__(self, rules: NetworkRules, nameservers: Sequence[str]) -> None:
        self._rules = rules
        self._nameservers = nameservers
        self._prepared: Mapping[str, Fault | None] = {}

    async def prepare(self, urls: Collection[str]) -> None:
        """Check the URLs of the next batch, before its transaction begins."""
        self._prepared = await self._check(urls)

    async def find_faults(self, urls: Collection[str]) -> dict[str, Fault]:
        """By URL, why it cannot be used; URLs that were not prepared are checked now."""
        prepared = self._prepared
        found = {**prepared, **await self._check(set(urls) - prepared.keys())}
        return {url: fault for url in urls if (fault := found[url])}

    async def _check(self, urls: Collection[str]) -> dict[str, Fault | None]:
        found: dict[str, Fault | None] = {}
        hosts: dict[str, str] = {}
        for text in sorted(urls):
            try:
                hosts[text] = checked_url(text, self._rules).raw_host or ""
            except UrlFault as fault:
                found[text] = fault.reason, fault.fact
        wrong = await self._check_hosts(dict.fromkeys(hosts.values()))
        return found | {text: wrong.get(host) for text, host in hosts.items()}

    async def _check_hosts(self, hosts: Iterable[str]) -> dict[str, Fault]:
        """The hosts that cannot be used, all resolved at once."""
        found: dict[str, Fault] = {}
        asked = list(hosts)[:HOSTS_MAX]
        if not asked:
            return found
        resolver = CheckedResolver(self._rules, self._nameservers)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HOSTS_SECONDS), asyncio.TaskGroup() as group:
                    for host in asked:
                        group.create_task(_check_host(host, resolver, found))
        finally:
            await resolver.close()
        return found


async def _check_host(host: str, resolver: CheckedResolver, found: dict[str, Fault]) -> None:
    try:
        await resolver.check(host)
    except AddressNotAllowed as error:
        found[host] = RejectionReason.ADDRESS_NOT_ALLOWED, str(error)
    except NotResolved as error:
        if error.is_final:  # A name server that does not answer now says nothing about the name.
            found[host] = RejectionReason.NAME_NOT_RESOLVED, str(error)
