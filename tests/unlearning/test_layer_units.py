"""Gates beyond perceptrons: normalisation, attention, and models that auditkit did not build."""

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

from auditkit.core.errors import UsageError
from auditkit.models.architectures import answer, vit
from auditkit.models.residual import resnet
from auditkit.training import initialise, stackable
from auditkit.unlearning.fnn_gates import attach, fold, gateable, mean_activations, set_time
from auditkit.unlearning.layer_units import units


class Encoder(nn.Module):
    """torch's own transformer layer on four tokens of four numbers."""

    def __init__(self, batch_first: bool = True) -> None:
        super().__init__()
        self.batch_first = batch_first
        layer = nn.TransformerEncoderLayer(4, 2, 6, dropout=0.0, batch_first=batch_first)
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=batch_first)
        self.head = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = x.unflatten(1, (4, 4))
        seen = self.encoder(tokens if self.batch_first else tokens.transpose(0, 1))
        return self.head(seen.mean(dim=1 if self.batch_first else 0))  # type: ignore[no-any-return]


def normalised() -> nn.Module:
    """A convolutional network with batch norm, which has seen some records."""
    layers = [nn.Unflatten(1, (1, 4, 4)), nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Flatten(), nn.LayerNorm(16, bias=False), nn.Linear(16, 3))
    model.train()(x())
    return model


MODELS: dict[str, Callable[[], nn.Module]] = {
    "resnet": lambda: resnet((16,), 3, width=4, groups=2, blocks=(1, 1)),
    "vit": lambda: vit((16,), 3, width=8, heads=2, depth=1),
    "encoder": Encoder,
    "batch norm": normalised,
}
by_model = pytest.mark.parametrize("name", MODELS)


def built(name: str) -> nn.Module:
    return initialise(MODELS[name], 1).eval()


def x(n: int = 12) -> torch.Tensor:
    return torch.randn(n, 16, generator=torch.Generator().manual_seed(2))


def gated(model: nn.Module, t: float = 3.0, tau: float | None = None) -> nn.Module:
    """The model with random time constants on every unit, or the same on all."""
    g = torch.Generator().manual_seed(3)
    for name in gateable(model):
        n = units(model.get_submodule(name))
        attach(
            model.get_submodule(name),
            1 + 20 * torch.rand(n, generator=g) if tau is None else torch.full((n,), tau),
        )
    set_time(model, t)
    return model


@by_model
def test_a_gate_folds_into_any_model_to_the_bit(name: str) -> None:
    """Folded, a model answers what it answered behind its gates, and has the weights of the
    original by name."""
    plain = built(name)
    on = gated(copy.deepcopy(plain))
    before = answer(on, x())
    folded = fold(on)
    np.testing.assert_array_equal(answer(folded, x()), before)
    assert list(folded.state_dict()) == list(plain.state_dict())
    assert [type(module) for module in folded.modules()] == [type(module) for module in plain.modules()]
    assert not np.allclose(before, answer(plain, x()))


@by_model
@pytest.mark.parametrize(("t", "tau"), [(0.0, None), (1e6, float("inf"))])
def test_no_time_or_endless_memory_changes_no_model(name: str, t: float, tau: float | None) -> None:
    """t = 0 is the identity, and so is tau -> infinity at any time, to the bit."""
    np.testing.assert_array_equal(answer(gated(built(name), t, tau), x()), answer(built(name), x()))


@by_model
def test_every_weight_of_a_layer_that_has_units_fades(name: str) -> None:
    """Gates reach every weight but those that are nobody's units: class tokens and positions."""
    model = built(name)
    bare = {"tokens.first", "tokens.position"}
    expected = {key for key, _ in model.named_parameters()} - bare
    faded = gated(copy.deepcopy(model))
    changed = {
        key
        for (key, before), after in zip(model.named_parameters(), fold(faded).parameters(), strict=True)
        if not torch.equal(before, after)
    }
    zero = {key for key, weight in model.named_parameters() if not weight.any()}
    assert changed == expected - zero


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (lambda: nn.Linear(4, 6, bias=False), (5, 3, 4)),
        (lambda: nn.Conv1d(4, 6, 2, groups=2), (5, 4, 8)),
        (lambda: nn.Conv3d(4, 6, 2), (5, 4, 3, 3, 3)),
        (lambda: nn.ConvTranspose2d(4, 6, 2), (5, 4, 3, 3)),
        (lambda: nn.ConvTranspose1d(4, 6, 2, groups=2), (5, 4, 3)),
        (lambda: nn.GroupNorm(2, 6), (5, 6, 3, 3)),
        (lambda: nn.BatchNorm1d(6), (5, 6)),
        (lambda: nn.InstanceNorm2d(6, affine=True), (5, 6, 3, 3)),
        (lambda: nn.LayerNorm(6), (5, 3, 6)),
        (lambda: nn.RMSNorm(6), (5, 3, 6)),
    ],
)
def test_a_gate_scales_what_leaves_the_layer(layer: Callable[[], nn.Module], shape: tuple[int, ...]) -> None:
    """Each unit of a layer, a normalising one too, is scaled by its phi; and its activation is the
    mean of its ReLU over all else."""
    plain = initialise(layer, 1).eval()
    with torch.no_grad():
        for weight in plain.parameters():
            weight.add_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(5)))
    seen = torch.randn(shape, generator=torch.Generator().manual_seed(4))
    tau = torch.arange(1.0, 7.0)
    before = plain(seen).detach()
    axis = next(n for n in (before.dim() - 1, 1) if before.shape[n] == 6)
    per_unit = torch.exp(-2.0 / tau).reshape([6 if n == axis else 1 for n in range(before.dim())])

    fired = before.relu().transpose(0, axis).flatten(1).mean(dim=1)
    model = nn.Sequential(plain, nn.Flatten(), nn.Linear(before[0].numel(), 2))
    torch.testing.assert_close(mean_activations(model, ["0"], seen)["0"], fired)
    attach(plain, tau)
    set_time(plain, 2.0)
    torch.testing.assert_close(plain(seen).detach(), before * per_unit)


def test_what_a_norm_undoes_stays_when_the_norm_itself_fades() -> None:
    """Fading all channels of a convolution alike is undone by the norm behind it, and fading the
    norm's is not."""
    net = initialise(lambda: nn.Sequential(nn.Conv2d(1, 4, 3), nn.GroupNorm(2, 4, eps=0.0), nn.ReLU()), 1)
    images = x().unflatten(1, (1, 4, 4))
    before = net(images).detach()
    for name, phi in (("0", 1.0), ("1", np.exp(-2.0))):
        faded = copy.deepcopy(net)
        attach(faded.get_submodule(name), torch.ones(4))
        set_time(faded, 2.0)
        torch.testing.assert_close(faded(images).detach(), before * phi, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dims", [{}, {"kdim": 5, "vdim": 3}, {"bias": False}])
def test_queries_keys_and_values_fade_each_by_its_own(dims: dict[str, int]) -> None:
    """Attention with faded rows is attention of faded queries, keys and values, packed or not;
    their activations are read in this order, those of its output under the name of the layer
    out_proj."""
    bias, wide = dims.get("bias", True), (4, dims.get("kdim", 4), dims.get("vdim", 4))
    torch_attention = nn.MultiheadAttention(
        4, 1, 0.0, bool(bias), kdim=wide[1], vdim=wide[2], batch_first=True
    ).eval()
    g = torch.Generator().manual_seed(3)
    query, key, value = (torch.randn(2, n, w, generator=g) for n, w in zip((3, 5, 5), wide, strict=True))
    packed = torch_attention.in_proj_weight
    weights = (
        packed.chunk(3)
        if packed is not None
        else [getattr(torch_attention, f"{p}_proj_weight") for p in "qkv"]
    )
    biases = list(torch.zeros(3, 4))
    if torch_attention.in_proj_bias is not None:
        torch_attention.in_proj_bias.data.add_(0.1)
        biases = list(torch_attention.in_proj_bias.chunk(3))
    tau = 1 + 10 * torch.rand(12, generator=g)
    q, k, v = ((seen @ w.T + b) for seen, w, b in zip((query, key, value), weights, biases, strict=True))

    class Asked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention, self.head = torch_attention, nn.Linear(4, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            n = len(x)
            out, _ = self.attention(query[:n], key[:n], value=value[:n])
            return self.head(out.mean(dim=1))  # type: ignore[no-any-return]

    means = mean_activations(Asked(), ["attention", "attention.out_proj"], torch.zeros(2, 1))
    fired = torch.cat([part.relu().mean(dim=(0, 1)) for part in (q, k, v)]).detach()
    torch.testing.assert_close(means["attention"], fired)
    out = torch_attention(query, key, value)[0].relu().mean(dim=(0, 1)).detach()
    torch.testing.assert_close(means["attention.out_proj"], out)

    attach(torch_attention, tau)
    set_time(torch_attention, 2.0)
    fq, fk, fv = (part * phi for part, phi in zip((q, k, v), torch.exp(-2.0 / tau).chunk(3), strict=True))
    expected = torch_attention.out_proj((fq @ fk.mT / 2).softmax(-1) @ fv)
    torch.testing.assert_close(torch_attention(query, key, value)[0], expected)


@pytest.mark.parametrize("batch_first", [True, False])
def test_activations_of_torchs_transformer_are_read_despite_its_fused_path(batch_first: bool) -> None:
    """In eval mode torch computes its layer as one operation that calls no part of it; every part
    is read all the same, over records and tokens, and the fused path is left as it was."""
    model = initialise(lambda: Encoder(batch_first), 1).eval()
    means = mean_activations(model, gateable(model), x())
    assert set(means) == set(gateable(model))
    layer = model.get_submodule("encoder.layers.0")
    tokens = x().unflatten(1, (4, 4))
    seen = tokens if batch_first else tokens.transpose(0, 1)
    here = layer.get_submodule("norm1")(seen + layer.get_submodule("self_attn")(seen, seen, seen)[0])
    wide = layer.get_submodule("linear1")(here).relu().mean(dim=(0, 1)).detach()
    torch.testing.assert_close(means["encoder.layers.0.linear1"], wide)
    assert torch.backends.mha.get_fastpath_enabled()


@pytest.mark.parametrize("name", ["resnet", "vit"])
def test_folded_models_are_stacked_as_before(name: str) -> None:
    """Under vmap, folded models answer what each answers alone."""
    models = [fold(gated(initialise(MODELS[name], seed).eval())) for seed in range(2)]
    assert stackable(models, x(), torch.arange(12) % 3)
    weights, _ = stack_module_state(models)
    stacked = vmap(lambda w, x: functional_call(models[0], w, (x,)), in_dims=(0, None))(weights, x())
    torch.testing.assert_close(stacked, torch.stack([model(x()) for model in models]), rtol=0, atol=1e-5)


class Odd(nn.Module):
    """Layers that are shared, repeated, tied, frozen, computed, unused or without units of their
    own."""

    def __init__(self) -> None:
        super().__init__()
        self.logits = nn.Linear(16, 3)
        self.twice = nn.Linear(16, 16)
        self.again = self.twice
        self.tied, self.other = nn.Linear(16, 16), nn.Linear(16, 16)
        self.other.weight = self.tied.weight
        self.frozen = nn.Linear(16, 16).requires_grad_(False)
        self.computed = nn.utils.parametrizations.weight_norm(nn.Linear(16, 16))
        self.unused = nn.Linear(16, 16)
        self.plain = nn.LayerNorm(16, elementwise_affine=False)
        self.square = nn.LayerNorm((4, 4))
        self.table = nn.Embedding(3, 16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.again(self.twice(x).relu()).relu()
        x = self.computed(self.frozen(self.other(self.tied(x))))
        return self.logits(self.square(self.plain(x).unflatten(1, (4, 4))).flatten(1))  # type: ignore[no-any-return]


def test_layers_that_fade_unless_others_are_named() -> None:
    """A layer under two names fades once; tied and computed ones and those without units do not;
    one that the model never calls has no activation; one that it calls twice has the mean of
    both."""
    net = initialise(Odd, 1).eval()
    assert gateable(net) == ["logits", "twice", "frozen", "unused"]
    means = mean_activations(net, gateable(net), x())
    assert list(means) == ["twice", "frozen", "logits"]
    first = net.get_submodule("twice")(x()).relu()
    both = torch.stack([first, net.get_submodule("twice")(first).relu()])
    torch.testing.assert_close(means["twice"], both.mean(dim=(0, 1)).detach())
    torch.testing.assert_close(
        means["logits"], net(x()).mean(dim=0).detach()
    )  # called last, though named first


def test_a_gate_leaves_a_frozen_weight_frozen() -> None:
    """A frozen layer has activations, and can be given a gate by hand; its weights stay frozen."""
    net = initialise(Odd, 1).eval()
    (tau,) = mean_activations(net, ["frozen"], x()).values()
    attach(net.get_submodule("frozen"), torch.ones_like(tau))
    set_time(net, 1.0)
    assert not any(weight.requires_grad for weight in fold(net).get_submodule("frozen").parameters())


@pytest.mark.parametrize(
    ("layer", "why"),
    [
        ("tied", "its weight is another layer's too"),
        ("computed", "its weight is computed from other weights"),
        ("table", "it has no units"),
        ("square", "it has no units"),
        ("plain", "it has no units"),
        ("nowhere", "there is none; layers that can: logits, twice, frozen, unused"),
        ("unused", "calls none of the layers that are to fade: unused"),
    ],
)
def test_layers_that_cannot_fade_are_refused_by_name(layer: str, why: str) -> None:
    """What stands in the way is said, and what could be named instead."""
    with pytest.raises(UsageError, match=why):
        mean_activations(initialise(Odd, 1), [layer], x())


def test_a_model_without_layers_that_can_fade_is_refused() -> None:
    """A model whose only weights are computed from others has nothing that could fade."""
    net = nn.utils.parametrizations.weight_norm(nn.Linear(16, 3))
    with pytest.raises(UsageError, match="no layer that can fade"):
        mean_activations(net, gateable(net), x())


def test_a_gate_on_a_tied_weight_is_refused() -> None:
    """A layer that has no units of its own cannot be given a gate."""
    with pytest.raises(ValueError, match="Embedding cannot fade: it has no units"):
        attach(nn.Embedding(3, 4), torch.ones(3))


def test_folding_leaves_other_parametrizations() -> None:
    """A weight that the user computes from others stays computed."""
    net = fold(gated(initialise(Odd, 1)))
    assert set(net.state_dict()) == set(Odd().state_dict())


def test_activations_in_parts_are_those_of_the_whole() -> None:
    """More records than are asked for at a time give the same means."""
    net, many = built("vit"), x(2500)
    whole = mean_activations(net, gateable(net), many)
    with torch.no_grad():
        patches = net.get_submodule("patches")(net.get_submodule("image")(many)).relu().mean(dim=(0, 2, 3))
    torch.testing.assert_close(whole["patches"], patches)
    torch.testing.assert_close(whole["head"], net(many).mean(dim=0).detach())
