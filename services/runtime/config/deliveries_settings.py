"""Settings of deliveries: the key of secrets, where requests may go, how much is under way."""

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings

_IP4 = r"[0-9]{1,3}(\.[0-9]{1,3}){3}"
_IP6 = r"[0-9a-fA-F]*:[0-9a-fA-F:.]*"
_NAMESERVER = rf"(({_IP4})(:[0-9]{{1,5}})?|{_IP6}|\[{_IP6}\](:[0-9]{{1,5}})?)"


def _list_of(word: str) -> dict[str, Any]:
    """JSON Schema of words with commas between them; a comma may end the list."""
    return {"pattern": rf"^\s*{word}(\s*,\s*{word})*\s*,?\s*$"}


def _own(name: str, default: Any, description: str, **limits: Any) -> Any:
    return Field(
        default=default,
        validation_alias=f"ORDERFLOW_DELIVERIES_{name}",
        description=description,
        **limits,
    )


class DeliveriesSettings(BaseSettings):
    """How events are sent to destinations; `Settings` says where values come from."""

    deliveries_key: SecretStr | None = _own(
        "KEY",
        None,
        "Key under which secrets of webhooks are encrypted: 32 bytes in base64 "
        "(`openssl rand -base64 32`); further lines are former keys. Unset: no webhooks.",
    )
    deliveries_ports: str = _own(
        "PORTS",
        "443,8443",
        "Ports that URLs of destinations may have.",
        json_schema_extra=_list_of(r"[0-9]{1,5}"),
    )
    deliveries_allow_http: bool = _own(
        "ALLOW_HTTP",
        default=False,
        description="Also send without TLS (`http:`), as for a receiver on this machine.",
    )
    deliveries_networks: str | None = _own(
        "NETWORKS",
        None,
        "Networks that are not public and yet allowed, such as `10.1.0.0/16,fd00::/8`.",
        json_schema_extra=_list_of(r"[0-9a-fA-F:.]+(/[0-9]{1,3})?"),
    )
    deliveries_nameservers: str | None = _own(
        "NAMESERVERS",
        None,
        "Name servers that resolve hosts of destinations, such as `9.9.9.9,[2620:fe::fe]:53`; "
        "unset: those of the machine.",
        json_schema_extra=_list_of(_NAMESERVER),
    )
    deliveries_ca_file: Path | None = _own(
        "CA_FILE", None, "PEM file of authorities to trust beside those of the machine."
    )
    deliveries_in_flight: int = _own(
        "IN_FLIGHT", 256, "Most requests to webhooks at once of one process.", ge=1, le=10_000
    )
    deliveries_in_flight_per_destination: int = _own(
        "IN_FLIGHT_PER_DESTINATION", 16, "Most requests at once to one webhook.", ge=1, le=1_000
    )
    deliveries_in_flight_of_feeds: int = _own(
        "IN_FLIGHT_OF_FEEDS",
        1_000,
        "Most records of feeds at once of one process that Kafka has not acknowledged.",
        ge=1,
        le=10_000,
    )
    deliveries_in_flight_per_feed: int = _own(
        "IN_FLIGHT_PER_FEED", 500, "Most of them of one feed.", ge=1, le=10_000
    )
    deliveries_in_flight_bytes: int = _own(
        "IN_FLIGHT_BYTES",
        33_554_432,
        "Most bytes of bodies that one process holds for requests, and as many for records of "
        "feeds; one larger body is sent alone.",
        ge=1_048_576,
    )

    @field_validator("deliveries_nameservers")
    @classmethod
    def _are_nameservers(cls, text: str | None) -> str | None:
        for word in filter(None, map(str.strip, (text or "").split(","))):
            if not _is_nameserver(word):
                raise ValueError(
                    f"{word} is not the address of a name server: such as 9.9.9.9,[2620:fe::fe]:53"
                )
        return text


def _is_nameserver(word: str) -> bool:
    if not (found := re.fullmatch(_NAMESERVER, word)):
        return False
    try:
        ip_address(found[2] or word.strip("[").partition("]")[0])
    except ValueError:
        return False
    return True
