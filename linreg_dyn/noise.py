"""Counter-based random numbers: Philox4x32-10, in the style of `rules`.

A value depends on (seed, trajectory, step, draw) and on nothing else, so a run is bitwise the same for any
number of threads, any blocking, any order (Salmon, Moraes, Dror and Shaw, Parallel random numbers: as easy as
1, 2, 3, SC 2011). All words are integers below 2^32; every product of two of them is masked at once, so that
the same lines are right for Python integers and for machine integers of 64 bits, which wrap.

The counter of a block of four words is

    (step >> 2, 0, trajectory low, trajectory high)
        for the amplitude of a step: word step & 3
    (step, 1 + (draw >> 2), trajectory low, trajectory high)
        for the choice of a mini-batch: word draw & 3

and its key is (seed low, seed high).
"""

from linreg_dyn.arithmetic import fused

MASK = 0xFFFFFFFF
MULTIPLIER_0, MULTIPLIER_1 = 0xD2511F53, 0xCD9E8D57
WEYL_0, WEYL_1 = 0x9E3779B9, 0xBB67AE85
ROUNDS = 10


def philox_round(c0, c1, c2, c3, k0, k1):
    """One round: two 32 by 32 bit products, their high words mixed with the other words and the key.

    What is multiplied is masked too: a compiler that cannot know how large the key is then multiplies as it should.
    """
    p0 = MULTIPLIER_0 * (c0 & MASK)
    p1 = MULTIPLIER_1 * (c2 & MASK)
    return ((p1 >> 32) & MASK) ^ c1 ^ k0, p1 & MASK, ((p0 >> 32) & MASK) ^ c3 ^ k1, p0 & MASK


def next_key(k0, k1):
    """The key of the next round."""
    return (k0 + WEYL_0) & MASK, (k1 + WEYL_1) & MASK


def round_keys(k0, k1):
    """The keys of all rounds: a list of first and a list of second words."""
    firsts, seconds = [], []
    for _ in range(ROUNDS):
        firsts.append(k0)
        seconds.append(k1)
        k0, k1 = next_key(k0, k1)
    return firsts, seconds


def philox(c0, c1, c2, c3, k0, k1):
    """Philox4x32-10: four random words of the counter `(c0, c1, c2, c3)` under the key `(k0, k1)`."""
    for _ in range(ROUNDS):
        c0, c1, c2, c3 = philox_round(c0, c1, c2, c3, k0, k1)
        k0, k1 = next_key(k0, k1)
    return c0, c1, c2, c3


def amplitude_counter(trajectory, step):
    """Counter of the block that holds the amplitudes of `step` and of its three neighbours, `step ^ 1, 2, 3`."""
    return (step >> 2) & MASK, 0, trajectory & MASK, (trajectory >> 32) & MASK


def batch_counter(trajectory, step, draw):
    """Counter of the block that holds word number `draw` of the choice of a mini-batch."""
    return step & MASK, 1 + (draw >> 2), trajectory & MASK, (trajectory >> 32) & MASK


# A distribution makes a number of [-1, 1] of one word; `table` is for those that need one.
def uniform(word, table):
    """Uniform on (-1, 1): an odd multiple of 2^-32, exact in float64, and as likely as its negative."""
    return word * 2.0**-31 + (2.0**-32 - 1)


def rademacher(word, table):
    """-1 or 1, each with probability 1/2."""
    return (word >> 31) * 2.0 - 1


def atom(word, table):
    """One of the numbers of `table`, all equally likely (to within `len(table)` in 2^32)."""
    return table[(word * len(table)) >> 32]


def quantile(word, table):
    """Interpolates `table`, the quantiles at the probabilities 0, 1/n, ..., 1: uniform between neighbours."""
    position = word * (len(table) - 1)
    cell = position >> 32
    low = table[cell]
    return fused(table[cell + 1] - low, (position & MASK) * 2.0**-32, low)


def sample(order, swaps, trajectory, step, k0, k1):
    """Shuffle a uniform sample without replacement, of size `len(swaps)`, to the front of `order`.

    A partial Fisher-Yates shuffle: place k takes an element chosen from places k, k+1, ... Whatever
    permutation `order` held, the sample is uniform, but only `restore` brings back the order that makes it
    depend on the counter alone. Words that would bias the choice are rejected (Lemire, Fast random integer
    generation in an interval, 2019).
    """
    draw = 0
    words = (k0, k0, k0, k0)
    for k in range(len(swaps)):
        size = len(order) - k
        accepted = False
        product = 0
        while not accepted:
            if draw & 3 == 0:
                c0, c1, c2, c3 = batch_counter(trajectory, step, draw)
                words = philox(c0, c1, c2, c3, k0, k1)
            product = words[draw & 3] * size
            accepted = (product & MASK) >= (MASK + 1) % size
            draw += 1
        j = k + (product >> 32)
        swaps[k] = j
        order[k], order[j] = order[j], order[k]


def restore(order, swaps):
    """Undo the swaps of `sample`, last first."""
    for k in range(len(swaps) - 1, -1, -1):
        j = swaps[k]
        order[k], order[j] = order[j], order[k]


def moments(order, size, squares, products):
    """The means `m2` of `squares` and `m1` of `products` over the first `size` samples of `order`."""
    m2 = 0.0
    m1 = 0.0
    for k in range(size):
        m2 += squares[order[k]]
        m1 += products[order[k]]
    return m2 / size, m1 / size
