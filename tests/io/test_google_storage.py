"""Reading from Google Cloud Storage: an emulator of it, asked by gcsfs as the real one is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import fsspec
import pytest
from contracts.bucket_contract import BucketContract, fill
from gcp_storage_emulator.server import create_server
from video_factory import Made

# Read when gcsfs is imported: else it asks first, and for a minute, by gRPC what kind of bucket this is.
os.environ["GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"] = "false"


# gcsfs uploads a file's bytes as they are.
@pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning")
class TestGoogleStorage(BucketContract):
    scheme = "gs"

    @pytest.fixture(scope="class")
    @classmethod
    def store(cls, large: Made) -> Iterator[Any]:
        import gcsfs

        server = create_server("127.0.0.1", 0, in_memory=True, default_bucket="films")
        server.start()
        port = server._api._httpd.server_port
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{port}")
            gcsfs.GCSFileSystem.clear_instance_cache()
            files = fsspec.filesystem("gs", use_listings_cache=False)
            fill(files, large)
            yield files
            gcsfs.GCSFileSystem.clear_instance_cache()
        server.stop()
