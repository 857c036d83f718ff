"""What looking early costs and saves: error rates, expected runs and power of schedules of looks,
simulated.

    python -m benchmarks.validity.looks

One mean of Gaussian runs is tested against +-margin, with the standard deviation that a claim plans
with. Compared are one look at all runs; the union bound over looks, as audits use it, alpha spent
in proportion to the runs; and a boundary that spends as much but reckons with the correlation of
Brownian motion, which holds for z-tests.
"""

from collections.abc import Sequence

import numpy as np

from auditkit.claims.criteria import Criteria
from auditkit.claims.required import required_tests
from auditkit.statistics.sequential import course, schedule

CRITERIA = Criteria()
SD = 2**0.5 * CRITERIA.planning_sd
TRUTHS = (0.0, 0.2, 0.5, 1.0)
SCHEDULES: tuple[tuple[tuple[int, ...], int], ...] = (
    ((), 20),
    ((), 32),
    ((8, 16), 32),
    ((8,), 20),
    ((8, 16, 32), 64),
)
PATHS = 400_000


def brownian(planned: Sequence[tuple[int, float]], alpha: float, seed: int = 0) -> list[tuple[int, float]]:
    """The looks with shares at which Brownian motion crosses any of the one-sided boundaries
    first at each look with probability share x alpha, as the union bound spends it; found on
    simulated paths.
    """
    rng, n = np.random.default_rng(seed), planned[-1][0]
    total, before = np.zeros(PATHS), 0
    going_on = np.ones(PATHS, dtype=bool)
    found = []
    for runs, share in planned:
        total += rng.normal(size=PATHS) * np.sqrt(runs - before)
        z, before = total / np.sqrt(runs), runs
        crossing = np.sort(z[going_on])[-round(share * alpha * PATHS)]
        found.append((runs, float((z >= crossing).mean()) / alpha))
        going_on &= z < crossing
    assert before == n
    return found


def main() -> None:
    """Print a table."""
    tests = len(required_tests(CRITERIA, stress=True))
    print(
        f"SD of a run {SD:.3f}, margin {CRITERIA.residual_memory}, alpha {CRITERIA.alpha}, Holm over {tests}"
        " tests"
    )
    print(f"{'looks':<28}{'levels':<30}{'truth':>6}{'supported':>11}{'refuted':>9}{'runs':>7}")
    for looks, runs in SCHEDULES:
        union = schedule(looks, runs)
        kinds = (
            {"union": union, "Brownian": brownian(union, CRITERIA.alpha)} if looks else {"one look": union}
        )
        for kind, planned in kinds.items():
            levels = ", ".join(f"{share * CRITERIA.alpha:.4f}" for _, share in planned)
            for truth in TRUTHS:
                found = course(
                    planned,
                    mean=truth,
                    sd=SD,
                    margin=CRITERIA.residual_memory,
                    alpha=CRITERIA.alpha,
                    tests=1 if truth == CRITERIA.residual_memory else tests,
                )
                where = f"{', '.join(str(n) for n, _ in planned)} ({kind})"
                print(
                    f"{where:<28}{levels:<30}{truth:>6}{sum(found.supported):>11.3f}{sum(found.refuted):>9.3f}"
                    f"{found.expected_runs:>7.1f}"
                )


if __name__ == "__main__":
    main()
