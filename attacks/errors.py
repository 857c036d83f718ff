"""Why an attack could not be mounted."""


class NotApplicable(Exception):  # noqa: N818 -- not an error of anyone: a finding is skipped
    """The signals do not hold what the attack needs. Carries the reason, for the report."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
