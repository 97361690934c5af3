"""What mkdocs calls while it builds the site (`hooks` in mkdocs.yml)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from tools.docs_site import references
from tools.docs_site.links import COPIED, DOCS, FILES, LIST_OF_FOLDER, PAGES_OF_ROOT, ROOT, Site
from tools.docs_site.lists import for_python_markdown
from tools.docs_site.navigation import expanded

ASSETS = Path(__file__).parent / "assets"
REPOSITORY = "ORDERFLOW_REPOSITORY_URL"
"""Environment variable: the address below which the repository's files can be read."""
PACKAGES = "ORDERFLOW_SITE_PACKAGES"
"""Environment variable: the folder node_modules with the programs that draw; not set: none."""
FENCES = "pymdownx.superfences"
LESS_THAN_PAGES = 0.3
"""Weight of decisions in the search: they say why, the other pages what is so."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Expand the navigation; name what draws diagrams, if it is there."""
    config.nav = expanded(config.nav or [], ROOT / DOCS)
    if _packages():
        config.extra_javascript.append(references.place_of(references.MERMAID))
    else:
        config.mdx_configs[FENCES]["custom_fences"] = []
    return config


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages and files that are not below docs/."""
    for file in _added(config):
        files.append(file)
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Give links the places that files have on the site, and lists the form that is read here."""
    del config, files
    if page.file.src_uri.startswith("decisions/"):
        page.meta["search"] = {"boost": LESS_THAN_PAGES}
    if page.file.generated_by and PurePosixPath(page.file.src_uri) not in PAGES_OF_ROOT.values():
        return markdown
    site = Site(repository=os.environ.get(REPOSITORY, ""))
    return for_python_markdown(site.rewrite(markdown, _source_of(page)))


def _source_of(page: Page) -> PurePosixPath:
    """Repository path of a page."""
    place = PurePosixPath(page.file.src_uri)
    at_root = {there: source for source, there in PAGES_OF_ROOT.items()}
    return at_root.get(place, DOCS / place)


def _packages() -> Path | None:
    return Path(os.environ[PACKAGES]) if PACKAGES in os.environ else None


def _added(config: MkDocsConfig) -> Iterator[File]:
    for source, place in PAGES_OF_ROOT.items():
        yield _copy(config, place, ROOT / source)
    for asset in sorted(ASSETS.iterdir()):
        yield _copy(config, PurePosixPath(references.ASSETS) / asset.name, asset)
    for folder in COPIED:
        yield from _copied(config, folder)
    packages = _packages()
    for there, text in references.pages(packages).items():
        yield File.generated(config, there, content=text)
    for there, file in (references.assets(packages) if packages else {}).items():
        yield _copy(config, PurePosixPath(there), file)


def _copy(config: MkDocsConfig, place: PurePosixPath, source: Path) -> File:
    return File.generated(config, str(place), abs_src_path=str(source))


def _copied(config: MkDocsConfig, folder: PurePosixPath) -> Iterator[File]:
    """The files of a folder, and a page that lists them, for the folder and those in it."""
    inside = sorted((ROOT / folder).iterdir())
    for path in inside:
        if path.is_dir():
            yield from _copied(config, folder / path.name)
        else:
            yield _copy(config, FILES / folder / path.name, path)
    yield File.generated(
        config, str(FILES / folder / LIST_OF_FOLDER), content=_list_of(folder, inside)
    )


def _list_of(folder: PurePosixPath, inside: Iterable[Path]) -> str:
    rows = (
        f"- [{path.name}]({path.name}{'/' + LIST_OF_FOLDER if path.is_dir() else ''})\n"
        for path in inside
    )
    return f"# {folder}\n\n" + "".join(rows)
