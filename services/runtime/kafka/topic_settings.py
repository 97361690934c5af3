"""Settings of topics in Kafka: what is wanted, what is there, and how to change it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import for_code

from schemas.topics import DAY_MS, Topic
from services.runtime.kafka.compat.incremental_configs import set_topic_settings

RETENTION = "retention.ms"
_UNLIMITED = -1
# With less of these, Kafka deletes records or refuses larger ones.
_LIMITS = (RETENTION, "max.message.bytes")


def settings_of(topic: Topic) -> dict[str, str]:
    """The settings that a topic should have in Kafka."""
    return {
        RETENTION: str(topic.retention_ms),
        "cleanup.policy": topic.cleanup_policy,
        "max.message.bytes": str(topic.max_message_bytes),
        **topic.compaction,
    }


@dataclass(frozen=True, slots=True)
class SettingChange:
    """One setting of one topic that is not as it is wanted; `topic` is Kafka's name."""

    topic: str
    setting: str
    present: str | None
    wanted: str

    @property
    def takes_away(self) -> bool:
        """Whether the change could delete records, or refuse messages that fit today."""
        if self.setting == "cleanup.policy":
            return True
        if self.setting not in _LIMITS or self.present is None:
            return False
        present = int(self.present)
        return present == _UNLIMITED or present > int(self.wanted)

    def __str__(self) -> str:
        present = _readable(self.setting, self.present)
        wanted = _readable(self.setting, self.wanted)
        return f"{self.setting} is {present}, wanted is {wanted}"


def _readable(setting: str, value: str | None) -> str:
    """A value as Kafka has it; a retention also in days."""
    if setting != RETENTION or value is None:
        return str(value)
    milliseconds = int(value)
    if milliseconds == _UNLIMITED:
        return f"{value} (without end)"
    return f"{value} ({milliseconds / DAY_MS:.4g} days)"


async def find_changes(
    admin: AIOKafkaAdminClient, wanted: Mapping[str, Topic]
) -> list[SettingChange]:
    """Compare the settings of topics that exist, given by their names in Kafka.

    Raises:
        KafkaError: the settings may not be read.
    """
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in wanted]
    found: list[SettingChange] = []
    for answer in await admin.describe_configs(resources):
        for code, message, _type, name, entries in answer.resources:
            if code:
                raise for_code(code)(f"settings of {name}: {message}")
            present = {entry[0]: entry[1] for entry in entries}
            found += [
                SettingChange(name, setting, present.get(setting), value)
                for setting, value in settings_of(wanted[name]).items()
                if present.get(setting) != value
            ]
    return found


async def make_changes(admin: AIOKafkaAdminClient, changes: Iterable[SettingChange]) -> None:
    """Set the wanted values.

    Raises:
        KafkaError: Kafka refuses for a topic; the changes of other topics may be made.
    """
    by_topic: dict[str, dict[str, str]] = {}
    for change in changes:
        by_topic.setdefault(change.topic, {})[change.setting] = change.wanted
    if not by_topic:
        return
    for name, code, message in await set_topic_settings(admin, by_topic):
        if code:
            raise for_code(code)(f"settings of {name}: {message}")
