"""Random words and numbers: published vectors, moments, distributions, independence."""

import numpy as np
import pytest
from scipy import stats

import glassgrad as gg
from glassgrad.engines.reference import evaluate
from glassgrad.graph.node import Trace, constant, make
from glassgrad.ops.random import RandomBits, philox

N = 200_000
LEAST_P = 1e-4  # the keys are fixed, so a test that passes once passes always


def _block(key, counter):
    """Philox4x32-10 said a second time, one block in Python integers (Salmon et al., SC 2011)."""
    c, (k0, k1) = list(counter), key
    for _ in range(10):
        high0, low0 = divmod(0xD2511F53 * c[0], 1 << 32)
        high1, low1 = divmod(0xCD9E8D57 * c[2], 1 << 32)
        c = [high1 ^ c[1] ^ k0, low1, high0 ^ c[3] ^ k1, low0]
        k0, k1 = (k0 + 0x9E3779B9) % (1 << 32), (k1 + 0xBB67AE85) % (1 << 32)
    return c


PUBLISHED = [
    ((0, 0), (0, 0, 0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 2, (0xFFFFFFFF,) * 4, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    ((0xA4093822, 0x299F31D0), (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
     (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)),
]  # fmt: skip
"""The known-answer vectors that Random123 is published with: key, counter, words."""


@pytest.mark.parametrize(("key", "counter", "words"), PUBLISHED)
def test_the_second_telling_gives_the_published_words(key, counter, words):
    assert tuple(_block(key, counter)) == words


@pytest.mark.parametrize("key", [(0, 0), (0xFFFFFFFF, 1), (0xA4093822, 0x299F31D0)])
@pytest.mark.parametrize("stream", [0, 1, 7])
def test_words_are_philox_blocks(key, stream):
    got = philox(np.array(key, np.uint32), 42, stream)
    want = [w for block in range(11) for w in _block(key, (block, stream, 0, 0))][:42]
    assert got.dtype == np.uint32 and got.tolist() == want


def test_the_op_gives_the_words_in_row_major_order():
    trace = Trace()
    key = gg.random.key(5)
    node = make(RandomBits((3, 5), 2), constant(trace, key))
    (got,) = evaluate([node], {})
    assert np.array_equal(got, philox(key, 15, 2).reshape(3, 5))


def test_a_shorter_draw_is_the_start_of_a_longer_one():
    key = np.array([3, 4], np.uint32)
    assert np.array_equal(philox(key, 5, 0), philox(key, 100, 0)[:5])
    assert philox(key, 0, 0).shape == (0,)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_uniform(dtype):
    u = gg.random.uniform(gg.random.key(1), (N,), dtype)
    assert u.dtype == dtype and u.min() > 0 and u.max() < 1
    assert stats.kstest(u.astype(float), "uniform").pvalue > LEAST_P
    assert abs(u.mean(dtype=float) - 0.5) < 5 / np.sqrt(12 * N)
    assert abs(u.var(dtype=float) - 1 / 12) < 5 * np.sqrt(1 / 180 / N)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_normal(dtype):
    z = gg.random.normal(gg.random.key(2), (N,), dtype)
    assert z.dtype == dtype and np.isfinite(z).all()
    assert stats.kstest(z.astype(float), "norm").pvalue > LEAST_P
    moments = [np.mean(z.astype(float) ** p) for p in (1, 2, 3, 4)]
    for got, want, spread in zip(moments, (0, 1, 0, 3), (1, 2, 15, 96)):
        assert abs(got - want) < 5 * np.sqrt(spread / N)


def test_neighbouring_keys_and_split_keys_are_independent():
    key = gg.random.key(3)
    keys = [key, gg.random.key(4), *gg.random.split(key, 6)]
    draws = np.stack([gg.random.normal(k, (20_000,)) for k in keys])
    correlations = np.corrcoef(draws)[np.triu_indices(len(keys), 1)]
    assert np.abs(correlations).max() < 5 / np.sqrt(20_000)


def test_split_keys_are_distinct_and_the_same_every_time():
    keys = gg.random.split(gg.random.key(0), 1000)
    assert keys.shape == (1000, 2) and keys.dtype == np.uint32
    assert len({tuple(k) for k in keys.tolist()}) == 1000
    assert np.array_equal(keys, gg.random.split(gg.random.key(0), 1000))


def test_numbers_and_new_keys_share_no_word():
    key = gg.random.key(9)
    assert not set(philox(key, 4000, 0).tolist()) & set(philox(key, 40, 1).tolist())


@pytest.mark.parametrize("n", [0, 1, 2, 1000])
def test_permutation_is_one(n):
    p = gg.random.permutation(gg.random.key(6), n)
    assert p.dtype == np.int64 and sorted(p.tolist()) == list(range(n))


def test_permutations_are_even():
    keys = gg.random.split(gg.random.key(8), 900)
    counts = {}
    for key in keys:
        p = tuple(gg.random.permutation(key, 3).tolist())
        counts[p] = counts.get(p, 0) + 1
    assert len(counts) == 6 and stats.chisquare(list(counts.values())).pvalue > LEAST_P


def test_the_same_numbers_traced_and_untraced():
    key = gg.random.key(11)
    f = lambda x: np.sum(x * gg.random.normal(key, (3,)))  # noqa: E731
    assert np.array_equal(gg.grad(f)(np.zeros(3)), gg.random.normal(key, (3,)))


@pytest.mark.parametrize("bad", [np.zeros(3, np.uint32), np.zeros(2), np.zeros(2, np.int64)])
def test_a_wrong_key_is_refused(bad):
    with pytest.raises(TypeError, match=r"gg\.random\.key"):
        gg.random.normal(bad, (3,))


@pytest.mark.parametrize("seed", [-1, 1 << 64, 0.5, "a"])
def test_a_wrong_seed_is_refused(seed):
    with pytest.raises(TypeError, match="seed"):
        gg.random.key(seed)
