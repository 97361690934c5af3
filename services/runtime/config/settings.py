"""Settings of every process: one frozen value, read once from the environment.

The same descriptions make the table in docs/operating.md (`python -m orderflow.docs`).
Durations and sizes carry their unit in the name.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, SecretStr, ValidationError, create_model, field_validator
from pydantic_settings import SettingsConfigDict

from services import registry
from services.runtime.config.allowed_sources import AllowedSources
from services.runtime.config.deliveries_settings import DeliveriesSettings
from services.runtime.config.environment import (
    SecretFiles,
    SettingsError,
    explain,
    refuse_unknown,
)
from services.runtime.config.gateway_settings import GatewaySettings
from services.runtime.config.oauth_settings import OAuthSettings
from services.runtime.config.tracing_settings import TracingSettings

__all__ = ["NoDatabase", "Settings", "SettingsError"]


class NoDatabase(SettingsError):
    """Neither DATABASE_URL nor the variable of the service is set."""


def _own(name: str, default: Any, description: str, **limits: Any) -> Any:
    """A setting whose variable is ORDERFLOW_ and `name`."""
    return Field(
        default=default,
        validation_alias=f"ORDERFLOW_{name}",
        description=description,
        **limits,
    )


class _DatabaseSettings(TracingSettings, DeliveriesSettings, GatewaySettings, OAuthSettings):
    database_url: SecretStr | None = Field(
        default=None,
        description="`postgresql://user:password@host:5432/name`, with `?sslmode=verify-full"
        "&sslrootcert=file` over a network. Every service takes its own role and schema after "
        "logging in. Also the login that migrates.",
    )


def _fields_of(service: str) -> dict[str, Any]:
    """The settings that each registered service has: its login, and its role's password."""
    return {
        f"{service}_database_url": (
            SecretStr | None,
            Field(None, description=f"Login of the {service} service, instead of DATABASE_URL."),
        ),
        f"{service}_database_pooler_url": (
            SecretStr | None,
            Field(
                None,
                description=f"PgBouncer, in any mode, for batches and queries of {service}: "
                f"`postgresql://orderflow_{service}:…@pgbouncer:6432/name`, the login as the role "
                f"itself. {service.upper()}_DATABASE_URL or DATABASE_URL stays the server's own "
                "address: locks and migrations need it.",
            ),
        ),
        f"{service}_database_password": (
            SecretStr | None,
            Field(
                None,
                description="Given to `orderflow migrate`: lets the role "
                f"orderflow_{service} log in with it.",
            ),
        ),
    }


if TYPE_CHECKING:

    class _ServiceSettings(_DatabaseSettings):
        """The settings of each service are added below, from the registry."""

else:
    _ServiceSettings = create_model(
        "_ServiceSettings",
        __base__=_DatabaseSettings,
        **{key: field for name in registry.names() for key, field in _fields_of(name).items()},
    )


class Settings(_ServiceSettings):
    """All settings of a process. `Settings(...)` does not read the environment."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        hide_input_in_errors=True,
    )

    database_pool_size: int = Field(
        default=4,
        ge=2,
        le=200,
        description="Most connections of one service in one process; one of them is its batches'.",
    )
    database_connect_timeout_seconds: float = Field(
        default=10.0, gt=0, description="How long to wait for a new connection."
    )
    database_lock_timeout_seconds: float = Field(
        default=10.0, gt=0, description="How long a statement may wait for a lock."
    )
    database_idle_in_transaction_timeout_seconds: float = Field(
        default=30.0,
        gt=0,
        description="A transaction left idle for longer is ended, so that a stopped process "
        "cannot hold a partition for ever.",
    )
    database_statement_timeout_seconds: float = Field(
        default=60.0, gt=0, description="How long one statement may run."
    )

    http_host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address for health and metrics; a container needs 0.0.0.0.",
    )
    http_port: int = Field(
        default=8080, ge=0, le=65535, description="Port for health and metrics; 0 takes a free one."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = Field(
        default="INFO", description="Least important entry to write."
    )
    log_format: Literal["json", "console"] = Field(
        default="json", description="One JSON object a line, or coloured text for a terminal."
    )

    clock_file: Path | None = _own(
        "CLOCK_FILE", None, "File holding the business time (RFC 3339), for demos and replays."
    )
    allowed_sources: str | None = _own(
        "ALLOWED_SOURCES",
        None,
        'Which `ce_source` may send commands for which shop, as JSON: `{"shop": ["source", …]}`; '
        "`*` in a source is any text, as a shop every other shop. Unset: any source for any shop.",
    )
    allowed_sources_file: Path | None = _own(
        "ALLOWED_SOURCES_FILE", None, "File with the JSON, instead of ORDERFLOW_ALLOWED_SOURCES."
    )
    batch_max_records: int = _own(
        "BATCH_MAX_RECORDS", 1_000, "Most Kafka records in one batch.", ge=1, le=100_000
    )
    batch_max_bytes: int = _own(
        "BATCH_MAX_BYTES", 2_097_152, "Most bytes of values in one batch.", ge=1_024
    )
    batch_max_orders: int = _own(
        "BATCH_MAX_ORDERS",
        1_000,
        "Most items (so at most as many orders) in one batch; one larger message is a batch alone.",
        ge=1,
    )
    poll_timeout_ms: int = _own(
        "POLL_TIMEOUT_MS", 100, "How long a poll waits where no record comes.", ge=1, le=5_000
    )
    max_event_bytes: int = _own(
        "MAX_EVENT_BYTES",
        921_600,
        "An outgoing event's `context` is cut to stay below this.",
        ge=4_096,
    )
    orders_state: bool = _own(
        "ORDERS_STATE",
        default=True,
        description="Write the newest snapshot of each order to the compacted topic that a "
        "new subscriber starts from. After turning it on: "
        "`orderflow republish --all --state-only`.",
    )
    outbox_shards: int = _own(
        "OUTBOX_SHARDS",
        8,
        "Shards of the outbox, shared out among replicas; the same number for all of them.",
        ge=1,
        le=256,
    )
    publication: Literal["at_least_once", "exactly_once"] = _own(
        "PUBLICATION",
        "at_least_once",
        "How often an event may be read: once or more, or once by readers of committed records.",
    )
    relay_poll_seconds: float = _own(
        "RELAY_POLL_SECONDS",
        0.05,
        "How often the relay polls the outbox for rows of other replicas.",
        gt=0,
        le=60,
    )
    command_wait_seconds: float = _own(
        "COMMAND_WAIT_SECONDS",
        900.0,
        "How long a command waits for its order, in business time.",
        ge=0,
    )
    tracking_wait_seconds: float = _own(
        "TRACKING_WAIT_SECONDS",
        5_184_000.0,
        "How long tracking waits for its number, in business time (60 days).",
        ge=0,
    )
    tracking_retention_days: int = _own(
        "TRACKING_RETENTION_DAYS",
        60,
        "How long `carrier.tracking` is kept in Kafka; `orderflow topics create` and `apply` set "
        "it. `orderflow carriers reread` reaches as far back. Tracking waits for its order for "
        "ORDERFLOW_TRACKING_WAIT_SECONDS: with a shorter retention, a restore loses some of it.",
        ge=1,
        le=3_650,
    )
    tracking_window_days: float = _own(
        "TRACKING_WINDOW_DAYS",
        400.0,
        "How long before its hand-over a parcel sees scans of its number.",
        ge=0,
        le=3_650,
    )
    sweep_interval_seconds: float = _own(
        "SWEEP_INTERVAL_SECONDS", 5.0, "How often expired waiting items are looked for.", gt=0
    )
    parking_first_delay_seconds: float = _own(
        "PARKING_FIRST_DELAY_SECONDS",
        60.0,
        "When a parked item is first tried again; the delay doubles with each failure.",
        gt=0,
    )
    parking_longest_delay_seconds: float = _own(
        "PARKING_LONGEST_DELAY_SECONDS",
        3_600.0,
        "The longest delay between two tries of a parked item.",
        gt=0,
    )
    parking_interval_seconds: float = _own(
        "PARKING_INTERVAL_SECONDS", 5.0, "How often parked items that are due are looked for.", gt=0
    )
    fuse_window_items: int = _own(
        "FUSE_WINDOW_ITEMS",
        2_000,
        "Items of a partition that the fuse (circuit breaker) looks at.",
        ge=10,
    )
    fuse_parked_share: float = _own(
        "FUSE_PARKED_SHARE",
        0.01,
        "More failing items than this share of the window stop their partition; 0 turns it off.",
        ge=0,
        le=1,
    )
    fuse_parked_in_a_row: int = _own(
        "FUSE_PARKED_IN_A_ROW",
        1_000,
        "So many failing items in a row stop their partition, whatever the share; 0 turns it off.",
        ge=0,
    )
    fuse_malformed_share: float = _own(
        "FUSE_MALFORMED_SHARE",
        0.05,
        "More malformed items than this share of the window, from three sources or more and "
        "without the worst of them, stop their partition; 0 turns it off.",
        ge=0,
        le=1,
    )
    stall_seconds: float = _own(
        "STALL_SECONDS",
        120.0,
        "A partition that has records to read and is not read for so long turns liveness red.",
        gt=0,
    )
    metrics_interval_seconds: float = _own(
        "METRICS_INTERVAL_SECONDS", 5.0, "How often lag and outbox size are measured.", gt=0
    )
    drain_timeout_seconds: float = _own(
        "DRAIN_TIMEOUT_SECONDS",
        20.0,
        "On SIGTERM: how long to finish the batch and publish; below the container's grace period.",
        gt=0,
    )

    @classmethod
    def from_environment(cls) -> "Settings":
        """Settings from environment variables, and from `<NAME>_FILE` for secrets.

        Raises SettingsError: names every wrong variable, with what is allowed.
        """
        refuse_unknown(cls)
        try:
            return _EnvironmentSettings()
        except ValidationError as error:
            raise SettingsError(explain(cls, error)) from None

    @classmethod
    def settings_customise_sources(cls, *_: Any, **sources: Any) -> tuple[Any, ...]:
        """Only arguments: `Settings(...)` must give the same value on every machine."""
        return (sources["init_settings"],)

    def database_url_of(self, service: str) -> str:
        """The URL with which `service` logs in; NoDatabase when neither variable is set."""
        own: SecretStr | None = getattr(self, f"{service}_database_url", None)
        chosen = own or self.database_url
        if chosen is None:
            raise NoDatabase(
                f"no database: set DATABASE_URL (or {service.upper()}_DATABASE_URL), "
                "for example postgresql://orderflow:…@127.0.0.1:5432/orderflow"
            )
        return chosen.get_secret_value()

    @field_validator("allowed_sources")
    @classmethod
    def _are_lists_by_shop(cls, text: str | None) -> str | None:
        if text is not None:
            AllowedSources.parse(text)
        return text

    def pooler_url_of(self, service: str) -> str | None:
        """The URL of the connection pooler for `service`; None without one."""
        url: SecretStr | None = getattr(self, f"{service}_database_pooler_url", None)
        return url.get_secret_value() if url else None

    def database_variable_of(self, service: str, *, is_pooled: bool = False) -> str:
        """The variable that `database_url_of` reads, or `pooler_url_of`."""
        if is_pooled:
            return f"{service.upper()}_DATABASE_POOLER_URL"
        own = getattr(self, f"{service}_database_url", None)
        return f"{service.upper()}_DATABASE_URL" if own else "DATABASE_URL"

    def database_passwords(self) -> Mapping[str, str]:
        """Passwords that `orderflow migrate` sets for the roles, by service."""
        given = {
            name: getattr(self, f"{name}_database_password", None) for name in registry.names()
        }
        return {name: secret.get_secret_value() for name, secret in given.items() if secret}

    def topic(self, name: str) -> str:
        """The physical name of a topic of the catalogue."""
        return self.kafka_topic_prefix + name

    def consumer_group(self, service: str) -> str:
        """The Kafka consumer group of a service."""
        return f"{self.kafka_topic_prefix}orderflow.{service}"


class _EnvironmentSettings(Settings):
    """Settings that are read from the environment."""

    model_config = SettingsConfigDict(env_ignore_empty=True)

    @classmethod
    def settings_customise_sources(cls, *_: Any, **sources: Any) -> tuple[Any, ...]:
        """Environment variables, then files for secrets."""
        return (sources["env_settings"], SecretFiles(cls))
