"""Kafka's rules of who may do what (ACLs), for which aiokafka 0.14 has requests and no method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from shlex import quote
from typing import Any

from aiokafka.errors import for_code
from aiokafka.protocol.admin import CreateAclsRequest

_READ, _ALLOW, _ANY_HOST = 3, 3, "*"
_RESOURCES = {"topic": 2, "group": 3}
_LITERAL, _PREFIXED = 3, 4


@dataclass(frozen=True, slots=True)
class ReadRule:
    """`principal`, such as `User:erp`, may read a topic, or read and commit as groups.

    `resource` is topic or group, `name` its name, or how its name begins.
    """

    principal: str
    resource: str
    name: str
    is_prefix: bool = False

    def __str__(self) -> str:
        """The options that Kafka's program `kafka-acls.sh` has for this rule."""
        pattern = " --resource-pattern-type prefixed" if self.is_prefix else ""
        return (
            f"--allow-principal {quote(self.principal)} --operation Read "
            f"--{self.resource} {quote(self.name)}{pattern}"
        )


async def allow(admin: Any, rules: Sequence[ReadRule]) -> None:
    """Make the rules; one that is there already stays. Uses a private method of the admin client.

    Raises:
        SecurityDisabled: the brokers have no rules (no `authorizer.class.name`).
        ClusterAuthorizationFailedError: this login may not make rules (Alter on the cluster).
        KafkaError: no broker answers, or it refuses.
    """
    for rule in rules:
        pattern = _PREFIXED if rule.is_prefix else _LITERAL
        request = CreateAclsRequest(
            _RESOURCES[rule.resource], rule.name, pattern, rule.principal, _ANY_HOST, _READ, _ALLOW
        )
        answer = await admin._send_request(request)  # noqa: SLF001 - no method sends it
        for code, message in answer.creation_responses:
            if code:
                raise for_code(code)(f"the rule for {rule.name}: {message}")
