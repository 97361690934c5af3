"""Gives a broker the rules (ACLs) of the operators' page."""

import re
from collections.abc import Iterator
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import CreateAclsRequest

OPERATIONS = {
    "Read": 3,
    "Write": 4,
    "Create": 5,
    "Alter": 7,
    "Describe": 8,
    "DescribeConfigs": 10,
    "AlterConfigs": 11,
}
_LITERAL, _PREFIXED, _ALLOW = 3, 4, 3
TOPIC, GROUP, CLUSTER = (2, _LITERAL), (3, _LITERAL), (4, _LITERAL)
TOPICS_BY_PREFIX = (2, _PREFIXED)
_RESOURCES = {
    "topic": TOPIC,
    "group": GROUP,
    "topics that begin with": TOPICS_BY_PREFIX,
    "cluster": CLUSTER,
    "transactional ids that begin with": (5, _PREFIXED),
}
_USERS = {"shops": "shop", "carriers": "carrier", "operators": "operator"}
_HEADER = {"user of", "---"}

# User, operation, kind of resource and of pattern, name without prefix.
Rule = tuple[str, int, tuple[int, int], str]


def documented(project_folder: Path) -> list[Rule]:
    """Read the table of docs/operating.md as one rule for each user, operation and name."""
    page = (project_folder / "docs" / "operating.md").read_text(encoding="utf-8")
    table = page.partition("<!-- acls:begin -->")[2].partition("<!-- acls:end -->")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
    rows = [row for row in rows if row and row[0] not in _HEADER]
    topics = {name for row in rows if row[2] == "topic" for name in _names(row[3])}
    return [rule for row in rows for rule in _rules(row, topics)]


def _names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def _rules(row: list[str], topics: set[str]) -> Iterator[Rule]:
    user, operations, kind, names = row
    user = user.partition(",")[0]  # "orders, exactly once" is the same user.
    for name in sorted(topics) if names == "every topic above" else _names(names):
        for operation in operations.split(", "):
            yield _USERS.get(user, user), OPERATIONS[operation], _RESOURCES[kind], name


async def give(bootstrap_servers: str, prefix: str, rules: list[Rule]) -> None:
    """Give the users the rights of the rules, on names with `prefix`."""
    names = {
        name: name if (kind, pattern) == CLUSTER else prefix + name
        for _, _, (kind, pattern), name in rules
    }
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        for user, operation, (kind, pattern), name in rules:
            answer = await admin._send_request(
                CreateAclsRequest(
                    kind, names[name], pattern, f"User:{user}", "*", operation, _ALLOW
                )
            )
            assert [code for code, _ in answer.creation_responses] == [0], answer
    finally:
        await admin.close()
