"""Bounded parsing of JSON, YAML and text lines from untrusted sources.

Limits are checked before memory or time is spent, and every fault is a `ParseError`, so a hostile file can neither
exhaust the memory nor cause an unexpected exception. The limits are far above the needs of legitimate files.
"""

from __future__ import annotations

import io
import json
import math
import os
import reprlib
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import yaml

__all__ = [
    "MOST_JSON_BYTES",
    "MOST_LINE_LENGTH",
    "MOST_RECORD_BYTES",
    "MOST_YAML_BYTES",
    "ParseError",
    "is_unicode",
    "open_file",
    "parse_json",
    "parse_yaml",
    "read_bytes",
    "shown",
    "text_lines",
]

MOST_JSON_BYTES = 64 * 2**20
"""Size limit of one JSON document. The training set of ActivityNet Captions, one object, has 12 MB."""

MOST_RECORD_BYTES = 16 * 2**20
"""Size limit of a small JSON document, such as a question, a failure or a video's name."""

MOST_YAML_BYTES = 2**18
"""Size limit of one YAML document. The configurations that come with momentseek have up to 1 kB."""

MOST_LINE_LENGTH = 2**20
"""Length limit of a line, in characters. Longer ones are neither CSV records nor JSON Lines that people write."""

# momentseek's own documents have up to six levels. Deep nesting would cause a RecursionError in later code.
_MAX_DEPTH = 64
# Number of nodes of a YAML document with expanded aliases.
_MAX_NODES = 100_000
# Python does not convert more than 4300 digits; no setting, count or id has even this many.
_MAX_DIGITS = 100

_CORE_TAGS = ("null", "bool", "int", "float", "str", "seq", "map")


class ParseError(ValueError):
    """A document is malformed or exceeds a limit; the message names the line, if known."""


class _Short(reprlib.Repr):
    """A `repr` of about 200 characters at most, for values of any size and depth."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = 200
        self.maxlevel = 4
        self.maxlong = 60


_SHORT = _Short()


def shown(value: object) -> str:
    """Format a value for a message: at most 200 characters, with escaped control characters."""
    try:
        text = _SHORT.repr(value)
    except ValueError:
        # Python does not format integers with more than 4300 digits.
        text = f"a number of {value.bit_length()} bits" if isinstance(value, int) else type(value).__name__
    return text if len(text) <= 200 else f"{text[:197]}..."


def is_unicode(text: str) -> bool:
    """Whether a text can be encoded as UTF-8; JSON and YAML can contain lone surrogates, which cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def read_bytes(path: str | Path, most_bytes: int, *, is_regular: bool = False) -> bytes:
    """Read a file up to a size limit.

    Args:
        path: The file.
        most_bytes: Limit; one byte more is an error.
        is_regular: Whether to reject pipes and devices.

    Raises:
        ParseError: The file is larger than the limit, or not a regular file.
        OSError: The file cannot be read.
    """
    with open_file(path) if is_regular else Path(path).open("rb") as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise ParseError(f"more than {most_bytes:,} bytes; split it, or check that it is the right file")
    return content


def open_file(path: str | Path) -> io.BufferedReader:
    """Open a regular file for reading, without waiting for the writer of a pipe.

    Raises:
        ParseError: The file is a pipe, a device or a socket.
        OSError: The file cannot be opened.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    file = os.fdopen(descriptor, "rb")
    if not Path(f"/proc/self/fd/{descriptor}").is_file():
        file.close()
        raise ParseError("not a regular file; copy its content into one")
    return file


def parse_json(content: str | bytes, *, most_bytes: int = MOST_RECORD_BYTES, allows_nan: bool = False) -> Any:
    """Parse one JSON document (RFC 8259); bytes must be UTF-8.

    Rejected are malformed text, duplicate keys in an object, more than 64 levels, numbers of more than 100 digits or
    beyond the range of a float, and NaN and Infinity, which are not part of JSON.

    Args:
        content: The document.
        most_bytes: Size limit, in characters if the document is a string.
        allows_nan: Whether to accept NaN and Infinity, as Python writes them.

    Raises:
        ParseError: The document is not JSON, or exceeds a limit.
    """
    if len(content) > most_bytes:
        raise ParseError(f"more than {most_bytes:,} bytes of JSON")
    try:
        text = content if isinstance(content, str) else content.decode("utf-8-sig")
        value = (_LAX if allows_nan else _STRICT).decode(text)
    except UnicodeDecodeError as error:
        raise ParseError(f"not UTF-8 ({error.reason} at byte {error.start})") from error
    except RecursionError as error:
        raise ParseError(f"nested more than {_MAX_DEPTH} levels deep") from error
    except json.JSONDecodeError as error:
        raise ParseError(str(error)) from error
    _check_depth(value)
    return value


def parse_yaml(content: str | bytes) -> Any:
    """Parse one YAML document of plain values: mappings, lists, texts, numbers, true, false and null.

    Dates are parsed as texts. Rejected are malformed text, other tags, duplicate keys in a mapping, more than 64
    levels, whole numbers of more than 100 digits, aliases that contain themselves, and documents with more than 100,000
    nodes after expansion of aliases.

    Raises:
        ParseError: The document is not such YAML, or exceeds a limit; the message names the line.
    """
    if len(content) > MOST_YAML_BYTES:
        raise ParseError(f"more than {MOST_YAML_BYTES:,} bytes of YAML")
    try:
        return yaml.load(content, _PlainLoader)  # noqa: S506 - a SafeLoader of fewer types
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = "" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}: "
        parts = (error.context, error.problem, error.note)
        raise ParseError(f"{where}{' '.join(' '.join(part.split()) for part in parts if part)}") from error
    except yaml.YAMLError as error:
        raise ParseError(" ".join(str(error).split())) from error
    except UnicodeDecodeError as error:
        raise ParseError(f"not UTF-8 ({error.reason} at byte {error.start})") from error
    except RecursionError as error:
        raise ParseError(f"nested more than {_MAX_DEPTH} levels deep") from error


def text_lines(file: BinaryIO, *, newline: str | None = None) -> Generator[str, None, None]:
    """Yield the lines of a UTF-8 file with their ends; a byte order mark is dropped.

    Args:
        file: The file, read from its position; it is closed with the iterator.
        newline: As for `io.TextIOWrapper`: None translates line ends, "" keeps them.

    Raises:
        ParseError: A line has more than `MOST_LINE_LENGTH` characters.
        UnicodeDecodeError: The file is not UTF-8.
    """
    with io.TextIOWrapper(file, encoding="utf-8-sig", newline=newline) as text:
        number = 0
        while line := text.readline(MOST_LINE_LENGTH + 1):
            number += 1
            if len(line) > MOST_LINE_LENGTH:
                raise ParseError(f"line {number}: more than {MOST_LINE_LENGTH:,} characters; shorten or split the line")
            yield line


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ParseError(f"the key {shown(twice)} is given twice in one object")
    return found


def _integer(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise ParseError(f"a number of {len(text):,} digits; the most is {_MAX_DIGITS}")
    return int(text)


def _number(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ParseError(f"the number {shown(text)} is beyond the range of a float")
    return number


def _no_constant(text: str) -> float:
    raise ParseError(f"{text} is not a JSON number; write null, or leave it out")


def _decoder(parse_constant: Callable[[str], Any] | None) -> json.JSONDecoder:
    return json.JSONDecoder(
        object_pairs_hook=_object, parse_int=_integer, parse_float=_number, parse_constant=parse_constant
    )


_STRICT = _decoder(_no_constant)
_LAX = _decoder(None)


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(_MAX_DEPTH + 1):
        inner = [each for each in level if isinstance(each, dict | list)]
        if not inner:
            return
        level = [each for item in inner for each in (item.values() if isinstance(item, dict) else item)]
    raise ParseError(f"nested more than {_MAX_DEPTH} levels deep")


class _PlainLoader(yaml.SafeLoader):
    """A `SafeLoader` for plain values that limits depth and expanded size while it composes a document."""

    # Texts that look like dates stay texts.
    yaml_implicit_resolvers = {  # noqa: RUF012 - as in the base class
        first: [(tag, form) for tag, form in forms if not tag.endswith(":timestamp")]
        for first, forms in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    yaml_constructors = {  # noqa: RUF012 - as in the base class
        tag: construct
        for tag, construct in yaml.SafeLoader.yaml_constructors.items()
        if tag is None or tag.rpartition(":")[2] in _CORE_TAGS
    }

    def __init__(self, stream: str | bytes) -> None:
        try:
            super().__init__(stream)
        except yaml.reader.ReaderError as error:
            line = stream[: error.position].count("\n" if isinstance(stream, str) else b"\n") + 1  # type: ignore[arg-type]
            raise ParseError(f"line {line}: {error.reason}") from error
        self._depth = 0
        self._nodes = 0
        self._sizes: dict[int, int] = {}
        # References to all nodes, so that ids are not reused.
        self._composed: list[yaml.Node] = []

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose a node, and count its nodes with expanded aliases."""
        mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]  # PyYAML's stubs leave it out
        is_alias = self.check_event(yaml.AliasEvent)
        before = self._nodes
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise yaml.MarkedYAMLError(None, None, f"nested more than {_MAX_DEPTH} levels deep", mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        if is_alias:
            if id(node) not in self._sizes:
                raise yaml.MarkedYAMLError(None, None, "an alias within the node that it refers to", mark)
            self._nodes += self._sizes[id(node)]
        else:
            self._nodes += 1
            self._sizes[id(node)] = self._nodes - before
            if node is not None:
                self._composed.append(node)
        if self._nodes > _MAX_NODES:
            problem = f"more than {_MAX_NODES:,} values after expansion of aliases"
            raise yaml.MarkedYAMLError(None, None, problem, mark)
        return node

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """Construct a whole number of up to 100 digits."""
        if len(str(node.value)) > _MAX_DIGITS:
            problem = f"a number of {len(str(node.value)):,} digits; the most is {_MAX_DIGITS}"
            raise yaml.MarkedYAMLError(None, None, problem, node.start_mark)
        return int(self._converted(super().construct_yaml_int, node))

    def construct_yaml_float(self, node: yaml.ScalarNode) -> float:
        """Construct a number."""
        return float(self._converted(super().construct_yaml_float, node))

    def construct_yaml_bool(self, node: yaml.ScalarNode) -> bool:
        """Construct true or false."""
        return bool(self._converted(super().construct_yaml_bool, node))

    def _converted(self, construct: Callable[[yaml.ScalarNode], Any], node: yaml.ScalarNode) -> Any:
        # A document can put a tag on any text, as in `!!int x`.
        try:
            return construct(node)
        except (ArithmeticError, LookupError, ValueError) as error:
            kind = str(node.tag).rpartition(":")[2]
            problem = f"{shown(node.value)} is not a valid {kind}"
            raise yaml.MarkedYAMLError(None, None, problem, node.start_mark) from error

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Construct a mapping without duplicate keys."""
        seen = set()
        for key_node, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            key = (key_node.tag, key_node.value) if isinstance(key_node, yaml.ScalarNode) else None
            if key in seen and not str(key_node.tag).endswith(":merge"):
                problem = f"the key {shown(key_node.value)} is given twice"
                raise yaml.MarkedYAMLError(None, None, problem, key_node.start_mark)
            if key is not None:
                seen.add(key)
        return dict(super().construct_mapping(node, deep=deep))


for _tag in ("int", "float", "bool"):
    _PlainLoader.add_constructor(f"tag:yaml.org,2002:{_tag}", getattr(_PlainLoader, f"construct_yaml_{_tag}"))
