"""An orders service with two bugs: `python -m tests.operations.broken_orders`.

The decision of an item containing POISON raises until the file POISON_MENDED_FILE is there, as in
tests/e2e/poisoned.py. The review of an order raises until the file REVIEWS_MENDED_FILE is there.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import services.orders.campaign_reviews
import services.orders.unit_of_work
from services.orders.app import build
from services.runtime.config.settings import Settings
from services.runtime.observability.logging import configure_logging
from services.runtime.serve import serve
from tests.e2e.poisoned import Bug, plant


def plant_in_reviews(module: Any, mended: Path) -> Any:
    """The module's `decide` that fails until the file is there."""
    sound = module.decide

    def decide(*arguments: Any) -> Any:
        if not mended.exists():
            raise Bug("a review that fails")
        return sound(*arguments)

    return decide


if __name__ == "__main__":
    found = Settings.from_environment()
    configure_logging(found)
    items: Any = services.orders.unit_of_work
    items.decide = plant(items, Path(os.environ["POISON_MENDED_FILE"]).exists)
    reviews: Any = services.orders.campaign_reviews
    reviews.decide = plant_in_reviews(reviews, Path(os.environ["REVIEWS_MENDED_FILE"]))
    asyncio.run(serve([build(found)], found))
