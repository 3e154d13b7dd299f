"""Mutations of formulas: one small change of an expression each.

Strings, annotations, messages, validation (branches that only raise), checks and representations
are left alone: they are no formulas.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

#: Names that are mistaken for each other: in a name or attribute, whole words between underscores.
TWINS = (
    ("alpha", "sigma"),
    ("eps", "x"),
    ("source", "target"),
    ("now", "to"),
    ("s", "t"),
    ("p", "q"),
    ("beta", "beta_tilde"),
    ("low", "high"),
    ("f", "g2"),
    ("first", "second"),
    ("prior", "post"),
)
FUNCTIONS = {
    "expm1": "exp",
    "exp": "expm1",
    "log1p": "log",
    "log": "log1p",
    "cos": "sin",
    "sin": "cos",
    "cosh": "sinh",
    "sinh": "cosh",
    "max": "min",
    "min": "max",
    "maximum": "minimum",
    "minimum": "maximum",
    "cumsum": "cumprod",
    "arctan": "tan",
    "ones": "zeros",
    "ones_like": "zeros_like",
    "zeros": "ones",
    "zeros_like": "ones_like",
}
DROPPED = ("sqrt", "abs", "exp", "log", "fabs", "float_power", "square", "tanh")
SYMMETRIC = (
    "hypot",
    "max",
    "min",
    "maximum",
    "minimum",
    "isclose",
    "allclose",
    "logaddexp",
    "add",
    "multiply",
    "array_equal",
)
NOT_FORMULAS = (
    "isinstance",
    "hasattr",
    "getattr",
    "issubclass",
    "TypeVar",
    "replace",
    "format",
    "print",
    "errstate",
    "cast",
    "einsum",
    "ValueError",
    "TypeError",
    "get",
    "field",
    "zip",
    "super",
)
COMPARISONS = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
}
SHAPE_WORDS = ("axis", "ndim", "size", "keepdims", "dtype", "shape", "copy", "strict", "maxsize")


@dataclass(frozen=True)
class Mutant:
    """One change of one file.

    Attributes:
        module: path of the file below the root.
        function: qualified name of the function it is in; empty at module level.
        first, last: lines of the statement that is changed.
        scope: first and last line of the code whose run shows it: the statement's; of the whole
            function for a default; None at module or class level.
        operator: what kind of change.
        before, after: the expression.
        source: the whole mutated file.
    """

    module: str
    function: str
    first: int
    last: int
    scope: tuple[int, int] | None
    operator: str
    before: str
    after: str
    source: str

    @property
    def key(self) -> str:
        """Identifies the mutated file by its content."""
        return hashlib.sha256(f"{self.module}\0{self.source}".encode()).hexdigest()[:12]


def mutants(source: str, module: str = "") -> list[Mutant]:
    """Every mutation of a file, in order of appearance, each once."""
    visitor = _Visitor(source, module)
    visitor.visit_body(ast.parse(source).body)
    seen: dict[str, Mutant] = {}
    original = ast.dump(ast.parse(source))
    for made in visitor.found:
        form = ast.dump(ast.parse(made.source))
        if form != original:
            seen.setdefault(form, made)
    return list(seen.values())


def _name(node: ast.expr) -> str:
    """The last word of what is called."""
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _only_raises(body: list[ast.stmt]) -> bool:
    return all(isinstance(s, ast.Raise | ast.Pass) for s in body)


def _text(node: ast.expr) -> bool:
    """Whether it is text or a container, which + joins."""
    kinds = (ast.JoinedStr, ast.List, ast.Tuple, ast.ListComp, ast.Dict)
    return isinstance(node, kinds) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
    )


def _number(node: ast.expr) -> int | float | None:
    """The value of a literal number, with its sign."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _number(node.operand)
        return None if inner is None else -inner
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return node.value
    return None


def _twins(name: str) -> Iterator[str]:
    words = name.split("_")
    for pair in TWINS:
        for one, other in (pair, pair[::-1]):
            if name == one:
                yield other
            elif one in words and "_" not in one:
                yield "_".join(other if w == one else w for w in words)


def _shape_only(node: ast.AST) -> bool:
    """0 * a and 1 + 0 * a: a number in the shape of a."""
    match node:
        case ast.BinOp(left=ast.Constant(value=0), op=ast.Mult()):
            return True
        case ast.BinOp(left=ast.Constant(), op=ast.Add(), right=right):
            return _shape_only(right)
    return False


class _Visitor:
    """Walks statements with their place, and expressions with what is around them."""

    def __init__(self, source: str, module: str) -> None:
        self.lines = source.encode().splitlines(keepends=True)
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line))
        self.bytes, self.module = source.encode(), module
        self.found: list[Mutant] = []
        self.names: list[str] = []
        self.known: set[str] = set()
        self.function: ast.FunctionDef | None = None
        self.place: tuple[int, int] = (0, 0)
        self.scope: tuple[int, int] | None = None

    # Statements -----------------------------------------------------------------------------

    def visit_body(self, body: list[ast.stmt]) -> None:
        for statement in body:
            self.statement(statement)

    def statement(self, node: ast.stmt) -> None:
        if isinstance(node, ast.FunctionDef):
            self.definition(node)
        elif isinstance(node, ast.ClassDef):
            self.names.append(node.name)
            self.visit_body(node.body)
            self.names.pop()
        elif isinstance(node, ast.If):
            if not _only_raises(node.body):
                self.within(node, node.test)
                self.visit_body(node.body)
            self.visit_body(node.orelse)
        elif isinstance(node, ast.For):
            self.within(node, node.iter)
            self.visit_body(node.body + node.orelse)
        elif isinstance(node, ast.While):
            self.within(node, node.test)
            self.visit_body(node.body + node.orelse)
        elif isinstance(node, ast.With):
            self.visit_body(node.body)
        elif isinstance(node, ast.Try):
            self.visit_body(node.body + node.orelse + node.finalbody)
        elif isinstance(node, ast.Return | ast.Assign | ast.AugAssign | ast.AnnAssign):
            if node.value is not None and not self.typing(node):
                self.within(node, node.value, negate=True)
                if isinstance(node, ast.AugAssign):
                    self.augmented(node)
        elif isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant):
            self.within(node, node.value)

    def typing(self, node: ast.stmt) -> bool:
        """Module-level aliases of types and lists of names."""
        value = getattr(node, "value", None)
        return (
            self.function is None
            and not self.names
            and (
                isinstance(value, ast.Subscript)
                or (isinstance(value, ast.BinOp) and isinstance(value.op, ast.BitOr))
            )
        )

    def definition(self, node: ast.FunctionDef) -> None:
        name = node.name
        if name.startswith(("_check", "check_")) or name in ("__repr__", "__str__"):
            return
        outer = self.function, self.known, self.scope
        self.names.append(name)
        for decorator in node.decorator_list:
            self.place = (decorator.lineno, decorator.end_lineno or 0)
            self.scope = (node.body[0].lineno, node.end_lineno or 0)
            self.expression(decorator)
        if outer[0] is None:
            self.function = node
        self.known = self.known | {a.arg for a in ast.walk(node) if isinstance(a, ast.arg)}
        self.known |= {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
        defaults = [*node.args.defaults, *(d for d in node.args.kw_defaults if d is not None)]
        for default in defaults:
            self.place = (default.lineno, default.end_lineno or 0)
            self.scope = (node.body[0].lineno, node.end_lineno or 0)
            self.expression(default)
        self.visit_body(node.body)
        self.names.pop()
        self.function, self.known, self.scope = outer

    def within(self, statement: ast.stmt, value: ast.expr, negate: bool = False) -> None:
        compound = isinstance(statement, ast.If | ast.For | ast.While)
        last = value.end_lineno if compound else statement.end_lineno
        self.place = (statement.lineno, last or statement.lineno)
        self.scope = self.place if self.function is not None else None
        if negate:
            parts = value.elts if isinstance(value, ast.Tuple) else [value]
            for part in parts:
                called = isinstance(part, ast.Call) and _name(part.func) in (*FUNCTIONS, *DROPPED)
                plain = isinstance(part, ast.BinOp) and not _shape_only(part)
                if called or (plain and not _text(part.left)):
                    self.add(part, ast.UnaryOp(ast.USub(), part), "minus added")
        self.expression(value)

    def augmented(self, node: ast.AugAssign) -> None:
        flip = {ast.Add: "-", ast.Sub: "+", ast.Mult: "/", ast.Div: "*"}.get(type(node.op))
        if flip:
            target, value = ast.unparse(node.target), ast.unparse(node.value)
            now = ast.unparse(node)
            self.splice(node, now, f"{target} {flip}= {value}", "operator")

    # Expressions ----------------------------------------------------------------------------

    def add(self, node: ast.expr, new: ast.expr, operator: str) -> None:
        after = ast.unparse(new)
        lines = "\n" * ((node.end_lineno or 0) - node.lineno)  # what follows keeps its place
        self.splice(node, ast.unparse(node), after, operator, f"({after}{lines})")

    def splice(
        self, node: ast.AST, before: str, after: str, operator: str, text: str | None = None
    ) -> None:
        start = self.starts[node.lineno - 1] + node.col_offset  # type: ignore[attr-defined]
        stop = self.starts[node.end_lineno - 1] + node.end_col_offset  # type: ignore[attr-defined]
        source = (self.bytes[:start] + (text or after).encode() + self.bytes[stop:]).decode()
        self.found.append(
            Mutant(
                self.module,
                ".".join(self.names),
                *self.place,
                self.scope,
                operator,
                before,
                after,
                source,
            )
        )

    def expression(self, node: ast.AST, exact: bool = False) -> None:
        """Mutate an expression and what it is made of; `exact`: a literal here only moves by 1."""
        if isinstance(node, ast.JoinedStr) or _shape_only(node):
            return
        if isinstance(node, ast.expr) and (value := _number(node)) is not None:
            self.number(node, value, exact)
            return
        match node:
            case ast.BinOp():
                self.binary(node)
            case ast.UnaryOp(op=ast.USub()):
                self.add(node, node.operand, "minus dropped")
            case ast.Constant(value=bool()):
                self.add(node, ast.Constant(not node.value), "boolean")
            case ast.Compare():
                for i, op in enumerate(node.ops):
                    if type(op) in COMPARISONS:
                        ops = [*node.ops[:i], COMPARISONS[type(op)](), *node.ops[i + 1 :]]
                        new = ast.Compare(node.left, ops, node.comparators)
                        self.add(node, new, "comparison")
            case ast.Call():
                self.call(node)
                return
            case ast.Subscript():
                self.expression(node.value)
                self.index(node)
                return
            case ast.Name(ctx=ast.Load()):
                for twin in _twins(node.id):
                    if twin in self.known:
                        self.add(node, ast.Name(twin, ast.Load()), "name swapped")
            case ast.Attribute(ctx=ast.Load()):
                for twin in _twins(node.attr):
                    self.add(node, ast.Attribute(node.value, twin, ast.Load()), "name swapped")
            case ast.Lambda():
                known = self.known
                self.known = known | {a.arg for a in node.args.args + node.args.kwonlyargs}
                self.expression(node.body)
                self.known = known
                return
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr | ast.comprehension | ast.keyword):
                self.expression(child)

    def number(self, node: ast.expr, value: int | float, exact: bool) -> None:
        if exact:
            options: tuple[float, ...] = (value + 1, value - 1)
        elif value == 0:
            options = (1,)
        elif abs(value) < 1e-6 or abs(value) > 1e5:  # a tolerance or a limit
            options = (100 * value,)
        else:
            half = value // 2 if isinstance(value, int) and value % 2 == 0 else value / 2
            options = (2 * value, value + 1, half)
            if value < 0:
                options += (-value,)
        for new in dict.fromkeys(options):
            if not (isinstance(value, int) and isinstance(new, float) and exact):
                self.add(node, ast.parse(repr(new), mode="eval").body, "constant")

    def binary(self, node: ast.BinOp) -> None:
        left, right = node.left, node.right
        if _text(left) or _text(right):
            return
        match node.op:
            case ast.Add():
                self.add(node, ast.BinOp(left, ast.Sub(), right), "sign")
                self.add(node, left, "term dropped")
                self.add(node, right, "term dropped")
            case ast.Sub():
                self.add(node, ast.BinOp(left, ast.Add(), right), "sign")
                self.add(node, left, "term dropped")
                self.add(node, ast.UnaryOp(ast.USub(), right), "term dropped")
            case ast.Mult():
                self.add(node, ast.BinOp(left, ast.Div(), right), "product")
                if _number(left) is None:
                    self.add(node, right, "factor dropped")
                if _number(right) is None or _number(left) is None:
                    self.add(node, left, "factor dropped")
            case ast.Div():
                self.add(node, ast.BinOp(left, ast.Mult(), right), "product")
                self.add(node, left, "factor dropped")
            case ast.Pow() if _number(right) is None:
                for more in (
                    ast.BinOp(right, ast.Add(), ast.Constant(1)),
                    ast.BinOp(ast.Constant(2), ast.Mult(), right),
                ):
                    self.add(node, ast.BinOp(left, ast.Pow(), more), "exponent")
            case ast.MatMult():
                self.add(node, ast.BinOp(right, ast.MatMult(), left), "swapped")

    def call(self, node: ast.Call) -> None:
        name = _name(node.func)
        if name in NOT_FORMULAS:
            return
        if name in FUNCTIONS:
            new = FUNCTIONS[name]
            func: ast.expr = (
                ast.Attribute(node.func.value, new, ast.Load())
                if isinstance(node.func, ast.Attribute)
                else ast.Name(new, ast.Load())
            )
            known = isinstance(node.func, ast.Attribute) or new in ("max", "min")
            if known or new in self.bytes.decode():
                self.add(node, ast.Call(func, node.args, node.keywords), "function")
        if name in DROPPED and len(node.args) == 1:
            self.add(node, node.args[0], "function dropped")
        plain = len(node.args) == 2 and not any(
            isinstance(a, ast.Starred | ast.Lambda) for a in node.args
        )
        if plain and name not in SYMMETRIC:
            self.add(node, ast.Call(node.func, node.args[::-1], node.keywords), "swapped")
        if isinstance(node.func, ast.Attribute):
            self.expression(node.func.value)
        elif not isinstance(node.func, ast.Name):
            self.expression(node.func)
        shaped = name in ("reshape", "range", "zeros", "ones", "empty", "eye", "expand_dims")
        for argument in node.args:
            self.expression(argument, exact=shaped)
        for keyword in node.keywords:
            self.expression(keyword.value, exact=keyword.arg in SHAPE_WORDS)

    def index(self, node: ast.Subscript) -> None:
        """i → i ± 1, in every place of an index."""
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        for part in parts:
            inner = [part.lower, part.upper] if isinstance(part, ast.Slice) else [part]
            for place in (p for p in inner if p is not None):
                if _number(place) is not None:
                    self.number(place, int(_number(place) or 0), exact=True)
                elif isinstance(place, ast.Name | ast.BinOp) and not _text(place):
                    for op in (ast.Add(), ast.Sub()):
                        self.add(place, ast.BinOp(place, op, ast.Constant(1)), "index")
