"""Pages of videos are the same as the whole list, whatever changes meanwhile, and read only what they show."""

from __future__ import annotations

import os
import random
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem
from made_library import add_video
from shots_library import opened
from starlette.testclient import TestClient
from video_factory import make_video, steady

from pipeline.serve.video_order import ordered_page
from pipeline.serve.video_pages import VideoPage, VideoPages
from pipeline.store import ParquetStore
from pipeline.store.listing import record_list
from pipeline.testing.store import made_frames, made_record
from pipeline.types import VideoRecord

IDS = [f"{6 * number:02x}v{number:02}" for number in range(40)]


@pytest.fixture(params=["local", "remote"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ParquetStore]:
    monkeypatch.setattr(record_list, "LEAST_VIDEOS", 8)
    root = str(tmp_path) if request.param == "local" else f"memory://{tmp_path.name}/library"
    found = ParquetStore(root, "sampling", "encoder")
    for video_id in IDS:
        write(found, video_id)
    found.renew_catalogue()
    yield found
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]


def write(store: ParquetStore, video_id: str, note: str = "") -> None:
    record = replace(made_record(video_id, 1), names=(f"/{video_id}.mp4",), metadata={"note": note})
    store.write(record, made_frames(video_id, 1))


def break_file(store: ParquetStore, video_id: str) -> None:
    folder = store.listing.files.folder
    folder.write(f"{video_id}.parquet", b"broken")


def all_pages(pages: VideoPages, limit: int) -> Iterator[VideoPage]:
    after = None
    while True:
        page = pages.page(after, limit)
        yield page
        if page.last_id is None:
            return
        after = page.last_id


@pytest.mark.parametrize("limit", [1, 7, 40, 100])
def test_pages_are_the_whole_list(store: ParquetStore, limit: int) -> None:
    break_file(store, IDS[0])
    break_file(store, IDS[-1])
    break_file(store, IDS[20])
    records, broken = store.survey()
    found = list(all_pages(VideoPages(lambda: store), limit))
    assert [record for page in found for record in page.records] == records
    assert all(len(page.records) == limit for page in found[:-1])
    for page in found:
        assert (page.total, sorted(page.broken)) == (37, sorted(broken))
        assert page.records


def test_pages_while_videos_come_go_change_and_break(store: ParquetStore) -> None:
    pages = VideoPages(lambda: store)
    assert pages.page(None, 10).total == 40
    store.delete(IDS[9])  # the one that the cursor names
    store.delete(IDS[12])
    write(store, "3fv99")
    write(store, IDS[11], "changed")
    break_file(store, IDS[30])
    page = pages.page(IDS[9], 5)
    assert [record.video_id for record in page.records] == ["3cv10", "3fv99", "42v11", "4ev13", "54v14"]
    assert page.records[2].metadata == {"note": "changed"}
    assert page.total == 39
    # Of a video that was good, a broken file is found when it is read.
    broken = pages.page(IDS[25], 10)
    assert (broken.total, sorted(broken.broken)) == (38, [IDS[30]])
    write(store, IDS[30])
    assert not pages.page(IDS[25], 10).broken
    store.add_name(IDS[31], "/another.mp4")
    assert pages.page(IDS[30], 1).records[0].names[-1] == "/another.mp4"


def test_a_page_reads_only_what_it_shows(store: ParquetStore, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = store.listing.files.folder
    if not folder.is_remote:
        # The folder has been as it is for a while.
        os.utime(folder.root, (time.time() - 60,) * 2)
    parsed: list[str] = []
    listed: list[str] = []
    parse, ids = record_list._parsed, ParquetStore.video_ids
    monkeypatch.setattr(record_list, "_parsed", lambda name, text: parsed.append(name) or parse(name, text))
    monkeypatch.setattr(ParquetStore, "video_ids", lambda self: listed.append("") or ids(self))
    pages = VideoPages(lambda: store)
    pages.page(None, 3)
    pages.page(IDS[20], 3)
    assert parsed == [*IDS[:3], *IDS[21:24]]
    # Without a change in the folder, it is not even listed again.
    assert len(listed) == (2 if folder.is_remote else 1)


def test_an_empty_library_has_an_empty_page(tmp_path: Path) -> None:
    page = VideoPages(lambda: ParquetStore(str(tmp_path), "sampling", "encoder")).page(None, 10)
    assert (page.records, page.total, page.last_id, dict(page.broken)) == ([], 0, None, {})


def test_cursors_over_http(serve: Callable[..., TestClient], tmp_path: Path) -> None:
    library = opened(tmp_path / "library")
    ids = sorted(add_video(library, make_video(tmp_path / f"{n}.mp4", steady(10 + n))) for n in range(4))
    client = serve(library)
    for name in ("", "&name=.mp4"):
        first = client.get(f"/api/v1/videos?limit=2{name}").json()
        rest = client.get(f"/api/v1/videos?limit=2&cursor={first['next']}{name}").json()
        assert [video["video_id"] for video in (*first["videos"], *rest["videos"])] == ids
        assert (first["total"], rest["total"], rest["next"]) == (4, 4, None)
    assert client.get("/api/v1/videos?cursor=%21").status_code == 422


ORDERS = ("id", "name", "newest", "oldest", "longest", "shortest")
TIMES = (
    {},
    {"at": "2026-11-20T08:30:00"},
    {"at": "2026-11-20T08:30:00.000001+01:00"},
    {"at": "0001-01-01T00:00:00"},
    {"at": "9999-12-31T23:59:59-11:00"},
    {"at": "yesterday"},
    {"at": 5},
)
NAMES = (
    "b.mp4",
    "B.mp4",
    "a b.mp4",
    "\u00e4 1 2.mp4",
    "Stra\u00dfe\n.mp4",
    "\udcff.mp4",
    "\u706b" * 340 + ".mp4",
    "id 0 1 x",
)


def some_records(count: int) -> list[VideoRecord]:
    chosen = random.Random(7)
    return [
        replace(
            made_record(f"{number:016x}", 1),
            names=(f"/{chosen.choice('zyx')}/{chosen.choice(NAMES)}",) if number % 9 else (),
            metadata=chosen.choice(TIMES),
            duration_seconds=chosen.choice([1.0, 1e-7, 7200.123456789, 1e17]),
        )
        for number in range(count)
    ]


def all_ordered(records: list[VideoRecord], order: str, limit: int) -> list[VideoRecord]:
    found, cursor = ordered_page(records, order, limit, None, "at")
    while cursor is not None:
        assert len(cursor) <= 8000
        page, cursor = ordered_page(records, order, limit, cursor, "at")
        found += page
    return found


@pytest.mark.parametrize("order", ORDERS)
def test_pages_in_an_order_are_the_whole_list_in_it(order: str) -> None:
    records = some_records(90)
    whole = ordered_page(records, order, 1000, None, "at")[0]
    assert sorted(record.video_id for record in whole) == [record.video_id for record in records]
    for limit in (1, 7, 90):
        assert all_ordered(records[::-1], order, limit) == whole
    if order == "name":
        names = [record.last_name.rpartition("/")[2].casefold() for record in whole]
        assert names == sorted(names)
    if order in ("longest", "shortest"):
        lengths = [record.duration_seconds for record in whole]
        assert lengths == sorted(lengths, reverse=order == "longest")
    if order in ("newest", "oldest"):
        times = [str(record.metadata.get("at"))[:19] for record in whole]
        known = [time for time in times if time.count(":") == 2]
        assert known == sorted(known, reverse=order == "newest")
        assert times[: len(known)] == known


@pytest.mark.parametrize("order", ORDERS)
def test_videos_that_come_and_go_between_pages_move_nothing(order: str) -> None:
    records = some_records(60)
    whole = ordered_page(records, order, 1000, None, "at")[0]
    first, cursor = ordered_page(records, order, 20, None, "at")
    rest = [record for record in records if record not in first[10:]]  # also the one that the cursor names
    again = [record for record in rest if record != whole[30]]
    assert ordered_page(again, order, 1000, cursor, "at")[0] == [*whole[20:30], *whole[31:]]


def test_orders_over_http(serve: Callable[..., TestClient], tmp_path: Path) -> None:
    library = opened(tmp_path / "library")
    for number, (name, at) in enumerate([("b", "2026-11-20T08:30:00"), ("C", None), ("a", "2026-11-21T08:30:00")]):
        metadata = {} if at is None else {"recorded_at": at}
        add_video(library, make_video(tmp_path / f"{name}.mp4", steady(20 - number)), metadata)
    client = serve(library)

    def listed(order: str, more: str = "") -> str:
        found, cursor = "", ""
        while True:
            page = client.get(f"/api/v1/videos?limit=1&order={order}{cursor}{more}").json()
            found += "".join(Path(video["name"]).stem for video in page["videos"])
            assert page["total"] == 3
            if page["next"] is None:
                return found
            cursor = f"&cursor={page['next']}"

    assert (listed("name"), listed("newest"), listed("oldest")) == ("abC", "abC", "baC")
    assert (listed("longest"), listed("shortest"), listed("longest", "&name=mp4")) == ("bCa", "aCb", "bCa")
    assert client.get("/api/v1/videos?order=size").status_code == 422
    cursor = client.get("/api/v1/videos?limit=1&order=name").json()["next"]
    for text in ("", "x", "name", "name 0 1e x y", "name 0 nan x y", "name 2 1 x y", "name 0 1.0.0 x y"):
        cursors = [cursor, urlsafe_b64encode(text.encode()).decode().rstrip("=")]
        for wrong in cursors:
            answer = client.get("/api/v1/videos", params={"order": "newest", "cursor": wrong})
            assert (answer.status_code, answer.json()["code"]) == (422, "bad_cursor"), text
    huge = urlsafe_b64encode(b"newest 0 9e999 x y").decode().rstrip("=")
    assert client.get(f"/api/v1/videos?order=newest&cursor={huge}").status_code == 200
