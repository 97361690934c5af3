"""Options of `orderflow parked` that choose items."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import typer

from orderflow.console.instants import HELP as INSTANT
from orderflow.console.instants import instant_of
from orderflow.console.numbers import INT32_MAX
from orderflow.console.order_option import parse_order
from orderflow.console.terminal import WrongArgument
from schemas.topics import TOPICS
from services.orders.domain.model.ids import order_id_of
from services.runtime.batch.items import FailureKind
from services.runtime.parking.keys import parking_key
from services.runtime.parking.selection import ParkedSelection

ITEM = "PLACE|TOPIC/PARTITION/OFFSET[#INDEX]"

Items = Annotated[
    list[str] | None, typer.Argument(metavar=f"[{ITEM}]…", help="Which; or by filter.")
]
Service = Annotated[str | None, typer.Option(help="Parked by this service only.")]


@dataclass(frozen=True, slots=True)
class ParkedFilter:
    """The filter options as they were written; None leaves a filter out."""

    topic: Annotated[str | None, typer.Option(help="From this topic.")] = None
    partition: Annotated[
        int | None, typer.Option(min=0, max=INT32_MAX, help="From this partition of its topic.")
    ] = None
    kind: Annotated[FailureKind | None, typer.Option(help="What failed.")] = None
    order: Annotated[str | None, typer.Option(metavar="SHOP/NUMBER", help="About this order.")] = (
        None
    )
    name: Annotated[
        str | None, typer.Option(help="With this name, as `show` lists them: order:…, number/….")
    ] = None
    key: Annotated[str | None, typer.Option(help="With exactly this Kafka key.")] = None
    error: Annotated[str | None, typer.Option(help="With this text in the error.")] = None
    parked_before: Annotated[
        str | None, typer.Option(help=f"Parked before then, in business time. {INSTANT}")
    ] = None

    def selection(self, now: datetime) -> ParkedSelection:
        """The items that fit all filters; times ago are counted back from `now`.

        Raises:
            WrongArgument: the topic is unknown, a value cannot be read, or `order` and `name` are
                both given.
        """
        if self.topic is not None and self.topic not in TOPICS:
            raise WrongArgument(f"no topic {self.topic}; there are {', '.join(TOPICS)}")
        shop_and_number = parse_order(self.order)
        if shop_and_number and self.name:
            raise WrongArgument("--order stands for a --name: give one of them")
        return ParkedSelection(
            topic=self.topic,
            partition=self.partition,
            kind=self.kind,
            parking_key=parking_key(order_id_of(*shop_and_number))
            if shop_and_number
            else self.name,
            key=None if self.key is None else self.key.encode(),
            error_contains=self.error,
            parked_before=instant_of(self.parked_before, now),
        )
