"""The tables of docs/fnn.md about the paper's curves, from what `auditkit reproduce fnn` left.

    python -m research.fnn.curves [docs/fnn/reproduction.json]

Held-out accuracy is the mean over the turns (with its range, where turns differ by more than .02),
and so is the score of the paper's attack.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

FOUND = Path(__file__).parents[2] / "docs" / "fnn" / "reproduction.json"
VARIANTS = ("FFR", "VFR-ordered", "VFR-rank", "VFR-top-30", "VFR-random")
TIMES = (0, 1, 2)


def main() -> None:
    """Print a table a data set, then what is said of one-shot runs and of K."""
    data = json.loads((Path(sys.argv[1]) if len(sys.argv) > 1 else FOUND).read_bytes())["data"]
    for source, found in data.items():
        print(f"{source}: learnt, t = 1, t = 2 | gates off after t = 2 | attack, learnt / t = 2")
        for variant in VARIANTS:
            points = found[f"curve {variant}"]
            seen = "  ".join(_mean(_values(points, t, "seen", "held_out")) for t in TIMES)
            off = _mean(_values(points, 2, "gate_off", "held_out"))
            attack = " / ".join(_mean(_values(points, t, "seen", "attack")) for t in (0, 2))
            print(f"  {variant:12s} {seen} | {off} | {attack}")
        scores = [p["seen"]["attack"] for variant in VARIANTS for p in found[f"curve {variant}"]]
        print(f"  attack at every point: {min(scores):.3f} to {max(scores):.3f}")
        for name in (n for n in found if n.startswith("one shot ")):
            told = (f"t={p['t']} {p['seen']['held_out']:.3f}" for p in found[name] if p["phase"] == "unlearn")
            print(f"  {name}: {' '.join(told)}; retain at the end {found[name][-1]['seen']['retain']:.3f}")
        both = zip(found["one shot VFR-rank"], found["one shot VFR-rank, gate alone"], strict=True)
        print(
            "  gate alone differs by"
            f" {max(abs(a['seen']['held_out'] - b['seen']['held_out']) for a, b in both):.4f}"
        )
        for layer, rows in found["network"]["over_k"].items():
            print(f"  {layer}: " + " ".join(f"K={row['k']} {row['seen']['official']:.3f}" for row in rows))


def _values(points: Iterable[Any], t: int, state: str, what: str) -> list[float]:
    """What was measured at time t of every turn."""
    return [point[state][what] for point in points if point["t"] == t]


def _mean(values: Sequence[float]) -> str:
    mean = f"{sum(values) / len(values):.3f}"
    return f"{mean} ({min(values):.3f}-{max(values):.3f})" if max(values) - min(values) > 0.02 else mean


if __name__ == "__main__":
    main()
