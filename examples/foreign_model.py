"""Forgetting by one call, in models that auditkit did not build: two of torch's and Hugging Face's.

    pip install transformers
    python examples/foreign_model.py

Each is trained on handwritten digits, from random weights, with the loop below, not by auditkit.
Then a fifth of its records is to be forgotten, by a Forgetting Neural Network. Printed are the
accuracies on the forget, the retain and the test records: before, with the gate on, and folded and
repaired. They show that the call works on the model, not that anything is forgotten: that takes an
audit, for which `build_model` is what a claim names:

    [model]
    name = "./foreign_model.py:build_model"
"""

import time

import torch
from sklearn.datasets import load_digits
from torch import nn
from transformers import BertConfig, BertForSequenceClassification, ViTConfig, ViTForImageClassification

import auditkit

CLASSES, FORGET, TRAIN = 10, 180, 900
RECIPE = auditkit.Recipe(epochs=20, batch_size=32, learning_rate=2e-3)


class TorchEncoder(nn.Module):
    """torch's own transformer layers (fused in eval mode, attention with packed weights) on the
    rows of a digit."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = nn.Linear(8, 32)
        self.position = nn.Parameter(0.02 * torch.randn(8, 32))
        layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2)
        self.head = nn.Linear(32, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x: (n, 64) -> logits (n, 10)."""
        tokens = self.rows(x.unflatten(1, (8, 8))) + self.position
        return self.head(self.encoder(tokens).mean(dim=1))


class HuggingFaceViT(nn.Module):
    """A vision transformer of the library transformers. It answers with an object: the logits are
    taken out."""

    def __init__(self) -> None:
        super().__init__()
        sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
        image = {"image_size": 8, "patch_size": 2, "num_channels": 1, "num_labels": CLASSES}
        self.inner = ViTForImageClassification(ViTConfig(**sizes, **image))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x: (n, 64) -> logits (n, 10)."""
        return self.inner(x.unflatten(1, (1, 8, 8))).logits


class HuggingFaceBert(nn.Module):
    """A text classifier of the same library. Text to train on would have to be fetched, so it reads
    a digit as one: 16 words out of 17, one for each patch of two by two, by its grey level."""

    def __init__(self) -> None:
        super().__init__()
        sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
        none = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
        words = {"vocab_size": 17, "max_position_embeddings": 16, "num_labels": CLASSES}
        self.inner = BertForSequenceClassification(BertConfig(**sizes, **none, **words))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x: (n, 64) -> logits (n, 10)."""
        patches = nn.functional.avg_pool2d(x.unflatten(1, (1, 8, 8)), 2)
        return self.inner((16 * patches).round().long().flatten(1)).logits


def build_model() -> nn.Module:
    """What a claim names: a fresh model."""
    return HuggingFaceViT()


def train(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> nn.Module:
    """An ordinary training loop: whatever made the model is none of auditkit's business."""
    optimiser = torch.optim.Adam(model.parameters(), lr=RECIPE.learning_rate)
    for _ in range(RECIPE.epochs):
        for batch in torch.randperm(len(x)).split(RECIPE.batch_size):
            optimiser.zero_grad()
            nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
            optimiser.step()
    return model.eval()


def main() -> None:
    """Train each model, forget, print."""
    torch.manual_seed(0)
    pixels, labels = load_digits(return_X_y=True)
    order = torch.randperm(len(labels))
    x, y = torch.tensor(pixels / 16, dtype=torch.float32)[order], torch.tensor(labels)[order]
    gone, kept, test = slice(0, FORGET), slice(FORGET, TRAIN), slice(TRAIN, None)

    def accuracies(model: nn.Module) -> str:
        with torch.no_grad():
            return " ".join(
                f"{(model(x[s]).argmax(1) == y[s]).float().mean():.3f}" for s in (gone, kept, test)
            )

    print("accuracy on forget, retain and test records")
    for build in (TorchEncoder, HuggingFaceViT, HuggingFaceBert):
        started = time.perf_counter()
        model = train(build(), x[:TRAIN], y[:TRAIN])
        print(
            f"{build.__name__:<16} before {accuracies(model)} ({time.perf_counter() - started:.0f} s)",
            flush=True,
        )
        for state in ("gate on", "folded and repaired"):
            started = time.perf_counter()
            forgotten = auditkit.forget(
                model,
                (x[kept], y[kept]),
                (x[gone], y[gone]),
                seed=0,
                recipe=RECIPE,
                state=state,
                t=2.0,
                repair_epochs=10,
            )
            took = time.perf_counter() - started
            print(f"{'':<16} {state} {accuracies(forgotten)} ({took:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
