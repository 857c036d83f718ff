"""Every architecture is what its paper says, and can be trained as one stack."""

import pickle
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

from auditkit.claims.claim import ModelClaim
from auditkit.models.architectures import MODELS, answer, builder, cnn, mlp, vit
from auditkit.models.images import image_size
from auditkit.models.residual import resnet

IMAGES = [(64,), (784,), (8, 8), (28, 20), (1, 28, 28), (3, 32, 32)]


def seeded(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build()


def weights_of(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("shape", [(784,), (28, 28), (1, 28, 28)])
def test_the_cnn_has_the_papers_size(shape: Sequence[int]) -> None:
    """On 28x28x1 images in ten classes the CNN has 1,199,882 parameters, however the images are
    stored."""
    assert weights_of(cnn(shape, 10)) == 1_199_882


def test_the_size_of_the_residual_network() -> None:
    """A stem, then blocks of two 3x3 convolutions and a 1x1 where the shape changes, each after its
    norm; then a norm and a linear head."""
    block1 = 2 * 16 + 9 * 16 * 16 + 2 * 16 + 9 * 16 * 16 + 16 * 16
    block2 = 2 * 16 + 9 * 16 * 32 + 2 * 32 + 9 * 32 * 32 + 16 * 32
    again2 = 2 * 32 + 9 * 32 * 32 + 2 * 32 + 9 * 32 * 32
    expected = 9 * 3 * 16 + block1 + block2 + again2 + 2 * 32 + 32 * 10 + 10
    assert weights_of(resnet((3, 32, 32), 10, blocks=(1, 2))) == expected


@pytest.mark.parametrize("shape", IMAGES)
@pytest.mark.parametrize("name", MODELS)
def test_images_of_any_shape_are_answered_with_logits(name: str, shape: tuple[int, ...]) -> None:
    """Flat, grey and coloured images from 8x8 to 32x32 get one finite logit a class."""
    logits = answer(MODELS[name](shape, 7), torch.randn(3, *shape))
    assert logits.shape == (3, 7)
    assert logits.dtype == np.float32
    assert np.isfinite(logits).all()


def test_each_stage_halves_the_resolution() -> None:
    """Three stages make of 28x28 first 14x14, then 7x7, then 4x4, with twice the channels at each
    step."""
    model = resnet((28, 28), 10)
    x = model.get_submodule("stem")(torch.zeros(1, 1, 28, 28))
    seen = [tuple((x := stage(x)).shape[1:]) for stage in model.get_submodule("stages").children()]
    assert seen == [(16, 14, 14), (32, 7, 7), (64, 4, 4)]


def test_a_residual_block_without_residual_changes_nothing() -> None:
    """With all convolutions of F zero, a block that keeps its shape passes its input on as it
    is."""
    block = resnet((8, 8), 2, blocks=(2,)).get_submodule("stages.0.1")
    for module in block.get_submodule("residual").children():
        if isinstance(module, nn.Conv2d):
            nn.init.zeros_(module.weight)
    x = torch.randn(2, 16, 4, 4)
    assert torch.equal(block(x), x)


@pytest.mark.parametrize("name", MODELS)
def test_a_stack_answers_what_each_model_answers_alone(name: str) -> None:
    """Under vmap and functional_call, the stacked logits and gradients are those of the models by
    themselves."""
    models = [seeded(lambda: MODELS[name]((64,), 5), seed).eval() for seed in range(3)]
    x = torch.randn(3, 4, 64)
    weights, buffers = stack_module_state(models)
    stacked = vmap(lambda w, x: functional_call(models[0], w, (x,)))(weights, x)
    alone = torch.stack([model(part) for model, part in zip(models, x, strict=True)])
    torch.testing.assert_close(stacked, alone, rtol=0, atol=1e-5)
    assert buffers == {}

    stacked.square().sum().backward()
    alone.square().sum().backward()
    for key, weight in weights.items():
        own = torch.stack([model.get_parameter(key).grad for model in models])  # type: ignore[misc]
        torch.testing.assert_close(weight.grad, own, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", MODELS)
def test_no_record_matters_to_another(name: str) -> None:
    """No model has buffers, and none answers a record differently in company."""
    model = MODELS[name]((64,), 5).eval()
    x = torch.randn(6, 64)
    assert list(model.buffers()) == []
    torch.testing.assert_close(model(x)[:1], model(x[:1]), rtol=0, atol=1e-5)


def test_dropout_is_for_training_only() -> None:
    """The CNN answers differently each time in training, never when it is asked; without dropout
    never at all."""
    model, x = cnn((64,), 5), torch.randn(4, 64)
    assert not torch.equal(model.train()(x), model(x))
    np.testing.assert_array_equal(answer(model, x), answer(model, x))
    assert not model.training
    certain = cnn((64,), 5, dropout=(0.0, 0.0)).train()
    assert torch.equal(certain(x), certain(x))


def test_dropout_in_a_stack_differs_between_runs() -> None:
    """Equal models on equal records draw their own dropout when they are trained as one stack."""
    models = [seeded(lambda: cnn((64,), 5), 0).train() for _ in range(2)]
    weights, _ = stack_module_state(models)
    forward = vmap(
        lambda w, x: functional_call(models[0], w, (x,)), in_dims=(0, None), randomness="different"
    )
    first, second = forward(weights, torch.randn(4, 64))
    assert not torch.equal(first, second)


@pytest.mark.parametrize(
    ("shape", "image"),
    [((64,), (1, 8, 8)), ((1,), (1, 1, 1)), ((28, 20), (1, 28, 20)), ((3, 8, 9), (3, 8, 9))],
)
def test_shapes_as_images(shape: Sequence[int], image: tuple[int, int, int]) -> None:
    """Flat records are square images of one channel, two axes are height and width, three have
    channels first."""
    assert image_size(shape) == image


@pytest.mark.parametrize("shape", [(), (65,), (2, 3, 4, 5)])
def test_what_is_no_image(shape: Sequence[int]) -> None:
    """Any other shape is refused with the shapes that will do."""
    with pytest.raises(ValueError, match="flat with a square number of pixels, found records of shape"):
        image_size(shape)
    for build in (cnn, resnet, vit):
        with pytest.raises(ValueError, match="found records of shape"):
            build(shape, 3)


def test_an_image_too_small_for_the_cnn() -> None:
    """A 6x6 image is the smallest that the CNN can answer; a smaller one is refused."""
    assert answer(cnn((6, 6), 3), torch.zeros(2, 6, 6)).shape == (2, 3)
    with pytest.raises(ValueError, match="at least 6 x 6 for a cnn, found 6 x 5"):
        cnn((6, 5), 3)


def test_a_builder_can_be_sent_to_a_worker(tmp_path: Path) -> None:
    """What builds a model, our own or the user's, builds the same after pickling, from any
    directory."""
    (tmp_path / "mine.py").write_text(
        "from torch import nn\n\ndef build_model(width=2):\n"
        "    return nn.Sequential(nn.Linear(4, width), nn.ReLU(), nn.Linear(width, 3))\n"
    )
    for claim in (
        ModelClaim(name="mlp", options={"hidden": [5]}),
        ModelClaim(name="./mine.py:build_model", options={"width": 5}),
    ):
        build = builder(claim, tmp_path, (4,), 3)
        sent = pickle.loads(pickle.dumps(build))
        first, second = (seeded(either, 1) for either in (build, sent))
        assert weights_of(first) == 5 * 5 + 6 * 3
        for mine, other in zip(first.parameters(), second.parameters(), strict=True):
            assert torch.equal(mine, other)


def test_an_answer_is_the_same_in_any_chunks() -> None:
    """How many records go to the model at a time makes no difference to its logits."""
    model, x = mlp((6,), 3), torch.randn(10, 6)
    np.testing.assert_allclose(answer(model, x, chunk=3), answer(model, x), rtol=0, atol=1e-6)


def test_a_model_without_parameters_is_asked_where_the_records_are() -> None:
    """A model that has no device of its own is asked on that of the records."""
    x = torch.randn(4, 3)
    np.testing.assert_array_equal(answer(nn.Flatten(), x), x.numpy())


def test_asking_a_model_that_changes_its_buffers_is_refused() -> None:
    """A model that updates a buffer when asked cannot be scored."""

    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("asked", torch.zeros(()))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.get_buffer("asked").add_(1)
            return x

    with pytest.raises(RuntimeError, match="asked"):
        answer(Counting(), torch.zeros(2, 3))


def test_models_are_asked_in_eval_mode() -> None:
    """Dropout does not act when a model is asked, whatever mode it came in."""
    model, x = nn.Sequential(nn.Linear(6, 6), nn.Dropout(0.5)).train(), torch.randn(50, 6)
    np.testing.assert_array_equal(answer(model, x), answer(model, x))
    assert not model.training
