"""Named documents: no change of several writers is lost, on a disk and in an object store."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import QueryError, StoreError, VersionMismatchError
from pipeline.library.saved.named_documents import ANY_VERSION, NO_VERSION, NamedDocuments
from pipeline.store.atomic_folder import AtomicFolder


@pytest.fixture(params=["disk", "memory"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "library") if request.param == "disk" else f"memory://{uuid.uuid4().hex}"


@pytest.fixture
def documents(root: str) -> NamedDocuments:
    return NamedDocuments(root, "things", "thing")


def set_to(**fields: object):
    return lambda _current: fields


def test_documents_come_back_by_name(documents: NamedDocuments) -> None:
    assert (documents.listed(), documents.find("night shift")) == ([], None)
    written, is_new = documents.update("Night  shift ", set_to(count=1))
    assert (written.name, written.fields, is_new) == ("Night shift", {"count": 1}, True)
    documents.update("a", set_to(count=2))
    assert documents.find("night shift") == written
    assert [document.name for document in documents.listed()] == ["a", "Night shift"]


def test_the_same_content_is_not_written_again(documents: NamedDocuments) -> None:
    first, _ = documents.update("a", set_to(count=1))
    same, is_new = documents.update("a", set_to(count=1))
    other, _ = documents.update("a", set_to(count=2))
    assert (same, is_new) == (first, False)
    assert other.version != first.version
    again, _ = documents.update("a", set_to(count=1))
    assert again.version not in (first.version, other.version)


def test_a_removed_document_is_gone_and_comes_back_with_another_version(documents: NamedDocuments, root: str) -> None:
    first, _ = documents.update("secret name", set_to(count=1))
    assert (documents.remove("secret name"), documents.remove("secret name")) == (True, False)
    assert (documents.find("secret name"), documents.listed()) == (None, [])
    folder = AtomicFolder(root, "things")
    assert not [name for name in folder.list("", ".json") if b"secret" in folder.read(name)]
    again, is_new = documents.update("secret name", set_to(count=1))
    assert is_new
    assert again.version != first.version


@pytest.mark.parametrize("expected", [NO_VERSION, "1-0000000000000000", "nonsense"])
def test_another_version_is_not_replaced(documents: NamedDocuments, expected: str) -> None:
    first, _ = documents.update("a", set_to(count=1))
    with pytest.raises(VersionMismatchError, match="'a'"):
        documents.update("a", set_to(count=2), expected=expected)
    with pytest.raises(VersionMismatchError):
        documents.remove("a", expected=expected)
    assert documents.find("a") == first
    second, _ = documents.update("a", set_to(count=2), expected=first.version)
    assert documents.update("a", set_to(count=3), expected=ANY_VERSION)[0].fields == {"count": 3}
    with pytest.raises(VersionMismatchError):
        documents.remove("a", expected=second.version)


def test_a_document_that_must_exist(documents: NamedDocuments) -> None:
    for expected in (ANY_VERSION, "1-0000000000000000"):
        with pytest.raises(VersionMismatchError, match="does not exist"):
            documents.update("a", set_to(count=1), expected=expected)
    assert documents.update("a", set_to(count=1), expected=NO_VERSION)[1]


def test_one_writer_between_the_reading_and_the_writing_of_another(documents: NamedDocuments, root: str) -> None:
    """The slower one sees what the quicker one wrote, or is refused where it expects a version."""
    other = NamedDocuments(root, "things", "thing")
    documents.update("a", set_to(who=["first"]))
    seen = []

    def slow(current: Mapping[str, Any] | None) -> Mapping[str, Any]:
        seen.append(current)
        if len(seen) == 1:
            other.update("a", lambda now: {"who": [*now["who"], "quick"]})
        return {"who": [*current["who"], "slow"]}

    assert documents.update("a", slow)[0].fields == {"who": ["first", "quick", "slow"]}
    seen.clear()
    latest = documents.find("a")
    with pytest.raises(VersionMismatchError):
        documents.update("a", slow, expected=latest.version)
    assert documents.find("a").fields["who"][-1] == "quick"


def test_a_very_slow_writer_does_not_write_a_number_that_was_used_before(documents: NamedDocuments, root: str) -> None:
    other = NamedDocuments(root, "things", "thing")
    documents.update("a", set_to(who=[]))
    calls = []

    def slow(current: Mapping[str, Any] | None) -> Mapping[str, Any]:
        calls.append(current)
        if len(calls) == 1:
            for number in range(3):
                other.update("a", lambda now, number=number: {"who": [*now["who"], number]})
        return {"who": [*current["who"], "slow"]}

    assert documents.update("a", slow)[0].fields == {"who": [0, 1, 2, "slow"]}
    assert len(AtomicFolder(root, "things").list("", ".json")) == 1


def test_many_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    def added(entry: list[int], now: Mapping[str, Any] | None) -> Mapping[str, Any]:
        return {"all": [*(now or {"all": []})["all"], entry]}

    def write(who: int) -> None:
        documents = NamedDocuments(str(tmp_path), "things", "thing")
        for number in range(8):
            documents.update("a", partial(added, [who, number]))

    threads = [threading.Thread(target=write, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = NamedDocuments(str(tmp_path), "things", "thing").find("a").fields["all"]
    assert sorted(found) == [[who, number] for who in range(4) for number in range(8)]


@pytest.mark.parametrize(
    "name", ["", "  ", "a/b", "..", ".hidden", "a\\b", "x" * 101, "a\0b", "\ud800", "a.csv", "a\u202eb"]
)
def test_what_is_not_a_name(documents: NamedDocuments, name: str) -> None:
    with pytest.raises(QueryError, match="cannot be a name"):
        documents.update(name, set_to(count=1))
    assert (documents.find(name), documents.remove(name)) == (None, False)


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'{"format": 2}', b"\xff", b'{"format": 1, "name": "b", "previous": "", "content": {}}', b"["],
)
def test_a_broken_file_is_an_error_that_names_it(tmp_path: Path, content: bytes) -> None:
    documents = NamedDocuments(str(tmp_path), "things", "thing")
    documents.update("a", set_to(count=1))
    [file] = (tmp_path / "things").glob("*.json")
    file.write_bytes(content)
    with pytest.raises(StoreError, match=f"{file.name}: is not a thing"):
        documents.find("a")


def test_other_files_and_links_are_left_alone(tmp_path: Path) -> None:
    documents = NamedDocuments(str(tmp_path), "things", "thing")
    documents.update("a", set_to(count=1))
    (tmp_path / "things" / "note.json").write_text("mine")
    [file] = (tmp_path / "things").glob("*-*.json")
    assert json.loads(file.read_text())["name"] == "a"
    assert [document.name for document in documents.listed()] == ["a"]
    file.unlink()
    file.symlink_to("/etc/passwd")
    with pytest.raises(StoreError, match="symbolic link"):
        documents.find("a")
