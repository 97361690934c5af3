"""What is in the image, and what its processes may do."""

import json
import re
import subprocess
import tomllib
from importlib.util import cache_from_source
from pathlib import Path

import pytest

from tests.operations.image.conftest import BUILD_SECONDS, BuiltImage, Launch
from tools.container import build
from tools.container.base import sources
from tools.container.store import ImageError

pytestmark = pytest.mark.timeout(BUILD_SECONDS)
PROJECT = Path(__file__).resolve().parents[3]
UNCHECKED_HASH = 0b01
WRITE = "touch {path} 2>&1; echo status $?"


def test_image_labels_name_the_version_and_the_commit(image: BuiltImage) -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]
    labels = image.config.labels
    prefix = "org.opencontainers.image."

    assert labels[f"{prefix}title"] == "orderflow"
    assert labels[f"{prefix}version"] == project["version"]
    assert labels[f"{prefix}revision"].startswith(build.revision()[:40])


def test_image_configuration_is_that_of_the_dockerfile(image: BuiltImage) -> None:
    config = image.config

    assert config.user == "10001:10001"
    assert config.stop_signal == "SIGTERM"
    assert [*config.entrypoint, *config.command] == ["orderflow", "serve", "all"]
    assert config.healthcheck["Test"] == ["CMD", "orderflow", "health"]


def test_image_keeps_no_secret_and_no_host_of_its_build(image: BuiltImage) -> None:
    secret = re.compile(r"password|secret|token|database_url|api_key", re.IGNORECASE)
    urls = [line.split()[2] for line in sources(None)]
    hosts = {url.split("/")[2].rpartition("@")[2] for url in urls}
    stored = image.store.text(image.name)
    configuration = "".join(
        path.read_text("utf-8", errors="replace")
        for path in (image.root / "etc").rglob("*")
        if path.is_file() and not path.is_symlink() and "/ssl/" not in str(path)
    )

    assert secret.findall("".join(image.config.history)) == []
    assert [host for host in hosts if host in stored or host in configuration] == []
    assert (image.root / "etc/resolv.conf").read_text("utf-8") == ""
    assert not (image.root / "etc/pip.conf").exists()
    assert not any((image.root / "usr/local/share/ca-certificates").glob("*"))
    assert not any((image.root / "run").glob("secrets/*"))


@pytest.mark.parametrize("program", ["pip", "pip3", "easy_install", "apt-get", "gcc", "cc"])
def test_image_has_no_program_that_installs_or_compiles(launch: Launch, program: str) -> None:
    container = launch(program=("sh", "-c", f"command -v {program}"))

    assert container.wait(30) == 127, container.text()


@pytest.mark.parametrize("module", ["pip", "ensurepip", "setuptools"])
def test_image_has_no_module_that_installs(launch: Launch, module: str) -> None:
    for python in ("python", "/usr/bin/python3"):
        container = launch(program=(python, "-m", module))

        assert container.wait(30) == 1
        assert f"No module named {module}" in container.text()


def test_image_has_no_program_that_changes_the_user(image: BuiltImage) -> None:
    found = subprocess.run(
        ["find", image.root, "-xdev", "-type", "f", "-perm", "/6000"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert found.stdout == ""


def test_image_bytecode_is_there_and_independent_of_times(image: BuiltImage) -> None:
    """Python compares bytecode with the time of its source unless it was compiled otherwise."""
    folder = image.root / "opt/orderflow/lib/python3.11/site-packages"
    sources_of_ours = list((folder / "services").rglob("*.py"))
    compiled = list(folder.rglob("*.pyc"))
    flags = {int.from_bytes(path.read_bytes()[4:8], "little") for path in compiled}

    assert sources_of_ours
    assert [path for path in sources_of_ours if not Path(cache_from_source(path)).exists()] == []
    assert flags == {UNCHECKED_HASH}


def test_image_bytecode_of_python_itself_is_there(image: BuiltImage) -> None:
    folder = image.root / "usr/lib/python3.11"
    modules = [path for path in folder.rglob("*.py") if "lib2to3" not in path.parts]
    headers = {Path(cache_from_source(path)).read_bytes()[4:8] for path in modules}

    assert len(modules) > 400
    assert {int.from_bytes(header, "little") for header in headers} == {UNCHECKED_HASH}


def test_container_process_is_no_root_and_has_no_rights(launch: Launch) -> None:
    container = launch(program=("cat", "/proc/self/status"))

    assert container.wait(30) == 0
    said = dict(line.split(":", 1) for line in container.output().splitlines())
    assert said["Pid"].strip() == "1"
    assert set(said["Uid"].split()) == set(said["Gid"].split()) == {"10001"}
    assert said["Groups"].strip() == ""
    assert {int(said[name], 16) for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb")} == {0}
    assert said["NoNewPrivs"].strip() == "1"


@pytest.mark.parametrize(
    "path", ["/x", "/opt/orderflow/x", "/etc/x", "/var/x", "/run/x", "/var/tmp/x", "/dev/x"]
)
def test_container_writes_nothing_outside_tmp(launch: Launch, path: str) -> None:
    container = launch(program=("touch", path))

    assert container.wait(30) == 1
    assert re.search("Read-only file system|Permission denied", container.text())


def test_container_writes_to_tmp_and_sees_no_file_of_the_machine(launch: Launch) -> None:
    container = launch(program=("sh", "-c", "touch /tmp/x && cat /proc/self/mountinfo"))

    assert container.wait(30) == 0
    mounts = [line.split() for line in container.output().splitlines()]
    root = next(fields for fields in mounts if fields[4] == "/")
    assert "ro" in root[5].split(",")
    assert {fields[4] for fields in mounts} == {
        "/", "/dev", "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom",
        "/dev/shm", "/proc", "/run", "/tmp", "/etc/hosts", "/etc/resolv.conf",
    }  # fmt: skip


def test_container_without_a_program_says_so(launch: Launch) -> None:
    container = launch(program=("nosuch",))

    assert container.wait(30) == 127
    assert "nosuch: there is no such program in the image" in container.text()


@pytest.mark.parametrize("command", [("--help",), ("serve", "--help"), ("carriers", "--help")])
def test_commands_run_in_the_image(launch: Launch, command: tuple[str, ...]) -> None:
    container = launch(*command)

    assert container.wait(60) == 0, container.text()
    assert "Usage: orderflow" in container.output()


def test_settings_in_the_image_listen_on_every_address(launch: Launch) -> None:
    container = launch("settings", "--json")

    assert container.wait(60) == 0, container.text()
    found = json.loads(container.output())
    assert found["HTTP_HOST"] == {"value": "0.0.0.0", "from": "environment"}
    assert found["HTTP_PORT"]["value"] == "8080"


def test_image_of_an_unknown_extra_is_refused(image: BuiltImage) -> None:
    with pytest.raises(ImageError, match=r"EXTRAS=mks: there is no deploy/requirements-mks.lock"):
        build.build(image.store, "orderflow:wrong", extras="mks")


def test_image_of_the_same_commit_and_packages_is_the_same(image: BuiltImage) -> None:
    """Built twice, without a layer of an earlier build: those have the time of their commit."""
    layers = []
    for name in ("orderflow:first", "orderflow:second"):
        build.build(image.store, name, take_layers=False)
        layers.append(image.store.config(name).layers)

    assert layers[0] == layers[1]
