"""Links of pages on the site: to pages, to copied files, to other files of the repository."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from tools.docs_site.links import Site

CONTRACT = PurePosixPath("docs/contract/README.md")
README = PurePosixPath("README.md")


@pytest.mark.parametrize(
    ("source", "link", "wanted"),
    [
        (CONTRACT, "[a](http.md#keys)", "[a](http.md#keys)"),
        (CONTRACT, "[a](../decisions/README.md)", "[a](../decisions/README.md)"),
        (CONTRACT, "[a](../../CONTRIBUTING.md)", "[a](../CONTRIBUTING.md)"),
        (CONTRACT, "[a](../../README.md#topics)", "[a](../index.md#topics)"),
        (README, "[a](docs/contract/http.md)", "[a](contract/http.md)"),
        (README, "![a](docs/demo.svg)", "![a](demo.svg)"),
        (README, "[a](docs/decisions/)", "[a](decisions/README.md)"),
        (
            CONTRACT,
            "[`x`](../../schemas/generated/asyncapi.json)",
            "[`x`](../files/schemas/generated/asyncapi.json)",
        ),
        (CONTRACT, "[a](../../schemas/examples)", "[a](../files/schemas/examples/index.md)"),
        (README, "[a](#topics)", "[a](#topics)"),
        (README, "[a](https://cloudevents.io)", "[a](https://cloudevents.io)"),
    ],
    ids=str,
)
def test_link_leads_to_the_place_on_the_site(source, link, wanted) -> None:
    assert Site().rewrite(link, source) == wanted


def test_link_to_what_the_repository_lacks_stays_for_the_build_to_report() -> None:
    assert Site().rewrite("[a](gone.md)", CONTRACT) == "[a](gone.md)"


def test_link_to_another_file_is_text_that_names_the_file() -> None:
    text = "[the guard](../../bench/guard.py), [`bench/guard.py`](../../bench/guard.py)"

    assert Site().rewrite(text, CONTRACT) == (
        "the guard (`bench/guard.py` in the repository), `bench/guard.py`"
    )


def test_link_to_another_file_leads_to_the_repository_where_its_address_is_known() -> None:
    site = Site(repository="https://forge.example/orderflow/blob/main/")

    assert site.rewrite("[a](../../bench/guard.py#L3)", CONTRACT) == (
        "[a](https://forge.example/orderflow/blob/main/bench/guard.py#L3)"
    )


@pytest.mark.parametrize(
    "code",
    ["`[a](docs/contract/http.md)`", "```\n[a](docs/contract/http.md)\n```\n"],
    ids=["span", "block"],
)
def test_link_in_code_is_left_as_it_is(code) -> None:
    assert Site().rewrite(code, README) == code
