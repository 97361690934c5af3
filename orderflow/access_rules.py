"""What each user of Kafka must be allowed to do (ACLs), and no more.

The one source of the table in docs/operating.md and of deploy/kubernetes/strimzi-users*.yaml.
Topics of services, shops and carriers come from the catalogue (schemas/topics.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from schemas.topics import CATALOGUE, FEED_PREFIX, ORDERS_STATE
from services import registry
from services.gateway.publisher import TOPICS as GATEWAY_TOPICS
from services.runtime.kafka.topics import INSTALLED, PUBLISHED

Resource = Literal["topic", "group", "transactional id", "cluster"]
CLUSTER = "kafka-cluster"
OTHERS = ("shops", "carriers")
"""Users outside that the catalogue names as writers and readers."""
OPERATORS = "operators"
_FOR_OPERATORS = ("Create", "Describe", "DescribeConfigs", "AlterConfigs", "Read")
_READ_BESIDE: dict[str, tuple[str, ...]] = {"deliveries": (ORDERS_STATE,)}
"""Topics that a service reads outside its consumer group."""


@dataclass(frozen=True, slots=True)
class AccessRule:
    """Operations that a user may do on resources of one kind.

    Names are without KAFKA_TOPIC_PREFIX; it stands before each, except that of the cluster.
    """

    user: str
    operations: tuple[str, ...]
    resource: Resource
    names: tuple[str, ...]
    is_prefix: bool = False
    """Whether a name stands for all names that begin with it."""
    exactly_once: bool = False
    """Whether the rule is for ORDERFLOW_PUBLICATION=exactly_once alone."""


def read_by(user: str) -> tuple[str, ...]:
    """Topics of the catalogue that a user consumes, in the order of the catalogue."""
    return tuple(topic.name for topic in CATALOGUE if user in topic.readers)


def written_by(user: str) -> tuple[str, ...]:
    """Topics of the catalogue that a user writes, in the order of the catalogue."""
    return tuple(topic.name for topic in CATALOGUE if user in topic.writers)


def consumer_group(service: str) -> str:
    """The consumer group of a service, without KAFKA_TOPIC_PREFIX."""
    return f"orderflow.{service}"


def access_rules() -> tuple[AccessRule, ...]:
    """All rules: of services, then of shops, carriers and operators."""
    return (
        *(rule for name in registry.consumers() for rule in _of_consumer(name)),
        AccessRule("gateway", ("Write",), "topic", GATEWAY_TOPICS),
        *(rule for name in OTHERS for rule in _of_other(name)),
        AccessRule(OPERATORS, _FOR_OPERATORS, "topic", tuple(topic.name for topic in INSTALLED)),
        AccessRule(OPERATORS, _FOR_OPERATORS, "topic", (FEED_PREFIX,), is_prefix=True),
        AccessRule(OPERATORS, ("Alter",), "cluster", (CLUSTER,)),
    )


def _of_consumer(name: str) -> Iterator[AccessRule]:
    group = consumer_group(name)
    yield AccessRule(name, ("Read",), "topic", (*read_by(name), *_READ_BESIDE.get(name, ())))
    yield AccessRule(name, ("Write",), "topic", written_by(name))
    if name == "deliveries":
        yield AccessRule(name, ("Write",), "topic", (FEED_PREFIX,), is_prefix=True)
    yield AccessRule(name, ("Read",), "group", (group,))
    yield AccessRule(name, ("Read", "Write"), "topic", (PUBLISHED,), exactly_once=True)
    yield AccessRule(
        name,
        ("Describe", "Write"),
        "transactional id",
        (f"{group}.outbox.",),
        is_prefix=True,
        exactly_once=True,
    )


def _of_other(name: str) -> Iterator[AccessRule]:
    yield AccessRule(name, ("Write",), "topic", written_by(name))
    yield AccessRule(name, ("Read",), "topic", read_by(name))


def table() -> str:
    """The rules as a table of docs/operating.md: user, operation, resource, names."""
    rows = ["| user of | operation | resource | names |", "|---|---|---|---|"]
    every = tuple(topic.name for topic in INSTALLED)
    for rule in access_rules():
        user = f"{rule.user}, exactly once" if rule.exactly_once else rule.user
        kind = f"{rule.resource}s that begin with" if rule.is_prefix else rule.resource
        names = ", ".join(f"`{name}`" for name in rule.names)
        names = "every topic above" if rule.names == every else names
        rows.append(f"| {user} | {', '.join(rule.operations)} | {kind} | {names} |")
    return "\n".join(rows)
