"""Topics and users of Kafka as resources of Strimzi, from the catalogue and the access rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from orderflow.access_rules import AccessRule, access_rules
from services.runtime.kafka.topic_settings import settings_of
from services.runtime.kafka.topics import INSTALLED

Resource = dict[str, Any]
API_VERSION = "kafka.strimzi.io/v1"
CLUSTER = "orderflow"
_KINDS = {"transactional id": "transactionalId"}


def topics(partitions: int, replicas: int) -> Iterator[Resource]:
    """A KafkaTopic for every topic, with the settings that `orderflow topics create` gives it."""
    for topic in INSTALLED:
        settings = settings_of(topic) | {"min.insync.replicas": str(max(1, replicas - 1))}
        yield _resource(
            "KafkaTopic",
            topic.name,
            {
                "topicName": topic.name,
                "partitions": partitions,
                "replicas": replicas,
                "config": {name: _number(value) for name, value in settings.items()},
            },
        )


def users(*, is_exactly_once: bool) -> Iterator[Resource]:
    """A KafkaUser for every user of the access rules, with a password made by Strimzi.

    Without `is_exactly_once`, the rules of ORDERFLOW_PUBLICATION=exactly_once are left out.
    """
    rules = [rule for rule in access_rules() if is_exactly_once or not rule.exactly_once]
    for user, its in groupby(rules, key=lambda rule: rule.user):
        yield _resource(
            "KafkaUser",
            f"{CLUSTER}-{user}",
            {
                "authentication": {"type": "scram-sha-512"},
                "authorization": {"type": "simple", "acls": list(_acls(its))},
            },
        )


def _resource(kind: str, name: str, spec: Resource) -> Resource:
    labels = {"strimzi.io/cluster": CLUSTER}
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"name": name, "labels": labels},
        "spec": spec,
    }


def _acls(rules: Iterable[AccessRule]) -> Iterator[Resource]:
    for rule in rules:
        for name in rule.names:
            yield {
                "resource": _kafka_resource(rule, name),
                "operations": list(rule.operations),
                "host": "*",
            }


def _kafka_resource(rule: AccessRule, name: str) -> Resource:
    if rule.resource == "cluster":
        return {"type": "cluster"}
    return {
        "type": _KINDS.get(rule.resource, rule.resource),
        "name": name,
        "patternType": "prefix" if rule.is_prefix else "literal",
    }


def _number(value: str) -> int | str:
    return int(value) if value.isdecimal() else value
