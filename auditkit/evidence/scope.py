"""What each kind of claim can and cannot come to: a literal table, said beside every verdict."""

from collections.abc import Mapping
from dataclasses import replace

from auditkit.claims.claim import Kind
from auditkit.evidence.schema import NotChecked, Scope

SCOPES = {
    "procedure": Scope(
        "procedure",
        establishes=(
            (
                "The procedure was run again by the auditor, on the auditor's own models and seeds: support"
                " means that what it leaves behind cannot be told from retraining by the required tests, at"
                " the stated margins."
            ),
        ),
        cannot=(
            "Whether a released model was made by this procedure. Nothing here looks at a released model.",
            (
                "Whether the models know when they are being probed: a filter that tells the auditor's inputs"
                " from a user's would pass."
            ),
            "What the procedure does to other data, other models or other forget requests than these.",
            (
                "Whether records were left in of which even the original models show no memory: the"
                " spared-records test says how many show some."
            ),
        ),
    ),
    "endpoint": Scope(
        "endpoint",
        establishes=(
            (
                "This one checkpoint was compared with models that the auditor trained: a refutation says"
                " that it is not like models retrained without the forget records."
            ),
            (
                "Support is weaker than for a procedure: that the checkpoint lies among retrained models, at"
                " margins as wide as the noise of a single model makes them."
            ),
        ),
        cannot=(
            (
                "How the checkpoint came to be. An opaque model may have been obtained otherwise than by"
                " unlearning, also from the very records, and answer alike (Thudi et al. 2022; Zhang et al."
                " 2024)."
            ),
            "That no single record was left in: the noise of one model hides a few.",
            "That a checkpoint was not picked among many for looking like this.",
        ),
    ),
    "predictions": Scope(
        "predictions",
        establishes=(
            (
                "These answers, as they were handed in, were compared: a refutation says that the unlearned"
                " ones are not like the retrained ones."
            ),
            "Support holds if, and only if, the answers are those of the models they are said to be of.",
        ),
        cannot=(
            (
                "That the reference models were trained as said, without the forget records, from scratch and"
                " with seeds of their own: that is taken from whoever handed the answers in."
            ),
            (
                "That the models behave alike beside the records that were asked about: a filter in front of"
                " the model passes wherever no answers near the records were handed in."
            ),
            "What the weights hold, and whether copies of forget records were kept: neither was handed in.",
        ),
    ),
}
ONE_RUN = "That another run would have come out alike: the answers of one unlearned model were handed in."
"""What the answers of a single unlearned model leave open besides."""
UNLEARNED_MEANING: Mapping[Kind, str] = {
    "procedure": "made from the original runs by the procedure",
    "endpoint": "the released model, as it was handed in",
    "predictions": "as handed in, said to have forgotten the forget records",
}
"""What the unlearned arm is, by the kind of claim."""


def of_checkpoint(sha256: str) -> Scope:
    """The scope of a claim about the checkpoint with this SHA-256."""
    scope = SCOPES["endpoint"]
    return replace(
        scope, establishes=(f"The file that was asked has the SHA-256 {sha256}.", *scope.establishes)
    )


def of_predictions(unlearned_runs: int) -> Scope:
    """The scope of a claim about the answers of so many unlearned models."""
    scope = SCOPES["predictions"]
    return replace(scope, cannot=(*scope.cannot, ONE_RUN)) if unlearned_runs == 1 else scope


UNSAID = NotChecked(
    "what the models would say to somebody who is told more",
    "the unlearned models were handed over behind an interface that withholds part of their answers; whether"
    " they remember more than it lets through cannot be seen",
)
