"""Vectors of lanes as a numba type, so that the plain functions of `rules` run on many trajectories at once.

`Lanes` is a vector, a number for each of so many trajectories: `+ - * /`, and on integers `& | ^ << >>`, act lane by
lane, and a scalar operand joins as a constant of the vector's own dtype (a literal 2 does not turn float32 into
float64). `Block` is a sequence of such vectors in memory, the weights of a net for example: what
`rules.end_to_end` or an observable expects, with `len` and indices. Where a vector has several parts, a block may be
kept as sections, one after another, each with some parts of every vector.

A kernel so written holds a block of weights in registers over many steps. Nothing depends on what LLVM's own
vectorisers recognise. Products and sums are rounded as they are written, and fused only where the function says
`fused`: results are the same on every machine, bit by bit.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from llvmlite import ir
from numba import extending
from numba.core import cgutils, types
from numba.core.datamodel import models
from numba.core.imputils import lower_builtin
from numba.core.typing import templates
from numba.core.typing.templates import AbstractTemplate, signature
from numba.extending import overload, register_jitable, register_model

intrinsic: Any = extending.intrinsic  # what it makes is called without the typing context of its definition
infer_global: Any = templates.infer_global


class Lanes(types.Type):
    """The type of `parts * width` numbers of `dtype`, kept as `parts` LLVM vectors.

    `width` is a power of 2 that suits the machine; several parts keep its arithmetic units busy, as the
    operations on one part do not wait for those on another.
    """

    def __init__(self, dtype: types.Type, width: int, parts: int):
        self.dtype: Any = dtype
        self.width, self.parts = width, parts
        self.count = width * parts
        super().__init__(f"Lanes({dtype}, {width}, {parts})")

    def of(self, dtype: types.Type) -> Lanes:
        """The same lanes, of numbers of another dtype."""
        return Lanes(dtype, self.width, self.parts)


class Block(types.Type):
    """The type of `length` vectors of lanes in memory: [section, vector, lane of the section]."""

    def __init__(self, lanes: Lanes, length: int, sections: int = 1):
        self.lanes, self.length, self.sections = lanes, length, sections
        super().__init__(f"Block({lanes}, {length}, {sections})")

    @property
    def section(self) -> Block:
        """The type of one section."""
        return Block(Lanes(self.lanes.dtype, self.lanes.width, self.lanes.parts // self.sections), self.length)


def _vector(dmm, lanes: Lanes) -> ir.VectorType:
    return ir.VectorType(dmm.lookup(lanes.dtype).get_value_type(), lanes.width)


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, ir.ArrayType(_vector(dmm, fe_type), fe_type.parts))


@register_model(Block)
class _BlockModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, dmm.lookup(fe_type.lanes.dtype).get_value_type().as_pointer())


def joint(context, builder, lanes: Lanes, parts):
    """One value of the type `lanes` from its parts."""
    whole = ir.Constant(context.get_value_type(lanes), ir.Undefined)
    for k, part in enumerate(parts):
        whole = builder.insert_value(whole, part, k)
    return whole


def parts_of(builder, value) -> list:
    return [builder.extract_value(value, k) for k in range(value.type.count)]


def _splat(builder, value, width: int):
    """A vector with `value` in every lane."""
    vector = ir.VectorType(value.type, width)
    one = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), width), [0] * width)
    return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), zeros)


def convert(context, builder, value, source, target: Lanes) -> list:
    """The parts of `value` as the type `target`: scalars spread, integers and floats become its dtype."""
    if not isinstance(source, Lanes):
        scalar = context.cast(builder, value, source, target.dtype)
        return [_splat(builder, scalar, target.width)] * target.parts
    parts = parts_of(builder, value)
    if source.dtype == target.dtype:
        return parts
    vector = context.get_value_type(target).element
    if isinstance(source.dtype, types.Integer):
        return [builder.sitofp(part, vector) for part in parts]
    narrower = source.dtype.bitwidth > target.dtype.bitwidth
    return [(builder.fptrunc if narrower else builder.fpext)(part, vector) for part in parts]


def _joined(a, b) -> Lanes | None:
    """The type of the result of a binary operation of which one side, at least, is a vector."""
    vectors = [x for x in (a, b) if isinstance(x, Lanes)]
    others = [x for x in (a, b) if not isinstance(x, Lanes)]
    if not vectors or not all(isinstance(x, types.Number) for x in others):
        return None
    if len({(x.width, x.parts) for x in vectors}) > 1:
        return None
    floats = [x for x in vectors if isinstance(x.dtype, types.Float)]
    if floats:
        return min(floats, key=lambda x: x.dtype.bitwidth)
    if any(isinstance(x, types.Float) for x in others):
        return vectors[0].of(types.float64)
    return vectors[0]


_FLOAT = {operator.add: "fadd", operator.sub: "fsub", operator.mul: "fmul", operator.truediv: "fdiv"}
_INTEGER = {
    operator.add: "add",
    operator.sub: "sub",
    operator.mul: "mul",
    operator.and_: "and_",
    operator.or_: "or_",
    operator.xor: "xor",
    operator.lshift: "shl",
    operator.rshift: "ashr",
}


def _binary(function):
    def lower(context, builder, sig, args):
        kind = _FLOAT if isinstance(sig.return_type.dtype, types.Float) else _INTEGER
        a, b = (convert(context, builder, x, t, sig.return_type) for x, t in zip(args, sig.args, strict=True))
        apply = getattr(builder, kind[function])
        return joint(context, builder, sig.return_type, map(apply, a, b))

    class Template(AbstractTemplate):
        def generic(self, args, kws):
            joined = _joined(*args) if len(args) == 2 else None
            if joined is not None and function in (_FLOAT if isinstance(joined.dtype, types.Float) else _INTEGER):
                return signature(joined, *args)

    infer_global(function)(Template)
    for kinds in ((Lanes, Lanes), (Lanes, types.Number), (types.Number, Lanes)):
        lower_builtin(function, *kinds)(lower)


for _function in {**_FLOAT, **_INTEGER}:
    _binary(_function)


@infer_global(operator.neg)
class _Negative(AbstractTemplate):
    def generic(self, args, kws):
        if isinstance(args[0], Lanes):
            return signature(args[0], args[0])


@lower_builtin(operator.neg, Lanes)
def _negate(context, builder, sig, args):
    return joint(context, builder, sig.return_type, map(builder.fneg, parts_of(builder, args[0])))


@infer_global(operator.getitem)
class _GetVector(AbstractTemplate):
    def generic(self, args, kws):
        block, index = args
        if isinstance(block, Block) and isinstance(index, types.Integer):
            return signature(block.lanes, block, types.intp)


@infer_global(operator.setitem)
class _SetVector(AbstractTemplate):
    def generic(self, args, kws):
        block, index, value = args
        if isinstance(block, Block) and isinstance(index, types.Integer) and isinstance(value, (Lanes, types.Number)):
            return signature(types.none, block, types.intp, value)


def _places(context, builder, block: Block, start, index):
    """Pointers to the parts of vector number `index`."""
    lanes = block.section.lanes
    first = builder.mul(index, ir.Constant(index.type, lanes.count))
    vector = context.get_value_type(lanes).element.as_pointer()
    for section in range(block.sections):
        for k in range(lanes.parts):
            offset = section * block.length * lanes.count + k * lanes.width
            place = builder.add(first, ir.Constant(index.type, offset))
            yield builder.bitcast(builder.gep(start, [place]), vector)


@lower_builtin(operator.getitem, Block, types.Integer)
def _load(context, builder, sig, args):
    # Aligned as its numbers are, no more: a state may begin anywhere.
    block = sig.args[0]
    size = block.lanes.dtype.bitwidth // 8
    parts = [builder.load(place, align=size) for place in _places(context, builder, block, *args)]
    return joint(context, builder, block.lanes, parts)


@lower_builtin(operator.setitem, Block, types.Integer, types.Any)
def _store(context, builder, sig, args):
    block, _, kind = sig.args
    size = block.lanes.dtype.bitwidth // 8
    parts = convert(context, builder, args[2], kind, block.lanes)
    for part, place in zip(parts, _places(context, builder, block, *args[:2]), strict=True):
        builder.store(part, place, align=size)
    return context.get_dummy_value()


@overload(len)
def _length(block):
    if isinstance(block, Block):
        length = block.length
        return lambda block: length
    return None


def view(width: int, parts: int, length: int, sections: int = 1):
    """A jitable `f(array, k)`: the k-th block of `length` vectors of a C-contiguous array of lanes."""

    @intrinsic
    def block(typing, array, k):
        kind = Block(Lanes(array.dtype, width, parts), length, sections)

        def lower(context, builder, sig, args):
            data = cgutils.create_struct_proxy(sig.args[0])(context, builder, value=args[0]).data
            size = ir.Constant(args[1].type, length * kind.lanes.count)
            return builder.gep(data, [builder.mul(args[1], size)])

        return kind(array, types.intp), lower

    return register_jitable(lambda array, k: block(array, k))


@intrinsic
def section(typing, block, k):
    """The k-th section of a block, itself a block."""
    kind = block.section

    def lower(context, builder, sig, args):
        size = ir.Constant(args[1].type, kind.length * kind.lanes.count)
        return builder.gep(args[0], [builder.mul(args[1], size)])

    return kind(block, types.intp), lower


def local(dtype: types.Type, width: int, parts: int, length: int, sections: int = 1):
    """A jitable `f()`: a new block on the stack of the caller, which LLVM keeps in registers if it is small."""
    kind = Block(Lanes(dtype, width, parts), length, sections)

    @intrinsic
    def block(typing):
        def lower(context, builder, sig, args):
            vectors = ir.ArrayType(context.get_value_type(kind.lanes).element, kind.lanes.parts * length)
            with builder.goto_entry_block():
                stack = builder.alloca(vectors)  # numba's own helper writes zeros, which LLVM spells out one by one
            stack.align = 64  # a cache line
            return builder.bitcast(stack, context.get_value_type(kind))

        return kind(), lower

    return register_jitable(lambda: block())


@intrinsic
def cast(typing, like, x):
    """`x`, a number or a vector, as a vector of the type of `like`."""

    def lower(context, builder, sig, args):
        return joint(context, builder, like, convert(context, builder, args[1], x, like))

    return like(like, x), lower


def aligned(shape: tuple[int, ...], dtype) -> np.ndarray:
    """An empty array that begins at a cache line, so that no vector of a block straddles two."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    buffer = np.empty(size + 64, dtype=np.uint8)
    start = -buffer.ctypes.data % 64
    return buffer[start : start + size].view(dtype).reshape(shape)
