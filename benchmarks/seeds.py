"""How often an audit is right: one claim under several audit seeds, outcome and residual memory of
each.

    python benchmarks/seeds.py examples/digits-noop.toml examples/digits-retrain.toml --seeds 10

Every seed draws its own sets, its own runs and its own jitter. Prints one line an audit and a
count.
"""

import argparse
import tempfile
from collections import Counter
from pathlib import Path

from auditkit.claims.claim import read_claim
from auditkit.core.errors import UsageError
from auditkit.evidence.schema import Evidence
from auditkit.pipeline import audit


def line(seed: int, evidence: Evidence) -> str:
    """One audit in a line: outcome, residual memory, and what stood in the way of support."""
    rho = evidence.residual_memory.exact
    numbers = "-" if rho.value is None else f"{rho.value:+.3f} ({rho.low:+.3f} to {rho.high:+.3f})"
    controls = ",".join(c.found for c in evidence.controls)
    why = "" if evidence.verdict.outcome == "supported" else " | ".join(evidence.verdict.reasons)
    return f"  seed {seed}: {evidence.verdict.outcome:<13} rho {numbers}  controls: {controls}  {why[:300]}"


def main() -> None:
    """Run every claim under every seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("claims", nargs="+", type=Path)
    parser.add_argument("--seeds", type=int, default=10)
    arguments = parser.parse_args()
    for path in arguments.claims:
        claim, problems = read_claim(path)
        if problems:
            raise UsageError(*problems)
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
