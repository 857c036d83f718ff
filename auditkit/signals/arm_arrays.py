"""The form in which an arm lies in a file of arrays: scores/scores.npz, and a bank of runs.

<arm>/margin/<query>/forget     float64 (runs, forget records), and /control
<arm>/attack/<attack>/forget    the scores of one attack, and /control
<arm>/accuracy/test             float64 (runs,)
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from auditkit.core.ids import parse_query
from auditkit.signals.arms import Arm
from auditkit.statistics.margins import Floats, Margins
from auditkit.statistics.scores import Scores

Arrays = dict[str, npt.NDArray[np.generic]]
ACCURACY = "/accuracy/test"


def arm_arrays(prefix: str, arm: Arm) -> Arrays:
    """An arm as named arrays.

    Args:
        prefix: what the names begin with, in a bundle the arm's name.
        arm: its margins, scores and accuracies.

    Returns:
        name -> array, from which `arms_in` makes the arm again.
    """
    arrays: Arrays = {}
    for query, margins in arm.margins.items():
        arrays[f"{prefix}/margin/{query}/forget"] = margins.forget
        arrays[f"{prefix}/margin/{query}/control"] = margins.control
    arrays[f"{prefix}{ACCURACY}"] = arm.accuracy
    for attack, scores in arm.scores.items():
        arrays[f"{prefix}/attack/{attack}/forget"] = scores.forget
        arrays[f"{prefix}/attack/{attack}/control"] = scores.control
    return arrays


def arms_in(arrays: Mapping[str, Floats]) -> dict[str, Arm]:
    """The arms in named arrays.

    Args:
        arrays: by `arm_arrays`; other names beside them are passed over.

    Returns:
        prefix -> arm.

    Raises:
        KeyError: where a part of an arm is missing.
        ValueError: where a query is none.
    """
    return {
        name.removesuffix(ACCURACY): _arm_in(arrays, name.removesuffix(ACCURACY))
        for name in arrays
        if name.endswith(ACCURACY)
    }


def _arm_in(arrays: Mapping[str, Floats], prefix: str) -> Arm:
    return Arm(
        {parse_query(q): Margins(*both) for q, both in _pairs(arrays, f"{prefix}/margin/").items()},
        {name: Scores(*both) for name, both in _pairs(arrays, f"{prefix}/attack/").items()},
        arrays[f"{prefix}{ACCURACY}"],
    )


def _pairs(arrays: Mapping[str, Floats], start: str) -> dict[str, tuple[Floats, Floats]]:
    """What lies under `start` -> its values on forget and on control records."""
    names = [
        name.removeprefix(start).removesuffix("/forget")
        for name in arrays
        if name.startswith(start) and name.endswith("/forget")
    ]
    return {name: (arrays[f"{start}{name}/forget"], arrays[f"{start}{name}/control"]) for name in names}
