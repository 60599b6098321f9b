"""Seeds of every integer type give the key of that number; all else is refused."""

import jax
import numpy as np
import pytest

from bayes_nn.runtime.random_keys import checked_key


@pytest.mark.parametrize("seed", [0, 5, 2**32 + 3, 2**63 - 1])
def test_seeds_give_the_keys_of_jax(seed):
    expected = jax.random.key(seed)
    for kind in (int, np.int64, np.uint64, np.array, jax.numpy.array):
        assert checked_key(kind(seed)) == expected


def test_seeds_of_64_bits_are_all_different():
    assert jax.random.key_data(checked_key(2**64 - 1)).tolist() == [2**32 - 1, 2**32 - 1]
    assert checked_key(2**63) != checked_key(0)


def test_seeds_of_any_size_are_all_different():
    seeds = [0, 1, 2**64 - 1, 2**64, 2**64 + 1, 2**96, 2**128, 3**200]
    assert len({tuple(jax.random.key_data(checked_key(seed)).tolist()) for seed in seeds}) == len(seeds)
    assert checked_key(2**64) == jax.random.fold_in(jax.random.key(0), 1)


def test_keys_of_the_default_kind_are_kept_and_others_are_turned_into_one():
    key = jax.random.key(3)
    assert checked_key(key) is key
    for other in (jax.random.PRNGKey(3), jax.random.key(3, impl="rbg")):
        assert checked_key(other).dtype == key.dtype


@pytest.mark.parametrize(
    "bad", [True, np.bool_(True), 1.0, "0", None, np.arange(2), -1, np.int64(-1), np.float32(2), -(2**70)]
)
def test_what_is_no_key_is_refused(bad):
    with pytest.raises(ValueError, match=r"key must be an integer seed|seed must not be negative"):
        checked_key(bad)
    with pytest.raises(ValueError, match="key must be"):
        checked_key(jax.numpy.ones(2))
