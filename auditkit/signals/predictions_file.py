"""Answers that were handed in: read from one .npz file, checked, and put together as signals. No
torch.

The arrays of the file, with `records` and `classes` the same in all of them:

    labels      int (records,), 0 .. classes - 1
    ids         str or int (records,), each once
    sets        str (records,): retain, forget, control, test or population, which may be left out
    original    float (runs, records, classes): the logits of runs trained on retain and forget
    unlearned   of the models that are claimed to have forgotten: one run, or run k made from
                original k
    retrained   of runs trained from scratch on retain only
    honest      of further such runs; left out, every other retrained run is taken for it
    placebo     of the models that the procedure makes from the honest ones, asked to forget other
                records that these never saw; left out, unlearned runs are compared with retrained
                ones, and what the procedure does to any model is taken for memory
    shadow      of the attacker's own runs, may be left out
    shadow/member       bool (shadow runs, records): whether each was trained on the record
    near/<share>/<arm>  float (runs, draws, forget + control, classes): answers on inputs near the
                forget and control records, in the order in which they stand in the file, forget
                first; share: how near, as a share of the usual nearest-neighbour distance. Of every
                arm but shadow, or of none

Arms of different numbers of runs are cut to the fewest.
"""

import hashlib
import io
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from auditkit.core.errors import UsageError
from auditkit.core.ids import COMPARED, ArmKey, Jitter, Query
from auditkit.core.ids import PLACEBO as PLACEBO_ARM
from auditkit.core.ids import UNLEARNED as UNLEARNED_ARM
from auditkit.signals.hinge_margin import jittered_margins
from auditkit.signals.interface import Interface, apply_interface, merge_interfaces
from auditkit.signals.interface_detection import detect_interface
from auditkit.signals.measurements import Measured, SetIndices, group_records
from auditkit.signals.predictions_checks import (
    ARMS,
    HONEST,
    MEMBER,
    ORIGINAL,
    PLACEBO,
    RETRAINED,
    SETS,
    SHADOW,
    UNLEARNED,
    Array,
    array_problems,
)
from auditkit.signals.signals import Signals
from auditkit.statistics.margins import Floats, Ints


@dataclass(frozen=True, eq=False)
class SubmittedPredictions:
    """Answers that were handed in.

    Attributes:
        measured: the answers.
        shares: how near the records the queries beside them are, as shares of the usual
            nearest-neighbour distance.
        sha256: of the file.
        notes: what of it was left out, in sentences.
    """

    measured: Measured
    shares: tuple[float, ...]
    sha256: str
    notes: tuple[str, ...]

    @property
    def unlearned_runs(self) -> int:
        """How many unlearned models answered."""
        return len(self.measured.signals.runs_of(UNLEARNED_ARM))


def load_predictions(path: Path, seed: int) -> SubmittedPredictions:
    """The answers in a file laid out as above.

    Args:
        path: of the .npz file.
        seed: for anything random that attacks do with the answers.

    Raises:
        UsageError: with everything that is wrong with the arrays.
    """
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
    if problems := list(array_problems(arrays)):
        raise UsageError(*(f"{path.name}: {problem}" for problem in problems))
    return _predictions_in(arrays, hashlib.sha256(content).hexdigest(), seed)


def _predictions_in(arrays: Mapping[str, Array], sha256: str, seed: int) -> SubmittedPredictions:
    """The arrays, which have been checked, as signals."""
    interface = _interface(arrays)
    arrays = {
        name: apply_interface(interface, array.astype(np.float32)) if _answers(name) else array
        for name, array in arrays.items()
    }
    runs = _used(arrays)
    sets = arrays["sets"]
    indices = SetIndices(*(np.flatnonzero(sets == name) for name in SETS))
    answers = [arrays[source][rows].astype(np.float32) for source, rows in runs.values()]
    arms = np.concatenate([np.full(len(rows), arm) for arm, (_, rows) in runs.items()])
    on_retain, on_both = sets == "retain", np.isin(sets, ("retain", "forget"))
    trained_on = dict.fromkeys((ORIGINAL, UNLEARNED), on_both)
    trained_on |= dict.fromkeys((RETRAINED, HONEST, PLACEBO), on_retain)
    member = [
        arrays[MEMBER] if arm == SHADOW else np.tile(trained_on[arm], (len(rows), 1))
        for arm, (_, rows) in runs.items()
    ]
    labels = arrays["labels"].astype(np.int64)
    signals = Signals(
        logits=np.concatenate(answers),
        member=np.concatenate(member).astype(bool),
        labels=labels,
        ids=arrays["ids"].astype(np.str_),
        arms=arms,
        seed=seed,
        candidates=np.isin(sets, ("forget", "control")),
    )
    shares = tuple(sorted({float(name.split("/")[1]) for name in arrays if name.startswith("near/")}))
    beside = labels[np.concatenate([indices.forget, indices.control])]
    compared = [arm for arm in (*COMPARED, PLACEBO_ARM) if str(arm) in runs]
    near: dict[ArmKey, dict[Query, Floats]] = {arm: {} for arm in compared}
    for arm in compared:
        source, rows = runs[str(arm)]
        for share in shares:
            logits = arrays[f"near/{share:g}/{source}"][rows].astype(np.float32)
            near[arm][Jitter(share)] = jittered_margins(logits, beside)
    measured = Measured(
        signals=signals,
        sets=indices,
        other_margins=near,
        near_logits={},
        parts=group_records(labels[indices.forget]),
        interface=interface,
    )
    return SubmittedPredictions(measured, shares, sha256, tuple(_notes(arrays, runs)))


def _interface(arrays: Mapping[str, Array]) -> Interface:
    """What the unlearned models do not say, on the records or near them."""
    made = (UNLEARNED, PLACEBO)
    claimed = [a for name, a in arrays.items() if _answers(name) and name.split("/")[-1] in made]
    return merge_interfaces([detect_interface(logits.astype(np.float32)) for logits in claimed])


def _answers(name: str) -> bool:
    """Whether an array holds logits."""
    return name.split("/")[-1] in (*ARMS, PLACEBO, SHADOW)


def _used(arrays: Mapping[str, Array]) -> dict[str, tuple[str, Ints]]:
    """arm -> the array it is in, and its runs there. As many of every arm but shadow, and but for a
    single unlearned."""
    every = {arm: (arm, np.arange(len(arrays[arm]))) for arm in (*ARMS, PLACEBO, SHADOW) if arm in arrays}
    if HONEST not in arrays:
        _, rows = every[RETRAINED]
        every |= {RETRAINED: (RETRAINED, rows[::2]), HONEST: (RETRAINED, rows[1::2])}
    compared = [arm for arm in (*ARMS, PLACEBO) if arm in every]
    equal = [arm for arm in compared if arm != UNLEARNED or len(arrays[UNLEARNED]) > 1]
    n = min(len(every[arm][1]) for arm in equal)
    return {arm: (source, rows[:n] if arm in equal else rows) for arm, (source, rows) in every.items()}


def _notes(arrays: Mapping[str, Array], runs: Mapping[str, tuple[str, Ints]]) -> Iterator[str]:
    """What of the arrays is not used, and what stands for something else."""
    if HONEST not in arrays:
        yield (
            "No honest control was handed in: every other retrained run stands for it, so that half as many"
            " are left to compare with."
        )
    for name in (*ARMS, PLACEBO):
        if name in arrays:
            used = sum(len(rows) for source, rows in runs.values() if source == name)
            if used < len(arrays[name]):
                yield (
                    f"Of {len(arrays[name])} runs of the arm {name}, {used} are used: all arms need as many."
                )
