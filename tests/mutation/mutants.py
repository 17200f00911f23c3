"""Generate the mutants of a source file: copies of it in each of which one expression or statement is changed.

The changes are those of mutmut (`mutmut.mutation.mutators`), which `make mutants` installs into build/mutants, with two
more: a condition is negated, and a statement that only has an effect is left out. Not taken are changes that say little
about the tests, as nearly each of them fails at once (a value or an argument becomes None), and changes of what no test
should hold on to: the words of messages and log lines, annotations, decorators and `__all__`.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from operator import itemgetter
from pathlib import Path

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.mutators import mutation_operators, operator_assignment


@dataclass(frozen=True)
class Mutant:
    """A changed source file.

    Attributes:
        area: The area that the file belongs to.
        path: The file, relative to the project.
        name: What is changed, without the path: area, function and lines; it is the same after the file was moved.
        line: Number of the first changed line.
        code: The changed text of the file.
    """

    area: str
    path: str
    name: str
    line: int
    code: str


def mutants_of(
    area: str, paths: Iterable[str], project: Path, *, count: int, rng: random.Random, left_out: Container[str]
) -> list[Mutant]:
    """Draw mutants of an area, at most one of each place that can be changed, in random order.

    Args:
        area: Its name.
        paths: Its files, relative to the project.
        project: The folder of the project.
        count: Mutants at most.
        rng: Draws the places, and one of the changes of each.
        left_out: Names of mutants that are not drawn.
    """
    places = []
    for path in paths:
        wrapper = MetadataWrapper(cst.parse_module((project / path).read_text()))
        visitor = _Places()
        wrapper.visit(visitor)
        places += [(path, wrapper.module, *place) for place in sorted(visitor.options.items(), key=itemgetter(0))]
    rng.shuffle(places)
    found: list[Mutant] = []
    for path, module, (line, *_), options in places:
        if len(found) == count:
            break
        definition, original, changed = rng.choice(options)
        code = module.deep_replace(original, changed).code  # type: ignore[arg-type]
        name = f"{area} {definition}: {_difference(module.code, code)}"
        if name not in left_out and _compiles(code):
            found.append(Mutant(area, path, name, line, code))
    return found


class _Places(cst.CSTVisitor):
    """Collects by place, as first and last line and column, what a node can be changed to."""

    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self) -> None:
        super().__init__()
        self.options: dict[tuple[int, int, int, int], list[tuple[str, cst.CSTNode, cst.CSTNode]]] = defaultdict(list)
        self._definitions: list[str] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        if _is_untested(node):
            return False
        if isinstance(node, cst.FunctionDef | cst.ClassDef):
            self._definitions.append(node.name.value)
        for changed in _changes(node):
            place = self.get_metadata(PositionProvider, node, None)
            if place is None:  # libcst does not know where each of its nodes is
                continue
            key = (place.start.line, place.start.column, place.end.line, place.end.column)
            self.options[key].append((".".join(self._definitions) or "module", node, changed))
        # The message of an error is prose; whether it is raised is not.
        return not isinstance(node, cst.Raise)

    def on_leave(self, original_node: cst.CSTNode) -> None:
        if isinstance(original_node, cst.FunctionDef | cst.ClassDef):
            self._definitions.pop()


def _changes(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    for kind, operator in mutation_operators:
        if isinstance(node, kind) and operator is not operator_assignment:
            for changed in operator(node):
                if not (isinstance(node, cst.Call) and isinstance(changed, cst.Call) and _has_new_none(node, changed)):
                    yield changed
    if isinstance(node, cst.If):
        condition = node.test.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
        yield node.with_changes(test=cst.UnaryOperation(cst.Not(), condition))
    if isinstance(node, cst.Raise | cst.Expr):
        yield cst.Pass()


def _has_new_none(call: cst.Call, changed: cst.Call) -> bool:
    def count(arguments: cst.Call) -> int:
        return sum(isinstance(each.value, cst.Name) and each.value.value == "None" for each in arguments.args)

    return count(changed) > count(call)


def _is_untested(node: cst.CSTNode) -> bool:
    match node:
        case cst.Annotation() | cst.Decorator() | cst.Import() | cst.ImportFrom():
            return True
        case cst.SimpleString() | cst.ConcatenatedString() | cst.FormattedString():
            return " " in cst.Module([]).code_for_node(node)
        case cst.Expr(value=cst.SimpleString() | cst.ConcatenatedString()):
            return True
        case cst.Call(func=cst.Attribute(value=cst.Name(value="_log"))):
            return True
        case cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value="__all__"))]):
            return True
    return False


def _compiles(code: str) -> bool:
    try:
        compile(code, "mutant", "exec")
    except SyntaxError:
        return False
    return True


def _difference(before: str, after: str) -> str:
    """The lines that differ, without their indentation."""
    old, new = before.splitlines(), after.splitlines()
    while old and new and old[0] == new[0]:
        del old[0], new[0]
    while old and new and old[-1] == new[-1]:
        del old[-1], new[-1]
    return " -> ".join(" ".join(line.strip() for line in lines) for lines in (old, new))


def drawn(
    areas: Mapping[str, Iterable[str]], project: Path, *, count: int, seed: int, left_out: Container[str]
) -> list[Mutant]:
    """Draw a sample of the mutants of areas, as many of each as far as it has them, in turns.

    Args:
        areas: The source files of each area, relative to the project.
        project: The folder of the project.
        count: Mutants in all.
        seed: The same seed draws the same mutants of the same code, and a greater count the same ones and more.
        left_out: Names of mutants that are not drawn.
    """
    share = -(-count // len(areas))
    of_areas = [
        mutants_of(area, paths, project, count=share, rng=random.Random(f"{seed} {area}"), left_out=left_out)
        for area, paths in areas.items()
    ]
    return [each for turn in zip_longest(*of_areas) for each in turn if each is not None][:count]
