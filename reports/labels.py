"""The words of the report, as literal tables: marks, names, meanings and the fixed sentences."""

# Word and mark together carry an answer; colour only repeats it.
OUTCOMES = {
    "supported": ("✓", "supported"),
    "not_supported": ("✗", "not supported"),
    "inconclusive": ("?", "inconclusive"),
}

# Of a calibration: mark, headline, and the class that colours it.
ANSWERS = {
    "right": ("✓", "The auditor was right", "supported"),
    "wrong": ("✗", "The auditor was wrong", "not_supported"),
    "blind": ("?", "The auditor was not wrong, but it can seldom settle a claim", "inconclusive"),
}
CASE_KINDS = {
    "exact": "Exact retraining",
    "honest": "Honest retraining by another recipe",
    "fake": "Fakes",
    "limit": "Fakes out of reach of these tests: shown, not counted",
}

RESULTS = {
    "passed": ("✓", "passed"),
    "refuted": ("✗", "refuted"),
    "undecided": ("?", "undecided"),
    "skipped": ("–", "skipped"),
}

# What is claimed to have forgotten, by the kind of claim, and how the claim names it.
KINDS = {
    "procedure": "A claim about a procedure",
    "endpoint": "A claim about one released model",
    "predictions": "A claim about answers that were handed in",
}
SUBJECTS = {
    "procedure": "By the procedure",
    "release": "In the released model",
    "predictions": "By the answers in",
}

# From the project's review of what such a report may claim. Not to be reworded.
DOES_NOT_ESTABLISH = (
    "This report presents technical measurements. It is not legal advice and does not establish compliance, "
    "anonymity or certification. A result of 'supported' means the stated tests, at the stated power, "
    "did not contradict the stated claim."
)

LIMITS = (
    (
        "It speaks of the models that were tested. Copies, backups, logs and other models made from the same "
        "records are outside it."
    ),
    "Averages over records can hide a single record that is still remembered.",
    "A stronger attack than those listed may exist or be invented.",
)

GLOSSARY = {
    "Arm": "A group of models trained in the same way: original, unlearned or retrained.",
    "AUC": (
        "The chance that an attack ranks a random forgotten record above a random record that was never "
        "used. 0.5 is guessing; the yardstick here is the value that retrained models have."
    ),
    "Claim": "What is said to be forgotten, by which procedure, under which threat model.",
    "Control records": "Records that no model was trained on, otherwise like the forgotten ones.",
    "Drift": ("A general difference between models, also on records that nobody asked to forget."),
    "False-positive rate": "The share of never-used records that an attack takes for training records.",
    "Informative": ("A test that models which forgot nothing do not pass. Only such a test can support."),
    "Interval": (
        "The values that the measurements do not contradict, at the stated confidence. It is computed "
        "over runs, not over records, unless the line “computed as” says otherwise."
    ),
    "Jitter": (
        "Queries beside a forgotten record, in a random direction. The number is the distance, as a share of "
        "the median distance between nearest neighbours."
    ),
    "Margin": ("The largest difference from retraining that still counts as none. Fixed before the runs."),
    "Membership inference": (
        "An attack that tries to tell from a model's answers whether a record was used to train it."
    ),
    "Original": "Models trained on all records, those to be forgotten included.",
    "Power": "The chance that a test notices a fault of the stated size.",
    "Residual memory ρ": (
        "The share of the difference between original and retrained models that is left after unlearning:"
        " 1 = nothing forgotten, 0 = like retrained, below 0 = over-forgotten."
    ),
    "Retrained": "Models trained from scratch without the records to be forgotten: the yardstick.",
    "ROC curve": "True-positive rate of an attack against its false-positive rate.",
    "Run": ("One trained model with its own random seed. Runs are what is counted, not records."),
    "True-positive rate": "The share of forgotten records that an attack takes for training records.",
    "Unlearned": "Original models after the unlearning procedure.",
}

# How models are changed, with their weights in hand, to show what they hide.
RECOVERIES = {
    "relearned": ("Relearned", "fine-tuned on one half of the forget records, asked about the other"),
    "probe": ("Probed", "a fresh last layer, learnt from retain records"),
    "rescaled": ("Rescaled", "gates taken off, the weights of every neuron brought to one length"),
}

# Canonical JSON sorts its keys; people read arms in the order in which they come to be.
ARM_ORDER = ("original", "no-op", "unlearned", "retrained", "honest", "shadow")
SET_ORDER = ("retain", "forget", "control", "test", "population")

# What an arm is, for a figure that has no room for more.
ARM_LABELS = {
    "original": "original (nothing forgotten)",
    "honest": "honest (retrained again)",
}

# The report's parts after the verdict: number, anchor, heading.
SECTIONS = {
    "claim": (1, "The claim"),
    "tests": (2, "Required tests"),
    "memory": (3, "Residual memory"),
    "exposure": (4, "Single records that are still exposed"),
    "attacks": (5, "Attacks"),
    "controls": (6, "Controls: is the audit itself right?"),
    "utility": (7, "Accuracy and drift"),
    "unchecked": (8, "What was not checked"),
    "limits": (9, "What this report does not establish"),
    "again": (10, "How to run this audit again"),
    "glossary": (11, "Words used"),
}
