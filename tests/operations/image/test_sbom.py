"""The list of what is in the image (SBOM)."""

import json
import re
import socket
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.markers import Marker

from tests.operations.image.conftest import BUILD_SECONDS, BuiltImage
from tools.container import sbom

pytestmark = pytest.mark.timeout(BUILD_SECONDS)
PROJECT = Path(__file__).resolve().parents[3]
PIN = re.compile(r"^([a-z0-9._-]+)==(\S+?)(?: ; (.*?))? \\$", re.MULTILINE)


@pytest.fixture(scope="module")
def text(image: BuiltImage, tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("sbom") / "sbom.cdx.json"
    sbom.write(image.store, image.name, file)
    return file.read_text("utf-8")


@pytest.fixture(scope="module")
def components(text: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(text)["components"]
    return found


def test_sbom_is_valid_cyclonedx(text: str) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_sbom_has_every_locked_package_with_its_version(components: list[dict[str, Any]]) -> None:
    lock = (PROJECT / "deploy" / "requirements.lock").read_text("utf-8")
    pins = [
        (name, version, _is_for_the_image(marker)) for name, version, marker in PIN.findall(lock)
    ]
    locked = {name: version for name, version, here in pins if here}
    found = {
        re.sub(r"[-_.]+", "-", each["name"]).lower(): each["version"]
        for each in components
        if each.get("purl", "").startswith("pkg:pypi/")
    }

    assert locked.items() <= found.items()
    assert set(found) - set(locked) <= {"orderflow"}
    assert len(locked) > 60


def test_sbom_has_every_debian_package_of_the_base(
    image: BuiltImage, components: list[dict[str, Any]]
) -> None:
    status = (image.root / "var/lib/dpkg/status").read_text("utf-8")
    blocks = [block for block in status.split("\n\n") if "\nStatus: install ok installed" in block]
    installed = {block.split()[1] for block in blocks}
    found = {each["name"] for each in components if each.get("purl", "").startswith("pkg:deb/")}

    assert found == installed
    assert {"python3.11", "libc6", "openssl"} <= found


def test_sbom_names_no_folder_of_this_machine(text: str) -> None:
    assert str(PROJECT) not in text
    assert socket.gethostname() not in re.findall(r'"([^"]+)"', text)


def _is_for_the_image(marker: str) -> bool:
    """Whether a line of the lock holds on Linux with Python 3.11, whatever runs this test."""
    here = {"python_full_version": "3.11.2", "python_version": "3.11", "sys_platform": "linux"}
    return not marker or Marker(marker).evaluate(
        {**here, "platform_python_implementation": "CPython"}
    )
