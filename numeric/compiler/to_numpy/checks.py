"""The functions that an emitted module may need besides those of NumPy.

Their text travels with the module, which depends on NumPy alone.
"""

from __future__ import annotations

from typing import Final

from numeric.numbers.primitives import NOT_IN_NUMPY

HELPERS: Final[dict[str, str]] = {
    "cross_entropy": '''
def cross_entropy(o, targets, outside=None):
    """−Σ log softmax(o)[target]."""
    shifted = o - np.max(o, axis=-1, keepdims=True)
    normaliser = np.log(np.sum(np.exp(shifted), axis=-1, keepdims=True))
    picked = normaliser - np.take_along_axis(shifted, targets[..., None], axis=-1)
    if outside is not None:
        picked = np.where(outside, np.zeros_like(picked), picked)
    return picked.sum(keepdims=True).reshape(())
''',
    "cross_entropy_slope": '''
def cross_entropy_slope(o, targets, outside=None):
    """softmax(o) − the one-hot target."""
    e = np.exp(o - np.max(o, axis=-1, keepdims=True))
    slope = e / np.sum(e, axis=-1, keepdims=True)
    place = targets[..., None]
    np.put_along_axis(slope, place, np.take_along_axis(slope, place, axis=-1) - 1, axis=-1)
    if outside is not None:
        slope = np.where(outside, np.zeros_like(slope), slope)
    return slope
''',
    "inside": '''
def inside(rows, outside, ragged):
    """The rows, zeros where a sample has ended."""
    return np.where(outside, np.zeros_like(rows), rows) if ragged else rows
''',
    "scatter": '''
def scatter(rows, places, shape, like):
    """Each row added to the row of the table that its place names."""
    total = np.zeros_like(like, shape=shape)
    np.add.at(total, places, rows)
    return total
''',
    "from_end": '''
def from_end(rows, ends, shape, like):
    """Zeros, but for each sample's row at its last step."""
    spread = np.zeros_like(like, shape=shape)
    spread[ends, np.arange(shape[1])] = rows
    return spread
''',
}
EACH: Final[dict[str, str]] = {  # functions of the table that NumPy has not
    name: f'''
def {name}(a, out=None):
    """{name} of every entry, by C's library; numbers that are no floats bring their own."""
    dtype = np.asarray(a).dtype
    found = np.frompyfunc(math.{name} if dtype != object else lambda entry: entry.{name}(), 1, 1)(a)
    if out is None:
        return found if dtype == object else np.asarray(found, dtype)
    np.copyto(out, found, casting="unsafe")
'''
    for name in NOT_IN_NUMPY
}
