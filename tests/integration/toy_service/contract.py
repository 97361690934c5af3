"""Topics and messages of the stock service. Those of a real service are in `schemas/`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from schemas.model import ContractModel, about
from schemas.outcomes import ITEM_REJECTED, RejectedRecord
from schemas.topics import COMMAND_RETENTION_MS, EVENT_RETENTION_MS, Topic

STOCK_COMMANDS = "stock.commands"
STOCK_EVENTS = "stock.events"
STOCK_REJECTED = "stock.rejected"
CHANGE = "stock.change"
CHANGED = "stock.changed"


class Change(ContractModel):
    """`stock.change`: pieces of an article came in or went out."""

    sku: Annotated[str, Field(min_length=1, max_length=64), about("The article", "MUG-BLUE")]
    pieces: Annotated[int, about("Pieces that came in; negative: went out", -2)]


class Changed(ContractModel):
    """`stock.changed`: the level of an article after a change."""

    sku: Annotated[str, about("The article", "MUG-BLUE")]
    level: Annotated[int, about("Pieces in stock", 3)]


CATALOGUE = (
    Topic(
        name=STOCK_COMMANDS,
        meaning="Pieces of articles that come in and go out",
        key="sku",
        writers=("warehouses",),
        readers=("stock",),
        models={CHANGE: Change},
        retention_ms=COMMAND_RETENTION_MS,
        personal_data=False,
        incoming=True,
    ),
    Topic(
        name=STOCK_EVENTS,
        meaning="Levels of articles, each after a change",
        key="sku",
        writers=("stock",),
        readers=("shops",),
        models={CHANGED: Changed},
        retention_ms=EVENT_RETENTION_MS,
        personal_data=False,
    ),
    Topic(
        name=STOCK_REJECTED,
        meaning="What stock refused of stock.commands: reason, fields, the original",
        key="the refused message's",
        writers=("stock",),
        readers=("warehouses", "operators"),
        models={ITEM_REJECTED: RejectedRecord},
        retention_ms=EVENT_RETENTION_MS,
        personal_data=False,
        rejects=(STOCK_COMMANDS,),
    ),
)
