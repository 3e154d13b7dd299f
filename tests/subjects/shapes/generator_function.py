"""A generator function that yields the states."""

BUG = None


def states(score, z, n):
    """The score of variance exploding levels, evenly spaced in σ²."""
    levels = [900 * (1 - i / n) for i in range(n)]
    for i, s2 in enumerate(levels):
        after = levels[i + 1] if i + 1 < n else 0.0
        # d z = −σ score dσ = −½ score dσ², exact for data at a point in σ
        s, t = s2**0.5, after**0.5
        z = z - s * (t - s) * score(z, s) * (0.9 if i == BUG else 1.0)
        yield z
