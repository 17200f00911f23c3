"""A store on a real S3 server (moto's): what is written is listed, found, read and erased, by few requests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from moto.server import ThreadedMotoServer

from pipeline.errors import StoreError
from pipeline.store import ParquetStore, erase, traces
from pipeline.store.listing import record_list
from pipeline.store.loading import LoadedVideo
from pipeline.testing.store import made_frames, made_record

SETTINGS = {
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "topsecret",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/nowhere",
    "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
}
IDS = [f"{40 * number:02x}v{number}" for number in range(6)]


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    import s3fs

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**SETTINGS, "AWS_ENDPOINT_URL": f"http://{host}:{port}"}.items():
            patch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()
        s3fs.S3FileSystem().mkdir("libraries")
        yield "s3://libraries"
        s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


@pytest.fixture
def store(bucket: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ParquetStore:
    monkeypatch.setattr(record_list, "LEAST_VIDEOS", 2)
    found = ParquetStore(f"{bucket}/{request.node.name}", "sampling", "encoder")
    for seed, video_id in enumerate(IDS):
        record = replace(made_record(video_id), names=(f"/films/{video_id}.mp4",))
        found.write(record, made_frames(video_id, seed=seed))
    return found


@pytest.fixture
def asked(store: ParquetStore, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """The requests of the store to the server."""
    import s3fs

    found: Counter[str] = Counter()
    before = s3fs.S3FileSystem._call_s3

    async def count(self: Any, method: str, *arguments: Any, **options: Any) -> Any:
        found[method] += 1
        return await before(self, method, *arguments, **options)

    monkeypatch.setattr(s3fs.S3FileSystem, "_call_s3", count)
    return found


def test_videos_are_listed_and_found(store: ParquetStore) -> None:
    store.renew_catalogue(IDS)
    assert [record.video_id for record in store.records()] == IDS
    assert store._folder.list("catalogue", ".parquet")
    named = store.named(f"{IDS[2]}.mp4")
    assert named is not None
    assert [record.video_id for record in named] == [IDS[2]]
    assert store.named("gone.mp4") == []


def test_frames_are_read_by_one_request_a_video_and_one_listing(store: ParquetStore, asked: Counter[str]) -> None:
    read = list(store.load_many([*IDS, "gone"], lambda _: True))
    assert read.pop() is None
    for one, video_id in zip(read, IDS, strict=True):
        assert isinstance(one, LoadedVideo)
        assert one.frames is not None
        np.testing.assert_array_equal(one.frames.vectors, store.read(video_id).vectors)
    asked.clear()
    assert len(list(store.load_many(IDS, lambda _: True))) == len(IDS)
    assert asked == {"get_object": len(IDS), "list_objects_v2": 1}


def test_a_record_is_read_by_one_request_and_one_listing(store: ParquetStore, asked: Counter[str]) -> None:
    assert store.record(IDS[0]) is not None
    assert asked == {"get_object": 1, "list_objects_v2": 1}


def test_a_broken_file_is_an_error_in_its_place(store: ParquetStore) -> None:
    for content in (b"", b"not Parquet"):
        store._folder.write(f"{IDS[1]}.parquet", content)
        read = list(store.load_many(IDS, lambda _: True))
        assert [isinstance(one, StoreError) for one in read] == [video_id == IDS[1] for video_id in IDS]
        assert list(store.survey()[1]) == [IDS[1]]


def test_nothing_of_an_erased_video_is_left(store: ParquetStore) -> None:
    list(store.records())
    store.add_name(IDS[3], "again.mp4")
    assert traces(store.root_url, IDS[3])
    erase(store.root_url, IDS[3])
    assert traces(store.root_url, IDS[3]) == ()
    assert [record.video_id for record in store.records()] == [video_id for video_id in IDS if video_id != IDS[3]]
    assert store.named("again.mp4") == []
