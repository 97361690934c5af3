"""The registry of services: what exists, by name, registered once and here.

The runtime, the command line and the tests look services up in it and name none themselves. An
entry names its functions as `module:attribute`, so that importing the registry imports no service;
`load` imports the one that is used. How to add a service: docs/recipes/add-a-service.md.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class UnknownService(LookupError):
    """A name under which no service is registered; the text lists those that are."""


@dataclass(frozen=True, slots=True)
class ServiceEntry:
    """One service. Functions are given as `module:attribute`.

    The name is also that of its database schema, of its consumer group (`orderflow.<name>`), of
    its role (`orderflow_<name>`), and of its settings (`<NAME>_DATABASE_URL`).
    """

    name: str
    package: str
    """Package of the service; its folder `migrations` holds the files of its schema."""
    build: str
    """`(Settings) -> Service`: the service, ready to start."""
    handler: str | None = None
    """`(Settings, Metrics)`, an object whose `apply` decides a batch: for operators' retries.
    None: the service consumes no topic. Its schema has none of the tables of consumers, and its
    role may only read there."""
    refusals: str | None = None
    """`(Original, index, now) -> list[Rejection]`: what the service would refuse of a message
    before it decides; LookupError when the message has no item `index`. None: it consumes none."""
    warnings: str | None = None
    """`(Original, now) -> list[ItemWarning]`: the warnings of a message's items before the service
    decides, without those of refused items. None: the service reads messages without repairs."""
    empty: str | None = None
    """`(Connection, now) -> dict of numbers by name`: empties the tables for a rebuild from events,
    in the caller's transaction; the numbers (rows by table and others) are shown.
    None: the service cannot be rebuilt."""
    recall: str | None = None
    """`(Settings, Connection) -> Recalled`: before the tables are emptied for a rebuild, reads from
    topics what an event cannot give back. None: nothing."""
    after_migration: str | None = None
    """`(Connection, ChangeRun) -> list of lines`: what `orderflow migrate` does once the migrations
    are applied, under the service's role; a second run changes nothing. None: nothing."""
    senders: str | None = None
    """Mapping of the message type (`ce_type`) by the name of a sender's form, of each form of
    tracking that the service reads. None: the service reads no tracking."""
    needs_snapshots: bool = True
    """Whether snapshots of orders fill the tables after a rebuild. False: the topics were read."""
    copied_by: str | None = None
    """Service that holds a copy of this one's events. A rebuild of this service is filled from the
    copy, so that all its events must have been read there before its tables are emptied."""

    @property
    def consumes(self) -> bool:
        """Whether the service consumes topics."""
        return self.handler is not None

    @property
    def folder(self) -> Path:
        """Folder of the package."""
        spec = importlib.util.find_spec(self.package)
        if spec is None or not spec.submodule_search_locations:
            raise UnknownService(f"service {self.name}: there is no package {self.package}")
        return Path(next(iter(spec.submodule_search_locations)))


_ENTRIES: dict[str, ServiceEntry] = {}
_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")


def register(entry: ServiceEntry) -> None:
    """Add a service.

    Settings and the command line read the names when they are imported: register before.

    Raises:
        ValueError: the name is taken, or cannot be the name of a schema.
    """
    if not _NAME.fullmatch(entry.name):
        raise ValueError(f"service name {entry.name!r}: use a-z, 0-9 and _, beginning with a-z")
    if entry.name in _ENTRIES:
        raise ValueError(f"service {entry.name} is registered twice: rename one")
    _ENTRIES[entry.name] = entry


def names() -> tuple[str, ...]:
    """Names of all services, in the order in which they were registered."""
    return tuple(_ENTRIES)


def consumers() -> tuple[str, ...]:
    """Names of the services that consume topics."""
    return tuple(entry.name for entry in _ENTRIES.values() if entry.consumes)


def can_be_emptied() -> tuple[str, ...]:
    """Names of the services that can be rebuilt."""
    return tuple(entry.name for entry in _ENTRIES.values() if entry.empty)


def entry_of(name: str) -> ServiceEntry:
    """The entry of a service.

    Raises:
        UnknownService: there is none of this name.
    """
    try:
        return _ENTRIES[name]
    except KeyError:
        raise UnknownService(f"no service {name}; there are {', '.join(_ENTRIES)}") from None


def load(path: str) -> Any:
    """Import the object that `module:attribute` names."""
    module, _, attribute = path.partition(":")
    return getattr(importlib.import_module(module), attribute)


register(
    ServiceEntry(
        name="orders",
        package="services.orders",
        build="services.orders.app:build",
        handler="services.orders.handler:OrdersBatch",
        refusals="services.orders.intake:refusals",
        warnings="services.orders.intake:warnings",
        after_migration="services.orders.operations.after_migration:change_rows",
        senders="services.orders.messages.carriers.registry:TYPE_OF",
    )
)
register(
    ServiceEntry(
        name="claims",
        package="services.claims",
        build="services.claims.app:build",
        handler="services.claims.handler:ClaimBatches",
        refusals="services.claims.intake:refusals",
        warnings="services.claims.intake:warnings",
        empty="services.claims.operations.rebuild:empty",
        recall="services.claims.operations.recall:recall",
        copied_by="orders",
    )
)
register(
    ServiceEntry(
        name="analytics",
        package="services.analytics",
        build="services.analytics.app:build",
        handler="services.analytics.handler:EventBatches",
        refusals="services.analytics.intake:refusals",
        warnings="services.analytics.intake:warnings",
        empty="services.analytics.operations.rebuild:empty",
    )
)
register(
    ServiceEntry(
        name="gateway",
        package="services.gateway",
        build="services.gateway.app:build",
    )
)
register(
    ServiceEntry(
        name="deliveries",
        package="services.deliveries",
        build="services.deliveries.app:build",
        handler="services.deliveries.handler:DeliveryBatches",
        refusals="services.deliveries.intake:refusals",
        empty="services.deliveries.operations.rebuild:empty",
        recall="services.deliveries.operations.rebuild:recall",
        needs_snapshots=False,
    )
)
