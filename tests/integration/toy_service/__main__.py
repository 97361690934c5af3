"""`orderflow` with the stock service: its topics and its entry are added before anything is read.

A real service is added in `schemas/topics.py` and `services/registry.py` instead.
"""

from schemas import topics
from services.registry import ServiceEntry, register
from tests.integration.toy_service.contract import CATALOGUE

PACKAGE = "tests.integration.toy_service"
ENTRY = ServiceEntry(
    name="stock",
    package=PACKAGE,
    build=f"{PACKAGE}.app:build",
    handler=f"{PACKAGE}.handler:StockBatches",
    refusals=f"{PACKAGE}.messages:refusals",
    empty=f"{PACKAGE}.store:empty",
)

if __name__ == "__main__":
    topics.CATALOGUE += CATALOGUE
    topics.TOPICS = {topic.name: topic for topic in topics.CATALOGUE}
    register(ENTRY)

    from orderflow.main import app

    app(prog_name="orderflow")
