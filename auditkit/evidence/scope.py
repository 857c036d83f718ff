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
                "The procedure was run again by the auditor, on the auditor's own models and seeds. Support"
                " means: what it returns is like what it returns for models in which the forget records had"
                " never been. No required test found a difference beyond the stated margins."
            ),
            (
                "Support speaks of the forget records whose influence on the models is visible; the verdict"
                " says how many those are."
            ),
            (
                "Records seen only when they carry wrong labels speak for the procedure. The auditor trained"
                " models on wrong labels, which must be learnt by heart, and the procedure forgot those. How"
                " much is left of such records under their true labels was not measured."
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
                "Whether records were left in of which even the original models show no memory: nobody can"
                " tell by the models' answers."
            ),
            (
                "Whether the procedure treats a record with a wrong label as it treats others. Whoever sees"
                " the labels can tell them apart, and act differently on them. No other test of this kind"
                " would be safer: whatever makes a record visible makes it a surprise to a model that"
                " never saw it, and the procedure can look for that."
            ),
            (
                "Whether somebody trained the placebo on a copy of the forget records, so that what is left"
                " hides behind it. The control “placebo” looks for this, and would miss memory below the"
                " margin."
            ),
        ),
    ),
    "endpoint": Scope(
        "endpoint",
        establishes=(
            (
                "This one checkpoint was compared with models that the auditor trained: a refutation says"
                " that it is not like models without the forget records."
            ),
            (
                "Support is weaker than for a procedure: at most the stated margin of the memory can be left,"
                " which is half of it unless the claim says otherwise. The noise of a single model allows no"
                " less."
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
            (
                "What is memory and what is drift, unless its procedure was handed over too and run as a"
                " placebo. Without one, a model that was honestly trained in another way can be refuted, or"
                " left undecided."
            ),
        ),
    ),
    "predictions": Scope(
        "predictions",
        establishes=(
            (
                "These answers, as they were handed in, were compared: a refutation says that the unlearned"
                " ones are not like those of models without the forget records."
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
            (
                "What is memory and what is drift, unless a placebo was handed in. Without one, models that"
                " were honestly trained in another way can be refuted, or left undecided."
            ),
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


NO_PLACEBO = NotChecked(
    "memory apart from drift",
    "there was no placebo to compare with, so that what another way of training does to any model is read as"
    " memory",
)
"""Where the procedure could not be run on models that never saw the forget records."""
UNSAID = NotChecked(
    "what the models would say to somebody who is told more",
    "the unlearned models were handed over behind an interface that withholds part of their answers; whether"
    " they remember more than it lets through cannot be seen",
)
