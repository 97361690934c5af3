"""What every command shares: where it prints, how it fails, how it runs async work."""

import asyncio
import logging
import sys
from collections.abc import Coroutine, Iterable
from typing import Annotated, Any, NoReturn, TypeVar

import orjson
import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text
from typer.core import TyperGroup

from orderflow.console.plain_text import plain_text

T = TypeVar("T")

Json = Annotated[bool, typer.Option("--json", help="Print JSON, one value a line, for scripts.")]

FAILED = 1
USAGE = 2
INTERRUPTED = 130


class CommandError(Exception):
    """Something a person can act on; printed without a traceback, ends with status 1."""


class WrongArgument(CommandError):
    """What was asked for makes no sense; ends with status 2, as typer's own usage errors do."""


_PIPE_COLUMNS = 160

# Without a handler, Python prints the client's warnings between a command's own lines.
logging.getLogger("aiokafka").addHandler(logging.NullHandler())


class PlainConsole(Console):
    """A console that shows control characters in what it prints, and so never acts on them.

    Most of what commands print was written by shops and carriers.
    """

    def render_str(self, text: str, **options: Any) -> Text:
        """A text before it is laid out, since a control character has no width."""
        return super().render_str(plain_text(text), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """The segments of a renderable; only rich's own have control codes."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(plain_text(segment.text), segment.style)


out = PlainConsole(
    highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else _PIPE_COLUMNS
)
err = PlainConsole(stderr=True, highlight=False, soft_wrap=True)


class Commands(TyperGroup):
    """A group of commands whose expected errors are sentences and not tracebacks."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Refuse arguments that are no text: neither Kafka nor Postgres has them."""
        for place, argument in enumerate(args, start=1):
            if "\x00" in argument or any("\ud800" <= each <= "\udfff" for each in argument):
                raise typer.BadParameter(
                    f"argument {place} is no text: it holds NUL, or bytes that are not UTF-8"
                )
        parsed: list[str] = super().parse_args(ctx, args)
        return parsed

    def invoke(self, ctx: Any) -> Any:
        """Run the command; turn an expected error into its text and status 1."""
        try:
            return super().invoke(ctx)
        except WrongArgument as error:
            fail(str(error), USAGE)
        except CommandError as error:
            fail(str(error))
        except (typer.Exit, typer.Abort, BrokenPipeError):
            raise  # `| head` has seen enough; click ends quietly.
        except Exception as error:
            from orderflow.console.failing import sentence_of

            sentence = sentence_of(error)
            if sentence is None:
                raise
            fail(sentence)


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
