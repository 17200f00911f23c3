"""Control how glibc's allocator keeps or returns freed memory; other C libraries are left as they are."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

__all__ = ["give_back", "keep"]

# From glibc's malloc.h; 32 MiB is the highest threshold that it takes.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_MOST_MMAP_THRESHOLD = 32 * 2**20
_MOST_TRIM_THRESHOLD = 2**31 - 1


def keep() -> bool:
    """Let glibc keep freed memory for reuse instead of returning it to the system; True if glibc accepted that.

    torch has no memory pool of its own on processors. A batch's activations are of some MiB each, which glibc maps anew
    every time, and the system then zeroes them page by page. Of what is freed, at most what was once in use is kept,
    and `give_back` still gives it back.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    return all([mallopt(_M_MMAP_THRESHOLD, _MOST_MMAP_THRESHOLD), mallopt(_M_TRIM_THRESHOLD, _MOST_TRIM_THRESHOLD)])


def give_back() -> None:
    """Give back all whole pages that are free; does nothing where the C library is not glibc.

    What is freed between things that live on stays with the process, for what is allocated next. Takes some 30 ms where
    there is much of it.
    """
    trim = _trim()
    if trim is not None:
        trim(0)


@cache
def _trim() -> Any:
    return getattr(ctypes.CDLL(None), "malloc_trim", None)
