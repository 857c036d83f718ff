"""What shadow runs are trained on."""

from pathlib import Path

import numpy as np

from auditkit.claims.read import parse_claim
from auditkit.core.ids import SHADOW
from auditkit.core.progress import NullReporter
from auditkit.study.study import Study, prepare


def study_of(data: dict[str, int]) -> Study:
    """The study of a claim with so many records and four shadow runs."""
    parts = {"data": data, "forget": {"fraction": 0.2}, "runs": {"per_arm": 12, "shadow": 4}}
    claim, problems = parse_claim(parts)
    assert problems == []
    return prepare(claim, Path(), [], NullReporter())


def test_every_candidate_is_in_as_many_shadow_runs_as_it_is_out_of() -> None:
    """Forget and control records, however many, are each in half of the shadow runs; test records
    are in none. Halves are as large as the training set, unless the candidates are more or all
    records are fewer."""
    for data, half in (
        ({"train": 400, "control": 120, "test": 150, "population": 200}, 360),
        ({"train": 100, "control": 300, "test": 150, "population": 60}, 160),
        ({"train": 400, "control": 120, "test": 150, "population": 1000}, 400),
    ):
        study = study_of(data)
        shadows = study.members(SHADOW)
        assert shadows.shape == (4, half)
        for records in (study.sets.forget, study.sets.control):
            assert all((shadows == record).sum() == 2 for record in records)
        assert not np.isin(shadows, study.sets.test).any()
