"""Options that acts of operators share: who, why, which item, which service, dry run."""

import getpass
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from orderflow.console.numbers import INT32_MAX, INT64_MAX
from orderflow.console.terminal import CommandError, WrongArgument
from schemas.topics import TOPICS
from services import registry
from services.runtime.messages.records import Coordinates
from services.runtime.operations.audit import Signature

CONSUMERS = registry.consumers()

By = Annotated[
    str | None, typer.Option("--by", help="Who does it, for the audit; your login name unless set.")
]
Why = Annotated[
    str | None, typer.Option("--why", help="Why, for the audit; needed unless --dry-run.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what would happen, and do none of it.")
]


def sign(by: str | None, why: str | None, *, is_try: bool) -> Signature:
    """The signature of an act; a dry run needs no reason.

    Raises:
        WrongArgument: no reason is given, and the act is no dry run.
    """
    if not (why and why.strip()) and not is_try:
        raise WrongArgument("say why, for the audit: --why '…' (or see what it does by --dry-run)")
    return Signature((by or "").strip() or _login_name(), (why or "a try").strip())


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # A container's user may have no name.
        raise CommandError("this login has no name: say who does it by --by") from None


@dataclass(frozen=True, slots=True)
class Spot:
    """A record by its coordinates, or one item of it; index None means all items."""

    coordinates: Coordinates
    index: int | None = None

    def __str__(self) -> str:
        return f"{self.coordinates}" + ("" if self.index is None else f"#{self.index}")


def spot_of(text: str) -> Spot:
    """Read `topic/partition/offset`, with `#index` or `/index` for one item.

    Raises:
        WrongArgument: the text is not of this form, or the topic is unknown.
    """
    parts = text.replace("#", "/").split("/")
    if parts[0] not in TOPICS:
        raise WrongArgument(f"{text}: no topic {parts[0]}; there are {', '.join(TOPICS)}")
    try:
        partition, offset, *index = (int(part) for part in parts[1:])
        (item,) = index or (None,)
        if partition > INT32_MAX or offset > INT64_MAX or (item or 0) > INT32_MAX:
            raise ValueError("larger than any of Kafka's numbers")
    except ValueError:
        raise WrongArgument(
            f"{text!r} names no item: write topic/partition/offset, with #index for one of many"
        ) from None
    return Spot(Coordinates(parts[0], partition, offset), item)


def readers_of(topic: str) -> list[str]:
    """The services that read a topic of the catalogue."""
    return [service for service in registry.names() if service in TOPICS[topic].readers]


def chosen_services(service: str | None, among: Sequence[str] = CONSUMERS) -> list[str]:
    """One service of `among`, or all of them.

    Raises:
        WrongArgument: there is no such service.
    """
    if service is None:
        return list(among)
    if service not in among:
        raise WrongArgument(f"no service {service}; there are {', '.join(among)}")
    return [service]
