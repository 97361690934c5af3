"""Settings of traces, by the names that OpenTelemetry has for them (docs/tracing.md)."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings

TRACES_PATH = "/v1/traces"
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


class TracingSettings(BaseSettings):
    """Whether spans are recorded, where they are sent, and of how many messages.

    `Settings` says where values come from.
    """

    otel_exporter_otlp_endpoint: str | None = Field(
        default=None,
        json_schema_extra={"pattern": r"^https?://[^\s/?#@]+(/[^\s?#]*)?$"},
        description="Base URL of an OpenTelemetry collector that takes OTLP over HTTP, such as "
        "`http://collector:4318`: spans are posted to `/v1/traces` below it. Unset: no traces.",
    )
    otel_exporter_otlp_headers: SecretStr | None = Field(
        default=None,
        description="Headers of each request to the collector, such as a token: "
        "`name=value,name=value`; values are percent-encoded.",
    )
    otel_exporter_otlp_certificate: Path | None = Field(
        default=None,
        description="PEM file of the authorities to trust for the collector; unset: the system's.",
    )
    otel_traces_sampler: Literal["parentbased_traceidratio", "traceidratio"] = Field(
        default="parentbased_traceidratio",
        description="Which messages are traced. parentbased_traceidratio: those whose sender says "
        "so in `traceparent`, and a share of those without one. traceidratio: a share of all.",
    )
    otel_traces_sampler_arg: float = Field(
        default=0.01, ge=0, le=1, description="The share that OTEL_TRACES_SAMPLER means."
    )
    otel_resource_attributes: str | None = Field(
        default=None,
        json_schema_extra={"pattern": r"^[^=,]+=[^,]*(,[^=,]+=[^,]*)*,?$"},
        description="Attributes of every span's resource, `key=value,key=value`, such as "
        "`deployment.environment.name=production`.",
    )

    @property
    def collector_headers(self) -> Mapping[str, str]:
        """OTEL_EXPORTER_OTLP_HEADERS by name."""
        secret = self.otel_exporter_otlp_headers
        return _pairs(secret.get_secret_value() if secret else "")

    @property
    def resource_attributes(self) -> Mapping[str, str]:
        """OTEL_RESOURCE_ATTRIBUTES by key."""
        return _pairs(self.otel_resource_attributes or "")

    @field_validator("otel_exporter_otlp_endpoint")
    @classmethod
    def _is_address(cls, text: str | None) -> str | None:
        if text is not None and not _is_base_url(text):
            raise ValueError(
                "must be http://host:port or https://host:port, with a path at most; a login goes "
                "into OTEL_EXPORTER_OTLP_HEADERS"
            )
        if text is not None and text.rstrip("/").endswith(TRACES_PATH):
            raise ValueError(
                f"must not end with {TRACES_PATH}: spans are posted to {TRACES_PATH} below it"
            )
        return text and text.rstrip("/")

    @field_validator("otel_exporter_otlp_headers")
    @classmethod
    def _are_headers(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None:
            found = _pairs(secret.get_secret_value())
            if not all(map(_HEADER_NAME.fullmatch, found)):
                raise ValueError("must be name=value,name=value with names of HTTP headers")
            if not all(value.isascii() and value.isprintable() for value in found.values()):
                raise ValueError("the values must be printable ASCII")
        return secret

    @field_validator("otel_resource_attributes")
    @classmethod
    def _are_attributes(cls, text: str | None) -> str | None:
        if text is not None:
            _pairs(text)
        return text


def _is_base_url(text: str) -> bool:
    try:
        url = urlsplit(text)
        is_of_host = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        return False
    return is_of_host and not (url.username or url.query or url.fragment)


def _pairs(text: str) -> dict[str, str]:
    """Read `key=value,key=value`; values are percent-decoded.

    Raises:
        ValueError: a part has no key or no `=`. The text is not repeated: it may be secret.
    """
    found = {}
    for number, part in enumerate(filter(None, map(str.strip, text.split(","))), 1):
        key, equals, value = part.partition("=")
        if not key.strip() or not equals:
            raise ValueError(f"must be key=value,key=value; part {number} is not key=value")
        found[key.strip()] = unquote(value.strip())
    return found
