"""The sentence for a person where a command fails for a reason that can be expected.

Imported where a command has failed: it needs the clients of Kafka and Postgres.
"""

import asyncio

import asyncpg
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError
from asyncpg.exceptions import ClientConfigurationError

from orderflow.console.environment import load_settings
from services.runtime.clock import ClockError
from services.runtime.config.environment import SettingsError
from services.runtime.config.settings import NoDatabase
from services.runtime.kafka.diagnosis import why_unusable
from services.runtime.kafka.topics import TopicError
from services.runtime.observability.listener import HttpError
from services.runtime.postgres.connections import RoleMissing
from services.runtime.postgres.migrate import MigrationError

_EXPECTED = (SettingsError, MigrationError, RoleMissing, TopicError, HttpError, ClockError)
_UNREACHABLE = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)


def sentence_of(error: Exception) -> str | None:
    """The sentence for an error; None for an unexpected one."""
    if isinstance(error, NoDatabase):
        return f"{error}\n{_advice('DATABASE_URL')}"
    if isinstance(error, _EXPECTED):
        return str(error)
    if isinstance(error, ModuleNotFoundError):
        return _module_missing(error)
    if isinstance(error, UnknownTopicOrPartitionError):
        return "Kafka lacks a topic: `orderflow topics check` names it, `topics create` makes it"
    if isinstance(error, KafkaError):
        why = asyncio.run(why_unusable(load_settings(), error))
        return f"Kafka cannot be used: {why}\n{_advice('KAFKA_BOOTSTRAP_SERVERS')}"
    if isinstance(error, (asyncpg.PostgresError, ClientConfigurationError, OSError)):
        return _trouble(error)
    return None


def _module_missing(error: ModuleNotFoundError) -> str | None:
    if (error.name or "").partition(".")[0] not in ("deploy", "demo"):
        return None
    return (
        "this command needs a checkout of the project: what is installed here holds the "
        "services alone; name servers by KAFKA_BOOTSTRAP_SERVERS and DATABASE_URL instead"
    )


def _trouble(error: Exception) -> str | None:
    """What a file or the database is in the way with; None for what is our own mistake."""
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, ClientConfigurationError):
        return f"the database's address is wrong: {error}\n{_advice('DATABASE_URL')}"
    if isinstance(error, _UNREACHABLE):
        why = str(error) or "no answer in time"
        return f"the database cannot be reached: {why}\n{_advice('DATABASE_URL')}"
    return None


def _advice(variable: str) -> str:
    return f"See {variable} in `orderflow settings`; `orderflow up` starts a local stack."
