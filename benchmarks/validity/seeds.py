"""How often an audit is right: one claim under several audit seeds, outcome and residual memory of
each.

    python -m benchmarks.validity.seeds examples/digits-noop.toml examples/digits-retrain.toml

Every seed draws its own sets, its own runs and its own jitter. Prints one line an audit and a
count.
"""

import tempfile
from collections import Counter
from pathlib import Path

from auditkit.evidence.schema import Evidence
from auditkit.pipeline import audit
from benchmarks.common import claim_in, exact_rho, options, with_interval


def line(seed: int, evidence: Evidence) -> str:
    """One audit in a line: outcome, residual memory, and what stood in the way of support."""
    rho = with_interval(exact_rho(evidence.findings), 3)
    controls = ",".join(c.found for c in evidence.controls)
    why = "" if evidence.verdict.outcome == "supported" else " | ".join(evidence.verdict.reasons)
    return f"  seed {seed}: {evidence.verdict.outcome:<13} rho {rho}  controls: {controls}  {why[:300]}"


def main() -> None:
    """Run every claim under every seed."""
    parser = options(__doc__, seeds=10)
    parser.add_argument("claims", nargs="+", type=Path)
    arguments = parser.parse_args()
    for path in arguments.claims:
        claim = claim_in(path)
        outcomes: Counter[str] = Counter()
        print(path.name, flush=True)
        for seed in range(arguments.seeds):
            with tempfile.TemporaryDirectory() as out:
                seeded = claim.model_copy(update={"seed": seed})
                evidence = audit(seeded, Path(out) / "bundle", folder=path.parent)
            outcomes[evidence.verdict.outcome] += 1
            print(line(seed, evidence), flush=True)
        print(f"{path.name}: {dict(outcomes)} of {arguments.seeds}", flush=True)


if __name__ == "__main__":
    main()
