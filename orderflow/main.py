"""The command `orderflow`: every command by name."""

import typer

from orderflow.commands import (
    acts,
    demo,
    health,
    local,
    migrate,
    order,
    outbox,
    parked,
    partitions,
    rebuild,
    recall,
    rejected,
    republish,
    send,
    serve,
    settings,
    stack,
    tail,
    topics,
)
from orderflow.report import report
from orderflow.terminal import Commands

app = typer.Typer(
    name="orderflow",
    cls=Commands,
    help="Orders and tracking from Kafka, into Postgres, and out again as events.",
    epilog="Start here: `orderflow up`, then what it prints. Settings: `orderflow settings`.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)

app.command("up")(local.up)
app.command("down")(local.down)
app.command("serve")(serve.serve)
app.command("migrate")(migrate.migrate)
app.add_typer(topics.app, name="topics")
app.add_typer(partitions.app, name="partitions")
app.command("send")(send.send)
app.command("tail")(tail.tail)
app.command("order")(order.order)
app.command("republish")(republish.republish)
app.command("rebuild")(rebuild.rebuild)
app.command("recall")(recall.recall)
app.add_typer(rejected.app, name="rejected")
app.add_typer(parked.app, name="parked")
app.add_typer(outbox.app, name="outbox")
app.command("acts")(acts.acts)
app.command("report")(report)
app.command("demo")(demo.demo)
app.add_typer(stack.app, name="stack")
app.command("settings")(settings.settings)
app.command("health")(health.health)
