"""Measures of the house: rooms, floors, arrows, and what has grown too large.

Run as `python tests/house.py [ROOT] [-v]`; `-v` names what is counted. It reads source alone and
needs nothing but Python, so that it measures any commit: `git worktree add ../then COMMIT`, then
`python tests/house.py ../then`.

How it counts. A *room* is a package or a loose module directly under auditkit/ (attacks/ and
reports/, which are installed there, too; auditkit/__init__.py is the room of the public names). An
*arrow* is a pair of rooms of which one imports the other, inside functions and under TYPE_CHECKING
too. A *knot* is a set of rooms each of which leads to all others. *Arrows up* are the fewest whose
removal leaves no knot; *floors* are the rooms on the longest path of what remains. An *identity
literal* is a line of auditkit/ with a string that spells an arm, a query or a test, outside the
modules that define them; docstrings do not count.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeGuard

MAX_POSITIONAL, MAX_FILE, MAX_FUNCTION, MAX_CODE, MAX_TEXT = 6, 250, 40, 110, 100
PACKAGE = ("auditkit", "attacks", "reports")
BLANK = {tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}

IDENTITIES = frozenset(
    {"original", "unlearned", "retrained", "honest", "shadow", "exact", "relearned", "probed", "rescaled"}
)
IDENTITY_PREFIXES = (
    "near/",
    "jitter ",
    "relearned/",
    "residual memory",
    "spared records",
    "test accuracy",
    "attack gap",
)
HOMES = ("auditkit/core/ids.py", "auditkit/claims/required.py", "auditkit/verdict/required_findings.py")

Graph = Mapping[str, frozenset[str]]


def sources(root: Path, tops: Iterable[str]) -> Iterator[Path]:
    """The Python files under these folders, each once: links inside them are not followed."""
    for top in tops:
        for path in sorted((root / top).rglob("*.py")):
            if not any(parent.is_symlink() for parent in path.parents if root in parent.parents):
                yield path


def modules(root: Path) -> dict[tuple[str, ...], Path]:
    """Dotted name of each module of the package, as a tuple -> its file."""
    named = {}
    for path in sources(root, PACKAGE):
        parts = path.relative_to(root).with_suffix("").parts
        name = parts if parts[0] == "auditkit" else ("auditkit", *parts)
        named[name[:-1] if name[-1] == "__init__" else name] = path
    return named


def room(name: tuple[str, ...]) -> str:
    """The room a module lies in."""
    return name[1] if len(name) > 1 else "__init__"


def imported(tree: ast.AST, known: Mapping[tuple[str, ...], Path]) -> Iterator[tuple[str, ...]]:
    """The modules of auditkit that a file imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [tuple(alias.name.split(".")) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            base = tuple(node.module.split("."))
            names = [(*base, a.name) if (*base, a.name) in known else base for a in node.names]
        else:
            continue
        yield from (name for name in names if name[0] == "auditkit")


def arrows(root: Path) -> Graph:
    """Room -> the other rooms that it imports from."""
    known = modules(root)
    to: dict[str, set[str]] = {room(name): set() for name in known}
    for name, path in known.items():
        for other in imported(ast.parse(path.read_text(encoding="utf-8")), known):
            to[room(name)].add(room(other))
    return {one: frozenset(others - {one}) for one, others in to.items()}


def knots(graph: Graph) -> list[frozenset[str]]:
    """The sets of two rooms or more that lead to each other."""
    reach = {start: _reachable(graph, start) for start in graph}
    groups = {frozenset(b for b in reach[a] if a in reach[b]) for a in graph}
    return sorted((group for group in groups if len(group) > 1), key=sorted)


def _reachable(graph: Graph, start: str) -> set[str]:
    reached: set[str] = set()
    waiting = [start]
    while waiting:
        for other in graph[waiting.pop()] - reached:
            reached.add(other)
            waiting.append(other)
    return reached


def arrows_up(graph: Graph) -> set[tuple[str, str]]:
    """The fewest arrows whose removal unties every knot: exact, 2^n steps for a knot of n."""
    up: set[tuple[str, str]] = set()
    for knot in knots(graph):
        order = _best_order(graph, sorted(knot))
        floor = {name: place for place, name in enumerate(order)}
        up |= {(a, b) for a in knot for b in graph[a] & knot if floor[b] > floor[a]}
    return up


def _best_order(graph: Graph, knot: list[str]) -> list[str]:
    """The rooms of a knot from the bottom up, in an order with the fewest arrows up."""
    bit = {name: 1 << place for place, name in enumerate(knot)}
    needs = [sum(bit[other] for other in graph[name] if other in bit) for name in knot]
    cost, last = [0] * (1 << len(knot)), [0] * (1 << len(knot))
    for below in range(1, 1 << len(knot)):
        choices = []
        for place, need in enumerate(needs):
            if below >> place & 1:  # this room on top of the others in `below`
                rest = below ^ (1 << place)
                choices.append((cost[rest] + (need & ~below).bit_count(), place))
        cost[below], last[below] = min(choices)
    order, below = [], (1 << len(knot)) - 1
    while below:
        order.append(knot[last[below]])
        below ^= 1 << last[below]
    return order[::-1]


def floors(graph: Graph) -> dict[str, int]:
    """Room -> its floor, counted from 1, once the arrows up are left out."""
    up = arrows_up(graph)
    below = {a: {b for b in others if (a, b) not in up} for a, others in graph.items()}
    floor: dict[str, int] = {}

    def of(name: str) -> int:
        if name not in floor:
            floor[name] = 1 + max(map(of, below[name]), default=0)
        return floor[name]

    return {name: of(name) for name in sorted(below)}


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """The functions of a file, methods and inner functions among them."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def many_arguments(root: Path, tops: Iterable[str] = PACKAGE) -> list[str]:
    """Functions that take more positional arguments than anybody keeps apart."""
    large = []
    for path in sources(root, tops):
        for function in functions(path):
            names = [a.arg for a in (*function.args.posonlyargs, *function.args.args)]
            count = len([name for name in names if name not in ("self", "cls")])
            if count > MAX_POSITIONAL:
                large.append(f"{path.relative_to(root)}:{function.lineno} {function.name} ({count})")
    return large


def long_functions(root: Path, tops: Iterable[str] = PACKAGE) -> list[str]:
    """Functions of more lines than fit on a screen, docstring and signature counted."""
    large = []
    for path in sources(root, tops):
        for function in functions(path):
            length = (function.end_lineno or 0) - function.lineno + 1
            if length > MAX_FUNCTION:
                large.append(f"{path.relative_to(root)}:{function.lineno} {function.name} ({length})")
    return large


def long_files(root: Path, tops: Iterable[str] = PACKAGE) -> list[str]:
    """Files that want to be two."""
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in sources(root, tops)}
    return [f"{path.relative_to(root)} ({n})" for path, n in lengths.items() if n > MAX_FILE]


def wide_lines(root: Path, tops: Iterable[str] = PACKAGE) -> list[str]:
    """Lines of docstrings and comments wider than 100 columns, and of code wider than 110."""
    wide = []
    for path in sources(root, tops):
        text = path.read_text(encoding="utf-8")
        prose = _docstring_lines(ast.parse(text))
        for number, line in enumerate(text.splitlines(), 1):
            is_text = number in prose or line.lstrip().startswith("#")
            if len(line) > (MAX_TEXT if is_text else MAX_CODE):
                wide.append(f"{path.relative_to(root)}:{number} ({len(line)})")
    return wide


def _docstrings(tree: ast.AST) -> Iterator[ast.Constant]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value


def _docstring_lines(tree: ast.AST) -> set[int]:
    lines: set[int] = set()
    for node in _docstrings(tree):
        lines |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines


def identity_literals(root: Path) -> list[str]:
    """Lines of auditkit/ that spell an arm, a query or a test, but where these are defined."""
    spelt: set[tuple[str, int]] = set()
    for path in sources(root, ("auditkit",)):
        place = path.relative_to(root).as_posix()
        tree = ast.parse(path.read_text(encoding="utf-8"))
        prose = {id(node) for node in _docstrings(tree)}
        if place not in HOMES:
            nodes = (node for node in ast.walk(tree) if id(node) not in prose)
            spelt |= {(place, node.lineno) for node in nodes if _is_identity(node)}
    return [f"{place}:{line}" for place, line in sorted(spelt)]


def _is_identity(node: ast.AST) -> TypeGuard[ast.Constant]:
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
        return False
    return node.value in IDENTITIES or node.value.startswith(IDENTITY_PREFIXES)


def lines_of_python(root: Path, tops: Iterable[str]) -> int:
    """Lines of Python, blank ones and comments counted."""
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in sources(root, tops))


def lines_of_code(root: Path, tops: Iterable[str]) -> int:
    """Lines that hold more than a comment or a docstring."""
    return sum(len(_code_lines(path)) for path in sources(root, tops))


def _code_lines(path: Path) -> set[int]:
    text, silent = path.read_text(), {tokenize.COMMENT, *BLANK}
    spans = (
        range(token.start[0], token.end[0] + 1)
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type not in silent
    )
    return {line for span in spans for line in span} - _docstring_lines(ast.parse(text))


def measures(root: Path) -> dict[str, int | list[str]]:
    """Every measure: a number, or the list of what is counted."""
    graph = arrows(root)
    floor = floors(graph)
    spelt = identity_literals(root)
    levels = [f"{level}: {', '.join(r for r in floor if floor[r] == level)}" for level in set(floor.values())]
    return {
        "rooms": sorted(graph),
        "floors": levels,
        "arrows": sorted(f"{a} -> {b}" for a, others in graph.items() for b in others),
        "arrows up": sorted(f"{a} -> {b}" for a, b in arrows_up(graph)),
        "knots": [f"{len(knot)} rooms: {', '.join(sorted(knot))}" for knot in knots(graph)],
        f"functions with more than {MAX_POSITIONAL} positional arguments": many_arguments(root),
        f"functions over {MAX_FUNCTION} lines": long_functions(root),
        f"files over {MAX_FILE} lines": long_files(root),
        f"files over {MAX_FILE} lines in benchmarks/": long_files(root, ("benchmarks",)),
        f"lines over {MAX_TEXT} (docstrings, comments) or {MAX_CODE} (code)": wide_lines(root),
        "lines that spell an arm, a query or a test": spelt,
        "files with such lines": sorted({re.sub(r":\d+$", "", line) for line in spelt}),
        "lines of Python in auditkit/, attacks/, reports/": lines_of_python(root, PACKAGE),
        "of them code, and no docstring or comment": lines_of_code(root, PACKAGE),
        "lines of Python in tests/": lines_of_python(root, ("tests",)),
        "lines of Python in benchmarks/": lines_of_python(root, ("benchmarks",)),
    }


def main(arguments: list[str]) -> None:
    """Print the measures of a tree, by default the one that this file lies in."""
    verbose = "-v" in arguments
    places = [argument for argument in arguments if argument != "-v"]
    root = Path(places[0]).resolve() if places else Path(__file__).resolve().parent.parent
    for name, value in measures(root).items():
        print(f"{value if isinstance(value, int) else len(value):>7}  {name}")
        for line in value if verbose and not isinstance(value, int) else ():
            print(f"           {line}")


if __name__ == "__main__":
    main(sys.argv[1:])
