"""Every model is asked through what the claimed models and their placebo withhold."""

from typing import Any

import numpy as np
import pytest

from auditkit.core.ids import HONEST, PLACEBO, UNLEARNED, ArmKey
from auditkit.runs import collect
from auditkit.runs.collect import collect_through_common_interface
from auditkit.runs.gather import RunAnswers
from auditkit.runs.queries import QueryPlan, build_queries
from auditkit.signals.interface import NOTHING, Interface
from tests.runs.test_stacks import study_of
from tests.runs.test_stress_stacks import session_of

LABELS, ROUNDED = Interface(labels=True), Interface(step=0.1)


@pytest.mark.parametrize(
    ("withheld", "expected"),
    [
        ({UNLEARNED: NOTHING, PLACEBO: NOTHING}, [NOTHING]),
        ({UNLEARNED: ROUNDED}, [NOTHING, ROUNDED]),
        ({UNLEARNED: ROUNDED, PLACEBO: NOTHING}, [NOTHING, ROUNDED]),
        ({UNLEARNED: NOTHING, PLACEBO: LABELS}, [NOTHING, LABELS]),
        ({UNLEARNED: NOTHING, HONEST: LABELS}, [NOTHING]),
    ],
)
def test_what_either_withholds_is_withheld_from_all(
    withheld: dict[ArmKey, Interface], expected: list[Interface], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the unlearned models or the placebo withhold something every arm is asked again through
    it, once; where neither does, nothing is asked twice. What other arms withhold is no reason."""
    asked: list[Interface] = []

    def answered(session: Any, queries: QueryPlan, *_: Any) -> RunAnswers:
        del session
        asked.append(queries.interface)
        return RunAnswers(np.empty((0, 0, 0), np.float32), [], {}, {}, {}, withheld, ())

    monkeypatch.setattr(collect, "train_and_query", answered)
    study = study_of()
    queries, _ = collect_through_common_interface(session_of(study), build_queries(study), 12)
    assert asked == expected
    assert queries.interface == expected[-1]
