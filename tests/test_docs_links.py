"""Every link, anchor and file name in the documentation leads somewhere, and the home page lists every page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

PROJECT = Path(__file__).parents[1]
HOME = PROJECT / "docs" / "README.md"
GROUPS = ("start", "how-to", "reference", "design")
FOLDERS = ("benchmarks", "configs", "docs", "jobs", "pipeline", "sample_videos", "tests")
SUFFIXES = (".md", ".py", ".toml", ".yaml")

LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?[^)]*\)")
HEADING = re.compile(r"^#{1,6} +(.+?)\s*#*$", re.MULTILINE)
FENCE = re.compile(r"^( *)(`{3,}|~{3,}).*?^\1\2\s*$", re.DOTALL | re.MULTILINE)
PAGE = re.compile(r"(?<![\w./-])((?:docs|benchmarks)/[\w./-]+\.md)(?:#([\w-]+))?")
# A file or folder of the project, named in running text: `benchmarks/results/pipeline.json`, `tests/contracts/`.
NAMED = re.compile(rf"`((?:{'|'.join(FOLDERS)})/[\w./-]*)`")
# Stands for a name that the reader chooses.
PLACEHOLDER = "NAME"


def texts() -> list[Path]:
    """All text files of the project that can name a page."""
    found = [path for path in PROJECT.iterdir() if path.suffix in SUFFIXES or path.name == "Makefile"]
    for folder in FOLDERS:
        found += [path for path in (PROJECT / folder).rglob("*") if path.suffix in SUFFIXES]
    return sorted(found)


TEXTS = texts()
PAGES = [path for path in TEXTS if path.suffix == ".md"]


def name(path: Path) -> str:
    return path.relative_to(PROJECT).as_posix()


def prose(text: str) -> str:
    """A page without its blocks of code."""
    return FENCE.sub("", text)


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives a page's headings."""
    found: dict[str, int] = {}
    made = set()
    for heading in HEADING.findall(prose(text)):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        count = found.get(slug, 0)
        found[slug] = count + 1
        made.add(f"{slug}-{count}" if count else slug)
    return made


def links(page: Path, text: str) -> Iterator[tuple[str, Path, str]]:
    """Links to places of the project: as written, the file, and the anchor or ""."""
    for target in LINK.findall(prose(text)):
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        path, _, anchor = unquote(target).partition("#")
        yield target, (page.parent / path).resolve() if path else page, anchor


def broken(page: Path, text: str) -> list[str]:
    """Links that lead nowhere."""
    found = []
    for written, target, anchor in links(page, text):
        # `momentseek` is read beside the checkout, too: a link must not leave the project.
        if not target.is_relative_to(PROJECT) or not target.exists():
            found.append(f"{written}: there is no such file")
        elif anchor and anchor not in anchors(text if target == page else target.read_text(encoding="utf-8")):
            found.append(f"{written}: there is no such heading")
    return found


def test_every_link_leads_somewhere() -> None:
    faults = {name(page): broken(page, page.read_text(encoding="utf-8")) for page in PAGES}
    assert {page: found for page, found in faults.items() if found} == {}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[a](../docs/none.md)", "../docs/none.md: there is no such file"),
        ("![a](images/none.png)", "images/none.png: there is no such file"),
        ("[a](/etc/passwd)", "/etc/passwd: there is no such file"),
        ("[a](README.md#none)", "README.md#none: there is no such heading"),
        ("# A `b`, c\n[a](#a-b)", "#a-b: there is no such heading"),
        ("```sh\n[a](none.md)\n```\n[b](none.txt)", "none.txt: there is no such file"),
    ],
)
def test_a_broken_link_is_found(text: str, fault: str) -> None:
    assert broken(HOME, text) == [fault]


def test_anchors_are_those_of_github() -> None:
    text = "# Milvus: Lite, or a server?\n## `--none` and [links](a.md)\n## Twice\n## Twice\n```\n# no heading\n```\n"
    assert anchors(text) == {"milvus-lite-or-a-server", "--none-and-links", "twice", "twice-1"}


@pytest.mark.parametrize("group", GROUPS)
def test_the_home_page_lists_every_page_of_a_group(group: str) -> None:
    text = HOME.read_text(encoding="utf-8")
    listed = [name(target) for _, target, _ in links(HOME, text) if target.parent == HOME.parent / group]
    pages = sorted(name(path) for path in (HOME.parent / group).rglob("*.md"))
    assert (sorted(set(listed)), len(pages) > 2) == (pages, True)


def test_every_page_is_in_a_group() -> None:
    pages = {path for path in PAGES if path.is_relative_to(HOME.parent)} - {HOME}
    assert {path.parent.name for path in pages} == set(GROUPS)
    assert {path.parent.parent for path in pages} == {HOME.parent}


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_the_home_page_is_reached_from_the_front(page: str) -> None:
    assert HOME in {target for _, target, _ in links(PROJECT / page, (PROJECT / page).read_text(encoding="utf-8"))}


def missing_pages(text: str) -> list[str]:
    """Pages, and headings of pages, that a text names and that do not exist."""
    missing = []
    for page, anchor in PAGE.findall(text):
        target = PROJECT / page
        if not target.is_file() or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
            missing.append(f"{page}#{anchor}" if anchor else page)
    return missing


def test_a_page_that_a_message_or_docstring_names_exists() -> None:
    texts = {name(path): path.read_text(encoding="utf-8") for path in TEXTS if path != Path(__file__)}
    faults = {path: missing_pages(text) for path, text in texts.items()}
    assert {path: missing for path, missing in faults.items() if missing} == {}


def test_a_missing_page_is_found() -> None:
    text = "see docs/none.md, docs/README.md and docs/README.md#none"
    assert missing_pages(text) == ["docs/none.md", "docs/README.md#none"]


def test_a_file_that_a_page_names_exists() -> None:
    named = {name(page): NAMED.findall(prose(page.read_text(encoding="utf-8"))) for page in PAGES}
    faults = {
        page: [place for place in places if PLACEHOLDER not in place and not (PROJECT / place).exists()]
        for page, places in named.items()
    }
    assert {page: missing for page, missing in faults.items() if missing} == {}
