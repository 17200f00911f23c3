import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import MomentIndexError
from pipeline.index import Indexing, MilvusIndex, Owner, open_index
from pipeline.testing.index import DIMENSION, random_rows

_PROGRAM = """
import logging
from pipeline.index.milvus.lite.folder import silence

logging.getLogger("pymilvus").setLevel({before})
silence()
import pymilvus
print(logging.getLogger("pymilvus").level)
"""


@pytest.mark.parametrize(("before", "after"), [(0, 50), (10, 10)])
def test_silence_outlasts_the_import_and_keeps_what_was_set(before: int, after: int) -> None:
    program = _PROGRAM.format(before=before)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(done.stdout) == after


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
@pytest.mark.parametrize("is_new", [True, False])
def test_a_file_system_without_locks_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, is_new: bool
) -> None:
    """The message must not send the user to look for a process that holds the folder."""
    if not is_new:
        with MilvusIndex(Indexing(), "abc", DIMENSION, folder=tmp_path) as index:
            index.upsert(random_rows(3))

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(MomentIndexError, match=rf"LOCK cannot be locked \({os.strerror(number)}\)") as caught:
        open_index(Indexing(), folder=tmp_path, owner=Owner("abc"), is_searched=True)
    assert type(caught.value) is MomentIndexError
