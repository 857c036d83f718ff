"""The vision transformer is what its paper says."""

import pytest
import torch
from torch import nn

from auditkit.models.architectures import vit
from auditkit.models.transformer import Attention, Block
from auditkit.training import Recipe, fit, initialise, stackable


def test_the_size_of_the_vision_transformer() -> None:
    """Patches and their positions, blocks of two norms, four projections and a perceptron four
    times as wide, then a norm and a linear head."""
    width, tokens = 8, 4 * 4 + 1
    block = 2 * 2 * width + 4 * (width**2 + width) + 2 * 4 * width**2 + 5 * width
    expected = (3 * 4 * width + width) + (tokens + 1) * width + 2 * block + 2 * width + (width * 10 + 10)
    model = vit((3, 8, 8), 10, patch=2, width=8, depth=2, heads=2)
    assert sum(weight.numel() for weight in model.parameters()) == expected


def test_a_block_is_torchs_own_that_normalises_first() -> None:
    """With the same weights it answers what torch's transformer layer answers."""
    block, other = (
        Block(8, 2),
        nn.TransformerEncoderLayer(8, 2, 32, 0.0, "gelu", batch_first=True, norm_first=True),
    )
    ours, attention = block.attention, other.self_attn
    with torch.no_grad():
        for name in ("weight", "bias"):
            parts = tuple(part.get_parameter(name) for part in (ours.query, ours.key, ours.value))
            attention.get_parameter(f"in_proj_{name}").copy_(torch.cat(parts))
    attention.out_proj.load_state_dict(ours.out.state_dict())
    pairs = ((other.linear1, "perceptron.0"), (other.linear2, "perceptron.2"), (other.norm1, "norm1"))
    for theirs, name in (*pairs, (other.norm2, "norm2")):
        theirs.load_state_dict(block.get_submodule(name).state_dict())
    x = torch.randn(3, 5, 8)
    torch.testing.assert_close(block(x), other.eval()(x))


def test_attention_does_not_know_the_order_of_tokens() -> None:
    """What attention makes of tokens in another order is what it made of them, in that order; an
    image whose patches change places is answered otherwise, by their positions."""
    attention, x, order = Attention(8, 2), torch.randn(3, 5, 8), torch.randperm(5)
    torch.testing.assert_close(attention(x[:, order]), attention(x)[:, order])
    model, image = vit((4, 4), 3, patch=1, width=8, heads=2), torch.randn(2, 4, 4)
    assert not torch.allclose(model(image), model(image.flip(1)))


@pytest.mark.parametrize(
    ("shape", "tokens"), [((8, 8), 17), ((784,), 17), ((28, 20), 36), ((3, 32, 32), 17), ((7, 7), 50)]
)
def test_four_patches_along_the_shorter_side(shape: tuple[int, ...], tokens: int) -> None:
    """Unless told otherwise, patches are as large as leaves four along the shorter side, or a
    pixel."""
    assert vit(shape, 3).get_submodule("tokens").get_parameter("position").shape == (1, tokens, 32)


def test_what_does_not_divide_is_refused() -> None:
    """Patches must divide the image, and heads the width."""
    with pytest.raises(ValueError, match="patches of 3 in 8 x 8"):
        vit((64,), 3, patch=3)
    with pytest.raises(ValueError, match="found width 9 and 2 heads"):
        vit((64,), 3, width=9, heads=2)


def test_transformers_are_trained_as_a_stack() -> None:
    """Two transformers learn together what each learns alone."""
    x, y = torch.rand(40, 16), torch.arange(40) % 2
    x[y == 1] += 0.5

    def models() -> list[nn.Module]:
        return [
            initialise(lambda: vit((16,), 2, width=8, heads=2, depth=1).double(), seed) for seed in (1, 2)
        ]

    assert stackable(models(), x[:4].double(), y[:4])
    recipe = Recipe(epochs=8, batch_size=10, learning_rate=0.01)
    together = fit(models(), x.double(), y, recipe, seeds=[1, 2])
    for seed, own, found in zip((1, 2), models(), together, strict=True):
        (alone,) = fit([own], x.double(), y, recipe, seeds=[seed])
        torch.testing.assert_close(found.state_dict(), alone.state_dict(), rtol=1e-7, atol=1e-9)
    right = together[0](x.double()).argmax(dim=1) == y
    assert right.double().mean() > 0.9
