import subprocess
import sys

import pytest

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
