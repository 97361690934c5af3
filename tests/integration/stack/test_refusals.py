"""What keeps the stack from starting is said before anything is started, with the way out."""

import hashlib
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.stack import (
    DiskFull,
    JavaMissing,
    LocalStack,
    NamedStack,
    Needs,
    NoNetwork,
    StackError,
    TooLittleMemory,
    jars,
    java,
    stack_for,
)

FAR_TOO_MUCH = 10**18


def test_a_full_disk_is_noticed_before_anything_is_written(tmp_path: Path) -> None:
    stack = LocalStack(tmp_path / "stack", needs=Needs(disk_bytes=FAR_TOO_MUCH))

    with pytest.raises(DiskFull, match="make room there"):
        stack.start()

    assert not (tmp_path / "stack" / "postgres").exists()


def test_too_little_memory_is_noticed_before_a_server_dies_of_it(tmp_path: Path) -> None:
    stack = LocalStack(tmp_path / "stack", needs=Needs(memory_bytes=FAR_TOO_MUCH))

    with pytest.raises(TooLittleMemory, match="close other programs"):
        stack.start()


def test_without_a_network_the_error_names_what_to_fetch_and_other_ways(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # Bound and not listening: every connection is refused.
        nowhere = f"http://127.0.0.1:{closed.getsockname()[1]}"
        monkeypatch.setenv("ORDERFLOW_STACK_MAVEN_URL", nowhere)

        with pytest.raises(NoNetwork) as caught:
            jars.fetch(tmp_path / "cache")

    for way_out in ("HTTPS_PROXY", "ORDERFLOW_STACK_MAVEN_URL", "KAFKA_BOOTSTRAP_SERVERS"):
        assert way_out in str(caught.value)
    assert not (tmp_path / "cache" / f"kafka-{jars.KAFKA_VERSION}").exists()
    assert list((tmp_path / "cache").glob(".kafka-*")) == [], "half a download is left behind"


@pytest.mark.timeout(60)
def test_a_changed_jar_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror = tmp_path / "mirror"
    for pin in jars.pins():
        group, artifact, version = pin.coordinates.split(":")
        place = mirror / group.replace(".", "/") / artifact / version
        place.mkdir(parents=True)
        jar = place / f"{artifact}-{version}.jar"
        jar.write_bytes(b"not the jar")
        for kind in ("md5", "sha1"):
            jar.with_name(f"{jar.name}.{kind}").write_text(
                hashlib.new(kind, b"not the jar").hexdigest()
            )
    server = subprocess.Popen(
        [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"],
        cwd=mirror,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert server.stdout is not None
    try:
        port = server.stdout.readline().split("port ")[1].split()[0]
        monkeypatch.setenv("ORDERFLOW_STACK_MAVEN_URL", f"http://127.0.0.1:{port}")

        with pytest.raises(jars.DamagedDownload, match="instead of"):
            jars.fetch(tmp_path / "cache")
    finally:
        server.kill()
        server.wait()
        server.stdout.close()

    assert not (tmp_path / "cache" / f"kafka-{jars.KAFKA_VERSION}").exists()


def test_a_java_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(JavaMissing, match=r"ORDERFLOW_STACK_JAVA=.*is no Java runtime"):
        java.find({"ORDERFLOW_STACK_JAVA": str(tmp_path / "java")})


def test_without_any_java_the_error_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(JavaMissing, match="set JAVA_HOME"):
        java.find({"PATH": str(tmp_path)}, packaged=False)


def test_the_packaged_java_is_new_enough() -> None:
    version = java.version_of(java.find({"PATH": ""}))

    assert version is not None
    assert version >= java.OLDEST


def test_servers_named_in_the_environment_are_taken(tmp_path: Path) -> None:
    environment = {"KAFKA_BOOTSTRAP_SERVERS": "k:9092", "DATABASE_URL": "postgresql://p/d"}

    stack = stack_for(tmp_path, environment)

    assert isinstance(stack, NamedStack)
    assert stack.start().environment() == environment


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"KAFKA_BOOTSTRAP_SERVERS": "k:9092"}, "set DATABASE_URL as well"),
        ({"DATABASE_URL": "postgresql://p/d"}, "set KAFKA_BOOTSTRAP_SERVERS as well"),
        ({"ORDERFLOW_STACK": "cloud"}, "embedded or docker"),
        ({"ORDERFLOW_STACK_KAFKA_PORT": "70000"}, "from 1 to 65535"),
    ],
)
def test_an_environment_that_contradicts_itself_is_refused(
    tmp_path: Path, environment: dict[str, str], says: str
) -> None:
    with pytest.raises(StackError, match=says):
        stack_for(tmp_path, environment)
