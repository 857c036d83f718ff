"""What an audit may use of the machine. No torch: it is said before anything is loaded."""

from dataclasses import dataclass
from typing import Literal

Backend = Literal["loky", "dask", "ray"]
BACKENDS: tuple[Backend, ...] = ("loky", "dask", "ray")


@dataclass(frozen=True)
class Resources:
    """What an audit may use; None: as much as there is, or as measured.

    Attributes:
        jobs: workers.
        backend, address: see `auditkit.engine.workers.WorkerConfig`.
        device: "auto", "cpu" or "cuda".
        width, threads: of the plan, in place of measuring.
        memory: bytes of all processes together.
        seconds: of training.
    """

    jobs: int | None = None
    backend: Backend = "loky"
    address: str | None = None
    device: str = "auto"
    width: int | None = None
    threads: int | None = None
    memory: int | None = None
    seconds: float | None = None
