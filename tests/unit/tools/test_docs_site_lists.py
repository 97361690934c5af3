"""Lists of pages in the form that Python-Markdown reads as forges read the original."""

from __future__ import annotations

import pytest

from tools.docs_site.lists import for_python_markdown


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("Text:\n- one\n- two\n", "Text:\n\n-   one\n-   two\n"),
        ("- one\n  - inner\n- two\n", "-   one\n    -   inner\n-   two\n"),
        ("1. one\n   more\n2. two\n", "1.  one\n    more\n2.  two\n"),
        ("- one\n\n  para\n- two\n", "-   one\n\n    para\n\n-   two\n"),
        ("- one\n\n  ```\n    code\n  ```\n", "-   one\n\n    ```\n      code\n    ```\n"),
        ("- one\n  | a |\n  |---|\n", "-   one\n    | a |\n    |---|\n"),
        ("No list, - here\n", "No list, - here\n"),
        ("```\n- in code\n  - deeper\n```\n", "```\n- in code\n  - deeper\n```\n"),
    ],
    ids=[
        "begun in a paragraph",
        "in a list",
        "numbered",
        "paragraphs",
        "code",
        "table",
        "none",
        "in code",
    ],
)
def test_list_is_written_as_python_markdown_wants_it(written, wanted) -> None:
    assert for_python_markdown(written) == wanted


def test_list_in_this_form_stays_as_it_is() -> None:
    text = for_python_markdown("Text:\n- one\n  - inner\n\n  para\n- two\n")

    assert for_python_markdown(text) == text
