"""A received library's index folder reads, writes and deletes nothing elsewhere, runs nothing and does not hang."""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from shots_library import filled as filled_library
from shots_library import opened as library_at

from pipeline.errors import IndexDamagedError, IndexLockedError, MomentIndexError
from pipeline.index import Filter, Indexing, MilvusIndex, discard
from pipeline.index.milvus.lite.folder import LiteFolder
from pipeline.testing.index import DIMENSION, random_rows, row, unit

Attack = Callable[[Path, Path], None]
"""Given the index folder and the canary's."""


def filled(folder: Path) -> Path:
    with MilvusIndex(Indexing(), "abc", folder=folder) as index:
        index.upsert(random_rows(20))
        index.upsert(random_rows(10, seed=1))
        index.delete_video("v2")
        with index.replacement(DIMENSION) as fresh:
            fresh.upsert(random_rows(30))
            fresh.take_over()
        index.upsert([row("later", 0, unit(1, 2))])
        index.delete_video("later")
    return folder


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filled(tmp_path_factory.mktemp("original") / "index")


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "library" / "index"))


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Path]:
    """A tree outside of the library, which must stay as it is, content and names."""
    place = tmp_path / "canary"
    (place / "collections" / "segments_2" / "partitions" / "_default" / "data").mkdir(parents=True)
    for name in ("LOCK", "aliases.json", "notes.txt", "data_000001_000030.parquet"):
        (place / name).write_text("mine")
    (place / "collections" / "segments_2" / "schema.json").write_text("{}")
    (place / "collections" / "segments_2" / "partitions" / "_default" / "data" / "photo.jpg").write_text("mine")
    before = tree(place)
    yield place
    assert tree(place) == before


def tree(place: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(place)): (path.lstat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in sorted(place.rglob("*"))
    }


def collection_of(folder: Path) -> Path:
    return folder / "collections" / "segments_2"


def use(folder: Path) -> None:
    """All that is done with an index."""
    with MilvusIndex(Indexing(), "abc", folder=folder) as index:
        index.count()
        index.search(unit(1)[None], top=5)
        index.search(unit(1)[None], top=5, where=Filter(("v0",)))
        index.videos()
        list(index.rows_of(["v0", "v1"]))
        index.upsert([row("v9", 0, unit(1, 1))])
        index.delete_video("v9")


def check_refused(folder: Path, match: str = "") -> None:
    """One error that names the remedy, within seconds; and the folder can be emptied, with which a rebuild begins."""
    started = time.monotonic()
    with pytest.raises(IndexDamagedError, match=rf"{match}.*momentseek index rebuild"):
        MilvusIndex(Indexing(), "abc", folder=folder)
    assert time.monotonic() - started < 10
    discard(folder)
    assert [path.name for path in folder.iterdir()] in ([], ["LOCK"])


def replaced(path: Path, make: Callable[[Path], object]) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    make(path)


def edited(path: Path, edit: Callable[[Any], object]) -> None:
    content = json.loads(path.read_text())
    changed = edit(content)
    path.write_text(json.dumps(content if changed is None else changed))


def test_an_untouched_folder_is_used_as_before(folder: Path) -> None:
    use(folder)
    use(folder)


PLACES = (
    "LOCK",
    "aliases.json",
    "aliases.json.tmp",
    "database_properties.json",
    "collections",
    "databases",
    ".database-staging",
    ".database-staging/database-x",
    "collections/segments_2",
    "collections/segments_2/schema.json",
    "collections/segments_2/manifest.json",
    "collections/segments_2/manifest.json.prev",
    "collections/segments_2/manifest.json.tmp",
    "collections/segments_2/wal",
    "collections/segments_2/wal/wal_data_000009.arrow",
    "collections/segments_2/partitions",
    "collections/segments_2/partitions/_default",
    "collections/segments_2/partitions/other",
    "collections/segments_2/partitions/_default/data",
    "collections/segments_2/partitions/_default/data/data_000001_000030.parquet",
    "collections/segments_2/partitions/_default/delta",
    "collections/segments_2/partitions/_default/indexes",
    "collections/segments_2/snapshots",
    "collections/another",
)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("target", ["canary", "canary/notes.txt", "missing"])
def test_a_link_is_refused(folder: Path, canary: Path, place: str, target: str) -> None:
    replaced(folder / place, lambda path: path.symlink_to(canary.parent / target))
    check_refused(folder, f"contains a link .*{place}")


@pytest.mark.parametrize("place", PLACES)
def test_a_pipe_is_refused_and_does_not_hang(folder: Path, place: str) -> None:
    replaced(folder / place, os.mkfifo)
    check_refused(folder, f"contains a pipe .*{place}")


def test_a_socket_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("s")
        check_refused(folder, "contains a socket")


def test_folders_without_end_are_refused(folder: Path) -> None:
    (folder / "/".join("d" * 60)).mkdir(parents=True)
    check_refused(folder, "too deep")


def test_the_folder_itself_is_not_followed(folder: Path, canary: Path) -> None:
    moved = folder.rename(folder.parent / "elsewhere")
    folder.symlink_to(moved)
    for work in (use, discard):
        with pytest.raises(MomentIndexError, match=r"is a link, which is not followed: set index\.uri"):
            work(folder)
    folder.unlink()
    folder.symlink_to(canary)
    with pytest.raises(MomentIndexError, match="is a link"):
        use(folder)
    # One that the user names may be a link.
    with MilvusIndex(Indexing(uri=str(moved)), "abc") as index:
        assert index.count() == 30


@pytest.mark.parametrize("make", [os.mkfifo, Path.touch])
def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / "index")
    for work in (use, discard):
        with pytest.raises(MomentIndexError, match=r"is not a folder; remove it and run: momentseek index rebuild"):
            work(tmp_path / "index")


def test_the_library_folder_may_be_a_link(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "linked").symlink_to(folder.parent)
    use(tmp_path / "linked" / "index")


def test_what_other_names_share_is_copied_before_it_is_written_to(folder: Path, tmp_path: Path) -> None:
    """As `cp -al` makes backups: manifest.json.prev was overwritten in place, in the backup, too."""
    backup = tmp_path / "backup"
    shutil.copytree(folder, backup, copy_function=os.link)
    before = tree(backup)
    use(folder)
    assert tree(backup) == before
    assert {path.lstat().st_nlink for path in folder.rglob("*") if path.is_file()} == {1}


def test_a_hard_link_to_a_file_elsewhere_is_not_written_through(folder: Path, canary: Path) -> None:
    for name in ("manifest.json.prev", "manifest.json.tmp", "wal/wal_data_000009.arrow", "schema.json.tmp"):
        replaced(collection_of(folder) / name, lambda path: path.hardlink_to(canary / "notes.txt"))
    use(folder)


def test_thousands_of_files_are_looked_at_in_no_time(folder: Path) -> None:
    from pipeline.index.milvus.lite.folder_checks import hard_links, wrong_files

    for number in range(3000):
        (folder / f"file-{number}").touch()
    started = time.process_time()
    assert ([*wrong_files(folder)], hard_links(folder)) == ([], [])
    assert time.process_time() - started < 0.5


UP = "../" * 12


def _named(name: str) -> Callable[[dict[str, Any]], None]:
    def edit(manifest: dict[str, Any]) -> None:
        manifest["partitions"]["_default"]["data_files"].append(name)

    return edit


MANIFESTS: dict[str, Callable[[dict[str, Any]], object]] = {
    "a path out": _named(f"{UP}etc/passwd"),
    "a path out below data": _named(f"data/{UP}tmp/data_000001_000030.parquet"),
    "an absolute path": _named("/etc/passwd"),
    "a path with backslashes": _named("data\\..\\..\\x"),
    "a URL": _named("http://127.0.0.1:9/data_000001_000030.parquet"),
    "a number as file": lambda m: m["partitions"]["_default"]["data_files"].append(7),
    "a file twice": _named("data/data_000001_000030.parquet"),
    "a file that is missing": _named("data/data_000777_000778.parquet"),
    "a partition elsewhere": lambda m: m["partitions"].update({UP + "canary": {"data_files": [], "delta_files": []}}),
    "an absolute partition": lambda m: m["partitions"].update({"/tmp": {"data_files": ["x"], "delta_files": []}}),
    "partitions that are a list": lambda m: m.update(partitions=[1]),
    "a partition that is a list": lambda m: m["partitions"].update(_default=[1]),
    "files that are a text": lambda m: m["partitions"]["_default"].update(data_files="data"),
    "a graph, read by faiss": lambda m: m["index_specs"]["embedding"].update(index_type="HNSW"),
    "lists, read by faiss": lambda m: m["index_specs"]["embedding"].update(index_type="IVF_FLAT"),
    "an index on another field": lambda m: m["index_specs"].update(key={"field_name": "key", "index_type": "INVERTED"}),
    "an index file with a path": lambda m: m["index_specs"]["embedding"].update(field_name=f"{UP}x"),
    "an index that is a list": lambda m: m.update(index_specs={"embedding": []}),
    "a huge sequence": lambda m: m.update(current_seq=10**40),
    "a negative sequence": lambda m: m.update(current_seq=-5),
    "a sequence that is a text": lambda m: m.update(current_seq="7"),
    "a sequence that is not finite": lambda m: m.update(current_seq=float("inf")),
    "a huge log number": lambda m: m.update(active_wal_number=10**300),
    "a list": lambda m: [m],
}


@pytest.mark.parametrize("edit", MANIFESTS.values(), ids=MANIFESTS)
def test_a_manifest_leads_nowhere(folder: Path, canary: Path, edit: Callable[[Any], object]) -> None:
    edited(collection_of(folder) / "manifest.json", edit)
    check_refused(folder, "manifest.json|is missing")


def _service(schema: dict[str, Any]) -> None:
    """Milvus Lite would send all texts to that address, with the key in OPENAI_API_KEY."""
    schema["functions"] = [
        {
            "name": "send",
            "function_type": 2,
            "input_field_names": ["video_id"],
            "output_field_names": ["embedding"],
            "params": {"provider": "openai", "base_url": "http://127.0.0.1:9/", "dimensions": DIMENSION},
        }
    ]


def _field(**settings: object) -> Callable[[dict[str, Any]], None]:
    return lambda schema: schema["fields"][1].update(settings)


SCHEMAS: dict[str, Callable[[dict[str, Any]], object]] = {
    "a service to send rows to": _service,
    "an analyzer": _field(enable_analyzer=True, analyzer_params={"tokenizer": "jieba"}),
    "a default": _field(default_value="x"),
    "a partition key": _field(is_partition_key=True),
    "an output of a function": _field(is_function_output=True),
    "another type": _field(dtype="json"),
    "a type that is none": _field(dtype=[1]),
    "a huge length": _field(max_length=10**30),
    "another name": _field(name=f"{UP}x"),
    "a field more": lambda s: s["fields"].append({"name": "more", "dtype": "json"}),
    "a field less": lambda s: s["fields"].pop(),
    "fields that are numbers": lambda s: s.update(fields=[1, 2]),
    "dynamic fields": lambda s: s.update(enable_dynamic_field=True),
    "no vectors": lambda s: s["fields"][7].update(dim=0),
    "huge vectors": lambda s: s["fields"][7].update(dim=2**40),
    "other vectors": lambda s: s["fields"][7].update(dim=DIMENSION + 1),
    "vectors of a text": lambda s: s["fields"][7].update(dim="16"),
    "a version that is none": lambda s: s.update(version=[]),
    "a number as property": lambda s: s["properties"].update({"momentseek.model": 7}),
    "a huge property": lambda s: s["properties"].update({"momentseek.model": "x" * 10**6}),
    "a list": lambda s: [s],
}


@pytest.mark.parametrize("edit", SCHEMAS.values(), ids=SCHEMAS)
def test_a_schema_configures_nothing(
    folder: Path, edit: Callable[[Any], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    edited(collection_of(folder) / "schema.json", edit)
    check_refused(folder, r"schema\.json|other columns")


@pytest.mark.parametrize("target", [f"{UP}canary", "../../../canary/collections/segments_2", "/etc", "..", "", 7, None])
def test_an_alias_leads_nowhere(folder: Path, canary: Path, target: object) -> None:
    edited(folder / "aliases.json", lambda aliases: aliases.update(segments=target))
    check_refused(folder, r"aliases\.json names")


@pytest.mark.parametrize("name", ["aliases.json", "collections/segments_2/schema.json"])
@pytest.mark.parametrize("content", ["[" * 100_000, '{"a":' * 100_000, "[1]", "null", "", "\xff", "1" * 10_000])
def test_odd_json_is_refused(folder: Path, name: str, content: str) -> None:
    (folder / name).write_bytes(content.encode("latin-1"))
    check_refused(folder, r"is not (a )?JSON")


def test_a_huge_file_is_not_read(folder: Path) -> None:
    with (folder / "aliases.json").open("wb") as file:
        file.truncate(2**40)
    check_refused(folder, "more than 16777216 bytes")


def write_log(path: Path, partition: str | None, seq: int = 1) -> None:
    """A write-ahead log of one row, as Milvus Lite leaves it where its process is killed."""
    columns = {
        "_seq": pa.array([seq], pa.uint64()),
        "_partition": pa.array([partition], pa.string()),
        "key": ["k"],
        "video_id": ["v"],
        "start_seconds": [0.0],
        "end_seconds": [1.0],
        "ordinal": [0],
        "model": ["abc"],
        "metadata": ["{}"],
        "embedding": pa.array([unit(1).tolist()], pa.list_(pa.float32(), DIMENSION)),
    }
    batch = pa.record_batch(columns)
    with path.open("wb") as file, pa.ipc.new_stream(file, batch.schema) as stream:
        stream.write_batch(batch)


@pytest.mark.parametrize("partition", ["../" * 6 + "canary", "/tmp/momentseek-canary", "other", None])
@pytest.mark.parametrize("kind", ["data", "delta"])
def test_a_log_writes_nothing_elsewhere(folder: Path, canary: Path, partition: str | None, kind: str) -> None:
    write_log(collection_of(folder) / "wal" / f"wal_{kind}_000009.arrow", partition, seq=99)
    check_refused(folder, r"wal_\w+_000009\.arrow names the partition")
    assert not Path("/tmp/momentseek-canary").exists()


def test_a_log_of_a_killed_process_is_replayed(folder: Path) -> None:
    write_log(collection_of(folder) / "wal" / "wal_data_000009.arrow", "_default", seq=99)
    with MilvusIndex(Indexing(), "abc", folder=folder) as index:
        assert index.keys_of("v") == {"k"}
    with MilvusIndex(Indexing(), "abc", folder=folder) as index:
        assert index.count() == 31


def test_a_log_with_a_huge_number_is_refused(folder: Path) -> None:
    write_log(collection_of(folder) / "wal" / "wal_data_000009.arrow", "_default", seq=2**64 - 1)
    check_refused(folder, "sequence")


def test_a_log_with_a_huge_name_is_refused(folder: Path) -> None:
    write_log(collection_of(folder) / "wal" / f"wal_data_{'9' * 100}.arrow", "_default")
    check_refused(folder, "number that is too large")


class _Pickled:
    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, ("/tmp/momentseek-pickle-ran",))


def _sidecar(folder: Path) -> Path:
    return next((collection_of(folder) / "partitions" / "_default" / "indexes").glob("data_*_000030*.idx"))


ARRAYS: dict[str, Callable[[Path], object]] = {
    "a pickle": lambda path: path.write_bytes(__import__("pickle").dumps(_Pickled())),
    "objects": lambda path: _saved(path, np.array([_Pickled()], dtype=object)),
    "an archive": lambda path: _archived(path, np.zeros(3)),
    "other numbers": lambda path: _saved(path, np.zeros((30, DIMENSION))),
    "another order": lambda path: _saved(path, np.zeros((30, DIMENSION), np.float32, order="F")),
    "fewer rows": lambda path: _saved(path, np.zeros((29, DIMENSION), np.float32)),
    "huge rows": lambda path: _saved(path, np.zeros(0, "<f4"), shape=(2**40, DIMENSION)),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"x"),
    "random": lambda path: path.write_bytes(random.Random(0).randbytes(2000)),
}


def _archived(path: Path, array: np.ndarray) -> None:
    with path.open("wb") as file:
        np.savez(file, a=array)


def _saved(path: Path, array: np.ndarray, shape: tuple[int, ...] | None = None) -> None:
    with path.open("wb") as file:
        if shape is None:
            np.save(file, array, allow_pickle=True)
        else:
            np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})


@pytest.mark.parametrize("make", ARRAYS.values(), ids=ARRAYS)
def test_an_index_file_runs_nothing_and_allocates_nothing(folder: Path, make: Callable[[Path], object]) -> None:
    make(_sidecar(folder))
    check_refused(folder, r"data_\d+_\d+\.embedding\.flat\.idx")
    assert not Path("/tmp/momentseek-pickle-ran").exists()


@pytest.mark.parametrize("size", [0, 5, 100, 128, 140, -5])
def test_an_index_file_that_a_killed_process_has_begun_is_removed(folder: Path, size: int) -> None:
    path = _sidecar(folder)
    whole = path.read_bytes()
    path.write_bytes(whole[:size])
    with MilvusIndex(Indexing(), "abc", folder=folder) as index:
        assert index.count() == 30
        [hits] = index.search(np.stack([random_rows(1)[0].vector]), top=30)
        assert len(hits) == 30
    assert not path.exists()


def test_a_broken_page_of_rows_is_refused(folder: Path) -> None:
    """Its footer is whole; Arrow's error is an OSError, as that of a full disk is."""
    path = collection_of(folder) / "partitions" / "_default" / "data" / "data_000001_000030.parquet"
    content = path.read_bytes()
    path.write_bytes(content[:4] + b"\xff" * 400 + content[404:])
    check_refused(folder, "cannot be opened")


def files_of(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def damage(folder: Path, name: str, how: str, rng: random.Random) -> None:
    path = folder / name
    content = path.read_bytes()
    if how == "random":
        path.write_bytes(rng.randbytes(len(content) or 50))
    elif how == "some random":
        changed = bytearray(content or b"x")
        for _ in range(8):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        path.write_bytes(changed)
    elif how == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "deleted":
        path.unlink()
    elif how == "a folder":
        path.unlink()
        path.mkdir()
    else:
        other = folder / rng.choice([each for each in files_of(folder) if each != name])
        theirs = other.read_bytes()
        other.write_bytes(content)
        path.write_bytes(theirs)


def error_of(folder: Path) -> MomentIndexError | None:
    try:
        use(folder)
    except MomentIndexError as error:
        return error
    return None


@pytest.mark.slow
@pytest.mark.parametrize("how", ["random", "some random", "cut", "empty", "deleted", "a folder", "swapped"])
def test_damage_of_any_file_is_one_error_and_can_be_mended(
    original: Path, tmp_path: Path, canary: Path, how: str
) -> None:
    rng = random.Random(how)
    for number, name in enumerate(files_of(original)):
        folder = Path(shutil.copytree(original, tmp_path / str(number) / "index"))
        damage(folder, name, how, rng)
        error = error_of(folder)
        assert error is None or ("momentseek index rebuild" in str(error) and len(str(error)) < 2000), (name, error)
        if isinstance(error, IndexDamagedError):
            discard(folder)
        with MilvusIndex(Indexing(), "abc", folder=folder) as index, index.replacement(DIMENSION) as fresh:
            fresh.upsert(random_rows(30))
            fresh.take_over()
        with MilvusIndex(Indexing(), "abc", folder=folder) as index:
            assert index.count() == 30, name


def test_a_folder_that_the_user_names_is_mended_by_hand(folder: Path, canary: Path) -> None:
    """It may hold what is not momentseek's, so that nothing in it is removed."""
    settings = Indexing(uri=str(folder), collection="segments")
    edited(collection_of(folder) / "manifest.json", lambda m: m.update(current_seq=-1))
    with pytest.raises(MomentIndexError, match=rf"remove '{collection_of(folder)}' and run: momentseek index rebuild"):
        MilvusIndex(settings, "abc")
    edited(collection_of(folder) / "schema.json", lambda s: s.update(properties={}))
    with pytest.raises(MomentIndexError, match=r"not made by momentseek.*set index\.collection to another name"):
        MilvusIndex(settings, "abc")
    shutil.rmtree(collection_of(folder))
    with MilvusIndex(settings, "abc") as index:
        assert index.count() == 0
    (folder / "more").symlink_to(canary)
    with pytest.raises(MomentIndexError, match=rf"contains a link .*; remove '{folder / 'more'}' and run") as caught:
        MilvusIndex(settings, "abc")
    assert not isinstance(caught.value, IndexDamagedError)


def test_a_held_folder_is_not_emptied(folder: Path) -> None:
    with MilvusIndex(Indexing(), "abc", folder=folder) as index:
        with pytest.raises(IndexLockedError):
            discard(folder)
        assert index.count() == 30


def test_discarding_follows_nothing(folder: Path, canary: Path) -> None:
    (folder / "more").symlink_to(canary)
    (folder / "collections" / "more").symlink_to(canary)
    replaced(folder / "LOCK", lambda path: path.symlink_to(canary / "LOCK"))
    os.mkfifo(folder / "pipe")
    discard(folder)
    assert list(folder.iterdir()) == []


@pytest.mark.root
def test_a_read_only_folder_is_checked_and_never_written_to(original: Path) -> None:
    """Large files are not copied; those that this user may write to are, though the folder may not be written to."""
    place = Path("/tmp") / f"momentseek-test-{os.getpid()}"
    folder = Path(shutil.copytree(original, place / "index"))
    for path in (place, *place.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o666)
    before = tree(folder)
    os.seteuid(65_534)
    try:
        served = LiteFolder(folder, is_own=True)
        assert served.is_read_only
        served.close()
        with MilvusIndex(Indexing(), "abc", folder=folder) as index:
            assert index.count() == 30
    finally:
        os.seteuid(0)
        unchanged = tree(folder) == before
        shutil.rmtree(place)
    assert unchanged


def test_a_link_in_a_read_only_folder_is_refused(folder: Path, canary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replaced(_sidecar(folder), lambda path: path.symlink_to(canary / "notes.txt"))
    monkeypatch.setattr("pipeline.index.milvus.lite.folder.is_writable", lambda _: False)
    with pytest.raises(IndexDamagedError, match="contains a link"):
        use(folder)


def test_large_files_that_may_be_written_to_are_copied_into_a_shadow(tmp_path: Path) -> None:
    from pipeline.index.milvus.lite.read_only import shadow

    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    (source / "large").write_bytes(bytes(2**21))
    shadow(source, target)
    assert stat.S_ISREG((target / "large").lstat().st_mode)


def _linked(index: Path) -> None:
    (index / "collections" / "more").symlink_to("/tmp")


def _graph(index: Path) -> None:
    edited(collection_in(index) / "manifest.json", lambda m: m["index_specs"]["embedding"].update(index_type="HNSW"))


def _leftover(index: Path) -> None:
    """Another collection of ours, which only a rebuild looks at."""
    copy = shutil.copytree(collection_in(index), index / "collections" / "segments_7")
    edited(Path(copy) / "manifest.json", lambda m: m.update(current_seq=-1))


def _odd_lock(index: Path) -> None:
    replaced(index / "LOCK", os.mkfifo)


def _odd_collections(index: Path) -> None:
    replaced(index / "collections", Path.touch)


def collection_in(index: Path) -> Path:
    [collection] = (index / "collections").iterdir()
    return collection


@pytest.mark.parametrize("harm", [_linked, _graph, _leftover, _odd_lock, _odd_collections])
def test_a_rebuild_mends_a_library(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    """What every message names as the remedy works, whatever is wrong with the library's own index."""
    with filled_library(tmp_path / "library", backend="milvus") as library:
        before = library.moment_index().videos()
    harm(tmp_path / "library" / "index")
    with library_at(tmp_path / "library", backend="milvus") as library:
        if harm is not _leftover:
            with pytest.raises(IndexDamagedError, match="momentseek index rebuild"):
                library.search("red")
        library.rebuild_index()
        assert library.moment_index().videos() == before
        assert not library.verify_index().differences
    with library_at(tmp_path / "library", backend="milvus") as library:
        assert library.search("red")
