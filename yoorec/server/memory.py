"""Memory after start-up: what only starting needed is given back to the system."""

from __future__ import annotations

import ctypes
import gc
import sys
from pathlib import Path

__all__ = ["release_startup_memory"]

_MADV_DONTNEED = 4


def release_startup_memory() -> None:
    """Collect what start-up left, keep later collections from walking what stays, and give pages back.

    Loading compiled kernels runs the whole of LLVM once, some 80 MB of code that stays mapped and is not used again.
    Executable pages of files are never written, so letting go of them loses nothing: those still in use come back from
    the page cache at the next call. Does nothing beyond the collection where the system is not Linux.
    """
    gc.collect()
    gc.freeze()
    if sys.platform != "linux":
        return
    try:
        libc = ctypes.CDLL(None)
        libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
            span, rights, _, _, inode, *_ = line.split(maxsplit=5)
            if rights == "r-xp" and inode != "0":
                start, end = (int(each, 16) for each in span.split("-"))
                libc.madvise(start, end - start, _MADV_DONTNEED)
        libc.malloc_trim(0)
    except (OSError, AttributeError):
        return  # another C library than glibc, or no /proc: the memory stays, and nothing else changes
