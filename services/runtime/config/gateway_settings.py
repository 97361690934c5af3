"""Settings of the way in over HTTP: its port, TLS, limits, and where the secrets of senders are."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field
from pydantic_settings import BaseSettings

KAFKA_ROOM_BYTES = 1_000_000
"""Most bytes of a body: a record of the topic's 1,048,576 bytes with room for key and headers."""


def _own(name: str, default: Any, description: str, **limits: Any) -> Any:
    return Field(
        default=default,
        validation_alias=f"ORDERFLOW_GATEWAY_{name}",
        description=description,
        **limits,
    )


class GatewaySettings(BaseSettings):
    """What the gateway accepts, and how much of it; `Settings` says where values come from."""

    gateway_host: str | None = _own(
        "HOST", None, "Address on which the gateway takes requests; HTTP_HOST unless set."
    )
    gateway_port: int | None = _own(
        "PORT",
        None,
        "Port on which the gateway takes requests; unless set HTTP_PORT and 1, or a free one where "
        "HTTP_PORT is 0. 0 takes a free one.",
        ge=0,
        le=65535,
    )
    gateway_port_use: Literal["alone", "shared"] = _own(
        "PORT_USE",
        "alone",
        "shared: several gateways of one machine take requests on the port (SO_REUSEPORT); "
        "`serve --processes` sets it.",
    )
    gateway_tls_certfile: Path | None = _own(
        "TLS_CERTFILE", None, "PEM file of the gateway's certificate; unset: plain HTTP."
    )
    gateway_tls_keyfile: Path | None = _own(
        "TLS_KEYFILE", None, "PEM file of the key of ORDERFLOW_GATEWAY_TLS_CERTFILE."
    )
    gateway_signature_keys_dir: Path | None = _own(
        "SIGNATURE_KEYS_DIR",
        None,
        "Folder with the secrets of senders that sign: a file `aftership`, or several such as "
        "`aftership.old`, each with one secret. Read again every 10 seconds.",
    )
    gateway_max_body_bytes: int = _own(
        "MAX_BODY_BYTES",
        KAFKA_ROOM_BYTES,
        "Most bytes of a request's body.",
        ge=1_024,
        le=KAFKA_ROOM_BYTES,
    )
    gateway_header_seconds: float = _own(
        "HEADER_SECONDS", 5.0, "How long a connection may take to send the head of a request.", gt=0
    )
    gateway_body_seconds: float = _own(
        "BODY_SECONDS", 10.0, "How long a request may take to send its body.", gt=0
    )
    gateway_keep_alive_seconds: int = _own(
        "KEEP_ALIVE_SECONDS", 30, "How long a connection stays open without a request.", ge=1
    )
    gateway_max_connections: int = _own(
        "MAX_CONNECTIONS", 1_000, "Most connections of one process; further ones get 503.", ge=1
    )
    gateway_max_in_flight: int = _own(
        "MAX_IN_FLIGHT",
        256,
        "Most requests of one process that wait for Kafka; further ones get 503.",
        ge=1,
    )
    gateway_max_in_flight_bytes: int = _own(
        "MAX_IN_FLIGHT_BYTES",
        67_108_864,
        "Most bytes of bodies that one process holds; further requests get 503.",
        ge=1_048_576,
    )
    gateway_publish_seconds: float = _own(
        "PUBLISH_SECONDS",
        5.0,
        "How long Kafka may take to acknowledge a request's records; later the answer is 503.",
        gt=0,
    )
    gateway_requests_per_second: float = _own(
        "REQUESTS_PER_SECOND",
        100.0,
        "Messages a second that one sender may send to one process, where its key says no other "
        "number; twice as many at once.",
        gt=0,
    )
    gateway_activity_origins: str | None = _own(
        "ACTIVITY_ORIGINS",
        None,
        "Origins whose pages may send activity from a browser, such as "
        "`https://shop.example,https://track.shop.example`, or `*` for all; unset: none.",
        pattern=r"^(\*|https?://[^\s/,*]+(,https?://[^\s/,*]+)*)$",
    )
    gateway_key_cache_seconds: float = _own(
        "KEY_CACHE_SECONDS",
        30.0,
        "How long an API key is valid after it was read; a revoked key is refused by then.",
        ge=1,
    )
