"""Claims of differential privacy, true and false: what the audit finds, seed by seed.

    python -m benchmarks.validity.dp_claims --seeds 10

Two trainings claim the same epsilon. The honest one adds the noise that Opacus's accountant asks
for, the broken one none. An audit must refute the broken claim and not the honest one. --noise
trains with other noise, as a multiple of what the accountant asks for. Prints one line a run, then
one a training.
"""

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch

from auditkit.claims.privacy import Privacy
from auditkit.data import Dataset, ForgetRequest, draw_sets, load
from auditkit.dp.dp_sgd import noise_needed
from auditkit.dp.one_run_audit import DpAuditResult, audit_privacy
from auditkit.models.architectures import mlp
from benchmarks.common import options

SIZES = {
    "digits": {"train": 900, "control": 100, "test": 250, "population": 540},
    "fashion-mnist": {"train": 2000, "control": 400, "test": 2000, "population": 2000},
}
COLUMNS = (
    "training   seed   noise  accounted   bound  ceiling  right/guesses         p  refuted  accuracy  seconds"
)


def audited(data: Dataset, sizes: dict[str, int], privacy: Privacy, seed: int) -> DpAuditResult:
    """One audit, sets, canaries and weights drawn from its seed."""
    sets = draw_sets(data, ForgetRequest(fraction=0.2), **sizes, seed=seed)
    train = np.concatenate([sets.retain, sets.forget])
    return audit_privacy(
        partial(mlp, data.x.shape[1:], data.n_classes),
        x_train=data.x[train],
        y_train=data.y[train],
        x_own=data.x[sets.population],
        y_own=data.y[sets.population],
        x_test=data.x[sets.test],
        y_test=data.y[sets.test],
        classes=data.n_classes,
        privacy=privacy,
        seed=seed,
    )


def line(name: str, seed: int, found: DpAuditResult, seconds: float) -> str:
    """A row of the table."""
    return (
        f"{name:8} {seed:6} {found.noise_multiplier:7.3f} {found.accounted:10.3f} {found.bound:7.2f} "
        f"{found.ceiling:8.2f} {found.right:9}/{found.guesses:<4} {found.p:9.2g} {found.refuted!s:>8} "
        f"{found.accuracy:9.3f} {seconds:8.1f}"
    )


def summary(name: str, claimed: float, findings: Sequence[DpAuditResult]) -> str:
    """What came out over all seeds of one training."""
    bounds, accuracies = ([getattr(f, what) for f in findings] for what in ("bound", "accuracy"))
    return (
        f"{name}: {sum(f.refuted for f in findings)} of {len(findings)} refuted at epsilon <= {claimed:g};"
        f" bound {min(bounds):.2f} to {max(bounds):.2f}, median {np.median(bounds):.2f}; right"
        f" {min(f.right for f in findings)} to {max(f.right for f in findings)} of {findings[0].guesses};"
        f" accuracy {np.mean(accuracies):.3f} +- {np.std(accuracies, ddof=1) if len(findings) > 1 else 0:.3f}"
    )


def main() -> None:
    """Audit each training with each seed."""
    parser = options(__doc__, seeds=10)
    parser.add_argument("--data", choices=sorted(SIZES), default="digits")
    parser.add_argument("--directory", type=Path, help="of the IDX files")
    parser.add_argument("--epsilon", type=float, default=2.0)
    parser.add_argument("--noise", type=float, nargs="*", default=[], help="shares of the noise needed")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    data, sizes = load(arguments.data, arguments.directory), SIZES[arguments.data]
    honest = Privacy(epsilon=arguments.epsilon)
    needed = noise_needed(honest, honest.batches(sizes["train"]))
    shares = {"honest": 1.0, "broken": 0.0, **{f"x {share:g}": share for share in arguments.noise}}
    print(
        f"{arguments.data}: claimed ({honest.epsilon:g}, {honest.delta:g})-DP, {honest}\n{COLUMNS}",
        flush=True,
    )
    summaries = []
    for name, share in shares.items():
        # Left to the accountant where it is what the accountant asks for.
        used = honest.model_copy(update={} if share == 1 else {"noise_multiplier": share * needed})
        findings = []
        for seed in range(arguments.seeds):
            start = time.perf_counter()
            findings.append(audited(data, sizes, used, seed))
            print(line(name, seed, findings[-1], time.perf_counter() - start), flush=True)
        summaries.append(summary(name, honest.epsilon, findings))
    print("\n".join(summaries))


if __name__ == "__main__":
    main()
