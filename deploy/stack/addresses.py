"""Where the servers of a stack are."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Addresses:
    """What a service needs to reach Kafka and Postgres."""

    kafka_bootstrap_servers: str
    """`host:port`, several divided by commas."""
    database_url: str
    """`postgresql://user@host:port/database`, as a user who may create roles and databases."""

    def environment(self) -> dict[str, str]:
        """The same, as the variables that services and the command line read."""
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka_bootstrap_servers,
            "DATABASE_URL": self.database_url,
        }
