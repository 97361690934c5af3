"""Settings of the Kafka clients: addresses, credentials, group membership, producing."""

import re
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]
OAUTHBEARER = "OAUTHBEARER"
_SERVER = r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?"
_SERVERS = rf"^\s*{_SERVER}(\s*,\s*{_SERVER})*\s*$"
_LOGIN = ("kafka_sasl_username", "kafka_sasl_password", "kafka_oauth_")
Compression = Literal["none", "gzip", "snappy", "lz4", "zstd"]


class KafkaSettings(BaseSettings):
    """How to reach Kafka, and how the clients are configured; `Settings` says where values come
    from.
    """

    kafka_bootstrap_servers: str = Field(
        default="127.0.0.1:9092",
        json_schema_extra={"pattern": _SERVERS},
        description="Kafka brokers to connect to first: `host:port`, several with commas.",
    )
    kafka_topic_prefix: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9._-]{0,100}$",
        description="Prefix of topics and consumer groups, for several installations on a cluster.",
    )
    kafka_partitions: int = Field(
        default=6,
        ge=1,
        le=1000,
        description="Partitions of each topic when it is created; fixed from then on, because "
        "growing them would send an order's next messages to another partition.",
    )
    kafka_replication_factor: int = Field(
        default=1,
        ge=1,
        le=9,
        description="Replication factor of each topic when it is created; 3 in production.",
    )
    kafka_security_protocol: SecurityProtocol = Field(
        default="PLAINTEXT", description="Security protocol of the connections to the brokers."
    )
    kafka_sasl_mechanism: SaslMechanism = Field(
        default="SCRAM-SHA-512",
        description="SASL mechanism, with a SASL_* protocol; OAUTHBEARER needs KAFKA_OAUTH_*.",
    )
    kafka_sasl_username: str | None = Field(default=None, description="Login name for SASL.")
    kafka_sasl_password: SecretStr | None = Field(default=None, description="Password for SASL.")
    kafka_ssl_cafile: Path | None = Field(
        default=None, description="PEM file of the authorities to trust; absent: the system's."
    )
    kafka_ssl_certfile: Path | None = Field(
        default=None, description="PEM file of the client's certificate, for mutual TLS."
    )
    kafka_ssl_keyfile: Path | None = Field(
        default=None, description="PEM file of the key that belongs to KAFKA_SSL_CERTFILE."
    )
    kafka_ssl_password: SecretStr | None = Field(
        default=None, description="Password of KAFKA_SSL_KEYFILE."
    )
    kafka_group_instance_id: str | None = Field(
        default=None,
        description="Static membership: the name of this replica, the same after a restart.",
    )
    kafka_session_timeout_ms: int = Field(
        default=10_000,
        ge=1_000,
        le=1_800_000,
        description="A replica silent for longer loses its partitions.",
    )
    kafka_heartbeat_interval_ms: int = Field(
        default=500,
        ge=100,
        description="Interval of heartbeats; a replica learns of a rebalance with a heartbeat.",
    )
    kafka_rebalance_timeout_ms: int = Field(
        default=30_000,
        ge=1_000,
        description="How long a rebalance waits for replicas; above the longest batch.",
    )
    kafka_max_poll_interval_ms: int = Field(
        default=300_000,
        ge=1_000,
        description="A replica that does not poll for longer leaves the group.",
    )
    kafka_request_timeout_ms: int = Field(
        default=20_000, ge=100, description="How long one request to a broker may take."
    )
    kafka_linger_ms: int = Field(
        default=0, ge=0, le=1_000, description="How long the producer waits to fill a batch."
    )
    kafka_compression_type: Compression = Field(
        default="none",
        description="Codec of the record batches that are published; every subscriber's client "
        "must know it.",
    )

    @field_validator("kafka_bootstrap_servers")
    @classmethod
    def _are_servers(cls, text: str) -> str:
        if not re.fullmatch(_SERVERS, text):
            raise ValueError("must be host:port, several with commas: kafka-0:9092,[::1]:9092")
        return text

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.kafka_heartbeat_interval_ms * 2 > self.kafka_session_timeout_ms:
            raise ValueError(
                "KAFKA_HEARTBEAT_INTERVAL_MS must be at most half of KAFKA_SESSION_TIMEOUT_MS"
            )
        if (
            self.kafka_security_protocol.startswith("SASL_")
            and self.kafka_sasl_mechanism != OAUTHBEARER
            and not (self.kafka_sasl_username and self.kafka_sasl_password)
        ):
            raise ValueError(
                f"KAFKA_SECURITY_PROTOCOL={self.kafka_security_protocol} needs "
                "KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD (or KAFKA_SASL_PASSWORD_FILE)"
            )
        return self

    @model_validator(mode="after")
    def _uses_its_login(self) -> Self:
        if not self.kafka_security_protocol.startswith("SASL_") and (unused := self._login()):
            raise ValueError(
                f"KAFKA_SECURITY_PROTOCOL={self.kafka_security_protocol} does not log in, so "
                f"{', '.join(unused)} would not be used: set KAFKA_SECURITY_PROTOCOL=SASL_SSL "
                f"(SASL_PLAINTEXT without TLS), or leave {', '.join(unused)} out"
            )
        return self

    def _login(self) -> list[str]:
        """The variables of a login by SASL that differ from their defaults."""
        return [
            name.upper()
            for name, field in type(self).model_fields.items()
            if name.startswith(_LOGIN) and getattr(self, name) != field.default
        ]
