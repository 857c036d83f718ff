"""Procedures with a teacher: SCRUB and the bad teacher."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from auditkit.core.errors import AuditError
from auditkit.models.architectures import mlp
from auditkit.training import Recipe, initialise
from auditkit.training.records import Records
from auditkit.unlearning import bad_teacher, scrub
from auditkit.unlearning.distillation import divergence, taught
from auditkit.unlearning.retrain import redrawn

RECIPE = Recipe(epochs=7, batch_size=8, learning_rate=0.01)


def model(seed: int = 1) -> nn.Module:
    return initialise(partial(mlp, (5,), 3, hidden=(6,)), seed).double().eval()


def records(n: int, seed: int) -> Records:
    generator = torch.Generator().manual_seed(seed)
    return Records(
        torch.randn(n, 5, generator=generator).double(), torch.randint(3, (n,), generator=generator)
    )


RETAIN, FORGET = records(20, 2), records(12, 3)


def kl(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """The mean over rows of sum p log(p / q), from two tables of probabilities."""
    return (p * (p / q).log()).sum(dim=1).mean()


def assert_same_weights(one: nn.Module, other: nn.Module) -> None:
    torch.testing.assert_close(one.state_dict(), other.state_dict(), rtol=1e-9, atol=1e-11)


def test_divergence_is_kullback_and_leiblers() -> None:
    """It is T^2 times the KL divergence of the softened answers, 0 from itself, and not the same
    both ways."""
    teacher, student = torch.randn(2, 9, 4, generator=torch.Generator().manual_seed(1)).double()
    for t in (1.0, 3.0):
        wanted = t**2 * kl((teacher / t).softmax(dim=1), (student / t).softmax(dim=1))
        torch.testing.assert_close(divergence(teacher, student, t), wanted)
    assert divergence(teacher, teacher, 2.0).item() == pytest.approx(0.0, abs=1e-15)
    assert divergence(student, teacher, 1.0).item() != pytest.approx(divergence(teacher, student, 1.0).item())


def test_divergence_of_two_answers_by_hand() -> None:
    """From probabilities (1/2, 1/2) to (1/4, 3/4) it is (log 2 + log 2/3) / 2."""
    teacher, student = torch.tensor([[0.5, 0.5]]).log(), torch.tensor([[0.25, 0.75]]).log()
    assert divergence(teacher, student, 1.0).item() == pytest.approx(
        (np.log(2) + np.log(2 / 3)) / 2, rel=1e-6
    )


def scrubbed(recipe: Recipe = RECIPE, **options: float) -> nn.Module:
    (found,) = scrub.unlearn([model()], RETAIN, FORGET, seeds=[5], recipe=recipe, **options)  # type: ignore[arg-type]
    return found


def test_scrub_is_its_three_terms_written_out() -> None:
    """An epoch of min-steps, then one of max-steps and one of min-steps, by one optimiser, as in a
    loop that spells equation 3 out."""
    found = scrubbed(epochs=2, max_epochs=5, alpha=0.3, gamma=0.7, temperature=2.0, learning_rate=0.005)
    teacher, student = model(), model()
    optimiser, rng = torch.optim.Adam(student.parameters(), lr=0.005), np.random.default_rng(5)

    def soft(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = net(x)
        return (answer / 2.0).softmax(dim=1)

    for on, (x, y) in [("retain", RETAIN), ("forget", FORGET), ("retain", RETAIN)]:
        for batch in torch.from_numpy(rng.permutation(len(y))).split(8):
            near = 4 * kl(soft(teacher, x[batch]).detach(), soft(student, x[batch]))
            own = student(x[batch]).softmax(dim=1)[torch.arange(len(batch)), y[batch]]
            loss = 0.3 * near - 0.7 * own.log().mean() if on == "retain" else -near
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    assert_same_weights(found, student)


def far(net: nn.Module, some: Records) -> float:
    """How far a model's answers are from the original's."""
    return divergence(taught(model(), some.x), taught(net, some.x), 1.0).item()


def test_max_steps_flee_the_teacher_on_forget() -> None:
    """An epoch of max-steps makes the divergence on forget larger than the same epochs of min-steps
    alone do."""
    without, with_one = (
        scrubbed(epochs=2, max_epochs=m, alpha=1.0, gamma=1.0, learning_rate=0.03) for m in (0, 1)
    )
    assert far(with_one, FORGET) > 1.2 * far(without, FORGET) > 0


def test_min_steps_return_to_the_teacher_on_retain() -> None:
    """After the last max-steps more min-steps bring the student nearer to the teacher on retain if
    it goes by the teacher nearly alone, and nearer to the labels if it goes by them alone."""

    def loss(net: nn.Module) -> float:
        return nn.functional.cross_entropy(net(RETAIN.x), RETAIN.y).item()

    by_teacher = [
        scrubbed(epochs=e, max_epochs=1, alpha=1.0, gamma=1e-3, learning_rate=0.02) for e in (2, 5, 30)
    ]
    assert far(by_teacher[0], RETAIN) > far(by_teacher[1], RETAIN) > 5 * far(by_teacher[2], RETAIN) > 0
    by_labels = [
        scrubbed(epochs=e, max_epochs=1, alpha=0.0, gamma=1.0, learning_rate=0.01) for e in (2, 5, 15)
    ]
    assert loss(by_labels[0]) > loss(by_labels[1]) > loss(by_labels[2])


def test_a_student_at_its_teacher_has_nowhere_to_flee() -> None:
    """At the original weights the divergence has no gradient: the reason why min-steps come
    first."""
    student = model()
    divergence(taught(student, FORGET.x), student(FORGET.x), 4.0).backward()
    assert all(weight.grad is not None and weight.grad.abs().max() < 1e-15 for weight in student.parameters())


def test_without_any_weight_or_max_steps_scrub_does_nothing() -> None:
    """With alpha = gamma = 0 and plain descent there is nothing to go by."""
    plain = Recipe(epochs=1, batch_size=8, learning_rate=0.1, optimiser="sgd")
    assert_same_weights(scrubbed(plain, epochs=3, max_epochs=0, alpha=0.0, gamma=0.0), model())


def test_the_incompetent_teacher_is_a_fresh_model() -> None:
    """The answers wanted on retain are the original's, those on forget a model's that is drawn anew
    from the seed: other than the original's, the same for the same seed, another for another."""
    x, wanted = bad_teacher.lesson(model(), RETAIN, FORGET, share=1.0, seed=4)
    torch.testing.assert_close(wanted[:20], taught(model(), x[:20]))
    torch.testing.assert_close(x[:20].sort(dim=0).values, RETAIN.x.sort(dim=0).values)
    torch.testing.assert_close(x[20:], FORGET.x)
    assert not torch.allclose(wanted[20:], taught(model(), FORGET.x))
    spoilt = model()
    with torch.no_grad():
        for weight in spoilt.parameters():
            weight.fill_(float("nan"))  # a fresh model owes nothing to it
    _, by_spoilt = bad_teacher.lesson(spoilt, RETAIN, FORGET, share=1.0, seed=4)
    assert torch.equal(by_spoilt[20:], wanted[20:])
    _, by_another = bad_teacher.lesson(model(), RETAIN, FORGET, share=1.0, seed=5)
    assert not torch.allclose(by_another[20:], wanted[20:])


@pytest.mark.parametrize(("share", "n"), [(0.0, 0), (0.3, 6), (1.0, 20)])
def test_a_share_of_retain_is_shown(share: float, n: int) -> None:
    """So many different retain records are shown, and all forget records."""
    x, wanted = bad_teacher.lesson(model(), RETAIN, FORGET, share=share, seed=4)
    assert len(x) == len(wanted) == n + 12
    assert all((RETAIN.x == row).all(dim=1).sum() == 1 for row in x[:n])
    assert len(x[:n].unique(dim=0)) == n


def test_bad_teaching_is_its_two_terms_written_out() -> None:
    """One epoch as in a loop over equation (1 - l) KL(competent || student) + l KL(incompetent ||
    student)."""
    (found,) = bad_teacher.unlearn([model()], RETAIN, FORGET, seeds=[4], recipe=RECIPE, epochs=1, share=0.5)
    x, wanted = bad_teacher.lesson(model(), RETAIN, FORGET, share=0.5, seed=4)
    competent, incompetent, student = taught(model(), x).softmax(dim=1), wanted.softmax(dim=1), model()
    is_forgotten = torch.arange(22) >= 10
    optimiser = torch.optim.Adam(student.parameters(), lr=0.01)
    for batch in torch.from_numpy(np.random.default_rng(4).permutation(22)).split(8):
        loss = torch.zeros(())
        for i in batch.tolist():
            answer = student(x[i : i + 1]).softmax(dim=1)
            mark = float(is_forgotten[i])
            loss = (
                loss
                + (1 - mark) * kl(competent[i : i + 1], answer)
                + mark * kl(incompetent[i : i + 1], answer)
            )
        optimiser.zero_grad()
        (loss / len(batch)).backward()
        optimiser.step()
    assert_same_weights(found, student)


def test_bad_teaching_leads_from_one_teacher_to_the_other() -> None:
    """On forget the student ends nearer to the incompetent teacher than the original was, and sees
    no label."""
    x, wanted = bad_teacher.lesson(model(), RETAIN, FORGET, share=1.0, seed=4)
    given = [Records(some.x, torch.full_like(some.y, -1)) for some in (RETAIN, FORGET)]
    (found,) = bad_teacher.unlearn([model()], *given, seeds=[4], recipe=RECIPE, epochs=30)
    before, after = (divergence(wanted[20:], taught(net, x[20:]), 1.0) for net in (model(), found))
    assert after < before / 2


def test_layers_that_cannot_be_drawn_anew_are_refused() -> None:
    """A layer with weights but no way to draw them is named, and what to do is said."""

    class Scale(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.factor = nn.Parameter(torch.ones(3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * self.factor

    with pytest.raises(AuditError, match="found Scale without reset_parameters; give it one"):
        redrawn(nn.Sequential(nn.Linear(5, 3), Scale()))
