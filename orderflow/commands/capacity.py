"""`orderflow capacity`: what an installation needs for a number of orders a day."""

from dataclasses import asdict, dataclass
from typing import Annotated

import typer

from orderflow.capacity.costs import load_costs
from orderflow.capacity.load import ImpossibleLoad, Load
from orderflow.capacity.plan import plan
from orderflow.capacity.screen import COLUMNS, as_json, tables
from orderflow.capacity.warnings import warnings_of
from orderflow.console.option_group import expand_options
from orderflow.console.terminal import Json, WrongArgument, out, print_json

MOST_ORDERS = 100_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """The fields of a Load as options; why each default is what it is: decision 0212."""

    orders_per_day: Annotated[
        int, typer.Option(min=1, max=MOST_ORDERS, help="New orders on a usual day.")
    ]
    commands_per_order: Annotated[
        float, typer.Option(min=0.01, max=1000, help="Commands of shops for an order.")
    ] = 2.4
    parcels_per_order: Annotated[float, typer.Option(min=0, max=100, help="Parcels.")] = 1.2
    scans_per_parcel: Annotated[
        float, typer.Option(min=0, max=1000, help="Messages of carriers for a parcel.")
    ] = 4.1
    messages_per_order: Annotated[
        float | None,
        typer.Option(
            min=0.01, max=10_000, help="Commands and scans together, instead of parcels and scans."
        ),
    ] = None
    claims_per_order: Annotated[
        float, typer.Option(min=0, max=100, help="Commands of claims for an order.")
    ] = 0.1
    peak_factor: Annotated[
        float,
        typer.Option(
            min=1, max=1000, help="Messages of the busiest second for those of a mean second."
        ),
    ] = 10.0
    growth: Annotated[
        float,
        typer.Option(
            min=1, max=100, help="Times as much as now that the partitions are to carry one day."
        ),
    ] = 2.0
    retention_days: Annotated[
        int, typer.Option(min=1, max=36_500, help="Days that orders stay in Postgres.")
    ] = 365
    replication: Annotated[int, typer.Option(min=1, max=7)] = 3
    brokers: Annotated[int, typer.Option(min=1, max=1000)] = 3
    processes: Annotated[
        int, typer.Option(min=1, max=64, help="Processes of a replica, one core each.")
    ] = 1
    subscribers: Annotated[
        int, typer.Option(min=0, max=1000, help="Groups of others that read all event topics.")
    ] = 1
    webhooks_per_event: Annotated[
        float, typer.Option(min=0, max=1000, help="Destinations that an event is sent to.")
    ] = 1.0
    over_http: Annotated[
        float, typer.Option(min=0, max=1, help="Share of messages that come over HTTP.")
    ] = 1.0


@expand_options
def capacity(options: LoadOptions, json: Json = False) -> None:
    """Reckon partitions, replicas, Postgres and Kafka for a number of orders a day.

    From costs that were measured (docs/scale.md). Asks no server.
    Example: `orderflow capacity --orders-per-day 100000`
    """
    given = asdict(options)
    try:
        load = Load(kept_days=given.pop("retention_days"), **given)
    except ImpossibleLoad as error:
        raise WrongArgument(str(error)) from error
    costs = load_costs()
    found = plan(load, costs)
    warnings = list(warnings_of(load, costs, found))
    if json:
        print_json(as_json(load, costs, found, warnings))
        return
    for table in tables(load, found):
        out.print(table)
    for text in (*(f"warning: {each}" for each in warnings), "from: " + "; ".join(costs.sources)):
        out.print(text, markup=False, width=COLUMNS, soft_wrap=False)
    out.print(
        f"capacity: messages_per_s={found.messages_per_second:.0f} groups={found.groups} "
        f"partitions={found.partitions} postgres_cores={found.postgres.cores}"
    )
