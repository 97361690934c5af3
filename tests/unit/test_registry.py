"""The registry of services: one entry for each, that nothing else repeats."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.topics import CATALOGUE, TOPICS, rejected_topic
from services import registry
from services.registry import ServiceEntry, UnknownService
from services.runtime.config.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
NAMED_FUNCTIONS = ("build", "handler", "refusals", "warnings", "empty", "after_migration")


def entries():
    return [registry.entry_of(name) for name in registry.names()]


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.name)
def test_registry_entry_names_functions_and_migrations_that_exist(entry):
    paths = [path for name in NAMED_FUNCTIONS if (path := getattr(entry, name))]

    assert all(callable(registry.load(path)) for path in paths)
    assert entry.copied_by is None or entry.copied_by in registry.names()
    assert list((entry.folder / "migrations").glob("*.sql"))


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.name)
def test_registry_functions_take_what_the_entry_says(entry):
    def arguments(path):
        return list(inspect.signature(registry.load(path)).parameters)

    assert arguments(entry.build) == ["settings"]
    assert entry.consumes == (entry.refusals is not None)
    assert not entry.handler or arguments(entry.handler) == ["settings", "metrics"]
    assert not entry.refusals or arguments(entry.refusals) == ["original", "index", "now"]
    assert not entry.warnings or arguments(entry.warnings) == ["original", "now"]
    assert not entry.empty or arguments(entry.empty) == ["connection", "now"]
    assert not entry.recall or arguments(entry.recall) == ["settings", "connection"]
    step = entry.after_migration
    assert not step or arguments(step) == ["connection", "run"]


def test_registry_consumers_read_topics_and_the_others_none():
    read = {service for topic in CATALOGUE for service in topic.readers}

    assert set(registry.names()) & read == set(registry.consumers())


def test_registry_refuses_a_name_that_is_taken_or_is_no_schema():
    taken = registry.entry_of(registry.names()[0])
    odd = ServiceEntry(name="Odd; DROP", package="x", build="x:x", handler="x:x", refusals="x:x")

    with pytest.raises(ValueError, match=f"{taken.name} is registered twice"):
        registry.register(taken)
    with pytest.raises(ValueError, match="use a-z"):
        registry.register(odd)


def test_registry_lists_the_names_for_one_that_is_unknown():
    with pytest.raises(UnknownService, match=f"no service x; there are {registry.names()[0]}, "):
        registry.entry_of("x")


def test_settings_have_a_login_and_a_password_for_every_service():
    variables = {name.upper() for name in Settings.model_fields}

    for name in registry.names():
        assert {f"{name}_DATABASE_URL".upper(), f"{name}_DATABASE_PASSWORD".upper()} <= variables


def test_every_topic_a_service_reads_has_a_topic_for_refused_items():
    for topic in CATALOGUE:
        for service in set(topic.readers) & set(registry.names()):
            rejected = TOPICS[rejected_topic(topic.name, service)]
            assert rejected.writers == (service,)


def test_rejected_topic_says_what_is_missing_in_the_catalogue():
    with pytest.raises(LookupError, match=r"writers=\('orders',\) and rejects=\('x',\)"):
        rejected_topic("x", "orders")


def test_registry_is_imported_without_any_service_or_the_runtime():
    program = "import sys; from services import registry; registry.names(); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    ours = [name for name in done.stdout.split() if name.startswith("services.")]

    assert ours == ["services.registry"]


def test_runtime_names_no_service():
    """As text; that it imports none is a contract of import-linter. Migrations are past."""
    word = re.compile(rf"(['\"/`]|services\.)({'|'.join(registry.names())})(['\"/`]|$|\.)")
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in sorted((ROOT / "services" / "runtime").rglob("*"))
        if path.suffix in (".py", ".sql") and path.parent.name != "migrations"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if word.search(line)
    ]

    assert found == []
