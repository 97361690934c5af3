"""What every command shares: where it prints, how it fails, how it runs async work."""

import asyncio
import logging
import sys
from collections.abc import Coroutine
from typing import Annotated, Any, NoReturn, TypeVar

import asyncpg
import orjson
import typer
from aiokafka.errors import KafkaError
from asyncpg.exceptions import ClientConfigurationError
from rich.console import Console
from typer.core import TyperGroup

from orderflow.environment import load_settings
from services.runtime.clock import ClockError
from services.runtime.environment import SettingsError
from services.runtime.kafka_access import why_unusable
from services.runtime.listening import HttpError
from services.runtime.migrate import MigrationError
from services.runtime.postgres import RoleMissing
from services.runtime.settings import NoDatabase
from services.runtime.topics import TopicError

T = TypeVar("T")

Json = Annotated[bool, typer.Option("--json", help="Print JSON, one value a line, for scripts.")]

FAILED = 1
USAGE = 2
INTERRUPTED = 130


class CommandError(Exception):
    """Something a person can act on; printed without a traceback, ends with status 1."""


class WrongArgument(CommandError):
    """What was asked for makes no sense; ends with status 2, as typer's own usage errors do."""


EXPECTED = (
    CommandError,
    SettingsError,
    MigrationError,
    RoleMissing,
    TopicError,
    HttpError,
    ClockError,
)

_PIPE_COLUMNS = 160

_UNREACHABLE = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)

# Without a handler, Python prints the client's warnings between a command's own lines.
logging.getLogger("aiokafka").addHandler(logging.NullHandler())

out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else _PIPE_COLUMNS)
err = Console(stderr=True, highlight=False, soft_wrap=True)


class Commands(TyperGroup):
    """A group of commands whose expected errors are sentences and not tracebacks."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; turn an expected error into its text and status 1."""
        try:
            return super().invoke(ctx)
        except WrongArgument as error:
            fail(str(error), USAGE)
        except NoDatabase as error:
            fail(f"{error}\n{_advice('DATABASE_URL')}")
        except EXPECTED as error:
            fail(str(error))
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] not in ("deploy", "demo"):
                raise
            fail(
                "this command needs a checkout of the project: what is installed here holds the "
                "services alone; name servers by KAFKA_BOOTSTRAP_SERVERS and DATABASE_URL instead"
            )
        except BrokenPipeError:  # `| head` has seen enough; click ends quietly.
            raise
        except KafkaError as error:
            why = asyncio.run(why_unusable(load_settings(), error))
            fail(f"Kafka cannot be used: {why}\n{_advice('KAFKA_BOOTSTRAP_SERVERS')}")
        except (asyncpg.PostgresError, ClientConfigurationError, OSError) as error:
            said = _trouble(error)
            if said is None:
                raise
            fail(said)


def _trouble(error: Exception) -> str | None:
    """What a file or the database is in the way with; None for what is our own mistake."""
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, ClientConfigurationError):
        return f"the database's address is wrong: {error}\n{_advice('DATABASE_URL')}"
    if isinstance(error, _UNREACHABLE):
        why = str(error) or "no answer in time"
        return f"the database cannot be reached: {why}\n{_advice('DATABASE_URL')}"
    return None


def _advice(variable: str) -> str:
    return f"See {variable} in `orderflow settings`; `orderflow up` starts a local stack."


def fail(message: str, status: int = FAILED) -> NoReturn:
    """Print why on stderr and end with `status`."""
    err.print("[bold red]error:[/]", end=" ")
    err.print(message, markup=False)
    raise typer.Exit(status)


def print_json(value: object) -> None:
    """One JSON value on one line of stdout, flushed, so that a pipe sees it at once."""
    sys.stdout.write(orjson.dumps(value, default=str).decode() + "\n")
    sys.stdout.flush()


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run async work of a command to its end; Ctrl-C ends it quietly with status 130."""
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
