"""`orderflow stack`: Kafka and Postgres on this machine, without the services."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from orderflow.console.environment import stack_folder
from orderflow.console.terminal import CommandError, Commands, Json, out, print_json

app = typer.Typer(
    cls=Commands,
    help="Kafka and Postgres on this machine, without the services.",
    no_args_is_help=True,
)


@app.command()
def up(json: Json = False) -> None:
    """Start Kafka and Postgres and leave them running; what runs already is left alone.

    Example: `orderflow stack up && orderflow migrate && orderflow topics create`
    """
    from deploy import stack

    with stack_errors():
        addresses = stack.up(stack_folder(), stack.Terminal())
    if json:
        print_json(addresses.environment())
        return
    for name, value in addresses.environment().items():
        out.print(f"export {name}={value}", markup=False)


@app.command()
def down(json: Json = False) -> None:
    """Stop what `stack up` or `up` left running; data stay.

    Example: `orderflow stack down`
    """
    stopped = stop_stack()
    if json:
        print_json({"stopped": stopped})
        return
    out.print(f"stack: stopped={','.join(stopped) or 'nothing'}", markup=False)


@app.command()
def status(json: Json = False) -> None:
    """Show what runs, where, and where it logs; status 1 when it does not run whole.

    Example: `orderflow stack status --json`
    """
    from deploy import stack

    with stack_errors():
        state = stack.status(stack_folder())
    processes = state.processes if state else ()
    is_up = state is not None and state.is_up
    addresses = state.addresses.environment() if state and state.has_servers else {}
    if json:
        found = [
            {"name": one.name, "pid": one.pid, "alive": one.alive, "log": one.log}
            for one in processes
        ]
        print_json({"up": is_up, "processes": found, "addresses": addresses})
    else:
        for one in processes:
            mark = "runs" if one.alive else "DEAD"
            out.print(f"{mark}  {one.name:<10} pid={one.pid} log={one.log}", markup=False)
        for name, value in addresses.items():
            out.print(f"export {name}={value}", markup=False)
        out.print(f"stack: {'up' if is_up else 'down'}")
    if not is_up:
        raise typer.Exit(1)


def stop_stack() -> list[str]:
    """Stop all of the local stack and what was added to it; names of what was stopped."""
    from deploy import stack

    with stack_errors():
        return stack.down(stack_folder(), stack.Terminal())


@contextmanager
def stack_errors() -> Iterator[None]:
    """The stack's errors as a command's: they say the way out themselves."""
    from deploy.stack import StackError

    try:
        yield
    except StackError as error:
        raise CommandError(str(error)) from error
