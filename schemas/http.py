"""The way in over HTTP: what is answered, and the media types that are taken."""

from __future__ import annotations

from typing import Annotated

from .model import ContractModel, about

PROBLEM_TYPE = "application/problem+json"
PROBLEM_BASE = "https://orderflow.dev/problems/"
JSON = "application/json"
STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
XML_TYPES = ("application/xml", "text/xml")
TEXT = "text/plain"
EVENTS_MAX = 1_000
"""Most events of a batch."""
ACTIVITIES_MAX = 100
"""Most activities of a request."""
ACTIVITY_BODY_MAX_BYTES = 65_536
"""Most bytes of a request with activities: browsers send no more when a page is left."""


class Warned(ContractModel):
    """What the service that takes a command will warn about; the command is taken."""

    index: Annotated[int, about("Which item of a bulk command; 0 of others", 0)]
    code: Annotated[str, about("The code, as in outcomes", "unknown_country")]
    pointer: Annotated[str, about("JSON pointer in the command", "/order/address/country_code")]
    detail: Annotated[str, about("A sentence", "XX is no country")]


class AcceptedRecord(ContractModel):
    """One record on Kafka."""

    id: Annotated[str, about("`ce_id` of the record", "cmd-1001-1")]
    topic: Annotated[
        str, about("The topic, without the prefix of the installation", "orders.commands")
    ]
    partition: Annotated[int, about("The partition", 3)]
    offset: Annotated[
        int | None, about("The offset; null where Kafka has the record and does not say where", 42)
    ]
    warnings: Annotated[
        tuple[Warned, ...], about("Of a command that is taken with warnings", [])
    ] = ()


class Accepted(ContractModel):
    """All in-sync replicas of Kafka have the records; in the order of the events."""

    records: Annotated[list[AcceptedRecord], about("A record for each event", [])]


class ProblemField(ContractModel):
    """One error of one field."""

    pointer: Annotated[
        str, about("JSON pointer in the body, or /headers/ and a header", "/data/shop_slug")
    ]
    message: Annotated[str, about("What is wrong and what is taken", "must be demo-shop")]


class Problem(ContractModel):
    """A request that was refused (RFC 9457). Nothing of it was accepted."""

    type: Annotated[str, about("Names the kind of problem", PROBLEM_BASE + "invalid_body")]
    title: Annotated[str, about("The phrase of the status", "Unprocessable Entity")]
    status: Annotated[int, about("The status", 422)]
    code: Annotated[str, about("The kind of problem, for programs", "invalid_body")]
    detail: Annotated[str, about("What to do", "nothing was accepted: correct the fields")]
    errors: Annotated[tuple[ProblemField, ...], about("Errors of fields, with pointers", [])] = ()


class RefusedActivity(ContractModel):
    """One activity that was not accepted; sent again unchanged it is refused again."""

    index: Annotated[int, about("Its place in the list, from 0", 3)]
    errors: Annotated[tuple[ProblemField, ...], about("What is wrong with it", [])]


class AcceptedActivities(Accepted):
    """All in-sync replicas of Kafka have the records of the activities that were accepted."""

    refused: Annotated[tuple[RefusedActivity, ...], about("The others", [])] = ()
