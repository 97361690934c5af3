"""`orderflow serve`: run services in this process until SIGTERM."""

import asyncio
import sys
from typing import Annotated, NoReturn

import typer

from orderflow.console.environment import load_settings
from orderflow.console.terminal import WrongArgument
from services import registry
from services.runtime.config.settings import Settings
from services.runtime.observability.listener import listen
from services.runtime.processes.supervisor import Inherited, Plan, exec_supervisor

ALL = "all"


def serve(
    service: Annotated[
        str,
        typer.Argument(
            metavar="SERVICE",
            help=f"One of {', '.join(registry.names())}, or {ALL}: all of them in one process.",
            autocompletion=lambda: [*registry.names(), ALL],
        ),
    ],
    processes: Annotated[
        int, typer.Option(min=1, max=64, help="So many processes, with one HTTP_PORT for all.")
    ] = 1,
    child: Annotated[str | None, typer.Option(hidden=True)] = None,
) -> None:
    """Consume, decide, publish, and answer on HTTP_PORT, until SIGTERM or Ctrl-C.

    The gateway consumes nothing: it takes requests on ORDERFLOW_GATEWAY_PORT.

    Any number of replicas may run; they share the partitions. On SIGTERM the batch in hand is
    finished, its events are published, and the group is left, within
    ORDERFLOW_DRAIN_TIMEOUT_SECONDS.

    With --processes the command starts so many processes and answers for them on HTTP_PORT. When
    one ends by itself the others are stopped, and the command ends with its status.

    Example: `HTTP_PORT=8081 LOG_FORMAT=console orderflow serve orders`
    """
    names = _names_of(service)
    settings = load_settings()
    if processes > 1:
        _supervise(settings, processes)
    inherited = Inherited.parse(child) if child else None
    if inherited:
        settings = settings.model_copy(update={"gateway_port_use": "shared"})
    if inherited and settings.kafka_group_instance_id:
        # Static members of one name would put each other out of the group.
        own = f"{settings.kafka_group_instance_id}-{inherited.number}"
        settings = settings.model_copy(update={"kafka_group_instance_id": own})
    with asyncio.Runner(loop_factory=_fast_loop) as runner:
        runner.run(_serve(names, settings, inherited))


def _names_of(service: str) -> tuple[str, ...]:
    """The services to run; WrongArgument for a name that none has."""
    if service == ALL:
        return registry.names()
    if service not in registry.names():
        raise WrongArgument(f"no service {service}; there are {', '.join(registry.names())}, {ALL}")
    return (service,)


def _fast_loop() -> asyncio.AbstractEventLoop:
    import uvloop

    from services.runtime.kafka.compat import closed_connections

    closed_connections.install()
    return uvloop.new_event_loop()


def _supervise(settings: Settings, processes: int) -> NoReturn:
    """Replace this process by the supervisor; HttpError when HTTP_PORT is taken."""
    options, program = _interpreter()
    listener = listen(settings.http_host, settings.http_port)
    plan = Plan(
        processes=processes,
        command=[sys.executable, *options, *program, *_without_processes(sys.argv[1:])],
        listener=listener.detach(),
        drain_seconds=settings.drain_timeout_seconds,
        log_format=settings.log_format,
        log_level=settings.log_level,
    )
    # A script's folder is where Python looks first, not the working folder as with -m.
    exec_supervisor(options if program[0] == "-m" else ["-P", *options], plan)


def _interpreter() -> tuple[list[str], list[str]]:
    """How this process was started: the interpreter's options, and the program it runs."""
    before = sys.orig_argv[1 : len(sys.orig_argv) - len(sys.argv) + 1]
    words = 2 if before[-2:-1] in (["-m"], ["-c"]) else 1
    return before[:-words], before[-words:]


def _without_processes(arguments: list[str]) -> list[str]:
    """Command-line arguments without `--processes N` and `--processes=N`."""
    kept: list[str] = []
    given = iter(arguments)
    for argument in given:
        if argument == "--processes":
            next(given)
        elif not argument.startswith("--processes="):
            kept.append(argument)
    return kept


async def _serve(names: tuple[str, ...], settings: Settings, inherited: Inherited | None) -> None:
    from services.runtime.observability.logging import configure_logging
    from services.runtime.serve import serve as serve_until_stopped

    builds = [registry.load(registry.entry_of(name).build) for name in names]
    # After the imports: FastStream sets up loggers of its own in them.
    configure_logging(settings, process=inherited.number if inherited else None)
    await serve_until_stopped([build(settings) for build in builds], settings, inherited)
