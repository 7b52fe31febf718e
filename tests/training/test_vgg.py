import pytest
import torch
from torch import nn

from tuner.training.vgg import Vgg, VggShape, layer_names, layer_weights


def num_parameters(depth: int, filters: int, bn_position: str) -> int:
    model = Vgg(VggShape(depth, filters, num_classes=100, bn_position=bn_position))
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(
    ("depth", "filters", "without_bn", "with_bn"),
    [(38, 32, 336_196, 338_500), (38, 16, 85_204, 86_356), (8, 32, 59_716, 60_100), (8, 16, 16_084, 16_276)],
)
def test_parameter_counts_are_those_of_the_study(depth: int, filters: int, without_bn: int, with_bn: int) -> None:
    assert num_parameters(depth, filters, "none") == without_bn
    assert num_parameters(depth, filters, "before_relu") == with_bn
    assert num_parameters(depth, filters, "after_relu") == with_bn


def kinds(bn_position: str, dropout: float = 0.0) -> list[str]:
    model = Vgg(VggShape(8, 4, 10, bn_position, dropout))
    return [type(m).__name__ for m in model.stages[0].modules() if not list(m.children())]


def test_batch_normalization_stands_on_the_side_of_the_activation_that_is_asked_for() -> None:
    assert kinds("none") == ["Conv2d", "LeakyReLU", "AvgPool2d", "Conv2d", "LeakyReLU"]
    before = ["Conv2d", "BatchNorm2d", "LeakyReLU"]
    assert kinds("before_relu") == [*before, "AvgPool2d", *before]
    after = ["Conv2d", "LeakyReLU", "BatchNorm2d"]
    assert kinds("after_relu") == [*after, "AvgPool2d", *after]


@pytest.mark.parametrize("bn_position", ["before_relu", "after_relu"])
def test_dropout_follows_each_batch_normalization_that_is_placed(bn_position: str) -> None:
    names = kinds(bn_position, dropout=0.2)
    assert names.count("Dropout") == names.count("BatchNorm2d") == 2
    assert all(names[i + 1] == "Dropout" for i, name in enumerate(names) if name == "BatchNorm2d")


@pytest.mark.parametrize(("side", "depth"), [(32, 38), (8, 8)])
def test_an_image_becomes_one_score_a_class(side: int, depth: int) -> None:
    model = Vgg(VggShape(depth, 4, num_classes=7, bn_position="after_relu")).eval()
    assert model(torch.zeros(2, 3, side, side)).shape == (2, 7)


def test_layers_are_named_from_the_input_to_the_output() -> None:
    model = Vgg(VggShape(38, 4, 10))
    names = layer_names(model)
    assert (len(names), names[0], names[1], names[-2], names[-1]) == (38, "entry", "conv_1", "conv_36", "linear")
    assert [w.dim() for w in layer_weights(model)] == [4] * 37 + [2]


@pytest.mark.parametrize("depth", [7, 9, 37])
def test_a_depth_that_is_no_vgg_is_refused(depth: int) -> None:
    with pytest.raises(ValueError, match="6 n"):
        Vgg(VggShape(depth, 4, 10))


def test_the_entry_is_always_normalized_and_has_no_bias() -> None:
    entry = Vgg(VggShape(8, 4, 10)).entry
    assert isinstance(entry[0], nn.Conv2d)
    assert entry[0].bias is None
    assert isinstance(entry[1], nn.BatchNorm2d)
