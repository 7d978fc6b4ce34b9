"""The processor's prefetch, for compiled kernels that know early which memory they will read."""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = ["prefetch"]


def _prefetch(typing_context: Any, array: types.Array, place: types.Integer) -> tuple[Any, Any]:
    """``prefetch(array, place)``: bring the cache line of row `place` near, without waiting; changes no value."""
    signature = types.void(array, place)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array_type = signature.args[0]
        view = context.make_array(array_type)(context, builder, arguments[0])
        where = context.cast(builder, arguments[1], signature.args[1], types.intp)
        places = [where, *[context.get_constant(types.intp, 0)] * (array_type.ndim - 1)]
        tools: Any = cgutils
        pointer = tools.get_item_pointer(context, builder, array_type, view, places, wraparound=False)
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        function = tools.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        # To read (0), to keep in every cache (3), data (1).
        builder.call(function, [builder.bitcast(pointer, byte), number(0), number(3), number(1)])
        return context.get_dummy_value()

    return signature, generate


prefetch: Any = intrinsic(_prefetch)
