"""Trained networks against hand-written gradient descent, closed forms, and the infinite-width limit."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pandas as pd
import pytest
from scipy import stats

import bayes_nn as bnn
from bayes_nn import priors
from bayes_nn.training import members
from bayes_nn.training.cross_validation import most_probable_noise, out_of_fold, random_folds
from bayes_nn.training.gradient_descent import (
    Setup,
    Training,
    TrainingData,
    advance,
    largest_curvature,
    named_optimizer,
)

PLAIN = {"stop": "steps", "noise_std": 0.3, "standardize": False}


def fixed(depth=1, activation="tanh"):
    return bnn.mlp(depth=depth, activation=activation, weight_std=1.4, bias_std=0.3)


def member(values, number):
    return jax.tree.map(lambda value: value[number], values)


@pytest.fixture(scope="module")
def wave():
    """25 rows, 2 inputs, targets of two outputs."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(25, 2))
    return X, np.stack([np.sin(2.0 * X[:, 0]), X[:, 0] * X[:, 1]], axis=1)


def test_full_batch_sgd_is_gradient_descent_written_by_hand(wave):
    """One hidden layer, derivatives worked out on paper, in NumPy."""
    X, Y = wave
    rate, steps, width = 0.2, 37, 8
    ensemble = bnn.train(fixed(), X, Y, width, optimizer="sgd", learning_rate=rate, steps=steps, members=2, **PLAIN)
    for number in range(2):
        start = {name: np.array(value) for name, value in member(ensemble.initial, number).items()}
        W, b, v = start["hidden_weight_0"], start["hidden_bias_0"], start["readout"]
        for _ in range(steps):
            h = np.tanh(1.4 / 2**0.5 * X @ W + 0.3 * b)
            Phi = np.hstack([1.4 / width**0.5 * h, np.full((len(X), 1), 0.3)])
            error = (Phi @ v - Y) / Y.size
            back = (error @ v[:-1].T) * 1.4 / width**0.5 * (1.0 - h**2)
            v = v - rate * Phi.T @ error
            W, b = W - rate * 1.4 / 2**0.5 * X.T @ back, b - rate * 0.3 * back.sum(axis=0)
        trained = member(ensemble.parameters, number)
        for name, expected in (("hidden_weight_0", W), ("hidden_bias_0", b), ("readout", v)):
            np.testing.assert_allclose(trained[name], expected, rtol=1e-9, atol=1e-11)


@pytest.mark.slow
def test_adam_is_optax_adam_and_steps_do_not_depend_on_the_interruptions(wave):
    X, Y = wave
    options = {"steps": 60, "members": 2, "weight_decay": 0.01, "decay_to": "start", **PLAIN}
    named = bnn.train(fixed(), X, Y, 8, optimizer="adam", learning_rate=0.01, **options)
    given = bnn.train(fixed(), X, Y, 8, optimizer=optax.adam(0.01), **options)
    first = member(named.initial, 0)
    transformation = optax.adam(0.01)
    weights, memory = first, transformation.init(first)

    def objective(w):
        distance = sum(jnp.sum((w[name] - first[name]) ** 2) for name in w)
        return 0.5 * jnp.mean((bnn.network.apply(fixed(), w, jnp.asarray(X)) - Y) ** 2) + 0.5 * 0.01 * distance

    for _ in range(60):
        updates, memory = transformation.update(jax.grad(objective)(weights), memory, weights)
        weights = optax.apply_updates(weights, updates)
    for name, value in weights.items():
        np.testing.assert_allclose(member(named.parameters, 0)[name], value, atol=1e-10)
        np.testing.assert_allclose(member(given.parameters, 0)[name], value, atol=1e-10)


def test_linear_network_trained_to_convergence_is_least_squares():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(40, 3))
    y = 2.0 + X @ np.array([1.0, -2.0, 0.5]) + 0.3 * rng.normal(size=40)
    net = bnn.mlp(depth=2, activation="identity", weight_std=1.0, bias_std=0.5)
    ensemble = bnn.train(net, X, y, 16, optimizer=optax.sgd(0.2, momentum=0.9), members=3, noise_std=0.3, stop="steps")
    design = np.hstack([np.ones((40, 1)), X])
    X_new = rng.normal(size=(7, 3))
    expected = np.hstack([np.ones((7, 1)), X_new]) @ np.linalg.lstsq(design, y, rcond=None)[0]
    predictions = ensemble.predict(X_new)
    np.testing.assert_allclose(predictions.component_means[..., 0], np.tile(expected, (3, 1)), atol=1e-6)
    np.testing.assert_allclose(predictions.component_stds, 0.3 * y.std())
    assert ensemble.reasons == ()
    assert ensemble.gradient_norm.max() < 1e-7
    np.testing.assert_allclose(
        ensemble.loss[:, -1] * 2 * y.var(), np.mean((y - design @ np.linalg.lstsq(design, y)[0]) ** 2)
    )


def test_linearize_is_the_function_plus_the_empirical_jacobian(wave):
    """Its Jacobian's Gram matrix is the empirical NTK, which is computed in another way; linear in the change."""
    X = jnp.asarray(wave[0])
    net = bnn.mlp(depth=2, activation="erf")
    parameters = bnn.network.init(net, jax.random.key(0), (2,), 6, outputs=2) | {"weight_std_1": jnp.asarray(1.7)}
    linear = bnn.linearize(net, parameters)
    change = bnn.network.init(net, jax.random.key(1), (2,), 6, outputs=2)
    small = jax.tree.map(lambda value: 1e-5 * value, change)
    moved = parameters | {name: parameters[name] + value for name, value in small.items()}
    np.testing.assert_allclose(linear(small, X), bnn.network.apply(net, moved, X), atol=1e-7)
    rows = jnp.concatenate(
        [value.reshape(25, 2, -1) for value in jax.tree.leaves(jax.jacobian(lambda c: linear(c, X))(change))], axis=-1
    )
    np.testing.assert_allclose(jnp.einsum("ncp,mdp->nmcd", rows, rows), priors.empirical_ntk(net, parameters, X))


@pytest.mark.parametrize("ridge", [0.0, 0.02])
def test_linearized_training_ends_at_kernel_regression_with_the_empirical_ntk(ridge):
    """``f_0(x) + K(x, X) (K(X, X) + ridge I)^-1 (y - f_0(X))``; weight decay to the start of ridge / N is the ridge."""
    rng = np.random.default_rng(2)
    X, X_new = rng.normal(size=(8, 3)), jnp.asarray(rng.normal(size=(5, 3)))
    y = X[:, 0] * X[:, 1]
    net, momentum = fixed(depth=2), optax.sgd(0.3, momentum=0.95)
    options = {"linearized": True, "steps": 4000, "members": 1, "weight_decay": ridge / 8, "decay_to": "start"}
    ensemble = bnn.train(net, X, y, 32, optimizer=momentum, **options, **PLAIN)
    parameters, X = member(ensemble.initial, 0), jnp.asarray(X)
    K, K_new = (priors.empirical_ntk(net, parameters, one, X)[..., 0, 0] for one in (X, X_new))
    misfit = y - bnn.network.apply(net, parameters, X)[:, 0]
    expected = bnn.network.apply(net, parameters, X_new)[:, 0]
    expected += K_new @ np.linalg.solve(K + ridge * np.eye(8), misfit)
    np.testing.assert_allclose(ensemble.predict(X_new).mean, expected, atol=1e-5)


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.parametrize("linearized", [True, False])
def test_wide_networks_follow_the_gradient_flow_of_the_infinite_one(linearized):
    """Means over members against the closed form, after a time that leaves the slow directions unlearned.

    80 independent members at width 512: each of 6 test points within 4.5 standard errors plus 0.03 for the finite
    width; without the latter a correct programme would fail less than once in 10,000 seeds.
    """
    rng = np.random.default_rng(3)
    X, X_new = rng.normal(size=(10, 2)), rng.normal(size=(6, 2))
    y = np.sin(2.0 * X[:, 0]) + X[:, 1]
    net, rate, steps = fixed(), 0.5, 60
    flow = priors.gradient_flow(priors.NTK(net).kernel, X, y, X_new, time=rate * steps)
    untrained = priors.gradient_flow(priors.NTK(net).kernel, X, y, X_new, time=0.0)
    done = priors.gradient_flow(priors.NTK(net).kernel, X, y, X_new)
    ensemble = bnn.train(
        net, X, y, 512, optimizer="sgd", learning_rate=rate, steps=steps, members=80, linearized=linearized, **PLAIN
    )
    members = ensemble.predict(X_new).component_means[..., 0]
    allowed = 4.5 * members.std(axis=0, ddof=1) / 80**0.5 + 0.03
    assert np.all(np.abs(members.mean(axis=0) - flow.mean[:, 0]) < allowed)
    spread = np.sqrt(np.diag(flow.covariance))
    np.testing.assert_allclose(members.std(axis=0, ddof=1), spread, rtol=0.36, atol=0.03)
    for other in (untrained, done):  # the check tells the times apart
        assert np.any(np.abs(members.mean(axis=0) - other.mean[:, 0]) > allowed)


def test_largest_curvature_is_that_of_the_empirical_ntk(wave):
    X, Y = jnp.asarray(wave[0]), jnp.asarray(wave[1])
    net = fixed(depth=2)
    weights = bnn.network.init(net, jax.random.key(0), (2,), 16, outputs=2)
    setup = Setup(net, named_optimizer("sgd"), False, None, False)
    training = Training(weights, {}, jnp.ones(25), jax.random.key(1), weights, (), jnp.asarray(0))
    found = largest_curvature(setup, TrainingData(X, Y, jnp.ones(()), jnp.asarray(0.25)), training)
    K = np.asarray(priors.empirical_ntk(net, weights, X)).transpose(0, 2, 1, 3).reshape(50, 50)
    assert float(found) == pytest.approx(np.linalg.eigvalsh(K)[-1] / 50 + 0.25, rel=1e-3)


def test_predictions_out_of_fold_are_by_members_trained_without_the_row():
    folds = random_folds(23, 5, jax.random.key(0))
    assert sorted(np.concatenate(folds)) == list(range(23))
    chosen = out_of_fold([np.full((2, 23, 1), number) for number in range(5)], folds)
    for number, rows in enumerate(folds):
        assert np.all(chosen[:, rows] == number)


@pytest.mark.parametrize("batch_size", [None, 4])
def test_rows_left_out_do_not_matter(batch_size):
    """Neither does their value, nor, where batches do not depend on it, their presence."""
    rng = np.random.default_rng(8)
    X, Y = rng.normal(size=(12, 2)), rng.normal(size=(12, 1))
    weights = bnn.network.init(fixed(), jax.random.key(0), (2,), 8)
    run = jax.jit(partial(advance, Setup(fixed(), named_optimizer("sgd"), False, batch_size, False)))

    def trained(X, Y, included):
        data = TrainingData(jnp.asarray(X), jnp.asarray(Y), jnp.asarray(-0.1), jnp.asarray(0.0))
        start = Training(weights, {}, jnp.asarray(included), jax.random.key(1), weights, (), jnp.asarray(0))
        return run(data, jnp.asarray(20), start)[0].weights["readout"]

    mask, other = np.ones(12), Y.copy()
    mask[5], other[5] = 0.0, 100.0
    np.testing.assert_allclose(trained(X, Y, mask), trained(X, other, mask), atol=1e-12)
    if batch_size is None:
        alone = trained(np.delete(X, 5, axis=0), np.delete(Y, 5, axis=0), np.ones(11))
        np.testing.assert_allclose(trained(X, Y, mask), alone, atol=1e-12)


def test_most_probable_noise_is_the_residual_of_one_member_and_less_with_more():
    rng = np.random.default_rng(4)
    f, Y = rng.normal(size=(6, 50, 1)), rng.normal(size=(50, 1))
    assert most_probable_noise(f[:1], Y) == pytest.approx(np.sqrt(np.mean((f[0] - Y) ** 2)), rel=1e-4)
    found = most_probable_noise(f, Y)

    def density(std):
        return np.log(stats.norm.pdf(Y, f, std).mean(axis=0)).sum()

    assert density(found) > max(density(0.98 * found), density(1.02 * found))


@pytest.mark.slow
@pytest.mark.statistical
def test_cross_validation_finds_the_noise_that_training_residuals_hide():
    """200 rows, noise 0.5 of the targets' own units: found within 15 %, three standard errors of so many rows.

    A network of width 64 trained on to convergence leaves training residuals far below it.
    """
    rng = np.random.default_rng(5)
    X = rng.normal(size=(200, 3))
    y = X[:, 0] + 0.5 * rng.normal(size=200)
    ensemble = bnn.train(fixed(), X, y, 64, members=4, steps=1000)
    assert ensemble.noise_std * y.std() == pytest.approx(0.5, rel=0.15)
    assert ensemble.stopped_early
    assert ensemble.steps < 1000
    trained_on = bnn.train(fixed(), X, y, 64, members=2, learning_rate=0.02, stop="steps", noise_std=0.5)
    assert np.sqrt(2.0 * trained_on.loss[:, -1].max()) < 0.7 * 0.5 / y.std()


def test_predictions_are_a_mixture_on_the_scale_of_y():
    rng = np.random.default_rng(6)
    X = rng.normal(size=(30, 2))
    y = 100.0 + 10.0 * X[:, 0]
    ensemble = bnn.train(fixed(), X, y, 8, members=3, steps=300, stop="steps", noise_std=0.2)
    predictive = ensemble.predict(X)
    scaled = (X - X.mean(axis=0)) / X.std(axis=0)
    f = [bnn.network.apply(fixed(), member(ensemble.parameters, m), jnp.asarray(scaled))[:, 0] for m in range(3)]
    means = np.array(f) * y.std() + y.mean()
    np.testing.assert_allclose(predictive.component_means[..., 0], means)
    expected = np.log(stats.norm.pdf(y, means, 0.2 * y.std()).mean(axis=0))
    np.testing.assert_allclose(predictive.log_prob(y), expected)


def test_fine_tuning_starts_where_the_earlier_ensemble_ended():
    rng = np.random.default_rng(7)
    X, y = rng.normal(size=(40, 2)), rng.normal(size=40)
    options = {"members": 2, "stop": "steps", "noise_std": 0.3, "values": {"weight_std_0": 1.1}}
    earlier = bnn.train(bnn.mlp(depth=1), X, y, 8, steps=20, **options)
    X_new, Y_new = 3.0 + rng.normal(size=(20, 2)), rng.normal(size=(20, 2))
    options = {"start": earlier, "stop": "steps", "noise_std": 0.3, "steps": 1}
    later = bnn.train(earlier.net, X_new, Y_new, 8, new_readout=True, learning_rate=1e-12, **options)
    np.testing.assert_allclose(later.parameters["hidden_weight_0"], earlier.parameters["hidden_weight_0"], atol=1e-9)
    assert later.initial["readout"].shape == (2, 9, 2)
    np.testing.assert_allclose(later.parameters["weight_std_0"], [1.1, 1.1])
    np.testing.assert_allclose(later.scale.x_mean, X.mean(axis=0))
    np.testing.assert_allclose(later.scale.y_mean, Y_new.mean(axis=0))
    with pytest.raises(ValueError, match="new_readout=True redraws it"):
        bnn.train(earlier.net, X_new, Y_new, 8, **options)
    with pytest.raises(ValueError, match="start has 2 members"):
        bnn.train(earlier.net, X_new, Y_new[:, 0], 8, members=3, **options)
    with pytest.raises(ValueError, match="hidden_bias_0"):
        bnn.train(earlier.net, X_new, Y_new[:, 0], 9, **options)


def test_batches_change_with_the_step_and_the_member(wave):
    X, Y = wave
    ensemble = bnn.train(fixed(), X, Y, 8, optimizer="sgd", batch_size=5, steps=400, members=2, **PLAIN)
    assert ensemble.loss[:, -1].max() < 0.5 * ensemble.loss[:, 0].min()
    once, twice = (
        bnn.train(fixed(), X, Y, 8, batch_size=5, steps=3, members=2, key=key, **PLAIN).loss for key in (1, 1)
    )
    np.testing.assert_array_equal(once, twice)


def test_columns_are_matched_by_name_at_prediction_and_at_fine_tuning(wave):
    X, y = pd.DataFrame(wave[0], columns=["a", "b"]), wave[1][:, 0]
    options = {"steps": 3, "members": 2, **PLAIN}
    ensemble = bnn.train(fixed(), X, y, 8, **options)
    for new in (X[["b", "a"]], X.to_numpy()):
        np.testing.assert_array_equal(ensemble.predict(new).mean, ensemble.predict(X).mean)
    with pytest.raises(ValueError, match="X lacks a and has the new c"):
        ensemble.predict(X.rename(columns={"a": "c"}))
    again, reordered = (bnn.train(fixed(), new, y, 8, start=ensemble, **options) for new in (X, X[["b", "a"]]))
    np.testing.assert_array_equal(again.predict(X).mean, reordered.predict(X).mean)
    assert reordered.columns == ("a", "b")


def test_an_equal_network_compiles_nothing_again(wave):
    X, y = wave[0][:13], wave[1][:13, 0]
    options = {"optimizer": "sgd", "stop": "steps", "noise_std": 0.3}
    bnn.train(fixed(), X, y, 7, steps=5, members=2, **options)
    sizes = members._advance_all._cache_size(), members._largest_curvatures._cache_size()
    bnn.train(fixed(), X, y, 7, steps=6, members=2, key=1, **options)
    assert (members._advance_all._cache_size(), members._largest_curvatures._cache_size()) == sizes


def test_training_that_goes_on_says_so(wave):
    X, Y = wave
    with pytest.warns(bnn.ConvergenceWarning, match="still falls"):
        ensemble = bnn.train(fixed(), X, Y, 8, steps=30, members=2, **PLAIN)
    assert "raise steps" in ensemble.convergence
    assert "2 members, 30 steps" in ensemble.convergence


@pytest.mark.parametrize(
    ("held_out", "steps", "doubted"),
    [((4.0, 2.0, 1.0), 30, True), ((4.0, 1.001, 1.0), 30, False), ((4.0, 1.0, 2.0), 27, False)],
)
def test_held_out_error_that_still_falls_says_so(wave, held_out, steps, doubted):
    """Falling, settled, and past its best, after 3, 27 and 30 steps."""
    X, Y = wave
    ensemble = bnn.train(fixed(), X, Y, 8, steps=30, members=2, **PLAIN)
    recorded, loss = np.array([3, 27, 30]), np.array(held_out)
    stopped = replace(ensemble, stopped_early=True, steps=steps, held_out_recorded=recorded, held_out_loss=loss)
    assert ("held-out error still falls" in stopped.convergence) == doubted


def test_divergence_is_an_error_that_names_the_step(wave):
    X, Y = wave
    with pytest.raises(ValueError, match=r"diverged within \d+ steps of size 1e\+03"):
        bnn.train(fixed(activation="relu"), X, Y, 8, optimizer="sgd", learning_rate=1e3, steps=500, **PLAIN)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"optimizer": "lbfgs"}, "optimizer must be"),
        ({"optimizer": optax.adam(0.1), "learning_rate": 0.1}, "leave learning_rate out"),
        ({"stop": "loss"}, "stop must be"),
        ({"decay_to": "prior"}, "decay_to must be"),
        ({"steps": 0}, "steps must be at least 1"),
        ({"members": 0}, "members must be at least 1"),
        ({"learning_rate": -1.0}, "learning_rate must be a positive"),
        ({"noise_std": 0.0}, "noise_std must be a positive"),
        ({"weight_decay": -1.0}, "weight_decay must be"),
        ({"folds": 1}, "folds must lie"),
        ({"batch_size": 21}, "batch_size must be"),
        ({"new_readout": True}, "pass start too"),
        ({"values": {"weight_std_7": 1.0}}, "weight_std_7"),
        ({"width": 0}, "width must be"),
    ],
)
def test_bad_settings_are_refused(wave, options, message):
    with pytest.raises(ValueError, match=message):
        bnn.train(fixed(), *wave, **({"width": 8} | options))
