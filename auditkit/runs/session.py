"""A training session: what every stack of an audit is made with."""

from dataclasses import dataclass

from auditkit.core.progress import Reporter
from auditkit.engine.plan import Plan
from auditkit.engine.queue import WorkerConfig
from auditkit.study.study import Study


@dataclass(frozen=True, eq=False)
class TrainingSession:
    """What travels together from the lock to the last answer.

    Attributes:
        study: the claim with its data.
        plan: how wide a stack is, on how many threads, where.
        workers: who does the work.
        reuse_key: under which runs of the user's own code are stored: what such code reads cannot
            be known, so that its runs are used again under the same key alone.
        tell: how progress is reported.
    """

    study: Study
    plan: Plan
    workers: WorkerConfig
    reuse_key: str
    tell: Reporter
