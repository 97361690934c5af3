"""Pages that show the AsyncAPI and the OpenAPI document, drawn by programs from npm."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.docs_site.links import FILES, ROOT

ASSETS = "assets"
MERMAID = "mermaid/dist/mermaid.min.js"
"""Draws the diagrams of pages; a path in node_modules, as all below."""

_POLICY = "default-src 'self' file: data: blob: 'unsafe-inline' 'unsafe-eval'"
"""A drawn page loads nothing from another host, whatever its programs want."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A document of the contract, and what draws it."""

    name: str
    title: str
    document: str
    """Path in the repository."""
    about: str
    back: str
    """Page that describes the same for readers."""
    packages: tuple[str, ...]
    """Files of npm packages that the drawn page loads."""
    draw: str
    """JavaScript that draws `documentOf` into the element `drawing`."""


REFERENCES = (
    Reference(
        name="asyncapi",
        title="AsyncAPI",
        document="schemas/generated/asyncapi.json",
        about="All topics and messages as one AsyncAPI 3 document, with a schema and examples of "
        "each message.",
        back="README.md",
        packages=(
            "@asyncapi/react-component/styles/default.min.css",
            "@asyncapi/react-component/browser/standalone/index.js",
        ),
        draw="AsyncApiStandalone.render({schema: documentOf, config: "
        "{show: {sidebar: true, errors: true}}}, drawing);",
    ),
    Reference(
        name="openapi",
        title="OpenAPI",
        document="schemas/generated/openapi.json",
        about="What the gateway takes over HTTP as one OpenAPI 3.1 document, with a schema and "
        "examples of each body.",
        back="http.md",
        packages=("redoc/bundles/redoc.standalone.js",),
        draw="Redoc.init(documentOf, {disableGoogleFont: true, hideLoading: true, "
        "nativeScrollbars: true}, drawing);",
    ),
)


def pages(packages: Path | None) -> Mapping[str, str]:
    """Text of the pages by their paths on the site; `packages` is the folder node_modules, None
    where there is no npm: then a page has the document only, and says why.
    """
    return dict(_pages(packages))


def assets(packages: Path) -> Mapping[str, Path]:
    """Files of npm packages, by their paths on the site."""
    wanted = [file for reference in REFERENCES for file in reference.packages]
    return {place_of(file): packages / file for file in (*wanted, MERMAID)}


def place_of(file: str) -> str:
    """Path on the site of a file in node_modules."""
    return f"{ASSETS}/{file.replace('@', '')}"


def _pages(packages: Path | None) -> Iterator[tuple[str, str]]:
    for each in REFERENCES:
        yield f"contract/{each.name}.md", _page(each, is_drawn=packages is not None)
        if packages:
            yield f"contract/{each.name}-drawn.html", _drawn(each)


def _page(reference: Reference, *, is_drawn: bool) -> str:
    document = f"../{FILES}/{reference.document}"
    drawn = (
        f"[Open the document as a page]({reference.name}-drawn.html)"
        if is_drawn
        else "The page that shows it is left out: npm was not on PATH when this site was built"
    )
    return (
        f"# {reference.title}\n\n{reference.about} [What it is about]({reference.back}).\n\n"
        f"- {drawn}.\n- [The document itself]({document}), for programs.\n"
    )


def _drawn(reference: Reference) -> str:
    document = (ROOT / reference.document).read_text("utf-8").replace("</", "<\\/")
    loaded = "\n".join(map(_loaded, reference.packages))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>{reference.title} - Orderflow</title>
<style>
/* The logo of Redoc is on the network; its name stays. */
img[src^="https:"] {{ display: none; }}
body {{ margin: 0; font-family: sans-serif; }}
.back {{ display: block; padding: .6rem 1rem; color: #fff; background: #3949ab; }}
</style>
{loaded}
</head>
<body>
<a class="back" href="{reference.name}.html">Orderflow: {reference.title}</a>
<div id="drawing"></div>
<script>
const drawing = document.getElementById("drawing");
const documentOf = {document};
{reference.draw}
</script>
</body>
</html>
"""


def _loaded(file: str) -> str:
    there = f"../{place_of(file)}"
    if file.endswith(".css"):
        return f'<link rel="stylesheet" href="{there}">'
    return f'<script src="{there}"></script>'
