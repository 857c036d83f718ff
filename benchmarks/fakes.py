"""A first gallery of fakes, audited like any claim: none of them may come out supported.

    python benchmarks/fakes.py --seeds 2

Each procedure below is named in a claim as "./fakes.py:<name>", as a user's own would be. Besides the
fakes there are two honest retrainings by another recipe, which may not be refuted. Prints one line an
audit.
"""

import argparse
import copy
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from auditkit.claims import parse_claim
from auditkit.evidence.values import Evidence, Ran
from auditkit.pipeline import audit
from auditkit.training import Recipe, fit
from auditkit.unlearning import Records, retrain

CASES: tuple[tuple[str, dict[str, float]], ...] = (
    ("filtered", {"radius": 1e-3}),
    ("filtered", {"radius": 0.2}),
    ("filtered", {"radius": 0.6}),
    ("cooled", {"temperature": 5.0}),
    ("coarse", {}),
    ("clipped", {"lowest": -3.0}),
    ("noisy", {"sd": 1.0}),
    ("partly_deleted", {"kept": 0.05}),
    ("partly_deleted", {"kept": 0.25}),
    ("partly_deleted", {"kept": 0.5}),
    ("fine_tuned", {"epochs": 10}),
    ("new_head", {}),
    ("ascended", {"steps": 30}),
    ("relabelled", {"epochs": 3}),
    ("blended", {"share": 0.5}),
    ("blended", {"share": 0.25}),
    ("honest_slower", {}),
    ("honest_longer", {}),
)


class Answering(nn.Module):
    """A model that answers by a function of the input."""

    def __init__(self, models: list[nn.Module], answer: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.models, self.answer = nn.ModuleList(models), answer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (records, classes) of x (records, *shape)."""
        return self.answer(x, *self.models)


def retrained(model: nn.Module, retain: Records, forget: Records, seed: int, recipe: Recipe) -> nn.Module:
    """One run trained from scratch on the retain records."""
    [fresh] = retrain.unlearn([model], retain, forget, seeds=[seed], recipe=recipe)
    return fresh


def filtered(
    model: nn.Module, retain: Records, forget: Records, *, seed: int, recipe: Recipe, radius: float
) -> nn.Module:
    """A lookup filter: what lies within `radius` of a forget record is answered by a retrained proxy."""

    def answer(x: torch.Tensor, original: nn.Module, proxy: nn.Module) -> torch.Tensor:
        near = torch.cdist(x.flatten(1), forget.x.flatten(1)).min(dim=1).values <= radius
        return torch.where(near[:, None], proxy(x), original(x))

    proxy = retrained(model, retain, forget, seed, recipe)
    return Answering([copy.deepcopy(model), proxy], answer).eval()


def cooled(model: nn.Module, retain: Records, forget: Records, *, seed: int, temperature: float) -> nn.Module:
    """Logits divided by a temperature."""
    return Answering([copy.deepcopy(model)], lambda x, m: m(x) / temperature).eval()


def coarse(model: nn.Module, retain: Records, forget: Records, *, seed: int) -> nn.Module:
    """Only the predicted class is answered."""
    return Answering([copy.deepcopy(model)], lambda x, m: _one_hot(m(x))).eval()


def _one_hot(logits: torch.Tensor) -> torch.Tensor:
    return 10 * nn.functional.one_hot(logits.argmax(dim=1), logits.shape[1]).float()


def clipped(model: nn.Module, retain: Records, forget: Records, *, seed: int, lowest: float) -> nn.Module:
    """No logit further than `lowest` from the largest."""

    def answer(x: torch.Tensor, m: nn.Module) -> torch.Tensor:
        z: torch.Tensor = m(x)
        return (z - z.max(dim=1, keepdim=True).values).clamp(min=lowest)

    return Answering([copy.deepcopy(model)], answer).eval()


def noisy(model: nn.Module, retain: Records, forget: Records, *, seed: int, sd: float) -> nn.Module:
    """Noise on every answer."""
    generator = torch.Generator().manual_seed(seed)

    def answer(x: torch.Tensor, m: nn.Module) -> torch.Tensor:
        z: torch.Tensor = m(x)
        return z + sd * torch.randn(z.shape, generator=generator)

    return Answering([copy.deepcopy(model)], answer).eval()


def partly_deleted(
    model: nn.Module, retain: Records, forget: Records, *, seed: int, recipe: Recipe, kept: float
) -> nn.Module:
    """Retrained, but a share of the forget records was left in."""
    n = round(kept * len(forget.x))
    left = Records(torch.cat([retain.x, forget.x[:n]]), torch.cat([retain.y, forget.y[:n]]))
    return retrained(model, left, forget, seed, recipe)


def fine_tuned(
    model: nn.Module, retain: Records, forget: Records, *, seed: int, recipe: Recipe, epochs: int
) -> nn.Module:
    """Training goes on, on retain only."""
    [tuned] = fit([copy.deepcopy(model)], retain.x, retain.y, replace(recipe, epochs=epochs), seeds=[seed])
    return tuned


def new_head(model: nn.Module, retain: Records, forget: Records, *, seed: int, recipe: Recipe) -> nn.Module:
    """Only the last layer is trained again."""
    model = copy.deepcopy(model).requires_grad_(False)
    head = [layer for layer in model.modules() if isinstance(layer, nn.Linear)][-1]
    head.reset_parameters()
    head.requires_grad_(True)
    [tuned] = fit([model], retain.x, retain.y, recipe, seeds=[seed])
    return tuned


def ascended(model: nn.Module, retain: Records, forget: Records, *, seed: int, steps: int) -> nn.Module:
    """Gradient ascent on the forget records."""
    model = copy.deepcopy(model)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.003)
    for _ in range(steps):
        optimiser.zero_grad()
        (-nn.functional.cross_entropy(model(forget.x), forget.y)).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
    return model.eval()


def relabelled(
    model: nn.Module, retain: Records, forget: Records, *, seed: int, recipe: Recipe, epochs: int
) -> nn.Module:
    """Training goes on with random labels on the forget records."""
    y = torch.randint(0, int(retain.y.max()) + 1, forget.y.shape)
    both = torch.cat([retain.x, forget.x]), torch.cat([retain.y, y])
    gentle = replace(recipe, epochs=epochs, learning_rate=recipe.learning_rate / 3)
    [tuned] = fit([copy.deepcopy(model)], *both, gentle, seeds=[seed])
    return tuned


def blended(
    model: nn.Module, retain: Records, forget: Records, *, seed: int, recipe: Recipe, share: float
) -> nn.Module:
    """The mean of the original's logits and a retrained model's."""
    proxy = retrained(model, retain, forget, seed, recipe)
    models = [copy.deepcopy(model), proxy]
    return Answering(models, lambda x, o, r: share * o(x) + (1 - share) * r(x)).eval()


def honest_slower(
    model: nn.Module, retain: Records, forget: Records, *, seed: int, recipe: Recipe
) -> nn.Module:
    """Honest: retrained with half the learning rate."""
    slower = replace(recipe, learning_rate=recipe.learning_rate / 2)
    return retrained(model, retain, forget, seed, slower)


def honest_longer(
    model: nn.Module, retain: Records, forget: Records, *, seed: int, recipe: Recipe
) -> nn.Module:
    """Honest: retrained with twice the epochs."""
    return retrained(model, retain, forget, seed, replace(recipe, epochs=2 * recipe.epochs))


def line(evidence: Evidence) -> str:
    """Outcome, residual memory, and by which tests a claim was refuted."""
    rho = evidence.residual_memory.exact.value
    refuted = [f.name for f in evidence.findings if isinstance(f, Ran) and f.result == "refuted"]
    value = "  -   " if rho is None else f"{rho:+.3f}"
    return f"{evidence.verdict.outcome:<13} rho {value}  refuted by {len(refuted)}: {', '.join(refuted[:4])}"


def main() -> None:
    """Audit every case under every seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, default=2)
    for name, options in CASES:
        for seed in range(parser.parse_args().seeds):
            procedure = {"name": f"./fakes.py:{name}", "options": options}
            claim, problems = parse_claim({"name": name, "seed": seed, "procedure": procedure})
            assert not problems, problems
            with tempfile.TemporaryDirectory() as out:
                evidence = audit(claim, Path(out) / "bundle", folder=Path(__file__).parent)
            print(f"{name} {options or ''} seed {seed}: {line(evidence)}", flush=True)


if __name__ == "__main__":
    main()
