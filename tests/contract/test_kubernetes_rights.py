"""Rights in Kafka: users for Strimzi have those of the operators' page, neither more nor less."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from orderflow.access_rules import read_by
from services import registry
from services.runtime.config.settings import Settings
from tests.integration.wire.rules import OPERATIONS, Rule, documented

PROJECT = Path(__file__).resolve().parents[2]
KINDS = {"topic": 2, "group": 3, "cluster": 4, "transactionalId": 5}
PATTERNS = {"literal": 3, "prefix": 4}
USERS = {"shops": "shop", "carriers": "carrier", "operators": "operator"}
EXACTLY_ONCE = ("orderflow.published", ".outbox.")


def rules_of(file: str) -> set[Rule]:
    """The rules of the users in a file of Strimzi, as the tests of TLS give them to a broker."""
    text = (PROJECT / "deploy" / "kubernetes" / file).read_text("utf-8")
    return {rule for user in yaml.safe_load_all(text) for rule in _rules(user)}


def _rules(user: dict[str, Any]) -> Iterator[Rule]:
    name = user["metadata"]["name"].removeprefix("orderflow-")
    for acl in user["spec"]["authorization"]["acls"]:
        assert acl["host"] == "*"
        resource = acl["resource"]
        kind = (KINDS[resource["type"]], PATTERNS[resource.get("patternType", "literal")])
        for operation in acl["operations"]:
            yield (
                USERS.get(name, name),
                OPERATIONS[operation],
                kind,
                resource.get("name", "kafka-cluster"),
            )


def test_strimzi_users_for_exactly_once_have_every_right_of_the_page() -> None:
    assert rules_of("strimzi-users-exactly-once.yaml") == set(documented(PROJECT))


def test_strimzi_users_lack_the_rights_of_exactly_once_alone() -> None:
    left_out = rules_of("strimzi-users-exactly-once.yaml") - rules_of("strimzi-users.yaml")
    consumers = registry.consumers()
    assert {user for user, *_ in left_out} == set(consumers)
    assert all(any(part in name for part in EXACTLY_ONCE) for *_, name in left_out)
    assert len(left_out) == 4 * len(consumers)


@pytest.mark.parametrize("name", registry.consumers())
def test_rights_name_the_topics_that_a_service_subscribes_to(name: str) -> None:
    service = registry.load(registry.entry_of(name).build)(Settings())
    assert sorted(service.definition.topics) == sorted(read_by(name))
