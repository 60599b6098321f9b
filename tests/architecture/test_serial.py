"""Architectures refuse what they cannot mean, and say so."""

import numpyro.distributions as dist
import pytest

import bayes_nn as bnn


def test_mlp_is_the_serial_written_out():
    net = bnn.mlp(depth=2, activation="erf", weight_std=1.5, bias_std=0.1)
    dense = bnn.Dense(1.5, 0.1)
    by_hand = bnn.Serial(dense, bnn.Erf(), dense, bnn.Erf(), dense)
    assert [type(a) for a in net.layers] == [type(a) for a in by_hand.layers]
    assert [(d.weight_std, d.bias_std) for d in net.affine] == [(1.5, 0.1)] * 3


def test_left_out_standard_deviations_are_inferred_in_every_layer():
    names = bnn.priors.NNGP(bnn.mlp(depth=2)).hyperparameters()
    assert sorted(names) == [f"{k}_std_{i}" for k in ("bias", "weight") for i in range(3)]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: bnn.mlp(activation="swish"), "unknown activation 'swish'"),
        (lambda: bnn.mlp(activation=3), "activation must be a name"),
        (lambda: bnn.mlp(depth=0), "depth"),
        (lambda: bnn.mlp(depth=2.0), "depth"),
        (lambda: bnn.mlp(weight_std=-1.0), "weight_std must be a positive number"),
        (lambda: bnn.mlp(weight_std=0.0), "weight_std must be a positive number"),
        (lambda: bnn.mlp(bias_std=-0.1), "bias_std must be zero or a positive number"),
        (lambda: bnn.mlp(weight_std=float("nan")), "weight_std"),
        (lambda: bnn.mlp(weight_std="big"), "weight_std must be a number or a NumPyro distribution"),
        (lambda: bnn.mlp(weight_std=dist.Normal(0, 1)), "positive numbers"),
        (lambda: bnn.mlp(weight_std=dist.LogNormal([0.0, 0.0], 1.0)), "scalar distribution"),
        (lambda: bnn.Gaussian(noise_std=0.0), "noise_std must be a positive number"),
        (lambda: bnn.Serial(bnn.Dense()), "at least one hidden layer"),
        (lambda: bnn.Serial(bnn.Dense(), "relu", bnn.Dense()), "layer 1 is 'relu'"),
        (lambda: bnn.Serial(bnn.Dense(), bnn.Relu, bnn.Dense()), "write Relu"),
        (lambda: bnn.Serial(), "readout must be a Dense"),
        (lambda: bnn.Serial(bnn.Relu(), bnn.Dense(), bnn.Dense()), "Relu is applied to the data"),
        (lambda: bnn.Serial(bnn.Dense(), bnn.Relu(), bnn.Relu(), bnn.Dense()), "Relu is applied to activations"),
        (lambda: bnn.Serial(bnn.Conv(), bnn.Flatten(), bnn.Relu(), bnn.Dense()), "Relu is applied to activations"),
        (lambda: bnn.Serial(bnn.LayerNorm(), bnn.Dense(), bnn.Dense()), "LayerNorm is applied to the data"),
        (lambda: bnn.Serial(bnn.Dense(), bnn.Residual(bnn.Relu()), bnn.Dense()), "not independent"),
        (lambda: bnn.Residual(shortcut=(bnn.Dense(),)), "at least one layer in its branch"),
        (lambda: bnn.Conv(filter_shape=3), "filter_shape must be a tuple"),
        (lambda: bnn.Conv(filter_shape=(3, 0)), "filter_shape must be a tuple of positive integers"),
        (lambda: bnn.Conv(strides=(1,)), "one number per spatial axis"),
        (lambda: bnn.Conv(padding="REFLECT"), "padding must be"),
        (lambda: bnn.AvgPool(window_shape=(2, -1)), "window_shape"),
        (lambda: bnn.LayerNorm(eps=0.0), "eps must be positive"),
        (lambda: bnn.Rbf(gamma=-1.0), "gamma must be positive"),
        (lambda: bnn.Activation("softplus"), "elementwise function"),
        (lambda: bnn.Shared(1.0), "needs no sharing"),
        (lambda: bnn.Shared(dist.Normal(0, 1)), "positive numbers"),
        (lambda: bnn.Serial(bnn.Dense(), bnn.Relu(), bnn.Dense(), bnn.Relu()), "readout must be a Dense"),
        (lambda: bnn.BayesianNetwork(bnn.mlp(), width=-4), "width must be a positive integer"),
        (lambda: bnn.BayesianNetwork(bnn.mlp(), width=1.5), "width must be a positive integer"),
        (lambda: bnn.BayesianNetwork(bnn.mlp(depth=2), width=(4, 4, 4)), "3 widths for 2 hidden layers"),
        (lambda: bnn.priors.ScaleMixture(bnn.mlp(), width=0), "width must be a positive integer"),
        (lambda: bnn.priors.NNGP("relu"), "expected an architecture"),
    ],
)
def test_bad_architectures_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
