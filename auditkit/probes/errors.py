"""Why something could not be observed."""


class NotObservable(Exception):  # noqa: N818 -- not an error of anyone: a finding is skipped
    """The model or its records do not have what the observation or recovery needs. Carries the
    reason, for the report."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
