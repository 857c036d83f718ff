"""What is wrong with submitted predictions: everything at once, each as rule, value and remedy. How
the file is laid out: `auditkit.signals.predictions_file`."""

import difflib
import hashlib
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from auditkit.core import ids
from auditkit.core.ids import COMPARED
from auditkit.statistics.prediction import BESIDE_ONE

Array = npt.NDArray[np.generic]
SETS = ("retain", "forget", "control", "test", "population")
LEAST = {"retain": 1, "forget": 1, "control": 20, "test": 1}
"""Records that each set must have; runs are put on one scale by a line through the control
records."""
LEAST_RUNS, LEAST_SHADOWS = 3, 4
ORIGINAL, UNLEARNED, RETRAINED, HONEST = ARMS = tuple(map(str, COMPARED))
"""The arms as they are named in the file."""
PLACEBO, SHADOW = str(ids.PLACEBO), str(ids.SHADOW)
MEMBER = f"{SHADOW}/member"
PLAIN = ("labels", "ids", "sets", ORIGINAL, UNLEARNED, RETRAINED)
OPTIONAL = (HONEST, PLACEBO, SHADOW, MEMBER)


def array_problems(arrays: Mapping[str, Array]) -> Iterator[str]:
    """Everything that is wrong with the arrays."""
    shares = {name.split("/")[1] for name in arrays if name.startswith("near/") and name.count("/") == 2}
    answering = answering_arms(arrays)
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
    for arm in (*answering, SHADOW):
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


def answering_arms(arrays: Mapping[str, Array]) -> list[str]:
    """The arms whose answers are to be compared: the honest one and the placebo where they are
    there."""
    return [arm for arm in (*ARMS, PLACEBO) if arm not in OPTIONAL or arm in arrays]


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
            (a.shape[2] for arm in ARMS if (a := arrays.get(arm)) is not None and a.ndim == 3), default=0
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
    one = UNLEARNED in arrays and arrays[UNLEARNED].ndim == 3 and len(arrays[UNLEARNED]) == 1
    fewest = BESIDE_ONE if one else LEAST_RUNS
    least = {ORIGINAL: fewest, RETRAINED: fewest if HONEST in arrays else 2 * fewest}
    for arm, wanted in {**least, HONEST: fewest, PLACEBO: fewest, SHADOW: LEAST_SHADOWS}.items():
        if arm in arrays and arrays[arm].ndim == 3 and len(arrays[arm]) < wanted:
            halved = ", or hand in honest ones besides" if wanted == 2 * fewest else ""
            yield f"{arm}: must be at least {wanted} runs, found {len(arrays[arm])}; add some{halved}"
    unlearned = arrays.get(UNLEARNED)
    if unlearned is not None and unlearned.ndim == 3 and len(unlearned) not in (1, *range(LEAST_RUNS, 10**6)):
        yield f"unlearned: must be one run, or at least {LEAST_RUNS}, found {len(unlearned)}"
    shadow, member = arrays.get(SHADOW), arrays.get(MEMBER)
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
    for arm in (ORIGINAL, RETRAINED, HONEST, UNLEARNED):
        if arm not in arrays or arrays[arm].ndim != 3:
            continue
        for run, logits in enumerate(arrays[arm]):
            # A shift of all logits of a record, or another number format, makes no other run of it.
            told = logits.astype(np.float32) - logits.astype(np.float32).max(axis=-1, keepdims=True)
            digest = hashlib.sha256(np.round(told, 4).tobytes()).digest()
            other = seen.get(digest)
            if other and (arm != UNLEARNED or other.startswith((RETRAINED, HONEST))):
                yield (
                    f"{arm} run {run}: must be a run of its own, found the answers of {other}; hand in"
                    " another"
                )
            if arm != UNLEARNED:
                seen[digest] = f"{arm} run {run}"
