"""The npm package of the contract: types as TypeScript reads them, and what it has at run time."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from schemas import generate
from schemas.example_files import Example, load_examples
from schemas.schema_ids import schema_id
from schemas.topics import TOPICS
from tests.operations.contract.conftest import blocks, follow, run
from tests.operations.contract.known_members import known
from tests.operations.contract.republished import Republished
from tools.contract import typescript
from tools.contract.version import of_checkout

PROJECT = Path(__file__).parent / "node"
PAGE = Path(__file__).resolve().parents[3] / "docs" / "contract" / "subscribers.md"
STRICT = ("--strict", "--noEmit", "--target", "es2022", "--module", "nodenext")
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in Node with the package, a client of Kafka, and TypeScript."""
    folder = tmp_path_factory.mktemp("npm")
    packed = typescript.build(folder / "built", of_checkout())
    shutil.copytree(PROJECT, folder / "project", ignore=shutil.ignore_patterns("node_modules"))
    run(
        "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline",
        cwd=folder / "project",
    )  # fmt: skip
    run("tar", "-xzf", str(packed), "-C", str(folder))
    package = folder / "project" / "node_modules" / "orderflow-contract"
    (folder / "package").rename(package)
    return folder / "project"


def compiled(project: Path, program: str, name: str = "program.ts") -> str:
    """What the compiler says of a program; nothing where all types are right."""
    (project / name).write_text(program, "utf-8")
    done = subprocess.run(
        ["node", "node_modules/typescript/bin/tsc", *STRICT, name],
        cwd=project, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    return done.stdout + done.stderr


def printed(project: Path, program: str, name: str = "program.mjs") -> str:
    """What a program prints."""
    (project / name).write_text(program, "utf-8")
    return run("node", name, cwd=project).strip()


def type_of(example: Example) -> str:
    """The type of an example; one shows a name of an event that readers do not know yet."""
    is_newer = example.value.get("event_name") == "HANDED_TO_DRONE"
    return "AnyShipmentsEvent" if is_newer else f"Messages[{json.dumps(example.type)}]"


def test_npm_types_take_every_example(project: Path):
    constants = [
        f"export const e{number}: {type_of(each)} = {json.dumps(known(each.type, each.value))};"
        for number, each in enumerate(load_examples())
    ]
    head = 'import type { AnyShipmentsEvent, Messages } from "orderflow-contract";'
    program = "\n".join([head, *constants])

    assert compiled(project, program, "examples.ts") == ""


@pytest.mark.parametrize("number", [0, 1], ids=["reader", "writer"])
def test_npm_programs_of_its_page_have_right_types(number: int, project: Path):
    assert compiled(project, blocks(typescript.FORM / "README.md", "ts")[number]) == ""


@pytest.mark.parametrize(("message", "flaw"), [
    ('const c: Messages["order.cancel"] = { id: "1001" };', "shop_slug"),
    ('const c: Messages["order.cancel"] = { id: "", shop_slug: "", id_type: "" };', "order_number"),
    ('const c: Messages["order.cancel"] = { id: "1", shop_slug: "s", why: "x" };', "why"),
    ('const e = {} as OrdersEvent; e.event_name === "ORDER_PLACD";', "ORDER_PLACD"),
    ("const e = {} as OrdersEvent; e.event_data.last_sequences;", "last_sequences"),
])  # fmt: skip
def test_npm_types_refuse_what_the_contract_does_not_have(message: str, flaw: str, project: Path):
    head = 'import type { Messages, OrdersEvent } from "orderflow-contract";\n'

    found = compiled(project, head + message + "\nexport { Messages, OrdersEvent };")

    assert "error TS" in found
    assert flaw in found


def test_npm_words_of_published_messages_are_open(project: Path):
    """A reader may compare with a word that this version does not know."""
    program = """
    import { isOrdersEvent, type AnyEvent, type Direction, type OrdersEvent }
      from "orderflow-contract";
    export const direction: Direction = "word_of_tomorrow";
    export function read(event: AnyEvent): OrdersEvent | string {
      if (isOrdersEvent(event) && event.event_name === "ORDER_SNAPSHOT") {
        return String(event.event_data.last_sequences?.shipments);
      }
      return event.event_name === "NAME_OF_TOMORROW" ? "new" : event.source;
    }
    """

    assert compiled(project, program) == ""


def test_npm_package_knows_topics_types_and_event_names(project: Path):
    program = """
    import { EVENT_NAMES, HEADERS, TOPICS, TYPES, isOrdersEvent, isShipmentsEvent }
      from "orderflow-contract";
    const order = (event_name) => isOrdersEvent({ source: "orders", event_name });
    console.log(JSON.stringify({ topics: Object.values(TOPICS), types: TYPES,
      header: HEADERS.CE_DATASCHEMA, names: EVENT_NAMES.orders,
      known: order("ORDER_PLACED"), unknown: order("NAME_OF_TOMORROW"),
      elsewhere: isShipmentsEvent({ source: "orders", event_name: "ORDER_CANCELLED" }) }));
    """

    found = json.loads(printed(project, program))

    assert found["topics"] == list(TOPICS)
    assert {name: found["types"][name] for name in TOPICS} == {
        name: list(topic.models) for name, topic in TOPICS.items()
    }
    assert found["header"] == "ce_dataschema"
    assert {
        each.value["event_name"] for each in load_examples() if each.topic == "orders.events"
    } == {*found["names"]}
    assert (found["known"], found["unknown"], found["elsewhere"]) == (True, False, False)


def test_npm_package_has_every_schema_by_its_id(project: Path):
    ids = [schema_id(type_) for type_ in generate.models() if not type_.endswith(".item")]
    program = f"""
    import {{ loadSchema }} from "orderflow-contract";
    for (const id of {json.dumps(ids)}) console.log(loadSchema(id).$id);
    try {{ loadSchema("../package"); }} catch (error) {{ console.log(error.name); }}
    """

    assert printed(project, program).split() == [*ids, "RangeError"]


async def test_npm_subscriber_of_the_page_acts_once_on_each_event(
    project: Path, republished: Republished
):
    (program,) = blocks(PAGE, "js")
    (project / "follow.js").write_text(program, "utf-8")

    follow(["node", "follow.js"], republished, project)
