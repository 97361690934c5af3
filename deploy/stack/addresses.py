"""What every kind of stack has in common: it starts, gives its addresses, and stops."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from deploy.stack.progress import StepDisplay


@dataclass(frozen=True, slots=True)
class Addresses:
    """The addresses of Kafka and Postgres."""

    kafka_bootstrap_servers: str
    """`host:port`, several separated by commas."""
    database_url: str
    """`postgresql://user@host:port/database`, as a user who may create roles and databases."""

    def environment(self) -> dict[str, str]:
        """The addresses as the environment variables that services and the command line read."""
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka_bootstrap_servers,
            "DATABASE_URL": self.database_url,
        }


class Stack(ABC):
    """Kafka and Postgres of any kind. A `with` block stops at its end what was started."""

    @abstractmethod
    def start(self, progress: StepDisplay | None = None) -> Addresses:
        """Make both serve and return their addresses. Raises StackError."""

    @abstractmethod
    def stop(self) -> None:
        """End what `start` started."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
