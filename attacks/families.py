"""The families of attacks: what an attacker goes by, and so what the attacker must have."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """What the attacks of a family have in common.

    meaning           what they go by, in a report's words
    needs_torch       their library brings torch with it, which an audit of predictions does without
    judges_by_others  they judge each run by the others: their values are not independent over runs,
                      so that no test over runs holds its level and no interval is right
    """

    meaning: str
    needs_torch: bool = False
    judges_by_others: bool = False


# In the order in which a report shows them. fmt: off
FAMILIES: dict[str, Family] = {
    "population": Family(
        "what the model answers, at most compared with its answers on records that were never used"
    ),
    "reference models": Family(
        "compared with models of the attacker's own, trained with and without the record"
    ),
    "shadow models": Family(
        "judged by a classifier that learnt on such models what members look like", needs_torch=True
    ),
    "label only": Family("the predicted label alone, asked often"),
    "white box": Family("the weights"),
    "unlearning": Family("what is known of the procedure", judges_by_others=True),
}
# fmt: on
