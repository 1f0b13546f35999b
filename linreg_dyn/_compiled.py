"""`kernel`: numba's `njit`, with a cache on disk that can only help.

numba's own cache tells the variants of a function apart by pickling what they close over, which for half of our
kernels is different in every process; it watches only the file that a function is written in, not the rules that
it calls; it fails the run when its folder cannot be written or a file in it is damaged; and two processes that
compile different variants at the same moment can leave one's machine code under the other's name. Here a variant
is named by whoever makes it and has files of its own, and whatever goes wrong means to compile again.

Machine code kept by two processes meets in a third, which links functions of one name as one. numba tells closures of
the same text apart by a number that it counts from 1 in every process, so that variants compiled apart had the same
names, and one ran with the other's helpers: here every process, forked ones too, counts from a random number.
"""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from numba import njit
from numba.core.bytecode import FunctionIdentity
from numba.core.caching import FunctionCache, IndexDataCacheFile

FORMAT = "2"  # of what is kept: another where it can no longer be used


def _count_from_a_random_number() -> None:
    FunctionIdentity._unique_ids = itertools.count(int.from_bytes(os.urandom(6), "big"))


_count_from_a_random_number()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_count_from_a_random_number)


class _Cache(FunctionCache):
    def __init__(self, py_func: Any, variant: str):
        super().__init__(py_func)
        self._variant = hashlib.sha256((FORMAT + variant).encode() + py_func.__code__.co_code).hexdigest()[:20]
        self._cache_file = IndexDataCacheFile(
            cache_path=self._cache_path,
            filename_base=f"{self._impl.filename_base}.{self._variant}",
            source_stamp=self._impl.locator.get_source_stamp(),
        )

    def _index_key(self, sig: Any, codegen: Any) -> Any:
        return sig, codegen.magic_tuple(), self._variant

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # a damaged file raises whatever its bytes suggest
            with suppress(OSError):
                self.flush()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        with suppress(OSError):  # read-only, full, or gone
            super().save_overload(sig, data)


def kernel(*variant: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile a function at its first call, without the GIL, dividing by zero as IEEE says; keep it on disk.

    `variant` is all that the compiled code depends on besides the text of the function itself: what it closes
    over, and a fingerprint of the sources of what it calls. Functions in it count by their names.
    """
    names = [f"{x.__module__}.{x.__qualname__}" if hasattr(x, "__qualname__") else repr(x) for x in variant]

    def compiled(function: Callable[..., Any]) -> Any:
        dispatcher: Any = njit(nogil=True, error_model="numpy")(function)
        with suppress(RuntimeError, OSError):  # nowhere to keep anything
            dispatcher._cache = _Cache(function, ", ".join(names))
        return dispatcher

    return compiled
