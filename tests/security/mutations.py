"""Mutations of a library's folder: what a hostile sender, a bad disk or another version may make of it.

Each is seeded and returns in words what it did, or None where the library has nothing of its kind.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import yaml
from canary_tree import Canary
from parquet_mutations import mutate_columns, mutate_details
from value_mutations import foreign_names, mutated

__all__ = ["KINDS", "mutate"]

Mutation = Callable[[Path, Canary, random.Random], str | None]

_MOST = 3
_LONG_NESTING = 200_000
_LARGEST_BYTES = 2**24
# What an earlier mutation of the same file makes of reading it.
_UNREADABLE = (OSError, ValueError, KeyError, IndexError, RecursionError, yaml.YAMLError, zipfile.BadZipFile)


def mutate(library: Path, canary: Canary, seed: int) -> list[str]:
    """Mutate a library once to three times; in words how.

    Args:
        library: Its folder.
        canary: What links and names outside of it point at.
        seed: The first kind goes round with it, all else is drawn from it.
    """
    rng = random.Random(seed)
    kinds = [list(KINDS)[seed % len(KINDS)], *rng.choices(list(KINDS), k=rng.randrange(_MOST))]
    found = []
    for kind in kinds:
        how = KINDS[kind](library, canary, rng)
        if how is not None:
            found.append(f"{kind}: {how}")
    return found


def _entries(library: Path) -> dict[str, list[Path]]:
    """Files by what they are, in the order in which they were written; links of either kind are none.

    Their names would not do: some are hashes of the test's own folder.
    """
    written: list[tuple[int, str, Path]] = []
    for parent, _, names in os.walk(library):
        for path in (Path(parent) / name for name in names):
            known = path.lstat()
            # To write to a file that has two names is to write to the canary. Large ones are sparse, and full of zeros.
            if stat.S_ISREG(known.st_mode) and known.st_nlink == 1 and known.st_size <= _LARGEST_BYTES:
                written.append((known.st_mtime_ns, path.name, path))
    found: dict[str, list[Path]] = {}
    for *_, path in sorted(written):
        parts = path.relative_to(library).parts
        kind = parts[0] if len(parts) == 1 or parts[0] != "frames" else parts[2] if len(parts) > 3 else path.suffix
        found.setdefault(kind, []).append(path)
    return {kind: found[kind] for kind in sorted(found)}


def _file(library: Path, rng: random.Random, *suffixes: str) -> Path | None:
    """A file, of each kind as likely."""
    kinds = [
        fitting
        for paths in _entries(library).values()
        if (fitting := [path for path in paths if not suffixes or path.suffix in suffixes])
    ]
    return rng.choice(rng.choice(kinds)) if kinds else None


def _folder(library: Path, rng: random.Random) -> Path | None:
    found = [Path(parent) / name for parent, names, _ in os.walk(library) for name in names]
    return rng.choice(sorted(path for path in found if not path.is_symlink())) if found else None


def _any(library: Path, rng: random.Random) -> Path | None:
    return _folder(library, rng) if rng.random() < 0.4 else _file(library, rng)


def _away(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _said(path: Path, library: Path) -> str:
    return str(path.relative_to(library))


def _link(library: Path, canary: Canary, rng: random.Random) -> str | None:
    path = _any(library, rng)
    if path is None:
        return None
    was_folder = path.is_dir()
    fifo = canary.folder.parent / "outside.fifo"
    if not fifo.exists():
        os.mkfifo(fifo)
    alike = [one for one in canary.files() if one.suffix == path.suffix and path.suffix]
    targets = [
        *(canary.folders() if was_folder or rng.random() < 0.2 else [canary.text, canary.folder / "made.json"]),
        *alike,
        path,
        Path(".."),
        Path("/dev/zero"),
        Path("/proc/self/mem"),
        fifo,
        Path(os.path.relpath(canary.text, path.parent)),
    ]
    target = rng.choice(targets)
    _away(path)
    path.symlink_to(target)
    return f"{_said(path, library)} -> {target}"


def _link_of_folder(library: Path, canary: Canary, rng: random.Random) -> str | None:
    path = _folder(library, rng)
    if path is None:
        return None
    target = rng.choice(canary.folders())
    _away(path)
    path.symlink_to(target)
    return f"{_said(path, library)} -> {target}"


def _hard_link(library: Path, canary: Canary, rng: random.Random) -> str | None:
    path = _file(library, rng)
    if path is None:
        return None
    alike = [one for one in canary.files() if one.suffix == path.suffix]
    target = rng.choice([canary.text, *alike])
    path.unlink()
    path.hardlink_to(target)
    canary.linked.add(target)
    return f"{_said(path, library)} = {target}"


def _special(library: Path, canary: Canary, rng: random.Random) -> str | None:
    path = _file(library, rng)
    if path is None:
        return None
    path.unlink()
    kind = rng.choice(("fifo", "socket", "folder", "full folder"))
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        # A longer path than a socket's address holds.
        with socket.socket(socket.AF_UNIX) as made:
            here = os.open(path.parent, os.O_RDONLY)
            made.bind(f"/proc/self/fd/{here}/{path.name}"[:107])
            os.close(here)
    else:
        path.mkdir()
        if kind == "full folder":
            (path / "a.json").write_text("{}")
    return f"{_said(path, library)} is a {kind}"


def _file_for_folder(library: Path, canary: Canary, rng: random.Random) -> str | None:
    path = _folder(library, rng)
    if path is None:
        return None
    _away(path)
    path.write_bytes(rng.randbytes(rng.choice((0, 100))))
    return f"{_said(path, library)} is a file"


def _bytes(library: Path, canary: Canary, rng: random.Random) -> str | None:
    path = _file(library, rng)
    if path is None:
        return None
    content = path.read_bytes()
    place = rng.randrange(len(content) + 1)
    kind = rng.choice(("whole", "middle", "one", "cut", "more", "none", "sparse", "text"))
    made = {
        "whole": rng.randbytes(max(1, min(len(content), 4096))),
        "middle": content[:place] + rng.randbytes(16) + content[place + 16 :],
        "one": content[:place] + rng.randbytes(1) + content[place + 1 :],
        "cut": content[:place],
        "more": content + rng.randbytes(64),
        "none": b"",
        "sparse": content,
        "text": b"\xef\xbb\xbf\xff{'\x00",
    }
    path.write_bytes(made[kind])
    if kind == "sparse":
        os.truncate(path, 2**36)
    return f"{_said(path, library)} {kind} at {place}"


def _values(kind: str) -> Mutation:
    def mutation(library: Path, canary: Canary, rng: random.Random) -> str | None:
        path = _file(library, rng, ".json", ".yaml", ".parquet")
        if path is None:
            return None
        names = foreign_names(str(canary.text))
        how = _mutated_file(path, rng, names, kind)
        return None if how is None else f"{_said(path, library)} {how}"

    return mutation


def _mutated_file(path: Path, rng: random.Random, names: tuple[str, ...], kind: str) -> str | None:
    try:
        if path.suffix == ".parquet":
            return mutate_details(path, rng, names, kind)
        text = path.read_text()
        found = mutated(json.loads(text) if path.suffix == ".json" else yaml.safe_load(text), rng, names, kind)
    except _UNREADABLE:
        return None
    if found is None:
        return None
    made = json.dumps(found[0]) if path.suffix == ".json" else yaml.safe_dump(found[0])
    path.write_text(made, errors="surrogatepass")
    return found[1]


def _columns(library: Path, canary: Canary, rng: random.Random) -> str | None:
    path = _file(library, rng, ".parquet")
    try:
        return None if path is None else f"{_said(path, library)} {mutate_columns(path, rng)}"
    except _UNREADABLE:
        # The index's files do not have all that this one changes.
        return None


def _text(library: Path, canary: Canary, rng: random.Random) -> str | None:
    """What parsers choke on."""
    path = _file(library, rng, ".json", ".yaml")
    if path is None:
        return None
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    )
    content = {
        "nested": "[" * _LONG_NESTING,
        "nested and closed": "[" * _LONG_NESTING + "]" * _LONG_NESTING,
        "nested keys": '{"a":' * _LONG_NESTING,
        "digits": '{"format": 1' + "0" * 100_000 + "}",
        "null": "null",
        "number": "1e999",
        "text": '"text"',
        "list": "[]",
        "keys": "{}",
        "aliases": bomb,
        "tag": "!!python/object/apply:os.system ['true']",
        "long": '{"a": "' + "x" * 5_000_000 + '"}',
    }
    kind = rng.choice(list(content))
    path.write_text(content[kind])
    return f"{_said(path, library)} holds {kind}"


def _named(library: Path, canary: Canary, rng: random.Random) -> str | None:
    """A file with a name that is none of ours, in place of one that is or beside it."""
    path = _file(library, rng)
    if path is None:
        return None
    names = [name.replace("/", "_").replace("\0", "") for name in foreign_names(str(canary.text))]
    name = rng.choice([name for name in names if name not in (".", "..")]).encode("utf-8", "surrogatepass")
    room = 255 - len(path.suffix)
    target = os.fsencode(path.parent) + b"/" + name[:room] + os.fsencode(path.suffix)
    if rng.random() < 0.5:
        os.rename(os.fsencode(path), target)  # noqa: PTH104 - its name may be no text
    else:
        shutil.copyfile(os.fsencode(path), target)
    return f"{_said(path, library)} as {target!r}"


def _exchanged(library: Path, canary: Canary, rng: random.Random) -> str | None:
    one, other = _file(library, rng), _file(library, rng)
    alike = [paths for paths in _entries(library).values() if len(paths) > 1]
    if alike and rng.random() < 0.7:
        one, other = rng.sample(rng.choice(alike), 2)
    if one is None or other is None:
        return None
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    if rng.random() < 0.5:
        other.write_bytes(content)
    return f"{_said(one, library)} has the content of {_said(other, library)}"


def _gone(library: Path, canary: Canary, rng: random.Random) -> str | None:
    path = _any(library, rng)
    if path is None:
        return None
    _away(path)
    return _said(path, library)


def _sample(library: Path, canary: Canary, rng: random.Random) -> str | None:
    """Other arrays in the sample of the library's frames."""
    path = next((path for path in _entries(library).get(".npz", ()) if path.name == "background.npz"), None)
    if path is None:
        return None
    try:
        with np.load(path) as kept:
            arrays = dict(kept)
        vectors = arrays["vectors"]
    except _UNREADABLE:
        return None
    changes: dict[str, dict[str, object]] = {
        "NaN": {"vectors": np.full_like(vectors, np.nan)},
        "huge": {"vectors": np.full_like(vectors, 1e38)},
        "zero": {"vectors": np.zeros_like(vectors)},
        "wide": {"vectors": np.ones((len(vectors), 7), np.float32)},
        "flat": {"vectors": vectors.reshape(-1)},
        "none": {"vectors": vectors[:0]},
        "texts": {"vectors": np.array([["a"]])},
        "complex": {"vectors": vectors.astype(np.complex64)},
        "doubles": {"vectors": vectors.astype(np.float64)},
        "ids": {"video_ids": np.array([[1, 2], [3, 4]])},
        "id": {"video_ids": np.array("one")},
        "foreign ids": {"video_ids": np.array(["../../../canary/secret", "\x1b[2J"])},
        "rows": {"rows": np.array([1, 2])},
        "rows NaN": {"rows": np.array(np.nan)},
        "pickle": {"vectors": np.array([{}], object)},
        "more": {"vectors": np.repeat(vectors, 1000, axis=0)},
    }
    kind = rng.choice(list(changes))
    np.savez(path, **{**arrays, **changes[kind]})
    return kind


def _mode(library: Path, canary: Canary, rng: random.Random) -> str | None:
    path = _any(library, rng)
    # Modes hold root from nothing.
    if path is None or os.geteuid() == 0:
        return None
    path.chmod(0)
    return _said(path, library)


KINDS: dict[str, Mutation] = {
    "link": _link,
    "bytes": _bytes,
    "number": _values("number"),
    "name": _values("name"),
    "columns": _columns,
    "link of a folder": _link_of_folder,
    "shape": _values("shape"),
    "missing": _values("missing"),
    "sample": _sample,
    "special file": _special,
    "hard link": _hard_link,
    "text": _text,
    "foreign name": _named,
    "exchanged": _exchanged,
    "gone": _gone,
    "file for a folder": _file_for_folder,
    "mode": _mode,
}
"""By name, all kinds of mutations."""
