"""One seed for each run, from what the run is and nothing else."""

import hashlib


def run_seed(audit_seed: int, arm: str, index: int) -> int:
    """The seed of run `index` of `arm`: 63 bits of SHA-256 over (audit seed, arm, index).

    A run's randomness therefore does not depend on how many runs there are, in which order they are
    trained, or by how many workers.
    """
    digest = hashlib.sha256(f"{audit_seed}/{arm}/{index}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
