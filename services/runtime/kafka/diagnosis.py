"""Finds out why Kafka cannot be used and which setting to change.

aiokafka reports "Unable to bootstrap" for every cause. A separate connection to each broker
distinguishes a wrong password, a wrong certificate, a wrong host name and a wrong protocol.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import errors
from aiokafka.conn import collect_hosts, create_conn
from aiokafka.protocol.metadata import MetadataRequest

from services.runtime.config.settings import Settings
from services.runtime.kafka.clients import client_options
from services.runtime.kafka.tokens.provider import token_provider
from services.runtime.kafka.tokens.token import TokenUnavailable

TRY_TIMEOUT_MS = 5_000
# Error codes of OpenSSL's certificate verification.
_WRONG_HOST = {62, 64}
_OUT_OF_DATE = {9, 10}
_UNKNOWN_SIGNER = {18, 19, 20, 21}

_NOT_ALLOWED = (
    errors.TopicAuthorizationFailedError,
    errors.GroupAuthorizationFailedError,
    errors.ClusterAuthorizationFailedError,
    errors.TransactionalIdAuthorizationFailed,
)


class KafkaUnusable(errors.KafkaError):  # type: ignore[misc]
    """Kafka cannot be used; the text names the setting or file to correct. It may be retried."""

    def __str__(self) -> str:
        return str(self.args[0])


@asynccontextmanager
async def translate_errors(settings: Settings) -> AsyncIterator[None]:
    """Replace a KafkaError raised in this block by KafkaUnusable with the reason."""
    try:
        yield
    except errors.KafkaError as error:
        raise KafkaUnusable(await why_unusable(settings, error)) from error


async def why_unusable(settings: Settings, error: errors.KafkaError) -> str:
    """Describe what is wrong, broker by broker; the text of `error` if no broker is at fault.

    The text never holds a secret.
    """
    if isinstance(error, _NOT_ALLOWED):
        user = _user(settings)
        return (
            f"{error}: Kafka's rules (ACLs) do not let {user} do this; see Security in the manual"
        )
    if not isinstance(error, errors.KafkaConnectionError):
        return str(error)
    if settings.uses_oauth and (reason := await _token_trouble(settings)):
        return reason
    asked = [(host, port) for host, port, _ in collect_hosts(settings.kafka_bootstrap_servers)]
    seen: dict[tuple[str, int], str] = {}
    while pending := [address for address in asked if address not in seen]:
        for host, port in pending:
            seen[host, port], named = await _try(settings, host, port)
            asked += named
    return "; ".join(filter(None, seen.values())) or str(error)


async def _token_trouble(settings: Settings) -> str:
    """Why there is no token for the brokers; empty if there is one."""
    try:
        await token_provider(settings).token()
    except TokenUnavailable as error:
        return str(error)
    return ""


async def _try(settings: Settings, host: str, port: int) -> tuple[str, list[tuple[str, int]]]:
    """Connect to one broker; returns what is wrong (empty: nothing) and the brokers it names."""
    options: dict[str, Any] = client_options(settings) | {"request_timeout_ms": TRY_TIMEOUT_MS}
    del options["bootstrap_servers"]
    try:
        connection = await create_conn(host, port, **options)
        try:
            # A broker rejects a client that has not logged in only at its first request.
            answer = await connection.send(MetadataRequest([]))
        finally:
            connection.close()
    except (TimeoutError, OSError, errors.KafkaError) as error:
        return f"{host}:{port}: {trouble(settings, host, error)}", []
    return "", [(broker[1], broker[2]) for broker in answer.brokers]


def trouble(settings: Settings, host: str, error: BaseException) -> str:
    """Explain an error of one connection in terms of the settings."""
    if isinstance(error, errors.SaslAuthenticationFailed) and settings.uses_oauth:
        return (
            f"refuses the token ({error.args[0] if error.args else 'no reason'}): its issuer, "
            "audience and lifetime must be those that the broker checks; see KAFKA_OAUTH_SCOPE, "
            "KAFKA_OAUTH_AUDIENCE and KAFKA_OAUTH_EXTENSIONS, and this machine's clock"
        )
    if isinstance(error, errors.SaslAuthenticationFailed):
        return (
            f"refuses the login of {settings.kafka_sasl_username}: check KAFKA_SASL_USERNAME and "
            "KAFKA_SASL_PASSWORD, and that this user has a password for "
            f"{settings.kafka_sasl_mechanism}"
        )
    if isinstance(error, errors.UnsupportedSaslMechanismError):
        return f"takes no logins by {settings.kafka_sasl_mechanism}: set KAFKA_SASL_MECHANISM"
    for each in _chain(error):
        if isinstance(each, ssl.SSLCertVerificationError):
            return _server_certificate_trouble(settings, host, each)
        if isinstance(each, ssl.SSLError) and "CERTIFICATE" in (each.reason or ""):
            return _client_certificate_trouble(settings)
        if isinstance(each, ssl.SSLError) and "UNKNOWN_CA" in (each.reason or ""):
            return _client_certificate_trouble(settings)
    return _connection_trouble(settings, error)


def _server_certificate_trouble(
    settings: Settings, host: str, error: ssl.SSLCertVerificationError
) -> str:
    if error.verify_code in _WRONG_HOST:
        return (
            f"shows a certificate that is not for {host}: use the name that is in it, in "
            "KAFKA_BOOTSTRAP_SERVERS and in what the broker advertises"
        )
    if error.verify_code in _UNKNOWN_SIGNER:
        trusted = settings.kafka_ssl_cafile or "the system's authorities (it is not set)"
        return (
            "shows a certificate that no trusted authority signed: set KAFKA_SSL_CAFILE to the "
            f"authority of the brokers; now it is {trusted}"
        )
    if error.verify_code in _OUT_OF_DATE:
        return "shows a certificate that is not valid today: renew it, or set this machine's clock"
    return f"shows a certificate that cannot be trusted: {error.verify_message}"


def _client_certificate_trouble(settings: Settings) -> str:
    if settings.kafka_ssl_certfile is None:
        return "wants a certificate of the client: set KAFKA_SSL_CERTFILE and KAFKA_SSL_KEYFILE"
    return (
        f"does not accept our certificate, {settings.kafka_ssl_certfile}: set KAFKA_SSL_CERTFILE "
        "to one that is valid and signed by an authority which the brokers trust"
    )


def _connection_trouble(settings: Settings, error: BaseException) -> str:
    """Explain a connection that was closed by the broker or never opened."""
    ended = (errors.KafkaConnectionError, ConnectionResetError, ssl.SSLError)
    if isinstance(error, ended):
        return (
            "ended the connection: set KAFKA_SECURITY_PROTOCOL to what this port speaks; now it is "
            f"{settings.kafka_security_protocol}"
        )
    return f"cannot be reached: {str(error) or 'no answer in time'}"


def _user(settings: Settings) -> str:
    if settings.uses_oauth:
        return settings.kafka_oauth_client_id or "the AWS identity of this process"
    return settings.kafka_sasl_username or "this client"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
