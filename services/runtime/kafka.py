"""How to reach Kafka: the same address and credentials for every client of the process."""

import ssl
from typing import TYPE_CHECKING, Any

from services.runtime.settings import Settings

if TYPE_CHECKING:
    from faststream.security import BaseSecurity


def client_options(settings: Settings) -> dict[str, Any]:
    """Keyword arguments for aiokafka's consumer, producer and admin client."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_bootstrap_servers.split(","),
        "security_protocol": settings.kafka_security_protocol,
        "request_timeout_ms": settings.kafka_request_timeout_ms,
    }
    if settings.kafka_sasl_password and settings.kafka_security_protocol.startswith("SASL_"):
        options |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_sasl_username,
            "sasl_plain_password": settings.kafka_sasl_password.get_secret_value(),
        }
    context = ssl_context(settings)
    return options | ({"ssl_context": context} if context else {})


def broker_security(settings: Settings) -> "BaseSecurity":
    """The same credentials for FastStream's KafkaBroker(security=…)."""
    from faststream import security

    context = ssl_context(settings)
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


def ssl_context(settings: Settings) -> ssl.SSLContext | None:
    """TLS for the brokers, with the client's certificate if there is one; None without TLS."""
    if not settings.kafka_security_protocol.endswith("SSL"):
        return None
    context = ssl.create_default_context(cafile=settings.kafka_ssl_cafile)
    if settings.kafka_ssl_certfile:
        secret = settings.kafka_ssl_password
        context.load_cert_chain(
            settings.kafka_ssl_certfile,
            settings.kafka_ssl_keyfile,
            secret.get_secret_value() if secret else None,
        )
    return context
