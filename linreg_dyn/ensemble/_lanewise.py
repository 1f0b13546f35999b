"""What acts on vectors lane by lane, and what folds all lanes to one number.

The functions of `arithmetic` get their meaning for vectors here: where plain numbers branch, lanes select.
"""

from __future__ import annotations

import operator

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import overload

from linreg_dyn import arithmetic
from linreg_dyn.ensemble._vector import Lanes, cast, convert, intrinsic, joint, parts_of


def _by_parts(operation):
    """An intrinsic of vectors of one type: `operation(builder, part, part, ...)` for each part of them."""

    def lower(context, builder, sig, args):
        parts = [parts_of(builder, value) for value in args]
        return joint(
            context, builder, sig.return_type, (operation(builder, *part) for part in zip(*parts, strict=True))
        )

    return lower


def _greater(builder, a, b):
    return builder.select(builder.fcmp_ordered(">", b, a), b, a)


def _less(builder, a, b):
    return builder.select(builder.fcmp_ordered("<", b, a), b, a)


def _quotient(builder, a, b):
    # Cheaper than a choice between a / b and b: any a / b with a = 0 is 0.
    least = 2.0**-149 if isinstance(b.type.element, ir.FloatType) else 2.0**-1074
    return builder.fdiv(a, _greater(builder, b, ir.Constant(b.type, [least] * b.type.count)))


def _without_sign(builder, x):
    width = 32 if isinstance(x.type.element, ir.FloatType) else 64
    whole = ir.VectorType(ir.IntType(width), x.type.count)
    all_but_sign = ir.Constant(whole, [(1 << (width - 1)) - 1] * x.type.count)
    return builder.bitcast(builder.and_(builder.bitcast(x, whole), all_but_sign), x.type)


@intrinsic
def _larger(typing, a, b):
    return a(a, b), _by_parts(_greater)


@intrinsic
def _smaller(typing, a, b):
    return a(a, b), _by_parts(_less)


@intrinsic
def _ratio(typing, a, b):
    return a(a, b), _by_parts(_quotient)


@intrinsic
def _magnitude(typing, x):
    return x(x), _by_parts(_without_sign)


def _fma(builder, a, b, c):
    name = f"llvm.fma.v{a.type.count}f{64 if isinstance(a.type.element, ir.DoubleType) else 32}"
    kind = ir.FunctionType(a.type, [a.type] * 3)
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [a, b, c])


@intrinsic
def _fused(typing, a, b, c):
    result = next(x for x in (a, b, c) if isinstance(x, Lanes))

    def lower(context, builder, sig, args):
        parts = [convert(context, builder, x, t, result) for x, t in zip(args, sig.args, strict=True)]
        return joint(context, builder, result, (_fma(builder, *part) for part in zip(*parts, strict=True)))

    return result(a, b, c), lower


@intrinsic
def exceeds(typing, x, limit):
    """Whether a lane of `x` is above the scalar `limit`, or no number."""

    def lower(context, builder, sig, args):
        bounds = convert(context, builder, args[1], limit, x)
        mask = None
        for part, bound in zip(parts_of(builder, args[0]), bounds, strict=True):
            bits = builder.fcmp_unordered(">", part, bound)
            mask = bits if mask is None else builder.or_(mask, bits)
        whole = builder.bitcast(mask, ir.IntType(x.width))
        return builder.icmp_unsigned("!=", whole, ir.Constant(whole.type, 0))

    return types.boolean(x, limit), lower


@intrinsic
def from_on(typing, x, limit, a, b):
    """Lane by lane, `a` where `x` is `limit` or more, else `b`, vectors of one type; `limit` is a scalar."""

    def lower(context, builder, sig, args):
        limits = convert(context, builder, args[1], limit, x)
        columns = zip(parts_of(builder, args[0]), limits, *(parts_of(builder, args[k]) for k in (2, 3)), strict=True)
        chosen = [builder.select(builder.fcmp_ordered(">=", p, least), y, z) for p, least, y, z in columns]
        return joint(context, builder, x, chosen)

    return x(x, limit, a, b), lower


@intrinsic
def where(typing, marks, mark, a, b):
    """Lane by lane, `a` where the integer `marks` is `mark`, else `b`, each a vector or a number."""
    result = next(x for x in (a, b) if isinstance(x, Lanes))

    def lower(context, builder, sig, args):
        equal = convert(context, builder, args[1], mark, marks)
        sides = [convert(context, builder, args[k], sig.args[k], result) for k in (2, 3)]
        chosen = [
            builder.select(builder.icmp_signed("==", m, e), x, y)
            for m, e, x, y in zip(parts_of(builder, args[0]), equal, *sides, strict=True)
        ]
        return joint(context, builder, result, chosen)

    return result(marks, mark, a, b), lower


def _folding(operation):
    """An intrinsic `f(x)`: all lanes of `x` folded to one number, always in the same order, by halves."""

    @intrinsic
    def fold(typing, x):
        def lower(context, builder, sig, args):
            parts = parts_of(builder, args[0])
            total = parts[0]
            for part in parts[1:]:
                total = operation(builder, total, part)
            width = x.width
            while width > 1:
                width //= 2
                order = [*range(width, 2 * width), *range(width, x.width)]
                places = ir.Constant(ir.VectorType(ir.IntType(32), x.width), order)
                other = builder.shuffle_vector(total, ir.Constant(total.type, ir.Undefined), places)
                total = operation(builder, total, other)
            return builder.extract_element(total, ir.Constant(ir.IntType(32), 0))

        return x.dtype(x), lower

    return fold


total = _folding(lambda builder, a, b: builder.fadd(a, b))
least = _folding(_less)
greatest = _folding(_greater)


@intrinsic
def _gather(typing, table, index):
    result = index.of(table.dtype)

    def lower(context, builder, sig, args):
        data = cgutils.create_struct_proxy(sig.args[0])(context, builder, value=args[0]).data
        parts = []
        for places in parts_of(builder, args[1]):
            part = ir.Constant(context.get_value_type(result).element, ir.Undefined)
            for lane in range(index.width):
                at = ir.Constant(ir.IntType(32), lane)
                entry = builder.load(builder.gep(data, [builder.extract_element(places, at)]))
                part = builder.insert_element(part, entry, at)
            parts.append(part)
        return joint(context, builder, result, parts)

    return result(table, index), lower


@overload(operator.getitem)
def _take(table, index):
    if isinstance(table, types.Array) and table.ndim == 1 and isinstance(index, Lanes):
        return lambda table, index: _gather(table, index)
    return None


# The only functions of the plain style that branch on a number: on vectors they select, lane by lane.
def _selecting(plain, vector):
    @overload(plain)
    def choose(a, b):
        if isinstance(a, Lanes) or isinstance(b, Lanes):
            if not isinstance(a, Lanes):
                return lambda a, b: vector(cast(b, a), b)
            return lambda a, b: vector(a, cast(a, b))
        return plain


@overload(arithmetic.fused)
def _fuse(a, b, c):
    if any(isinstance(x, Lanes) for x in (a, b, c)):
        return lambda a, b, c: _fused(a, b, c)
    return arithmetic.fused


@overload(arithmetic.one)
def _one(like):
    if isinstance(like, Lanes):
        return lambda like: cast(like, 1)
    return arithmetic.one


_selecting(arithmetic.larger, _larger)
_selecting(arithmetic.smaller, _smaller)
_selecting(arithmetic.ratio, _ratio)


@overload(arithmetic.magnitude)
def _abs(a):
    if isinstance(a, Lanes):
        return lambda a: _magnitude(a)
    return arithmetic.magnitude
