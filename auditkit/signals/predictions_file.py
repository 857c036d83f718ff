"""Answers that were handed in: read from one .npz file, checked, and put together as signals. No
torch.

The arrays of the file, with `records` and `classes` the same in all of them:

    labels          int (records,), 0 .. classes - 1
    ids             str or int (records,), each once
    sets            str (records,): retain, forget, control, test or population; population may be left out
    original        float (runs, records, classes): the logits of runs trained on retain and forget
    unlearned       the same of the models that are claimed to have forgotten: one run, or run k made from original k
    retrained       the same of runs trained from scratch on retain only
    honest          the same of further such runs; left out, every other retrained run is taken for it
    shadow          the same of the attacker's own runs, may be left out
    shadow/member   bool (shadow runs, records): whether each was trained on the record
    near/<share>/<arm>   float (runs, draws, forget + control, classes): answers on inputs near the forget and control
                    records, in the order in which they stand in the file, forget first; share: how near, as a share of
                    the usual nearest-neighbour distance. Of every arm but shadow, or of none

Arms of different numbers of runs are cut to the fewest.
"""

import difflib
import hashlib
import io
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from auditkit.core.errors import UsageError
from auditkit.signals.interface import Interface, apply_interface, detect_interface, merge_interfaces
from auditkit.signals.measurements import COMPARED, SetIndices, jittered_margins
from auditkit.signals.signals import Signals
from auditkit.statistics.margins import Floats, Ints
from auditkit.statistics.prediction import BESIDE_ONE

Array = npt.NDArray[np.generic]
SETS = ("retain", "forget", "control", "test", "population")
LEAST = {"retain": 1, "forget": 1, "control": 20, "test": 1}
"""Records that each set must have; runs are put on one scale by a line through the control
records."""
LEAST_RUNS, LEAST_SHADOWS = 3, 4
PLAIN = ("labels", "ids", "sets", "original", "unlearned", "retrained")
OPTIONAL = ("honest", "shadow", "shadow/member")


@dataclass(frozen=True, eq=False)
class SubmittedPredictions:
    """What was handed in. near: arm -> jittered query -> margins, as `measure.arms_of` takes them.
    shares: of those queries. sha256: of the file. interface: what the unlearned models withhold,
    and so all arms do. notes: what of it was left out, in sentences."""

    signals: Signals
    places: SetIndices
    near: Mapping[str, Mapping[str, Floats]]
    shares: tuple[float, ...]
    sha256: str
    interface: Interface
    notes: tuple[str, ...]

    @property
    def unlearned_runs(self) -> int:
        """How many unlearned models answered."""
        return len(self.signals.runs_of("unlearned"))


def load_predictions(path: Path, seed: int) -> SubmittedPredictions:
    """The answers in a file laid out as above. seed: for anything random that attacks do with them.
    UsageError with everything that is wrong with the arrays."""
    try:
        content = path.read_bytes()
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except OSError as error:
        raise UsageError(
            f"{path}: must be an .npz file that can be read, found: {error.strerror or error}"
        ) from error
    except (ValueError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise UsageError(
            f"{path}: must be an .npz file of plain arrays, found: {error}; write it with numpy.savez"
        ) from error
    if problems := list(_problems(arrays)):
        raise UsageError(*(f"{path.name}: {problem}" for problem in problems))
    return _handed(arrays, hashlib.sha256(content).hexdigest(), seed)


def _problems(arrays: Mapping[str, Array]) -> Iterator[str]:
    """Everything that is wrong with the arrays."""
    shares = {name.split("/")[1] for name in arrays if name.startswith("near/") and name.count("/") == 2}
    answering = [arm for arm in COMPARED if arm != "honest" or "honest" in arrays]
    known = [*PLAIN, *OPTIONAL, *(f"near/{share}/{arm}" for share in sorted(shares) for arm in answering)]
    for name in sorted(arrays.keys() - set(known)):
        close = difflib.get_close_matches(name, known, n=1)
        yield f"{name}: not an array of this file; " + (
            f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
        )
    if missing := [name for name in known if name not in arrays and name not in OPTIONAL]:
        yield (
            f"must hold {', '.join(missing)}, which {'are' if len(missing) > 1 else 'is'} missing; add what"
            " is missing"
        )
    yield from _record_problems(arrays)
    shapes = {arm: arrays[arm].shape for arm in answering if arm in arrays and arrays[arm].ndim == 3}
    classes = next((shape[2] for shape in shapes.values()), 0)
    records = len(arrays["labels"]) if "labels" in arrays and arrays["labels"].ndim else 0
    for arm in (*answering, "shadow"):
        if arm in arrays:
            yield from _logit_problems(arm, arrays[arm], ("runs", records, classes))
    yield from _run_problems(arrays)
    parts = arrays.get("sets", np.empty(0, dtype=str))
    beside = int(np.isin(parts, ("forget", "control")).sum()) if parts.dtype.kind == "U" else 0
    for share in sorted(shares):
        if not _is_share(share):
            yield f"near/{share}: must name a positive share, as in near/0.3/original, found {share!r}"
        for arm in answering:
            if (near := arrays.get(f"near/{share}/{arm}")) is not None:
                runs = shapes[arm][0] if arm in shapes else "runs"
                yield from _logit_problems(f"near/{share}/{arm}", near, (runs, "draws", beside, classes))


def _is_share(text: str) -> bool:
    try:
        return 0 < float(text) < np.inf and f"{float(text):g}" == text
    except ValueError:
        return False


def _record_problems(arrays: Mapping[str, Array]) -> Iterator[str]:
    """What is wrong with labels, ids and sets."""
    labels, ids, sets = (arrays.get(name) for name in ("labels", "ids", "sets"))
    records = labels.shape if labels is not None else None
    if labels is not None and (labels.ndim != 1 or labels.dtype.kind not in "iu"):
        yield f"labels: must be integers, one a record, found {labels.dtype} of shape {labels.shape}"
    elif labels is not None and len(labels):
        classes = max(
            (a.shape[2] for arm in COMPARED if (a := arrays.get(arm)) is not None and a.ndim == 3), default=0
        )
        if int(labels.min()) < 0 or int(labels.max()) >= classes > 0:
            yield f"labels: must be 0 .. {classes - 1}, a logit each, found {labels.min()} .. {labels.max()}"
    if ids is not None:
        if ids.shape != records or ids.dtype.kind not in "Uiu":
            yield f"ids: must be strings or integers, one a record, found {ids.dtype} of shape {ids.shape}"
        values, counts = np.unique(ids, return_counts=True)
        if repeated := values[counts > 1].tolist():
            yield f"ids: must be unique, found {len(repeated)} repeated: {', '.join(map(str, repeated[:5]))}"
    if sets is None:
        return
    if sets.shape != records or sets.dtype.kind != "U":
        yield f"sets: must be strings, one a record, found {sets.dtype} of shape {sets.shape}"
        return
    if odd := sorted(set(sets.tolist()) - set(SETS)):
        yield f"sets: must be among {', '.join(SETS)}, found {', '.join(odd[:5])}"
    for name, least in LEAST.items():
        found = int((sets == name).sum())
        if found < least:
            yield f"sets: at least {least} record(s) must be {name}, found {found}"


def _logit_problems(name: str, logits: Array, shape: tuple[str | int, ...]) -> Iterator[str]:
    """What is wrong with one array of logits. shape: a number where it must be that, a word where
    it is free."""
    words = ", ".join(map(str, shape))
    fits = logits.ndim == len(shape) and all(
        isinstance(wanted, str) or wanted == found for wanted, found in zip(shape, logits.shape, strict=True)
    )
    if not fits or not logits.size:
        yield f"{name}: must be logits of shape ({words}), found {logits.shape}"
    elif logits.dtype.kind not in "fiu":
        yield f"{name}: must be real numbers, found {logits.dtype}"
    elif infinite := int(
        (~np.isfinite(logits.astype(np.float32))).reshape(len(logits), -1).any(axis=1).sum()
    ):
        yield f"{name}: must be finite as float32, found NaN or infinity in {infinite} of {len(logits)} runs"


def _run_problems(arrays: Mapping[str, Array]) -> Iterator[str]:
    """What is wrong with how many runs there are, and whether they are runs of their own."""
    one = "unlearned" in arrays and arrays["unlearned"].ndim == 3 and len(arrays["unlearned"]) == 1
    fewest = BESIDE_ONE if one else LEAST_RUNS
    least = {"original": fewest, "retrained": fewest if "honest" in arrays else 2 * fewest}
    for arm, wanted in {**least, "honest": fewest, "shadow": LEAST_SHADOWS}.items():
        if arm in arrays and arrays[arm].ndim == 3 and len(arrays[arm]) < wanted:
            halved = ", or hand in honest ones besides" if wanted == 2 * fewest else ""
            yield f"{arm}: must be at least {wanted} runs, found {len(arrays[arm])}; add some{halved}"
    unlearned = arrays.get("unlearned")
    if unlearned is not None and unlearned.ndim == 3 and len(unlearned) not in (1, *range(LEAST_RUNS, 10**6)):
        yield f"unlearned: must be one run, or at least {LEAST_RUNS}, found {len(unlearned)}"
    shadow, member = arrays.get("shadow"), arrays.get("shadow/member")
    if (shadow is None) != (member is None):
        yield (
            "shadow and shadow/member: must be handed in together, found one of them; add the other, or leave"
            " it out"
        )
    elif (
        shadow is not None
        and member is not None
        and (member.shape != shadow.shape[:2] or member.dtype != bool)
    ):
        yield (
            f"shadow/member: must be booleans of shape {shadow.shape[:2]}, found {member.dtype} of shape"
            f" {member.shape}"
        )
    yield from _copies(arrays)


def _copies(arrays: Mapping[str, Array]) -> Iterator[str]:
    """Reference runs that answer exactly alike are no runs of their own; nor is an unlearned one
    that answers like a retrained one. Unlearned like original is what a procedure that does nothing
    gives, and is left to the audit."""
    seen: dict[bytes, str] = {}
    for arm in ("original", "retrained", "honest", "unlearned"):
        if arm not in arrays or arrays[arm].ndim != 3:
            continue
        for run, logits in enumerate(arrays[arm]):
            # A shift of all logits of a record, or another number format, makes no other run of it.
            told = logits.astype(np.float32) - logits.astype(np.float32).max(axis=-1, keepdims=True)
            digest = hashlib.sha256(np.round(told, 4).tobytes()).digest()
            other = seen.get(digest)
            if other and (arm != "unlearned" or other.startswith(("retrained", "honest"))):
                yield (
                    f"{arm} run {run}: must be a run of its own, found the answers of {other}; hand in"
                    " another"
                )
            if arm != "unlearned":
                seen[digest] = f"{arm} run {run}"


def _handed(arrays: Mapping[str, Array], sha256: str, seed: int) -> SubmittedPredictions:
    """The arrays, which have been checked, as signals."""
    interface = _interface(arrays)
    arrays = {
        name: apply_interface(interface, array.astype(np.float32)) if _answers(name) else array
        for name, array in arrays.items()
    }
    runs = _used(arrays)
    sets = arrays["sets"]
    places = SetIndices(*(np.flatnonzero(sets == name) for name in SETS))
    logits = [arrays[source][rows].astype(np.float32) for source, rows in runs.values()]
    arms = np.concatenate([np.full(len(rows), arm) for arm, (_, rows) in runs.items()])
    on_retain, on_both = sets == "retain", np.isin(sets, ("retain", "forget"))
    trained_on = {"original": on_both, "unlearned": on_both, "retrained": on_retain, "honest": on_retain}
    member = [
        arrays["shadow/member"] if arm == "shadow" else np.tile(trained_on[arm], (len(rows), 1))
        for arm, (_, rows) in runs.items()
    ]
    labels = arrays["labels"].astype(np.int64)
    signals = Signals(
        logits=np.concatenate(logits),
        member=np.concatenate(member).astype(bool),
        labels=labels,
        ids=arrays["ids"].astype(np.str_),
        arms=arms,
        seed=seed,
        candidates=np.isin(sets, ("forget", "control")),
    )
    shares = tuple(sorted({float(name.split("/")[1]) for name in arrays if name.startswith("near/")}))
    beside = labels[np.concatenate([places.forget, places.control])]
    near = {
        arm: {
            f"jitter {share:g}": jittered_margins(
                arrays[f"near/{share:g}/{source}"][rows].astype(np.float32), beside
            )
            for share in shares
        }
        for arm, (source, rows) in runs.items()
        if arm in COMPARED
    }
    return SubmittedPredictions(signals, places, near, shares, sha256, interface, tuple(_notes(arrays, runs)))


def _interface(arrays: Mapping[str, Array]) -> Interface:
    """What the unlearned models do not say, on the records or near them."""
    claimed = [a for name, a in arrays.items() if _answers(name) and name.split("/")[-1] == "unlearned"]
    return merge_interfaces([detect_interface(logits.astype(np.float32)) for logits in claimed])


def _answers(name: str) -> bool:
    """Whether an array holds logits."""
    return name.split("/")[-1] in (*COMPARED, "shadow")


def _used(arrays: Mapping[str, Array]) -> dict[str, tuple[str, Ints]]:
    """arm -> the array it is in, and its runs there. As many of every arm but shadow, and but for a
    single unlearned."""
    every = {arm: (arm, np.arange(len(arrays[arm]))) for arm in (*COMPARED, "shadow") if arm in arrays}
    if "honest" not in arrays:
        _, rows = every["retrained"]
        every |= {"retrained": ("retrained", rows[::2]), "honest": ("retrained", rows[1::2])}
    equal = [arm for arm in COMPARED if arm != "unlearned" or len(arrays["unlearned"]) > 1]
    n = min(len(every[arm][1]) for arm in equal)
    return {arm: (source, rows[:n] if arm in equal else rows) for arm, (source, rows) in every.items()}


def _notes(arrays: Mapping[str, Array], runs: Mapping[str, tuple[str, Ints]]) -> Iterator[str]:
    """What of the arrays is not used, and what stands for something else."""
    if "honest" not in arrays:
        yield (
            "No honest control was handed in: every other retrained run stands for it, so that half as many"
            " are left to compare with."
        )
    for name in ("original", "unlearned", "retrained", "honest"):
        if name in arrays:
            used = sum(len(rows) for source, rows in runs.values() if source == name)
            if used < len(arrays[name]):
                yield (
                    f"Of {len(arrays[name])} runs of the arm {name}, {used} are used: all arms need as many."
                )
