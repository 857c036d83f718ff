"""What would settle an inconclusive audit: a number of runs, or why none can be promised."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from auditkit.claims.criteria import Criteria
from auditkit.core.ids import DIFFERENTIAL_PRIVACY, VISIBLE_RECORDS
from auditkit.evidence.schema import Control, Finding, Ran, Skipped, Verdict
from auditkit.statistics.hypotheses import t_quantile
from auditkit.statistics.power import MOST, runs_to_decide


def with_outlook(
    decided: Verdict,
    obstacles: Sequence[Finding],
    tests: int,
    failed: Sequence[Control],
    criteria: Criteria,
    share: float,
) -> Verdict:
    """The inconclusive verdict with its outlook. obstacles: the findings, of `tests` in all, that
    stand in the way of support, judged at a look that spends `share` of alpha. failed: the controls
    that came out wrong."""
    if failed:
        return replace(decided, outlook=_after_failure(failed))
    needed = [_needed(f, criteria, share, tests) for f in obstacles]
    if reasons := [why for why in needed if isinstance(why, str)]:
        return replace(
            decided, outlook=f"No number of runs can be promised to decide it: {'; '.join(reasons)}."
        )
    runs = max(n for n in needed if isinstance(n, int))
    further = runs - max(f.number.n_runs for f in obstacles if isinstance(f, Ran))
    outlook = (
        f"It would take about {runs} runs an arm to decide, {further} further ones, if the truth is what it"
        " now seems."
    )
    return replace(decided, runs_needed=runs, further_runs=further, outlook=outlook)


def _after_failure(failed: Sequence[Control]) -> str:
    if [(c.name, c.outcome) for c in failed] == [("no-op", "inconclusive")]:
        return (
            "These runs were not enough to refute even models that forgot nothing; more runs may be, if the"
            " forget records are remembered at all."
        )
    return "No number of runs is a remedy while the audit gets a control wrong."


def _needed(finding: Finding, criteria: Criteria, share: float, tests: int) -> int | str:
    """The runs an arm that would settle an open finding, in an audit of one look; or why there is
    no number."""
    if isinstance(finding, Skipped):
        return f"{finding.test} could not be run, which more runs need not change"
    if finding.test == DIFFERENTIAL_PRIVACY:
        return f"{finding.test} can be refuted and never shown"
    if finding.test == VISIBLE_RECORDS:
        return (
            f"{finding.test} are counted, and more runs need not show more of them; the stress world may"
            " (runs.stress = true)"
        )
    if finding.result == "passed":
        return f"{finding.test} shows nothing, which more runs need not change"
    n = finding.number
    if finding.margin is None or n.value is None or n.low is None or n.high is None:
        return f"how many would settle {finding.test} cannot be computed"
    quantile = t_quantile(1 - share * criteria.alpha, n.n_runs - 1)
    error = (n.high - n.low) / 2 / quantile
    wider = finding.refuting
    both = error if wider is None else max(error, (wider.high - wider.low) / 2 / quantile)
    runs = runs_to_decide(
        n.value,
        error * np.sqrt(n.n_runs),
        finding.margin,
        criteria.alpha,
        tests=tests,
        two_sided=finding.two_sided,
        over_records=float(np.sqrt(both**2 - error**2)),
    )
    if runs is not None:
        return max(runs, n.n_runs + 1)
    beyond = abs(n.value) > finding.margin if finding.two_sided else n.value > finding.margin
    if beyond and both > error:
        return f"{finding.test} lies beyond the margin by less than other records may differ by"
    return f"{finding.test} seems to lie on the margin, and more than {MOST:,} runs an arm would be needed"
