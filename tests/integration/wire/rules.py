"""The rules (ACLs) that the operators' page asks for, given to a broker."""

import re
from collections.abc import Iterator
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import CreateAclsRequest

from schemas.topics import CATALOGUE

TOPIC, GROUP = 2, 3
_RESOURCES = {"topic": TOPIC, "group": GROUP}
OPERATIONS = {"Read": 3, "Write": 4, "Create": 5, "Describe": 8, "DescribeConfigs": 10}
_LITERAL, _ALLOW = 3, 3
_USERS = {"shops": "shop", "operators": "operator"}

# User, operation, kind of resource, name without prefix.
Rule = tuple[str, int, int, str]


def documented(project_folder: Path) -> list[Rule]:
    """The table of docs/operating.md, one rule for each user, operation and name."""
    page = (project_folder / "docs" / "operating.md").read_text(encoding="utf-8")
    table = page.partition("<!-- acls:begin -->")[2].partition("<!-- acls:end -->")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
    return [rule for row in rows if row and row[1] in _known() for rule in _rules(*row)]


def _known() -> set[str]:
    pairs = {"Create, Describe, DescribeConfigs, Read"}
    return pairs | set(OPERATIONS)


def _rules(user: str, operations: str, kind: str, names: str) -> Iterator[Rule]:
    every = [topic.name for topic in CATALOGUE]
    for name in every if names == "every topic" else re.findall(r"`([^`]+)`", names):
        for operation in operations.split(", "):
            yield _USERS.get(user, user), OPERATIONS[operation], _RESOURCES[kind], name


async def give(bootstrap_servers: str, prefix: str, rules: list[Rule]) -> None:
    """Let the users do what the rules say, on names behind `prefix`."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        for user, operation, kind, name in rules:
            answer = await admin._send_request(
                CreateAclsRequest(
                    kind, prefix + name, _LITERAL, f"User:{user}", "*", operation, _ALLOW
                )
            )
            assert [code for code, _ in answer.creation_responses] == [0], answer
    finally:
        await admin.close()
