"""Options of `orderflow rejected` that choose items."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import typer

from orderflow.console.instants import HELP as INSTANT
from orderflow.console.instants import instant_of
from orderflow.console.order_option import parse_order
from orderflow.console.terminal import WrongArgument
from orderflow.rejected.query import RejectedFilter
from schemas.topics import TOPICS

Service = Annotated[str | None, typer.Option(help="Rejected by this service only.")]


@dataclass(frozen=True, slots=True)
class FilterOptions:
    """The filter options as they were written; None leaves a filter out."""

    reason: Annotated[str | None, typer.Option(help="With this reason code.")] = None
    topic: Annotated[str | None, typer.Option(help="From this topic.")] = None
    source: Annotated[str | None, typer.Option(help="From this sender (ce_source).")] = None
    key: Annotated[str | None, typer.Option(help="With exactly this Kafka key.")] = None
    order: Annotated[
        str | None,
        typer.Option(metavar="SHOP/NUMBER", help="About this order, by key or by content."),
    ] = None
    since: Annotated[str | None, typer.Option(help=f"Rejected from then on. {INSTANT}")] = None
    until: Annotated[str | None, typer.Option(help="Rejected before then.")] = None

    def filters(self, now: datetime) -> RejectedFilter:
        """The filters of the query; times ago are counted back from `now`.

        Raises:
            WrongArgument: the topic is unknown, a value cannot be read, or `key` and `order` are
                both given.
        """
        if self.topic is not None and self.topic not in TOPICS:
            raise WrongArgument(f"no topic {self.topic}; there are {', '.join(TOPICS)}")
        if self.key is not None and self.order is not None:
            raise WrongArgument("--key and --order say the same thing twice: give one of them")
        return RejectedFilter(
            topics=(self.topic,) if self.topic else None,
            reason=self.reason,
            source=self.source,
            key=self.key,
            order=parse_order(self.order),
            since=instant_of(self.since, now),
            until=instant_of(self.until, now),
        )
