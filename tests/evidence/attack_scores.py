"""Scores of attacks on simulated arms."""

from auditkit.core.ids import EXACT, ORIGINAL, RETRAINED, UNLEARNED, ArmKey
from auditkit.signals.arms import Arms
from auditkit.statistics.scores import Scores


def scores_of(arms: Arms, nonmembers: int) -> dict[ArmKey, Scores]:
    """The exact margins as an attack's scores, on some of the control records."""
    named = {ORIGINAL: arms.original, UNLEARNED: arms.unlearned, RETRAINED: arms.retrained}
    margins = {key: arm.margins[EXACT] for key, arm in named.items()}
    return {key: Scores(m.forget, m.control[:, :nonmembers]) for key, m in margins.items()}
