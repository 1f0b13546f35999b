"""The stand-alone checker: re-checks certificates with the standard library alone.

    python -I -S linreg_dyn/certify/checker.py DIR

prints one line per certificate and exits 0 only if it accepts every one. A certificate holds a statement

    for all `given` that satisfy `assume`, with the definitions `where` (and wherever they are defined): `conclude`

and, per part, a proof or an exact witness against it. The checker reads the statement itself, in three ways:
at exact rationals (witnesses), at explicit symbolic weights, and at nets of *any* depth, where `w` is a generic
layer and `Prod(w)`, `Sum(w**k)` are symbols of their own. Proof obligations are derived from the statement, never
taken from the proof. An inequality is proved by a Positivstellensatz identity, multiplier * (rhs - lhs) =
sum of nonnegative coefficients times products of hypotheses and squares, verified over the rationals; multiples of
assumed equations may be taken away from both it and an equation.

`exp(e)` and `Integral(e, s, a, b)` are symbols that know their derivatives; of exp a proof may use that exp(e) > 0 and
exp(e) >= 1 + e. `Dt(e)` is the derivative along a flow whose `rates` the statement gives. At rational points, and
over boxes where a proof lists them (such a certificate is "certified"), both are enclosed in rational intervals.
"""

import ast
import functools
import hashlib
import itertools
import json
import math
import operator
import re
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

FORMAT = "linreg-dyn certificate 1"
# What a short text may grow to; each is several times what the registered claims need.
LARGEST_PRODUCT = 2**18  # terms of one polynomial times terms of another
LARGEST_NUMBER, LARGEST_DEGREE = 2**15, 2**10  # bits of a number, and the power of an atom
LARGEST_SIZE, LARGEST_BATCHES = 2**10, 2**14  # entries of a given vector, and batches of them
RELATIONS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}


class Refused(Exception):
    """The certificate is not accepted; the message says why."""


class Untold(Refused):
    """A number is beyond what enclosures tell of exp and integrals, or too large to work out."""


def require(condition, message, kind=Refused):
    """Refuse with `message` unless the condition holds (an `assert` that no optimisation removes)."""
    if not condition:
        raise kind(message)


def exact(value):
    """A rational number, or one written as an integer or as text like "-3/4", and nothing else."""
    if isinstance(value, Fraction):
        return value
    require(type(value) in (int, str) and re.fullmatch(r"-?[0-9]+(/[0-9]+)?", str(value)), "numbers are exact")
    return Fraction(value)


# ---------------------------------------------------------------- rational functions over named atoms
def _times(p, q):
    """Product of two Laurent polynomials `{((atom, exponent), ...): coefficient}`."""
    require(len(p) * len(q) <= LARGEST_PRODUCT, "an expression too large to multiply out", Untold)
    out = {}
    for m, a in p.items():
        for n, b in q.items():
            powers = dict(m)
            for atom, e in n:
                powers[atom] = powers.get(atom, 0) + e
            key = tuple(sorted((atom, e) for atom, e in powers.items() if e))
            out[key] = out.get(key, 0) + a * b
    return {m: c for m, c in out.items() if c}


def _plus(p, q):
    out = dict(p)
    for m, c in q.items():
        out[m] = out.get(m, 0) + c
    return {m: c for m, c in out.items() if c}


ONE = {(): Fraction(1)}


class R:
    """A quotient of Laurent polynomials; a monomial denominator is folded into the numerator."""

    def __init__(self, num, den=ONE):
        if not den:
            raise ZeroDivisionError("division by zero")
        if len(den) == 1 and den is not ONE:
            (monomial, c), *_ = den.items()
            num, den = _times(num, {tuple((a, -e) for a, e in monomial): 1 / Fraction(c)}), ONE
        self.num, self.den = num, den

    @staticmethod
    def atom(name):
        """The rational function that is one atom."""
        return R({((name, 1),): Fraction(1)})

    @staticmethod
    def of(value):
        """A number as a rational function."""
        require(not isinstance(value, list), "a number, not a list")
        return value if isinstance(value, R) else R({(): Fraction(value)} if value else {})

    def __add__(self, other):
        other = R.of(other)
        if self.den == other.den:
            return R(_plus(self.num, other.num), self.den)
        return R(_plus(_times(self.num, other.den), _times(other.num, self.den)), _times(self.den, other.den))

    def __mul__(self, other):
        other = R.of(other)
        return R(_times(self.num, other.num), _times(self.den, other.den))

    def __truediv__(self, other):
        other = R.of(other)
        return R(_times(self.num, other.den), _times(self.den, other.num))

    def __pow__(self, n):
        out = R.of(1)
        for _ in range(abs(n)):
            out = out * self
        return out if n >= 0 else 1 / out

    def __neg__(self):
        return self * -1

    def __sub__(self, other):
        return self + R.of(other) * -1

    def __rsub__(self, other):
        return R.of(other) - self

    def __rtruediv__(self, other):
        return R.of(other) / self

    __radd__, __rmul__ = __add__, __mul__

    def same(self, other):
        """Equality as rational functions."""
        return not (self - other).num

    def factors(self):
        """Names of the atoms it is written with."""
        return {a for p in (self.num, self.den) for m in p for a, _ in m}

    def atoms(self):
        """Names of the atoms it is written with, and of those inside its functions."""
        own = self.factors()
        return own | {b for a in own if a in FUNCTIONS for b in FUNCTIONS[a].atoms()}

    def diff(self, rule):
        """Derivative by a derivation: `rule(atom)` is the derivative of an atom, as an R."""

        def slope(a):
            return FUNCTIONS[a].diff(rule) if a in FUNCTIONS else rule(a)

        def poly(p):
            terms = ((m, c, a, e, slope(a)) for m, c in p.items() for a, e in m)
            return sum((R({m: c}) * e * s / R.atom(a) for m, c, a, e, s in terms if s.num), R.of(0))

        n, d = poly(self.num), poly(self.den)
        return n if self.den is ONE else (n * R(self.den) - d * R(self.num)) / (R(self.den) * R(self.den))

    def at(self, values):
        """Value (Fraction) or composition (R) at `values[atom]`; atoms without a value stay."""

        def power(a, e):
            if a in FUNCTIONS:
                return FUNCTIONS[a].at(values, e)
            return (values[a] if a in values else R.atom(a)) ** e

        def poly(p):
            total = Fraction(0)
            for m, c in p.items():
                term = c
                for a, e in m:
                    term = term * power(a, e)
                total = total + term
            return total

        return poly(self.num) / poly(self.den)

    def text(self):
        """The rational function as text, the same for the same quotient."""

        def words(p):
            return "+".join(f"{c}*" + "*".join(f"{a}^{e}" for a, e in m) for m, c in sorted(p.items()))

        return words(self.num) if self.den is ONE else f"({words(self.num)})/({words(self.den)})"


# ---------------------------------------------------------------- functions
FUNCTIONS: dict[str, Any] = {}  # what the atoms that are functions stand for; the name of one tells all of it


class Exp:
    """exp of one monomial, as an atom; it may have any rational exponent."""

    def __init__(self, inner):
        self.inner = inner

    @staticmethod
    def of(e):
        """exp of a Laurent polynomial, as a product of atoms."""
        e = R.of(e)
        require(e.den is ONE, "exp of a quotient")
        out = R.of(1)
        for m, c in e.num.items():
            inner = R({m: Fraction(1)})
            name = f"exp({inner.text()})"
            FUNCTIONS[name] = Exp(inner)
            out = out * R({((name, Fraction(c)),): Fraction(1)})
        return out

    def atoms(self):
        """What the exponent depends on."""
        return self.inner.atoms()

    def diff(self, rule):
        """Derivative by a derivation."""
        return Exp.of(self.inner) * self.inner.diff(rule)

    def at(self, values, power):
        """The function to a rational power, composed."""
        return Exp.of(R.of(self.inner.at(values)) * power)

    def enclose(self, box, power, precision):
        """Interval of the function to a rational power."""
        low, high = enclose(self.inner * power, box, precision)
        return exp_interval(low, precision[0])[0], exp_interval(high, precision[0])[1]


class Integral:
    """The integral over #u from `low` to `high` of a function of #u without poles, as an atom."""

    def __init__(self, integrand, low, high):
        self.integrand, self.low, self.high = integrand, low, high

    @staticmethod
    def of(integrand, low, high):
        """The integral as a rational function of atoms."""
        integrand, low, high = R.of(integrand), R.of(low), R.of(high)
        inside = {a for e in (integrand, low, high) for a in e.atoms() if a.startswith("int(")}
        require(not inside, "an integral within an integral")
        den, total = R(integrand.den), R.of(0)
        require("#u" not in den.atoms(), "an integrand may have a pole")
        for m, c in integrand.num.items():  # what does not depend on #u is a factor
            bound = tuple((a, e) for a, e in m if "#u" in R.atom(a).atoms())
            factor = R({tuple(t for t in m if t not in bound): c})
            total = total + factor * Integral.over(R({bound: Fraction(1)}), low, high)
        return total / den

    @staticmethod
    def over(integrand, low, high):
        """The integral of one monomial of what depends on #u."""
        if integrand.same(1) or low.same(high):
            return high - low
        name = f"int({integrand.text()};{low.text()};{high.text()})"
        FUNCTIONS[name] = Integral(integrand, low, high)
        return R.atom(name)

    def atoms(self):
        """What the integral depends on."""
        return (self.integrand.atoms() - {"#u"}) | self.low.atoms() | self.high.atoms()

    def diff(self, rule):
        """Derivative by a derivation that moves the ends only."""
        inside = self.integrand.diff(lambda a: R.of(0) if a == "#u" else rule(a))
        require(inside.same(0), "a derivative under the integral sign")
        upper, lower = (R.of(self.integrand.at({"#u": end})) for end in (self.high, self.low))
        return upper * self.high.diff(rule) - lower * self.low.diff(rule)

    def at(self, values, power):
        """The integral to an integer power, composed."""
        return Integral.of(*(e.at(values) for e in (self.integrand, self.low, self.high))) ** power

    def enclose(self, box, power, precision):
        """Midpoint rule over equal pieces, with the second derivative over each: w g(middle) + w^3/24 g''(piece)."""
        pieces, total = precision[1], (Fraction(0), Fraction(0))
        curvature = self.integrand.diff(lambda a: R.of(int(a == "#u"))).diff(lambda a: R.of(int(a == "#u")))
        start = enclose(self.low, box, precision)
        w = times(enclose(self.high - self.low, box, precision), 2 * (Fraction(1, pieces),))
        for k in range(pieces):
            middle = plus(start, times(w, 2 * (Fraction(2 * k + 1, 2),)))
            piece = plus(start, times(w, (Fraction(k), Fraction(k + 1))))
            straight = times(w, enclose(self.integrand, {**box, "#u": middle}, precision))
            bent = times(raised(w, 3), enclose(curvature, {**box, "#u": piece}, precision))
            total = outward(plus(total, plus(straight, times(bent, 2 * (Fraction(1, 24),)))), precision)
        return raised(total, power)


# ---------------------------------------------------------------- rational intervals
LADDER = ((60, 8), (100, 64))  # precisions: bits, and pieces of an integral
LARGEST_EXPONENT = 2**16


def outward(interval, precision):
    """The interval, its ends rounded away from each other to so many bits."""

    def short(x, up):
        shift = precision[0] - x.numerator.bit_length() + x.denominator.bit_length()
        scaled = x * Fraction(2) ** shift
        return Fraction(math.ceil(scaled) if up else math.floor(scaled)) / Fraction(2) ** shift

    return short(interval[0], False), short(interval[1], True)


def plus(a, b):
    """Sum of two intervals."""
    return a[0] + b[0], a[1] + b[1]


def times(a, b):
    """Product of two intervals."""
    ends = [x * y for x in a for y in b]
    return min(ends), max(ends)


def raised(a, n):
    """Integer power of an interval."""
    if n < 0:
        require(a[0] > 0 or a[1] < 0, "no enclosure: it divides by what may be zero")
        return raised((1 / a[1], 1 / a[0]), -n)
    ends = [x**n for x in a]
    return (Fraction(0) if n and n % 2 == 0 and a[0] <= 0 <= a[1] else min(ends)), max(ends)


@functools.lru_cache(4096)
def exp_interval(x, bits):
    """Enclosure of exp at a rational, to about so many bits: Taylor's series at |x| / 2^n in integers, n squarings."""
    require(x <= LARGEST_EXPONENT, "no enclosure: exp of too large a number")
    if x < -LARGEST_EXPONENT:
        return Fraction(0), Fraction(1, 2**LARGEST_EXPONENT)
    halvings = math.ceil(abs(x)).bit_length() + 4
    places = bits + 2 * halvings + 8
    y = math.floor(abs(x) * 2 ** (places - halvings))  # at most 1/16, in units of 2^-places, like all that follows
    total = term = 2**places
    for n in itertools.count(1):
        term = (term * y >> places) // n
        total += term
        if term == 0:
            break
    low, high = total, total + 2 * n + 4  # each term, y itself and the rest of the series are off by less than 2, 2, 2
    for _ in range(halvings):
        low, high = low * low >> places, -(-high * high >> places)
    ends = Fraction(low, 2**places), Fraction(high, 2**places)
    return outward(ends if x >= 0 else (1 / ends[1], 1 / ends[0]), (bits + 4,))


def enclose(e, box, precision):
    """An interval that contains e wherever its atoms lie in the box."""

    def power(a, n):
        if a in FUNCTIONS:
            return FUNCTIONS[a].enclose(box, n, precision)
        require(a in box, f"no enclosure: nothing bounds {a}")
        return raised(box[a], n)

    def poly(p):
        total = (Fraction(0), Fraction(0))
        for m, c in p.items():
            term = (Fraction(c), Fraction(c))
            for a, n in m:
                term = outward(times(term, power(a, n)), precision)
            total = plus(total, term)
        return outward(total, precision)

    return poly(e.num) if e.den is ONE else times(poly(e.num), raised(poly(e.den), -1))


def sign(e):
    """The sign of a number that exp and integrals make: -1, 0, 1, or None where enclosures cannot tell."""
    e = R.of(e)
    if e.same(0):
        return 0
    for precision in LADDER:
        try:
            low, high = enclose(e, {}, precision)
        except Refused:
            continue
        if low > 0 or high < 0:
            return 1 if low > 0 else -1
    return None


# ---------------------------------------------------------------- the language
def parse(text) -> Any:
    """The syntax tree of an expression or relation."""
    require(isinstance(text, str) and "#" not in text, f"not in the language: {text}")  # no comment says otherwise
    return _tree(text)


@functools.lru_cache(4096)
def _tree(text):
    return ast.parse(text, mode="eval").body


def mentions(node, name, where):
    """Does an expression use a name, itself or through the definitions `where`?"""
    names, left = set(), [node]
    while left:
        new = {n.id for n in ast.walk(left.pop()) if isinstance(n, ast.Name)} - names
        names |= new
        left += [where[n] for n in new if n in where]
    return name in names


def lift(f, *args):
    """Apply `f` entry by entry where any argument is a list."""
    if any(isinstance(a, list) for a in args):
        n = {len(a) for a in args if isinstance(a, list)}
        require(len(n) == 1, "vectors of different lengths")
        return [lift(f, *(a[k] if isinstance(a, list) else a for a in args)) for k in range(n.pop())]
    return f(*args)


def bounded(value):
    """A number or rational function, unless it is too large to work with."""
    parts = (value.num, value.den) if isinstance(value, R) else ({(): value},)
    numbers = [n for p in parts for c in p.values() for n in (c.numerator, c.denominator)]
    powers = [e for p in parts for m in p for a, e in m if not isinstance(FUNCTIONS.get(a), Exp)]
    longest = max((n.bit_length() for n in numbers), default=0)
    require(longest <= LARGEST_NUMBER, "a number too long to work with", Untold)
    require(max(map(abs, powers), default=0) <= LARGEST_DEGREE, "a power too high to work with", Untold)
    return value


OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}
HOLDS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne}
LARGEST_POWER = 64
ARGUMENTS = {"Sum": 1, "Size": 1, "Mean": 1, "Prod": 1, "abs": 1, "exp": 1, "Max": 1, "Min": 1, "Batches": 2}


class Scope:
    """Evaluates expressions with `values` for the given names; definitions are expanded on demand.

    `generic` names the vector whose depth is left open, a layer vector or a point of the simplex (its `kind`);
    `samples` name data or noise with an open number of equally likely values. Without either, vectors are lists.
    """

    def __init__(self, values, where, generic=None, kind=None, samples=(), rates=()):
        self.values, self.generic, self.kind, self.samples = values, generic, kind, samples
        self.where, self.rates = ({n: parse(t) for n, t in pairs} for pairs in (where, rates))
        self.cache, self.named, self.products, self.signs, self.level = {}, {}, [], [], 0
        # told of each divisor and its text's tree: to note those of a statement, or to refuse others in a proof
        self.on_division: Callable = lambda divisor, node: None

    def __call__(self, node, index=None):
        """The value of an expression, text or tree; `index` gives the layers i and j."""
        node = parse(node) if isinstance(node, str) else node
        return self.eval(node, index or {})

    def inside(self, values, level=0):
        """The same definitions with other values."""
        new = Scope(values, (), self.generic, self.kind, self.samples)
        new.where, new.rates, new.level = self.where, self.rates, self.level + level
        return new

    def nearby(self):
        """The same without hypotheses: what tells the sign of an absolute value at a point says nothing around it."""
        new = self.inside(self.values)
        new.products, new.on_division = self.products, self.on_division
        return new

    def eval(self, node, index):
        """The value of a syntax tree: a number, a rational function, or a list of them."""
        match node:
            case ast.Constant(value=int(n)) if type(n) is int:
                return Fraction(n)
            case ast.Name(id=name):
                return self.values[name] if name in self.values else self.defined(name, index)
            case ast.List(elts=entries):
                values = [self.eval(e, index) for e in entries]
                require(values and not any(map(self.shape, values)), "a list of numbers")
                return values
            case ast.UnaryOp(op=ast.USub(), operand=a):
                return lift(operator.neg, self.eval(a, index))
            case ast.BinOp(left=a, op=ast.Pow(), right=n):
                power, base = self.eval(n, index), self.eval(a, index)
                require(isinstance(power, Fraction) and power.denominator == 1, "integer powers only")
                require(abs(power) <= LARGEST_POWER, "power too large")
                self.dividing(base if power < 0 else 1, a)
                return lift(lambda u: bounded(u ** int(power)), base)
            case ast.BinOp(left=a, op=op, right=b) if type(op) in OPERATORS:
                u, v = self.eval(a, index), self.eval(b, index)
                self.same_kind(u, v)
                self.dividing(v if isinstance(op, ast.Div) else 1, b)
                return lift(lambda x, y: bounded(OPERATORS[type(op)](x, y)), u, v)
            case ast.Subscript(value=vector, slice=k):
                return self.entry(vector, k, index)
            case ast.Call(func=ast.Name(id="D"), args=[f, by], keywords=[]):
                return self.derivative(f, by, index)
            case ast.Call(func=ast.Name(id="Dt"), args=[f], keywords=[]):
                return self.along_the_flow(f, index)
            case ast.Call(func=ast.Name(id="Integral"), args=[f, ast.Name(id=s), a, b], keywords=[]):
                return self.integral(f, s, self.eval(a, index), self.eval(b, index), index)
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in ARGUMENTS:
                require(len(args) == ARGUMENTS[name], f"{name} has {len(args)} arguments, not {ARGUMENTS[name]}")
                return getattr(self, "do_" + name)(*(self.eval(a, index) for a in args))
        raise Refused(f"not in the language: {ast.unparse(node)}")

    def shape(self, value):
        """What a value has an entry for: each layer of an open net, each open sample, or a list's places (or None)."""
        if isinstance(value, list):
            return "list"
        atoms = value.atoms() if isinstance(value, R) else ()
        return "layers" if self.generic in atoms else "samples" if {*self.samples} & {*atoms} else None

    def same_kind(self, *values):
        """Refuse vectors of different kinds in one expression, where entries would meet that do not belong together."""
        require(len({self.shape(v) for v in values} - {None}) < 2, "layers, samples and lists do not mix")

    def dividing(self, divisor, node):
        """Tell of every rational function that is divided by."""
        lift(lambda d: self.on_division(d, node) if isinstance(d, R) else None, divisor)

    def defined(self, name, index):
        """The value of a definition, computed once (for each i, j if it depends on these layers)."""
        require(name in self.where, f"unknown name {name}")
        return self.once(self.where[name], index, lambda: self.eval(self.where[name], index))

    def once(self, node, index, work, *about):
        """What `work` makes of a text (`about` something), kept for each i, j that the text names."""
        if node not in self.named:
            self.named[node] = [k for k in "ij" if mentions(node, k, self.where)]
        key = node, *about, *(index.get(k) for k in self.named[node])
        if key not in self.cache:
            self.cache[key] = work()
        return self.cache[key]

    def entry(self, node, where, index):
        """`v[i]`, `v[j]` (bound by the statement), or `v[0]` of an explicit vector."""
        vector, named = self.eval(node, index), isinstance(where, ast.Name)
        k = index.get(where.id) if named else self.eval(where, index)
        require(k is not None, "unbound index")
        if isinstance(vector, list):
            return vector[self.place(vector, k)]
        require(named and self.kind == "layers" and self.layered(node), "only layers have indices")
        require(self.shape(vector) != "samples", "layers, samples and lists do not mix")
        return R.of(vector).at({self.generic: R.atom(f"{self.generic}[{where.id}]")})

    def layered(self, node):
        """Has a text an entry for each layer of an open net, be it that they have simplified to the same for all?"""
        match node:
            case ast.Name(id=name):
                text = self.where.get(name)
                return name == self.generic or (
                    text is not None and self.once(text, {}, lambda: self.layered(text), "layered")
                )
            case ast.Call(func=ast.Name(id="abs" | "D"), args=args):
                return any(map(self.layered, args))
            case ast.Subscript() | ast.Call():
                return False
        return any(map(self.layered, ast.iter_child_nodes(node)))

    def place(self, vector, k):
        """A layer's number, or a number in the text, as an index of an explicit vector."""
        require(not isinstance(k, str), "a proof at a fixed depth is about given layers, as w[0] and w[1]")
        whole = type(k) is int or (isinstance(k, Fraction) and k.denominator == 1)
        require(whole and 0 <= k < len(vector), "an index that is no place of the vector")
        return int(k)

    # -- functions
    def do_Sum(self, v):
        """Sum of a list, or over the layers of a net of open depth."""
        if isinstance(v, list):
            return sum(v, Fraction(0))
        require(self.kind == "layers" and self.shape(v) == "layers", "a sum over layers")
        return self.functional(v, "sum", (self.generic,), R.atom("#depth"))

    def do_Size(self, v):
        """The number of entries of a list, or the depth of a net."""
        if isinstance(v, list):
            return Fraction(len(v))
        require(self.kind == "layers" and R.of(v).same(R.atom(self.generic)), "the depth is the size of the layers")
        return R.atom("#depth")

    def do_Mean(self, v):
        """Mean of a list, or over samples of open number."""
        if isinstance(v, list):
            return sum(v, Fraction(0)) / len(v)
        require(self.samples and self.shape(v) != "layers", "a mean over samples")
        return self.functional(v, "mean", self.samples, R.of(1))

    def functional(self, v, name, over, unit):
        """A linear functional over layers (or samples): each monomial in them becomes a symbol of its own."""
        v, total = R.of(v), R.of(0)
        require(not {a for m in v.den for a, _ in m} & set(over), f"cannot take the {name}")
        for m, c in v.num.items():
            inside = "*".join(f"{a}^{e}" for a, e in m if a in over)
            total += R({tuple(t for t in m if t[0] not in over): c}) * (R.atom(f"{name}({inside})") if inside else unit)
        return total / R(v.den)

    def do_Prod(self, v):
        """`Prod(w)`, or with p_i = w_i^-2 / Sum(w^-2) the product of w_i (1 - x p_i) as Prod(w) * Q(x)."""
        if isinstance(v, list):
            out = Fraction(1)
            for a in v:
                out = bounded(out * a)
            return out
        require(self.generic and self.shape(v) == "layers", "a product over layers")
        g = R.atom(self.generic)
        base, p = (R.of(1), g) if self.kind == "simplex" else (R.atom(f"prod({self.generic})"), None)
        if p is None:
            if R.of(v).same(g):
                return base
            v, p = v / g, g**-2 / R.atom(f"sum({self.generic}^-2)")
        x = (1 - R.of(v)) / p
        slope = x.diff(lambda a: R.of(int(a == self.generic)))
        require(slope.same(0), "not a product over layers that this checker knows")
        x = x.at({self.generic: R.of(1)})
        for known, name in self.products:
            if known.same(x):
                return base * R.atom(name)
        self.products.append((R.of(x), f"#Q{len(self.products)}"))
        return base * R.atom(self.products[-1][1])

    def do_abs(self, a):
        """Absolute value; of a rational function only if a hypothesis or an enclosure tells its sign."""
        if isinstance(a, R):
            for e in self.signs:
                if e.same(a) or e.same(-a):
                    return e
            known = sign(a)
            require(known is not None, "abs of an expression of unknown sign", Untold)
            return a * known
        return lift(lambda x: self.do_abs(x) if isinstance(x, R) else abs(x), a)

    def do_exp(self, a):
        """The exponential function of numbers."""
        require(self.generic is None and not self.samples, "exp of what has an open depth or number")
        return lift(Exp.of, a)

    def integral(self, node, name, low, high, index):
        """`Integral(e, s, a, b)`: of e over s from a to b, where e divides by nothing that depends on s."""
        require(self.generic is None and not self.samples, "an integral of what has an open depth or number")
        require(name not in {*self.values, *self.where, "i", "j"}, "the variable of an integral is no other name")
        bound = any("#u" in e.atoms() for e in self.values.values() if isinstance(e, R))
        require(not bound, "an integral within an integral")  # both variables would be #u
        inner = self.inside({**self.values, name: R.atom("#u")})

        def whole(divisor, node):
            require("#u" not in divisor.atoms(), "an integrand may have a pole")
            self.on_division(divisor, node)

        inner.on_division = whole
        return Integral.of(inner.eval(node, index), low, high)

    def do_Max(self, v):
        """Largest entry of a list."""
        return max(self.known(v))

    def do_Min(self, v):
        """Smallest entry of a list."""
        return min(self.known(v))

    def known(self, v):
        """The list, which must be of rational numbers."""
        require(isinstance(v, list) and all(isinstance(e, Fraction) for e in v), "Max and Min are of rational numbers")
        return v

    def do_Batches(self, v, size):
        """Means of `v` over all batches of `size` entries drawn without replacement."""
        require(isinstance(v, list), "batches are of a vector of given size")
        require(isinstance(size, Fraction) and size.denominator == 1 and 0 < size <= len(v), "a batch size")
        require(math.comb(len(v), int(size)) <= LARGEST_BATCHES, "too many batches to list")
        return [sum(b, Fraction(0)) / size for b in itertools.combinations(v, int(size))]

    def with_atoms(self, *names):
        """(scope, atoms, point): a scope in which every entry of these variables is an atom, the names of the atoms
        by variable, and where they are, which is empty if they are independent atoms already, as in a proof."""
        entries = {n: v if isinstance(v, list) else [v] for n, v in self.values.items()}
        own = [e for n in names for e in entries[n]]
        atoms = [next(iter(e.factors()), "") if isinstance(e, R) else "" for e in own]
        others = {a for n, v in entries.items() if n not in names for e in v if isinstance(e, R) for a in e.atoms()}
        plain = all(a and e.same(R.atom(a)) for a, e in zip(atoms, own, strict=True))
        if plain and len({*atoms}) == len(atoms) and not others & {*atoms}:
            found = iter(atoms)
            return self.nearby(), {n: [next(found) for _ in entries[n]] for n in names}, {}
        fresh = {n: [f"#d{self.level}{n}[{k}]" for k in range(len(entries[n]))] for n in names}
        new = {n: [R.atom(a) for a in fresh[n]] for n in names}
        inner = self.inside(
            {**self.values, **{n: v if isinstance(self.values[n], list) else v[0] for n, v in new.items()}}, level=1
        )
        return inner, fresh, {a: e for n in names for a, e in zip(fresh[n], entries[n], strict=True)}

    def function(self, node, index, *names):
        """(f, atoms, point): what a text is as a function of these variables; see `with_atoms`, which is kept too."""

        def work():
            if names not in self.cache:
                self.cache[names] = self.with_atoms(*names)
            scope, atoms, here = self.cache[names]
            if here:
                self.eval(node, index)  # a derivative has a value only where the function has one, and no more poles
            return scope.eval(node, index), atoms, here

        return self.once(node, index, work, "function", *names)

    def derivative(self, node, by, index):
        """`D(f, w)` is the vector of partial derivatives (of a vector: entry by entry), `D(f, w[i])` one of them."""
        match by:
            case ast.Name(id=name):
                k = None
            case ast.Subscript(value=ast.Name(id=name), slice=ast.Name(id=k)):
                vector = isinstance(self.values.get(name), list) or name == self.generic
                require(vector and k in index, "an index of a layer")
            case ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=int(n))) if type(n) is int:
                vector = self.values.get(name)
                require(isinstance(vector, list), "an entry of an explicit vector")
                k, index = "#", {**index, "#": n}
            case _:
                raise Refused("a derivative is by a name or by an entry w[i]")
        require(name in self.values and name not in self.samples, "a derivative by a given number or weight")
        if self.generic is None:
            f, atoms, here = self.function(node, index, name)

            def slope(f, n):
                return R.of(f).diff(lambda a: R.of(int(a == atoms[name][n]))).at(here)

            if k is not None or not isinstance(self.values[name], list):
                n = 0 if k is None else self.place(atoms[name], index[k])
                return self.once(node, index, lambda: lift(lambda e: slope(e, n), f), "D", name, n)
            parts = f if isinstance(f, list) else [f] * len(atoms[name])
            require(len(parts) == len(atoms[name]), "vectors of different lengths")
            return [slope(e, n) for n, e in enumerate(parts)]
        a = R.atom(name if k is None else f"{name}[{k}]")
        f = R.of(self.nearby().eval(node, index))
        layers = {f"{self.generic}[{n}]" for n in "ij"} if k is None else {self.generic}
        require(not layers & f.atoms() and isinstance(self.values[name], R), "derivative across unrelated layers")
        require(self.shape(f) != "samples", "a derivative of samples")
        require(self.kind == "layers" and not any(b.startswith("#Q") for b in f.atoms()), "a derivative by layers")

        def rule(b):
            if b == f"prod({name})":
                return R.atom(b) / a
            if b.startswith(f"sum({name}^"):
                power = int(b[5 + len(name) : -1])
                return power * a ** (power - 1)
            return R.of(int(R.atom(b).same(a)))

        return f.diff(rule if name == self.generic else lambda b: R.of(int(b == name)))

    def along_the_flow(self, node, index):
        """`Dt(f)`: the derivative of f along the flow, by the rates of the variables."""
        require(self.generic is None and self.rates and not self.samples, "Dt is for given variables with rates")
        (f, atoms, here), rates = self.function(node, index, *self.rates), {}
        for name, text in self.rates.items():
            rate, vector = self.eval(text, index), isinstance(self.values[name], list)
            require(vector == isinstance(rate, list), f"the rate of {name} is no number or vector as it")
            rate = rate if vector else [rate]
            require(len(rate) == len(atoms[name]), f"the rate of {name} has another length")
            rates |= {a: R.of(r) for a, r in zip(atoms[name], rate, strict=True)}
        return lift(lambda e: R.of(e).diff(lambda a: rates.get(a, R.of(0))).at(here), f)


# ---------------------------------------------------------------- statements
def check_names(part):
    """Names are defined once, `i`, `j` are left to the layers' indices and `Dt` to the flow, which is one for all."""
    names = [*part["given"], *(name for name, _ in part["where"])]
    for name in names:  # two spellings that Python reads as one name are no two names
        node = parse(name)
        require(isinstance(node, ast.Name) and node.id == name, "a name that is none")
    require(len(set(names)) == len(names) and not {"i", "j", "Dt"} & set(names), "a name twice, or a reserved one")
    rates = [name for name, _ in part.get("rates", ())]
    require(len(set(rates)) == len(rates) and {*rates} <= {*part["given"]}, "rates are of given names, one of each")
    where, flow = ({n: parse(text) for n, text in part.get(key, ())} for key in ("where", "rates"))
    own = any(mentions(rate, k, where) for rate in flow.values() for k in "ij")
    require(not own, "a rate that names the layer i or j, where the flow is one for all")
    sized = {kind.rpartition(":")[0] for kind in part["given"].values() if kind.rpartition(":")[2].isdecimal()}
    others = {kind for kind in part["given"].values() if not kind.rpartition(":")[2].isdecimal()}
    sizes = [int(kind.rpartition(":")[2]) for kind in {*part["given"].values()} - others]
    require(max(sizes, default=0) <= LARGEST_SIZE, "too many entries to list")
    require(
        sized <= {"layers", "sample", "vector"} and others <= {"layers", "simplex", "sample", "real"}, "an unknown kind"
    )


def relations(text):
    """A chain `a < b <= c` as [(a, '<', b), (b, '<=', c)], syntax trees."""
    node = parse(text)
    require(isinstance(node, ast.Compare), f"not a relation: {text}")
    require(all(type(op) in RELATIONS for op in node.ops), f"not a relation: {text}")
    sides = [node.left, *node.comparators]
    return [(a, RELATIONS[type(op)], b) for a, op, b in zip(sides, node.ops, sides[1:], strict=False)]


def read_values(part, given):
    """Exact values of a witness, checked against the kinds of the given names."""
    check_names(part)
    require(set(given) == set(part["given"]), "a witness gives every name, and no other")
    values, lengths = {}, set()
    for name, kind in part["given"].items():
        v, (kind, _, number) = given[name], kind.partition(":")
        require(isinstance(v, list) == (kind != "real"), f"{name} must be {kind}")
        values[name] = [exact(e) for e in v] if isinstance(v, list) else exact(v)
        require(kind == "real" or (v and number in ("", str(len(v)))), f"{name} has the wrong length")
        if kind == "layers":
            lengths.add(len(v))
            require(0 not in values[name], f"{name} must be nonzero weights")
        if kind == "simplex":
            require(min(values[name]) > 0 and sum(values[name]) == 1, f"{name} must lie in the simplex")
    require(len(lengths) < 2, "layer vectors of different depths")
    return values


def truth(part, given):
    """(admitted, broken): does a point meet every assumption, and which conclusion does it break (or None)?

    `admitted` is None where it does, but none is seen to break and one cannot be told, being beyond what enclosures
    tell; Untold where one says nothing, of pairs of layers at depth 1.
    """
    scope = Scope(read_values(part, given), part["where"], rates=part.get("rates", ()))
    depth = max([len(v) for n, v in scope.values.items() if part["given"][n].startswith("layers")] or [0])

    def defined(divisor, _):
        require(sign(divisor) is not None, "it divides by what may be zero", Untold)  # by 0, the division itself fails

    scope.on_division = defined

    def outcomes(text):
        for a, relation, b in relations(text):
            names = [k for k in "ij" if any(mentions(s, k, scope.where) for s in (a, b))]
            require(depth or not names, "indices are for layers")
            for indices in itertools.permutations(range(depth), len(names)):
                index = dict(zip(names, indices, strict=True))
                outcome = lift(lambda u, v, r=relation: holds(r, u, v), scope(a, index), scope(b, index))
                yield from outcome if isinstance(outcome, list) else [outcome]

    if any(outcome is not True for text in part["assume"] for outcome in outcomes(text)):
        return False, None
    seen = []
    for text in part["conclude"]:
        own = []
        for outcome in outcomes(text):
            if outcome is False:
                return True, text
            own.append(outcome)
        seen.append(own)
    require(all(seen), "it concludes nothing there", Untold)
    return (None if any(None in own for own in seen) else True), None


def holds(relation, a, b):
    """Is a relation between two numbers true, false, or None: beyond what enclosures tell?"""
    if not isinstance(a, R) and not isinstance(b, R):
        return HOLDS[relation](a, b)
    difference = sign(R.of(a) - b)
    return None if difference is None else HOLDS[relation](difference, 0)


# ---------------------------------------------------------------- proofs
class Context:
    """A statement at symbols: its scope and the named hypotheses `name -> (R, strict)`, each `> 0` or `>= 0`.

    `S` is sum 1/w^2, `inv`, `inv[i]`, `inv[j]` are 1/w^2, and `rest` is S without the layers that the goal names.
    """

    def __init__(self, part, lemmas, goal):
        check_names(part)
        self.assumed = None  # while the statement is read
        self.lemmas, self.equal, self.nonzero, self.hypotheses = lemmas, {}, {}, {}
        values, generic, never_zero = {}, None, set()
        for name, kind in part["given"].items():
            if kind in ("layers", "simplex"):
                require(generic is None, "one vector of open depth at a time")
                generic, values[name] = name, R.atom(name)
            elif kind.startswith(("layers:", "sample:", "vector:")):
                values[name] = [R.atom(f"{name}[{k}]") for k in range(int(kind.split(":")[1]))]
                never_zero |= {a for e in values[name] for a in e.atoms()} if kind.startswith("layers") else set()
            else:
                values[name] = R.atom(name)
        samples = tuple(n for n, kind in part["given"].items() if kind == "sample")
        self.scope = Scope(values, part["where"], generic, part["given"].get(generic), samples, part.get("rates", ()))
        self.divisors = self.statement_divisors(part, goal)
        if self.scope.kind == "layers":
            inverse = {k: R.atom(f"{generic}{k}") ** -2 for k in ("", "[i]", "[j]")}
            total, product = R.atom(f"sum({generic}^-2)"), R.atom(f"prod({generic})")
            never_zero |= {a for e in (total, product, *inverse.values()) for a in e.atoms()}
            named = [k for k in "ij" if any(mentions(s, k, self.scope.where) for s in (goal[0], goal[2]))]
            self.nonzero["W"] = product
            self.add("depth", R.atom("#depth"), True)
            self.add("S", total, True)
            self.add("rest", total - sum((inverse[f"[{k}]"] for k in named), R.of(0)), False)
            for k, e in inverse.items():
                self.add(f"inv{k}", e, True)
        if self.scope.kind == "simplex":
            self.add("p", R.atom(generic), True)
        self.never_zero = never_zero
        for n, text in enumerate(part["assume"]):
            for m, (a, relation, b) in enumerate(relations(text)):
                self.assume(f"a{n}.{m}", a, relation, b)
        self.assumed = frozenset(self.hypotheses)

    def statement_divisors(self, part, goal):
        """What the goal and the assumptions divide by: not zero wherever the statement is defined.

        Signs may not be known yet: absolute values are read with a symbol, and divisors that contain any do not count.
        """
        found, scope = [], self.scope
        notes = scope.inside(scope.values)
        notes.products = scope.products
        notes.do_abs = lambda a: lift(lambda e: e * R.atom("#abs"), a)  # of the shape of what is in it
        read = {**scope.where, "Dt": ast.List([*scope.rates.values()])}  # along the flow the rates are read
        notes.on_division = lambda d, node: None if mentions(node, "abs", read) else found.append(d)
        for a, _, b in [goal, *(r for text in part["assume"] for r in relations(text))]:
            notes.same_kind(notes(a, PAIR), notes(b, PAIR))
        return found

    def nowhere_zero(self, divisor):
        """Is a divisor surely not zero: one of the statement's, a strict hypothesis, or a product of such numbers?"""
        sure = [e for e, strict in self.hypotheses.values() if strict]
        if any(divisor.same(e) or divisor.same(-e) for e in [*self.divisors, *sure]):
            return True
        atoms = {a for e in sure if len(e.num) == 1 and e.den is ONE for a in e.factors()} | self.never_zero
        factors = {a for a in divisor.factors() if not isinstance(FUNCTIONS.get(a), Exp)}
        return len(divisor.num) == 1 and divisor.den is ONE and factors <= atoms

    def expression(self, text):
        """An expression that the proof brings: it must have a value wherever the statement has one."""
        scope = self.branch().scope
        scope.on_division = lambda d, _: require(self.nowhere_zero(d), "the proof divides by what may be zero")
        return R.of(scope(text, PAIR))

    def add(self, name, expression, strict):
        """One more hypothesis, under a new name."""
        require(name not in self.hypotheses, f"hypothesis {name} twice")
        self.hypotheses[name] = (expression, strict)
        if self.tells_sign(name, expression):
            self.scope.signs.append(expression)

    def tells_sign(self, name, expression):
        """A case about one layer or sample says nothing of the absolute value of all."""
        return self.assumed is None or name in self.assumed or not self.scope.shape(expression)

    def assume(self, name, a, relation, b):
        """Turn a relation into hypotheses; `abs(e) < b` gives two, `name+` (b - e) and `name-` (b + e)."""
        if relation in (">", ">="):
            a, b, relation = b, a, relation.replace(">", "<")
        if relation in ("==", "!="):
            (self.equal if relation == "==" else self.nonzero)[name] = R.of(self.scope(a)) - self.scope(b)
            return
        bound, found = R.of(self.scope(b)), {}
        if isinstance(a, ast.Call) and isinstance(a.func, ast.Name) and a.func.id == "abs":
            e = R.of(self.scope(a.args[0]))
            found = {name + "+": bound - e, name + "-": bound + e}
        else:
            found = {name: bound - self.scope(a)}
        for key, e in found.items():
            self.add(key, e, relation == "<")
            if self.scope.kind == "layers" and self.scope.generic in e.atoms():
                for k in "ij":  # an assumption on every layer holds for the layers i and j
                    layer = R.atom(f"{self.scope.generic}[{k}]")
                    self.add(f"{key}[{k}]", R.of(e.at({self.scope.generic: layer})), relation == "<")

    def branch(self, name=None, expression=None, strict=False, keep=lambda name, e: True):
        """The same context with one more hypothesis (unless `name` is None), and only those that `keep` admits."""
        new = object.__new__(Context)
        new.__dict__.update(self.__dict__)
        new.hypotheses = {n: (e, sure) for n, (e, sure) in self.hypotheses.items() if keep(n, e)}
        new.scope = self.scope.inside(self.scope.values)
        new.scope.products = self.scope.products
        new.scope.signs = [e for n, (e, _) in new.hypotheses.items() if self.tells_sign(n, e)]
        if name is not None:
            new.add(name, expression, strict)
        return new

    def for_every(self, vectors):
        """The context without what holds in this case for one entry of the vectors, but was not assumed of all."""
        return self.branch(keep=lambda name, e: name in self.assumed or not {*vectors} & e.atoms())

    def having(self, name, goal):
        """The same context with a relation that was proved."""
        a, relation, b = goal
        require(relation in ("<", "<=", ">", ">="), "only an inequality can be a further hypothesis")
        e = b - a
        return self.branch(name, e if relation in ("<", "<=") else -e, relation in ("<", ">"))

    def vanishing(self, proof):
        """A multiple of the assumed equations, by cofactors."""
        total = R.of(0)
        for name, text in proof.get("modulo", {}).items():
            cofactor = self.expression(text)
            total = total + cofactor * self.equal[name]
        return total

    def combination(self, terms):
        """A nonnegative combination of products of hypotheses and squares: (value, is it surely positive?)."""
        total, positive = R.of(0), False
        for coefficient, powers in terms:
            c, strict = exact(coefficient), True
            require(c >= 0, "negative coefficient")
            term = R.of(c)
            for name, e in powers.items():
                require(type(e) is int and 0 < e <= LARGEST_POWER, "exponents are positive integers")
                if name.startswith(("exp ", "tangent ")):  # exp(e) > 0, and exp(e) - 1 - e >= 0
                    rule, _, text = name.partition(" ")
                    inner, sure = self.expression(text), rule == "exp"
                    value = R.of(self.scope.do_exp(inner))
                    value = value if sure else value - 1 - inner
                elif name.startswith(("sq ", "sumsq ")):
                    rule, _, text = name.partition(" ")
                    if rule == "sq":
                        value, sure = self.expression(text) ** 2, False
                    else:
                        every = self.for_every([self.scope.generic])
                        value, sure = self.scope.do_Sum(every.expression(text) ** 2), False
                else:
                    require(name in self.hypotheses, f"no hypothesis {name}; there are {sorted(self.hypotheses)}")
                    value, sure = self.hypotheses[name]
                term, strict = term * value**e, strict and sure
            total, positive = total + term, positive or (strict and c > 0)
        return total, positive

    def box(self):
        """The interval of each number that hypotheses bound on both sides."""
        bounds = {}
        for e, _ in self.hypotheses.values():
            plain = {m for m in e.num if m}
            if e.den is ONE and len(plain) == 1:
                ((atom, power), *more), *_ = plain
                if power == 1 and not more and atom not in FUNCTIONS:
                    slope, root = e.num[((atom, 1),)], -e.num.get((), Fraction(0)) / e.num[((atom, 1),)]
                    bounds.setdefault(atom, ([], []))[slope < 0].append(root)
        return {atom: (max(low), min(high)) for atom, (low, high) in bounds.items() if low and high}

    def bound_variable(self, node):
        """(the context within an integral, its variable, its ends): there is one more number, between the ends."""
        match node:
            case ast.Call(func=ast.Name(id="Integral"), args=[_, ast.Name(id=name), a, b], keywords=[]):
                require(name not in {*self.scope.values, *self.scope.where}, "the variable of an integral is no other")
            case _:
                raise Refused("not an integral")
        low, high = (R.of(self.scope(end, PAIR)) for end in (a, b))
        new = self.branch(f"{name}-", R.atom(name) - low, False).branch(f"{name}+", high - R.atom(name), False)
        new.scope.values = {**self.scope.values, name: R.atom(name)}
        return new, name, low, high


PAIR = {"i": "i", "j": "j"}


def prove(context, goal, proof):
    """Check a proof of `goal = (a, relation, b)`, where the sides are syntax trees or rational functions."""
    rule = proof["rule"]
    if rule == "have":
        ((a, relation, b),) = relations(proof["that"])
        that = context.expression(a), relation, context.expression(b)
        context.scope.same_kind(that[0], that[2])
        prove(context, that, proof["by"])
        return prove(context.having(proof["name"], that), goal, proof["then"])
    if rule == "split":
        e = context.expression(proof["on"])
        strict = "nonzero" in proof and context.nonzero[proof["nonzero"]].same(e)
        prove(context.branch(proof["name"], e, strict), goal, proof["ge"])
        return prove(context.branch(proof["name"], -e, strict), goal, proof["le"])
    if rule == "integral":
        return prove(bound_integral(context, proof), goal, proof["then"])
    if rule == "lemma":
        return prove(use_lemma(context, proof), goal, proof["then"])
    a, relation, b = goal
    if rule == "induction":
        return induction(context, goal, proof)
    a, b = (R.of(s if isinstance(s, R) else context.scope(s, PAIR)) for s in (a, b))
    if rule == "mean":  # b - a is the mean of an expression (up to Mean(eta) = 0) that is nonnegative pointwise
        e, inner = b - a if relation == "<=" else a - b, context.expression(proof["of"])
        require(relation in ("<=", ">="), "a mean is bounded weakly")
        require(
            (e - context.scope.do_Mean(inner)).same(context.vanishing(proof)),
            "not the mean of that expression",
        )
        return prove(context.for_every(context.scope.samples), (R.of(0), "<=", inner), proof["then"])
    if rule == "identity":
        require(relation in ("==", "<=", ">="), "an identity proves an equation")
        left = a - b - context.vanishing(proof)
        return require(left.same(0), f"the two sides differ by {left.text()[:200]}")
    if rule == "boxes":
        require(relation in ("<", "<=", ">", ">="), "boxes prove an inequality")
        e = b - a if relation in ("<", "<=") else a - b
        return cover(e, relation in ("<", ">"), context.box(), proof["tree"], precision_of(proof))
    require(rule == "terms" and relation in ("<", "<=", ">", ">="), f"rule {rule} does not prove {relation}")
    e = (b - a if relation in ("<", "<=") else a - b) - context.vanishing(proof)
    multiplier, sure = context.combination(proof["multiplier"])
    require(sure, "the multiplier may vanish")
    total, positive = context.combination(proof["terms"])
    left = multiplier * e - total
    require(left.same(0), f"the identity of the proof does not hold: its sides differ by {left.text()[:200]}")
    require(positive or relation in ("<=", ">="), "strictness is not shown")
    return None


def precision_of(proof):
    """(bits, pieces) of a proof by boxes."""
    bits, pieces = proof["precision"]
    require(type(bits) is type(pieces) is int and 8 <= bits <= 1024 and 1 <= pieces <= 4096, "a precision")
    return bits, pieces


def cover(e, strict, box, tree, precision):
    """Show e >= 0 (or > 0) over a box: by one enclosure (tree "whole"), or cut in two, [name, where, below, above]."""
    if tree == "whole":
        low, _ = enclose(e, box, precision)
        return require(low > 0 or (low == 0 and not strict), "an enclosure does not show it")
    name, cut, below, above = tree
    require(name in box and box[name][0] < exact(cut) < box[name][1], "a cut outside the box")
    cover(e, strict, {**box, name: (box[name][0], exact(cut))}, below, precision)
    return cover(e, strict, {**box, name: (exact(cut), box[name][1])}, above, precision)


def bound_integral(context, proof):
    """Integral(g, s, a, b) <= H(b) - H(a) from a <= b and g <= dH/ds between (or both with >=), as a hypothesis."""
    node, relation = parse(proof["of"]), proof["relation"]
    require(relation in ("<=", ">="), "an integral is bounded weakly")
    inner, name, low, high = context.bound_variable(node)
    prove(context, (low, "<=", high), proof["ordered"])
    scope = inner.branch().scope

    def whole(divisor, _):
        require(name not in divisor.atoms() and context.nowhere_zero(divisor), "the bound may have a pole")

    scope.values, scope.on_division = inner.scope.values, whole
    primitive = R.of(scope(proof["primitive"]))
    slope = primitive.diff(lambda a: R.of(int(a == name)))
    prove(inner, (R.of(inner.scope(node.args[0])), relation, slope), proof["by"])
    rise = R.of(primitive.at({name: high})) - primitive.at({name: low})
    rest = rise - context.expression(proof["of"])
    return context.branch(proof["name"], rest if relation == "<=" else -rest, False)


def use_lemma(context, proof):
    """Prove a lemma's assumptions at its `bind`, then add its conclusions to the hypotheses."""
    claim, _, number = proof["id"].partition("#")
    require(claim in context.lemmas, f"lemma {claim} has no accepted certificate here")
    require(context.lemmas[claim]["verdict"] == "proved", "what uses a lemma by enclosures would have to say so")
    part = context.lemmas[claim]["parts"][int(number)]
    (vector,) = (n for n, kind in part["given"].items() if kind == "simplex")
    require({*proof["bind"], vector} == set(part["given"]), "a lemma is about the simplex and the names it binds")
    require(set(part["given"].values()) == {"simplex", "real"}, "a lemma binds real numbers")
    bound = {n: context.expression(t) for n, t in proof["bind"].items()}
    require(not any(context.scope.shape(e) for e in bound.values()), "a bound name is a number")
    inner = Scope({**bound, vector: R.atom(vector)}, part["where"], vector, "simplex")
    inner.products, known = context.scope.products, [context]
    inner.on_division = lambda d, _: require(known[-1].nowhere_zero(d), "the lemma divides by what may be zero")
    for n, (text, p) in enumerate(zip(part["assume"], proof["assume"], strict=True)):
        ((a, relation, b),) = relations(text)
        goal = R.of(inner(a)), relation, R.of(inner(b))
        require(vector not in goal[0].atoms() | goal[2].atoms(), "a lemma assumes something of numbers")
        prove(context, goal, p)
        known.append(known[-1].having(f"{proof['name']}?{n}", goal))
    context = known[-1]
    for n, text in enumerate(part["conclude"]):
        ((a, relation, b),) = relations(text)
        require(relation in ("<", "<=", ">", ">="), "a lemma concludes inequalities")
        e = R.of(inner(b)) - inner(a)
        require(vector not in e.atoms(), "a lemma concludes something of products over the simplex")
        context = context.branch(f"{proof['name']}{n}", e if relation in ("<", "<=") else -e, relation in ("<", ">"))
    return context


def induction(context, goal, proof):
    """`Prod(1 - x p) >= f(1)` on the simplex: f(0) = 1 and f(s + p) <= f(s) (1 - x p) with 1 - x p >= 0."""
    a, relation, b = goal
    scope = context.scope
    require(scope.kind == "simplex" and relation in ("<=", ">="), "induction bounds a product over the simplex")
    p, s = R.atom(scope.generic), R.atom("#s")
    require(
        isinstance(a, ast.Call) and isinstance(a.func, ast.Name) and a.func.id == "Prod" and "s" not in scope.values,
        "the left side is a product",
    )
    factor = R.of(scope(a.args[0]))
    inner = Scope({**scope.values, "s": s}, (), scope.generic, scope.kind)
    f = R.of(inner(proof["bound"]))
    require(all(e > 0 for m in f.num for _, e in m), "the bound divides")
    require(scope.generic not in f.atoms(), "the bound is the same for every layer")
    ends = [R.of(f.at({"#s": R.of(end)})) for end in (0, 1)]
    require(ends[0].same(1) and ends[1].same(R.of(scope(b))), "the bound's two ends")
    step = R.of(f.at({"#s": s + p})) - f * factor
    new = context.for_every([scope.generic]).branch("s", s, False).branch("room", 1 - s - p, False)
    new.scope.values = inner.values
    prove(new, (R.of(0), "<=", factor), proof["factor"])
    prove(new, (R.of(0), "<=", step if relation == "<=" else -step), proof["step"])
    if f.den is not ONE:  # the bound must be defined on the way
        prove(new, (R.of(0), "<", R(f.den)), proof["defined"])


def goals_of(part):
    """Every relation that the part concludes, as syntax trees; `abs(e) < b` is two, `e < b` and `-b < e`."""
    for text in part["conclude"]:
        for a, relation, b in relations(text):
            match a:
                case ast.Call(func=ast.Name(id="abs"), args=[e], keywords=[]) if relation in ("<", "<="):
                    yield e, relation, b
                    yield ast.UnaryOp(ast.USub(), b), relation, e
                case _:
                    yield a, relation, b


def check_part(part, lemmas):
    """Check the proofs of every relation of every conclusion of one part."""
    goals = list(goals_of(part))
    require(goals and len(goals) == len(part["proof"]), "one proof for each relation")
    for goal, proof in zip(goals, part["proof"], strict=True):
        prove(Context(part, lemmas, goal), goal, proof)


# ---------------------------------------------------------------- certificates
def digest(certificate):
    """SHA-256 of everything in the certificate but the digest itself."""
    body = {k: v for k, v in certificate.items() if k != "sha256"}
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def shown_by(parts):
    """ "certified" if a proof rests on enclosures over boxes, else "proved"."""
    return "certified" if '"rule": "boxes"' in json.dumps([part.get("proof") for part in parts]) else "proved"


def check_certificate(certificate, lemmas=None):
    """Check one certificate (a dict) and return what it shows, in one line; raise `Refused` otherwise."""
    try:
        require(isinstance(certificate, dict) and certificate.get("format") == FORMAT, "no certificate of this format")
        require(isinstance(certificate["claim"], str), "a claim has a name")
        require(certificate["sha256"] == digest(certificate), "altered: the digest does not match")
        parts = certificate["parts"]
        require(isinstance(parts, list) and all(isinstance(part, dict) for part in parts), "no list of parts")
        for part in parts:
            check_names(part)
        if certificate["verdict"] == "refuted":
            part = parts[certificate["witness"]["part"]]
            admitted, broken = truth(part, certificate["witness"]["given"])
            require(admitted is not False, "the witness breaks an assumption")
            require(
                broken is not None and broken == certificate["witness"]["breaks"],
                "the witness breaks nothing",
            )
            return f"refuted: {json.dumps(certificate['witness']['given'])} breaks {broken}"
        require(certificate["verdict"] == shown_by(parts) and parts, "unknown verdict, or not what the proofs show")
        for part in parts:
            check_part(part, lemmas or {})
        return f"{certificate['verdict']}: " + "; ".join(
            (" and ".join(part["assume"]) + " => " if part["assume"] else "") + " and ".join(part["conclude"])
            for part in parts
        )
    except Refused:
        raise
    except Exception as error:  # whatever a malformed certificate does to the code above, it is not accepted
        raise Refused(f"malformed: {type(error).__name__}: {error}") from error


def check_directory(directory):
    """Check every `*.json` of a directory: [(name, accepted, message)]; lemmas are checked before their users."""
    results, accepted = [], {}
    certificates = []
    for path in sorted(Path(directory).glob("*.json")):
        try:
            certificate = json.loads(path.read_text(encoding="utf-8"))
            certificates.append(('"rule": "lemma"' in json.dumps(certificate), path.name, certificate))
        except (ValueError, RecursionError, OSError) as error:
            results.append((path.name, False, f"not JSON: {error}"))
    for _, name, certificate in sorted(certificates, key=lambda item: item[0]):
        try:
            message = check_certificate(certificate, accepted)
            if certificate["verdict"] == "proved":  # not "certified": what uses it would have to say so
                accepted[certificate["claim"]] = certificate
            results.append((name, True, message))
        except Refused as error:
            results.append((name, False, str(error)))
    return sorted(results)


def one_line(text):
    """The text for any terminal, on one line: what files say cannot look like lines of the checker's own."""
    return ascii(text)[1:-1]


def main(argv):
    """Command line: check a directory; exit status 0 only if every certificate is accepted."""
    if len(argv) != 1 or not Path(argv[0]).is_dir():
        print("usage: checker.py DIR (a directory of certificates)", file=sys.stderr)
        return 2
    results = check_directory(argv[0])
    for name, ok, message in results:
        print(one_line(f"{'ok     ' if ok else 'REFUSED'}  {name}  {message}"))
    print(f"{sum(ok for _, ok, _ in results)} of {len(results)} certificates accepted")
    return 0 if results and all(ok for _, ok, _ in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
