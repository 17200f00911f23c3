"""Controls whether glibc's allocator keeps or returns freed memory; has no effect with other C libraries."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

__all__ = ["give_back", "keep"]

# From glibc's malloc.h; 32 MiB is the highest threshold that it accepts.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_MOST_MMAP_THRESHOLD = 32 * 2**20
_MOST_TRIM_THRESHOLD = 2**31 - 1


def keep() -> bool:
    """Let glibc keep freed memory for reuse instead of returning it to the system; True if glibc accepted that.

    torch has no memory pool of its own for processors. The activations of a batch take some MiB each; by default, glibc
    maps this memory again each time, and the system has to zero every page. The memory kept is at most the peak use,
    and `give_back` still returns it.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    return all([mallopt(_M_MMAP_THRESHOLD, _MOST_MMAP_THRESHOLD), mallopt(_M_TRIM_THRESHOLD, _MOST_TRIM_THRESHOLD)])


def give_back() -> None:
    """Return all free whole pages to the system; has no effect if the C library is not glibc.

    Free memory in partly used pages stays with the process, for later allocations. The call takes some 30 ms if there
    is much free memory.
    """
    trim = _trim()
    if trim is not None:
        trim(0)


@cache
def _trim() -> Any:
    return getattr(ctypes.CDLL(None), "malloc_trim", None)
