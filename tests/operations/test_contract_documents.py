"""The AsyncAPI and the OpenAPI document, read by the parsers that others read them with."""

from __future__ import annotations

import copy
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tools.docs_site.__main__ import install

ROOT = Path(__file__).resolve().parents[2]
GENERATED = ROOT / "schemas" / "generated"
ASYNCAPI = json.loads((GENERATED / "asyncapi.json").read_text("utf-8"))
OPENAPI = json.loads((GENERATED / "openapi.json").read_text("utf-8"))
WARNING = 1
NEWER_VERSION = "asyncapi-latest-version"
"""The parser recommends 3.1; generators and editors in use read 3.0."""


@pytest.fixture(scope="module")
def packages() -> Path:
    return install()


def diagnostics(document: Any, packages: Path, folder: Path) -> list[dict[str, Any]]:
    file = folder / "document.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    program = Path(__file__).with_name("asyncapi_diagnostics.mjs")
    done = subprocess.run(
        ["node", program, packages, file], capture_output=True, check=True, timeout=60
    )
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_asyncapi_document_has_no_error_and_no_warning(packages, tmp_path) -> None:
    found = diagnostics(ASYNCAPI, packages, tmp_path)

    assert [each for each in found if each["severity"] <= WARNING] == []
    assert {each["code"] for each in found} <= {NEWER_VERSION}


def test_asyncapi_parser_sees_an_operation_with_a_message_of_another_channel(
    packages, tmp_path
) -> None:
    broken = copy.deepcopy(ASYNCAPI)
    foreign = {"$ref": "#/channels/claims.commands/messages/claim.open"}
    broken["operations"]["receive.orders.commands"]["messages"].append(foreign)

    found = diagnostics(broken, packages, tmp_path)

    assert any(
        "receive.orders.commands" in each["path"] for each in found if each["severity"] <= WARNING
    )


def test_openapi_document_is_valid() -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(OPENAPI).iter_errors()] == []


def test_openapi_validator_sees_a_body_without_content() -> None:
    broken = copy.deepcopy(OPENAPI)
    path = next(iter(broken["paths"].values()))
    del path["post"]["requestBody"]["content"]

    assert list(OpenAPIV31SpecValidator(broken).iter_errors())
