"""Whether σ_max(A) or σ_min(A) is below or above a number, decided in fractions."""

from __future__ import annotations

from fractions import Fraction


def gram(A):
    columns = list(zip(*A, strict=True))
    return [[sum(p * q for p, q in zip(a, b, strict=True)) for b in columns] for a in columns]


def positive(M):
    """Whether a symmetric rational matrix is positive definite, by elimination without roots."""
    M = [list(row) for row in M]
    for k in range(len(M)):
        if M[k][k] <= 0:
            return False
        for i in range(k + 1, len(M)):
            ratio = M[i][k] / M[k][k]
            M[i] = [a - ratio * b for a, b in zip(M[i], M[k], strict=True)]
    return True


def below(A, bound):
    """σ_max(A) < bound, exactly."""
    G, s = gram(A), Fraction(bound) ** 2
    return positive([[s * (i == j) - g for j, g in enumerate(row)] for i, row in enumerate(G)])


def above(A, bound):
    """σ_min(A) > bound ≥ 0, exactly."""
    G, s = gram(A), Fraction(bound) ** 2
    return positive([[g - s * (i == j) for j, g in enumerate(row)] for i, row in enumerate(G)])
