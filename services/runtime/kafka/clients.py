"""Kafka clients: address, credentials and options from the settings."""

from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer

from services.runtime.config.settings import Settings
from services.runtime.kafka.broker_probe import BrokerProbe
from services.runtime.kafka.compat import sessions, topic_creation
from services.runtime.kafka.compat.abortable_producer import RelayProducer
from services.runtime.kafka.tls import ssl_context
from services.runtime.kafka.tokens.provider import token_provider

if TYPE_CHECKING:
    from faststream.security import BaseSecurity

# While a batch takes longer than 0.1 s, the client fetches without the partitions whose records it
# still holds. New records of those partitions wait until that fetch ends.
IDLE_FETCH_WAIT_MS = 50
PRODUCER_BATCH_BYTES = 256 * 1024
PRODUCER_REQUEST_MAX_BYTES = 2 * 1024 * 1024
# Below the time that the sender of deliveries waits for one record.
FEED_TIMEOUT_MS = 10_000
# Short: an open transaction blocks readers of committed records in its partitions.
TRANSACTION_TIMEOUT_MS = 10_000


def client_options(settings: Settings) -> dict[str, Any]:
    """Make the keyword arguments of aiokafka's consumer, producer and admin client."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_bootstrap_servers.split(","),
        "security_protocol": settings.kafka_security_protocol,
        "request_timeout_ms": settings.kafka_request_timeout_ms,
    }
    if settings.kafka_security_protocol.startswith("SASL_"):
        sessions.install()
    if settings.uses_oauth:
        options |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_oauth_token_provider": token_provider(settings),
        }
    elif settings.kafka_sasl_password and settings.kafka_security_protocol.startswith("SASL_"):
        options |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_sasl_username,
            "sasl_plain_password": settings.kafka_sasl_password.get_secret_value(),
        }
    context = ssl_context(settings)
    return options | ({"ssl_context": context} if context else {})


def broker_options(settings: Settings) -> dict[str, Any]:
    """Make the same credentials as keyword arguments of FastStream's KafkaBroker."""
    if settings.kafka_security_protocol.startswith("SASL_"):
        sessions.install()
    options: dict[str, Any] = {"security": _broker_security(settings)}
    if settings.uses_oauth:
        options["sasl_oauth_token_provider"] = token_provider(settings)
    return options


def _broker_security(settings: Settings) -> "BaseSecurity":
    from faststream import security

    context = ssl_context(settings)
    if settings.uses_oauth:
        return security.SASLOAuthBearer(ssl_context=context, use_ssl=context is not None)
    if not settings.kafka_security_protocol.startswith("SASL_") or not settings.kafka_sasl_password:
        return security.BaseSecurity(ssl_context=context, use_ssl=context is not None)
    kinds = {
        "PLAIN": security.SASLPlaintext,
        "SCRAM-SHA-256": security.SASLScram256,
        "SCRAM-SHA-512": security.SASLScram512,
    }
    return kinds[settings.kafka_sasl_mechanism](
        username=settings.kafka_sasl_username or "",
        password=settings.kafka_sasl_password.get_secret_value(),
        ssl_context=context,
        use_ssl=context is not None,
    )


def make_broker_probe(settings: Settings) -> BrokerProbe:
    """Make a probe; its end offsets are those of committed records, before open transactions."""
    return BrokerProbe(
        lambda: AIOKafkaConsumer(
            **client_options(settings),
            isolation_level="read_committed",
            enable_auto_commit=False,
        )
    )


def make_producer(settings: Settings, transactional_id: str | None = None) -> RelayProducer:
    """Make an idempotent producer that waits for every in-sync replica.

    With a transactional id, its start fences every other producer that has the id.
    """
    compression = settings.kafka_compression_type
    return RelayProducer(
        **client_options(settings),
        acks="all",
        enable_idempotence=True,
        linger_ms=settings.kafka_linger_ms,
        max_batch_size=PRODUCER_BATCH_BYTES,
        max_request_size=PRODUCER_REQUEST_MAX_BYTES,
        compression_type=None if compression == "none" else compression,
        transactional_id=transactional_id,
        transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
    )


def make_feed_producer(settings: Settings) -> RelayProducer:
    """Make a producer that waits for every in-sync replica, and gives a record up in time.

    It never makes a topic. From then on no other client of this process does.

    It is not idempotent: aiokafka repeats the records of an idempotent producer without end, also
    those that nothing waits for any more.
    """
    topic_creation.install()
    compression = settings.kafka_compression_type
    options = client_options(settings)
    options["request_timeout_ms"] = min(settings.kafka_request_timeout_ms, FEED_TIMEOUT_MS)
    return RelayProducer(
        **options,
        acks="all",
        linger_ms=settings.kafka_linger_ms,
        max_batch_size=PRODUCER_BATCH_BYTES,
        max_request_size=PRODUCER_REQUEST_MAX_BYTES,
        compression_type=None if compression == "none" else compression,
    )


def make_marker_reader(settings: Settings) -> AIOKafkaConsumer:
    """Make a consumer of markers: committed records, without a group or stored offsets."""
    return AIOKafkaConsumer(
        **client_options(settings),
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=IDLE_FETCH_WAIT_MS,
    )
