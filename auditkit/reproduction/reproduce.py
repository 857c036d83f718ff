"""The paper's experiments on real data, and an audit of its claims: from a size to a page with
every figure.

The main path of `auditkit reproduce fnn`. Each experiment is a piece: what it found is kept as soon
as it is there, and a piece that is kept by the same code on the same data at the same size is not
made again.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from joblib import Parallel, delayed

from auditkit.core.canonical import canonical, digest, to_plain
from auditkit.core.environment import VERSION, environment
from auditkit.core.errors import UsageError
from auditkit.core.progress import NullReporter, Reporter
from auditkit.data import SOURCES, load
from auditkit.engine.cost import Resources
from auditkit.engine.plan import cores, threads
from auditkit.reproduction.audits import audits
from auditkit.reproduction.experiments import SPLIT_SEED, experiments
from auditkit.reproduction.sizes import SIZES, split
from auditkit.reproduction.table import table

PIECES = ".pieces"
"""Where in the output directory finished pieces are kept."""


@dataclass(frozen=True)
class Experiment:
    """One experiment. name: unique, and the name of its file. identity: all that its result depends
    on, but for the code. make: gives the result."""

    name: str
    identity: Mapping[str, Any]
    make: Callable[[], object]


def reproduce(
    size: str,
    sources: Sequence[str],
    out: Path,
    *,
    given: Resources | None = None,
    tell: Reporter | None = None,
) -> dict[str, Any]:
    """Make every experiment of this size that is not there yet; leave page, figures and numbers.

    Interrupted, the same call goes on.

    Args:
        size: one of SIZES.
        sources: names of data sets.
        out: the directory for the files.
        given: what may be used of the machine; by default what there is.
        tell: hears how it goes.

    Returns:
        What is in reproduction.json.

    Raises:
        UsageError: before anything is trained, where a data set is not there or the place cannot be
            written to.
    """
    tell, given = tell or NullReporter(), given or Resources()
    _check(size, out)
    committed = {source: _commitment(size, source) for source in sources}  # refuses before anything is made
    pieces = _pieces_folder(out)
    made: dict[str, dict[str, Any]] = {source: {} for source in sources}
    alone = [piece for source in sources for piece in _experiments(size, source, committed[source], given)]
    for name, value in _made(alone, pieces, given.jobs or cores(), tell):
        source, _, what = name.partition(" ")
        made[source][what] = value
    for source in sources:
        for piece in _tables(size, source, committed[source], given, tell):
            # One by one: each table has workers of its own.
            [(name, value)] = _made([piece], pieces, 1, tell)
            made[source][name.removeprefix(f"{source} ")] = value
    return {
        "schema": 1,
        "auditkit": VERSION,
        "command": command(size, sources),
        "size": size,
        "settings": asdict(SIZES[size]),
        "data": made,
    }


def _pieces_folder(out: Path) -> Path:
    """Where what is finished is kept until all is."""
    pieces = out / PIECES
    try:
        pieces.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{out}: cannot be written to: {error}; choose another --out") from error
    return pieces


def _tables(
    size: str, source: str, commitment: str, given: Resources, tell: Reporter
) -> Iterator[Experiment]:
    """The tables of procedures on one data set, each as an experiment."""
    for name, audit in audits(size, source).items():
        make = partial(
            table, name, audit.claim, audit.procedures, attack=audit.attack, given=given, tell=tell
        )
        identity = {
            "claim": audit.claim.model_dump(mode="json"),
            "procedures": {key: procedure.model_dump() for key, procedure in audit.procedures.items()},
            "attack": audit.attack,
            "data": commitment,
            "device": _device(given),
        }
        yield Experiment(f"{source} table {name}", identity, make)


def command(size: str, sources: Sequence[str]) -> str:
    """The command that makes this again."""
    return " ".join(["auditkit reproduce fnn", f"--size {size}", *(f"--data {source}" for source in sources)])


def _experiments(size: str, source: str, commitment: str, given: Resources) -> list[Experiment]:
    """The experiments that need no audit. commitment: of the data."""
    device = _device(given)
    common = {"size": asdict(SIZES[size]), "data": commitment, "device": device}
    return [
        Experiment(f"{source} {name}", {**common, "name": name}, make)
        for name, make in experiments(size, source, device).items()
    ]


def _device(given: Resources) -> str:
    auto = given.device == "auto" and torch.cuda.is_available()
    return "cuda" if auto or given.device == "cuda" else "cpu"


def _commitment(size: str, source: str) -> str:
    """SHA-256 over the data set. UsageError where it is not there, or has too few records for this
    size."""
    if source not in SOURCES:
        raise UsageError(f"--data must be one of {', '.join(SOURCES)}, found {source!r}")
    data = load(source)
    split(data, SIZES[size], SPLIT_SEED)
    return data.commitment()


def _made(pieces: Sequence[Experiment], kept: Path, jobs: int, tell: Reporter) -> Iterator[tuple[str, Any]]:
    """Each piece with its result, those first that are kept. What is made anew is kept at once."""
    missing = []
    for piece in pieces:
        if (value := _open(piece, kept)) is None:
            missing.append(piece)
        else:
            yield piece.name, value
    if not missing:
        return
    tell.say(f"{len(missing)} experiment(s) to make, {len(pieces) - len(missing)} kept from before")
    if len(missing) == 1:
        yield missing[0].name, _keep(missing[0], missing[0].make(), kept)
        return
    done = Parallel(n_jobs=jobs, return_as="generator_unordered")(
        delayed(_numbered)(k, piece.make) for k, piece in enumerate(missing)
    )
    for k, result in done:
        tell.say(f"{missing[k].name}: done")
        yield missing[k].name, _keep(missing[k], result, kept)


def _numbered(k: int, make: Callable[[], object]) -> tuple[int, object]:
    with threads(1):  # with more the last bits would depend on how many there are
        return k, make()


def _identity(piece: Experiment) -> str:
    return digest({"code": environment(), "of": dict(piece.identity)})


def _place(piece: Experiment, kept: Path) -> Path:
    return kept / f"{piece.name.replace(' ', '-')}.json"


def _open(piece: Experiment, kept: Path) -> Any:
    """The result that is kept of this very piece; None where there is none, or it cannot be
    read."""
    try:
        document = json.loads(_place(piece, kept).read_bytes())
    except (OSError, ValueError):
        return None
    return document["result"] if document.get("identity") == _identity(piece) else None


def _keep(piece: Experiment, result: object, kept: Path) -> Any:
    """Keep a result, whole or not at all; returned as it will be read."""
    plain = to_plain(result)
    place = _place(piece, kept)
    part = place.with_suffix(".part")
    part.write_bytes(canonical({"identity": _identity(piece), "result": plain}))
    part.replace(place)
    return plain


def _check(size: str, out: Path) -> None:
    if size not in SIZES:
        raise UsageError(f"--size must be one of {', '.join(SIZES)}, found {size!r}")
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out}: must be a directory, found a file; choose another --out")
