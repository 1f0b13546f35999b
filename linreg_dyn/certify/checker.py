"""The stand-alone checker: re-checks certificates with the standard library alone.

    python -I -S linreg_dyn/certify/checker.py DIR

prints one line per certificate and exits 0 only if it accepts every one. A certificate holds a statement

    for all `given` that satisfy `assume`, with the definitions `where` (and wherever they are defined): `conclude`

and, per part, a proof or an exact witness against it. The checker reads the statement itself, in three ways:
at exact rationals (witnesses), at explicit symbolic weights, and at nets of *any* depth, where `w` is a generic
layer and `Prod(w)`, `Sum(w**k)` are symbols of their own. Proof obligations are derived from the statement, never
taken from the proof. An inequality is proved by a Positivstellensatz identity, multiplier * (rhs - lhs) =
sum of nonnegative coefficients times products of hypotheses and squares, verified over the rationals.
"""

import ast
import hashlib
import itertools
import json
import operator
import re
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

FORMAT = "linreg-dyn certificate 1"
RELATIONS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}


class Refused(Exception):
    """The certificate is not accepted; the message says why."""


def require(condition, message):
    """Refuse with `message` unless the condition holds (an `assert` that no optimisation removes)."""
    if not condition:
        raise Refused(message)


def exact(value):
    """A rational number, or one written as an integer or as text like "-3/4", and nothing else."""
    if isinstance(value, Fraction):
        return value
    require(type(value) in (int, str) and re.fullmatch(r"-?\d+(/\d+)?", str(value)), "numbers are exact")
    return Fraction(value)


# ---------------------------------------------------------------- rational functions over named atoms
def _times(p, q):
    """Product of two Laurent polynomials `{((atom, exponent), ...): coefficient}`."""
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

    def atoms(self):
        """Names of the atoms it is written with."""
        return {a for p in (self.num, self.den) for m in p for a, _ in m}

    def diff(self, rule):
        """Derivative by a derivation: `rule(atom)` is the derivative of an atom, as an R."""
        n, d = (
            sum((R({m: c}) * e * rule(a) / R.atom(a) for m, c in p.items() for a, e in m), R.of(0))
            for p in (self.num, self.den)
        )
        return (n * R(self.den) - d * R(self.num)) / (R(self.den) * R(self.den))

    def at(self, values):
        """Value (Fraction) or composition (R) at `values[atom]`; atoms without a value stay."""

        def poly(p):
            total = Fraction(0)
            for m, c in p.items():
                term = c
                for a, e in m:
                    term = term * (values[a] if a in values else R.atom(a)) ** e
                total = total + term
            return total

        return poly(self.num) / poly(self.den)


# ---------------------------------------------------------------- the language
def parse(text):
    """The syntax tree of an expression or relation."""
    return ast.parse(text, mode="eval").body


def mentions(node, name, where):
    """Does an expression use a name, itself or through the definitions `where`?"""
    return any(
        isinstance(n, ast.Name) and (n.id == name or (n.id in where and mentions(where[n.id], name, where)))
        for n in ast.walk(node)
    )


def lift(f, *args):
    """Apply `f` entry by entry where any argument is a list."""
    if any(isinstance(a, list) for a in args):
        n = {len(a) for a in args if isinstance(a, list)}
        require(len(n) == 1, "vectors of different lengths")
        return [lift(f, *(a[k] if isinstance(a, list) else a for a in args)) for k in range(n.pop())]
    return f(*args)


OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}
HOLDS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne}
LARGEST_POWER = 64


class Scope:
    """Evaluates expressions with `values` for the given names; definitions are expanded on demand.

    `generic` names the vector whose depth is left open, a layer vector or a point of the simplex (its `kind`);
    `samples` name data or noise with an open number of equally likely values. Without either, vectors are lists.
    """

    def __init__(self, values, where, generic=None, kind=None, samples=()):
        self.values, self.generic, self.kind, self.samples = values, generic, kind, samples
        self.where = {n: parse(t) for n, t in where}
        self.cache, self.products, self.signs, self.level = {}, [], [], 0
        # told of each divisor: to note those of a statement, or to refuse others in a proof
        self.on_division: Callable = lambda divisor: None

    def __call__(self, node, index=None):
        """The value of an expression, text or tree; `index` gives the layers i and j."""
        node = parse(node) if isinstance(node, str) else node
        return self.eval(node, index or {})

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
                self.dividing(base if power < 0 else 1)
                return lift(lambda u: u ** int(power), base)
            case ast.BinOp(left=a, op=op, right=b) if type(op) in OPERATORS:
                u, v = self.eval(a, index), self.eval(b, index)
                self.same_kind(u, v)
                self.dividing(v if isinstance(op, ast.Div) else 1)
                return lift(OPERATORS[type(op)], u, v)
            case ast.Subscript(value=vector, slice=k):
                return self.entry(self.eval(vector, index), k, index)
            case ast.Call(func=ast.Name(id="D"), args=[f, by], keywords=[]):
                return self.derivative(f, by, index)
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if hasattr(self, "do_" + name):
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

    def dividing(self, divisor):
        """Tell of every rational function that is divided by."""
        lift(lambda d: self.on_division(d) if isinstance(d, R) else None, divisor)

    def defined(self, name, index):
        """The value of a definition, computed once unless it depends on the layers i, j."""
        require(name in self.where, f"unknown name {name}")
        if any(mentions(self.where[name], k, self.where) for k in "ij"):
            return self.eval(self.where[name], index)
        if name not in self.cache:
            self.cache[name] = self.eval(self.where[name], {})
        return self.cache[name]

    def entry(self, vector, where, index):
        """`v[i]`, `v[j]` (bound by the statement), or `v[0]` of an explicit vector."""
        k = index.get(where.id) if isinstance(where, ast.Name) else int(self.eval(where, index))
        require(k is not None, "unbound index")
        if self.generic is None:
            return vector[k]
        require(self.kind == "layers" and self.shape(vector) == "layers", "only layers have indices")
        return R.of(vector).at({self.generic: R.atom(f"{self.generic}[{where.id}]")})

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
                out = out * a
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
        """Absolute value; of a rational function only if a hypothesis tells its sign."""
        if isinstance(a, R):
            for e in self.signs:
                if e.same(a) or e.same(-a):
                    return e
            raise Refused("abs of an expression of unknown sign")
        return lift(abs, a)

    def do_Max(self, v):
        """Largest entry of a list."""
        return max(v)

    def do_Min(self, v):
        """Smallest entry of a list."""
        return min(v)

    def do_Batches(self, v, size):
        """Means of `v` over all batches of `size` entries drawn without replacement."""
        require(isinstance(size, Fraction) and size.denominator == 1 and 0 < size <= len(v), "a batch size")
        return [sum(b, Fraction(0)) / size for b in itertools.combinations(v, int(size))]

    def partial(self, node, name, k, index):
        """One partial derivative at explicit values: that one variable becomes an atom, for a while."""
        old, fresh = self.values[name], f"#d{self.level}"
        new = R.atom(fresh) if k is None else [*old[:k], R.atom(fresh), *old[k + 1 :]]
        inner = Scope({**self.values, name: new}, ())
        inner.where, inner.level = self.where, self.level + 1
        here = {fresh: old if k is None else old[k]}
        return lift(lambda f: R.of(f).diff(lambda a: R.of(int(a == fresh))).at(here), inner.eval(node, index))

    def derivative(self, node, by, index):
        """`D(f, w)` is the vector of partial derivatives (of a vector: entry by entry), `D(f, w[i])` one of them."""
        match by:
            case ast.Name(id=name):
                k = None
            case ast.Subscript(value=ast.Name(id=name), slice=ast.Name(id=k)):
                vector = isinstance(self.values.get(name), list) or name == self.generic
                require(vector and k in index, "an index of a layer")
            case _:
                raise Refused("a derivative is by a name or by an entry w[i]")
        require(name in self.values and name not in self.samples, "a derivative by a given number or weight")
        if self.generic is None:
            self.eval(node, index)  # a derivative has a value only where the function has one, and no more poles
            if k is not None or not isinstance(self.values[name], list):
                return self.partial(node, name, None if k is None else index[k], index)
            columns = [self.partial(node, name, n, index) for n in range(len(self.values[name]))]
            return [c[n] if isinstance(c, list) else c for n, c in enumerate(columns)]
        a = R.atom(name if k is None else f"{name}[{k}]")
        f = R.of(self.eval(node, index))
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


# ---------------------------------------------------------------- statements
def check_names(part):
    """Names are defined once, and `i`, `j` are left to the layers' indices."""
    names = [*part["given"], *(name for name, _ in part["where"])]
    require(all(n.isidentifier() for n in names), "a name that is none")
    require(len(set(names)) == len(names) and not {"i", "j"} & set(names), "a name twice, or a reserved one")
    sized = {kind.rpartition(":")[0] for kind in part["given"].values() if kind.rpartition(":")[2].isdecimal()}
    others = {kind for kind in part["given"].values() if not kind.rpartition(":")[2].isdecimal()}
    require(sized <= {"layers", "sample"} and others <= {"layers", "simplex", "sample", "real"}, "an unknown kind")


def relations(text):
    """A chain `a < b <= c` as [(a, '<', b), (b, '<=', c)], syntax trees."""
    node = parse(text)
    require(isinstance(node, ast.Compare), f"not a relation: {text}")
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
    """(admitted, broken): does a point meet every assumption, and which conclusion does it break (or None)?"""
    scope = Scope(read_values(part, given), part["where"])
    depth = max([len(v) for n, v in scope.values.items() if part["given"][n].startswith("layers")] or [0])

    def broken(text):
        for a, relation, b in relations(text):
            names = [k for k in "ij" if any(mentions(s, k, scope.where) for s in (a, b))]
            require(depth or not names, "indices are for layers")
            for indices in itertools.permutations(range(depth), len(names)):
                index = dict(zip(names, indices, strict=True))
                outcome = lift(HOLDS[relation], scope(a, index), scope(b, index))
                if not all(outcome if isinstance(outcome, list) else [outcome]):
                    return text
        return None

    if any(broken(text) for text in part["assume"]):
        return False, None
    return True, next((text for text in part["conclude"] if broken(text)), None)


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
            elif kind.startswith(("layers:", "sample:")):
                values[name] = [R.atom(f"{name}[{k}]") for k in range(int(kind.split(":")[1]))]
                never_zero |= {a for e in values[name] for a in e.atoms()} if kind.startswith("layers") else set()
            else:
                values[name] = R.atom(name)
        samples = tuple(n for n, kind in part["given"].items() if kind == "sample")
        self.scope = Scope(values, part["where"], generic, part["given"].get(generic), samples)
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
        """What the goal and the assumptions divide by: not zero wherever the statement is defined."""
        found, scope = [], self.scope
        notes = Scope(scope.values, part["where"], scope.generic, scope.kind, scope.samples)
        notes.on_division, notes.products = found.append, scope.products
        notes.do_abs = lambda a: R.atom("#abs")  # its sign may not be known yet
        for a, _, b in [goal, *(r for text in part["assume"] for r in relations(text))]:
            notes.same_kind(notes(a, PAIR), notes(b, PAIR))
        return found

    def nowhere_zero(self, divisor):
        """Is a divisor surely not zero: one of the statement's, a strict hypothesis, or a product of such numbers?"""
        sure = [e for e, strict in self.hypotheses.values() if strict]
        if any(divisor.same(e) or divisor.same(-e) for e in [*self.divisors, *sure]):
            return True
        atoms = {a for e in sure if len(e.num) == 1 and e.den is ONE for a in e.atoms()} | self.never_zero
        return len(divisor.num) == 1 and divisor.den is ONE and divisor.atoms() <= atoms

    def expression(self, text):
        """An expression that the proof brings: it must have a value wherever the statement has one."""
        scope = self.branch().scope
        scope.on_division = lambda d: require(self.nowhere_zero(d), "the proof divides by what may be zero")
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
        new.scope = Scope(self.scope.values, (), self.scope.generic, self.scope.kind, self.scope.samples)
        new.scope.where, new.scope.products = self.scope.where, self.scope.products
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
                if name.startswith(("sq ", "sumsq ")):
                    rule, _, text = name.partition(" ")
                    if rule == "sq":
                        value, sure = self.expression(text) ** 2, False
                    else:
                        every = self.for_every([self.scope.generic])
                        value, sure = self.scope.do_Sum(every.expression(text) ** 2), False
                else:
                    require(name in self.hypotheses, f"no hypothesis {name}")
                    value, sure = self.hypotheses[name]
                term, strict = term * value**e, strict and sure
            total, positive = total + term, positive or (strict and c > 0)
        return total, positive


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
        return require((a - b).same(context.vanishing(proof)), "the two sides differ")
    require(rule == "terms" and relation in ("<", "<=", ">", ">="), f"rule {rule} does not prove {relation}")
    e = b - a if relation in ("<", "<=") else a - b
    multiplier, sure = context.combination(proof["multiplier"])
    require(sure, "the multiplier may vanish")
    total, positive = context.combination(proof["terms"])
    require((multiplier * e).same(total), "the identity of the proof does not hold")
    require(positive or relation in ("<=", ">="), "strictness is not shown")
    return None


def use_lemma(context, proof):
    """Prove a lemma's assumptions at its `bind`, then add its conclusions to the hypotheses."""
    claim, _, number = proof["id"].partition("#")
    require(claim in context.lemmas, f"lemma {claim} has no accepted certificate here")
    part = context.lemmas[claim]["parts"][int(number)]
    (vector,) = (n for n, kind in part["given"].items() if kind == "simplex")
    require({*proof["bind"], vector} == set(part["given"]), "a lemma is about the simplex and the names it binds")
    require(set(part["given"].values()) == {"simplex", "real"}, "a lemma binds real numbers")
    bound = {n: context.expression(t) for n, t in proof["bind"].items()}
    require(not any(context.scope.shape(e) for e in bound.values()), "a bound name is a number")
    inner = Scope({**bound, vector: R.atom(vector)}, part["where"], vector, "simplex")
    inner.products, known = context.scope.products, [context]
    inner.on_division = lambda d: require(known[-1].nowhere_zero(d), "the lemma divides by what may be zero")
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
                case ast.Call(func=ast.Name(id="abs"), args=[e]) if relation in ("<", "<="):
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


def check_certificate(certificate, lemmas=None):
    """Check one certificate (a dict) and return what it shows, in one line; raise `Refused` otherwise."""
    try:
        require(certificate["format"] == FORMAT, "unknown format")
        require(isinstance(certificate["claim"], str), "a claim has a name")
        require(certificate["sha256"] == digest(certificate), "altered: the digest does not match")
        parts = certificate["parts"]
        if certificate["verdict"] == "refuted":
            part = parts[certificate["witness"]["part"]]
            admitted, broken = truth(part, certificate["witness"]["given"])
            require(admitted, "the witness breaks an assumption")
            require(
                broken is not None and broken == certificate["witness"]["breaks"],
                "the witness breaks nothing",
            )
            return f"refuted: {json.dumps(certificate['witness']['given'])} breaks {broken}"
        require(certificate["verdict"] == "proved" and parts, "unknown verdict")
        for part in parts:
            check_part(part, lemmas or {})
        return "proved: " + "; ".join(
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
            certificates.append((path.name, json.loads(path.read_text(encoding="utf-8"))))
        except (ValueError, RecursionError, OSError) as error:
            results.append((path.name, False, f"not JSON: {error}"))
    certificates.sort(key=lambda item: '"rule": "lemma"' in json.dumps(item[1]))
    for name, certificate in certificates:
        try:
            message = check_certificate(certificate, accepted)
            if certificate["verdict"] == "proved":
                accepted[certificate["claim"]] = certificate
            results.append((name, True, message))
        except Refused as error:
            results.append((name, False, str(error)))
    return sorted(results)


def main(argv):
    """Command line: check a directory; exit status 0 only if every certificate is accepted."""
    if len(argv) != 1 or not Path(argv[0]).is_dir():
        print("usage: checker.py DIR (a directory of certificates)", file=sys.stderr)
        return 2
    results = check_directory(argv[0])
    for name, ok, message in results:
        print(f"{'ok     ' if ok else 'REFUSED'}  {name}  {message}")
    print(f"{sum(ok for _, ok, _ in results)} of {len(results)} certificates accepted")
    return 0 if results and all(ok for _, ok, _ in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
