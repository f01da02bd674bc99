"""The part of an emitted C file that networks need: who has ended, tables, losses of classes.

Text only. `lengths` may be NULL: then no sample ends before the last step. A row of `rows` belongs
to the step t + row / batch and to the sample row % batch.
"""

from __future__ import annotations

from typing import Final

SAMPLES: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "ended": (
        """
/* 1 where the sample of a row has ended, else 0. */
INLINE real ended(const ptrdiff_t *lengths, ptrdiff_t t, ptrdiff_t row, ptrdiff_t batch)
{
    return lengths && t + row / batch >= lengths[row % batch] ? R(1.0) : R(0.0);
}
""",
        (),
    ),
    "run": (
        """
/* Moves on to the next row that has not ended, and counts how many such rows follow. */
static ptrdiff_t run(
    ptrdiff_t *row, ptrdiff_t rows, const ptrdiff_t *lengths, ptrdiff_t t, ptrdiff_t batch)
{
    if (!lengths)
        return rows - *row;
    while (*row < rows && ended(lengths, t, *row, batch) > R(0.0))
        ++*row;
    ptrdiff_t end = *row;
    while (end < rows && !(ended(lengths, t, end, batch) > R(0.0)))
        end++;
    return end - *row;
}
""",
        ("ended",),
    ),
    "inside": (
        """
/* c = a where a sample has not ended, else 0. */
static void inside(
    real *c, ptrdiff_t c_row, const real *a, ptrdiff_t a_row, ptrdiff_t rows, ptrdiff_t columns,
    const ptrdiff_t *lengths, ptrdiff_t t, ptrdiff_t batch)
{
    for (ptrdiff_t i = 0; i < rows; i++) {
        const int over = ended(lengths, t, i, batch) > R(0.0);
        for (ptrdiff_t j = 0; j < columns; j++)
            c[i * c_row + j] = over ? R(0.0) : a[i * a_row + j];
    }
}
""",
        ("ended",),
    ),
    "embed": (
        """
/* c = the rows of a table that the places name, 0 where a sample has ended. */
static void embed(
    real *c, ptrdiff_t c_row, const real *table, const ptrdiff_t *places, ptrdiff_t rows,
    ptrdiff_t columns, const ptrdiff_t *lengths, ptrdiff_t t, ptrdiff_t batch)
{
    for (ptrdiff_t i = 0; i < rows; i++) {
        const int over = ended(lengths, t, i, batch) > R(0.0);
        for (ptrdiff_t j = 0; j < columns; j++)
            c[i * c_row + j] = over ? R(0.0) : table[places[i] * columns + j];
    }
}
""",
        ("ended",),
    ),
    "scatter": (
        """
/* table += the rows of a, each where its place says; none where a sample has ended. */
static void scatter(
    real *table, const real *a, ptrdiff_t a_row, const ptrdiff_t *places, ptrdiff_t rows,
    ptrdiff_t columns, const ptrdiff_t *lengths, ptrdiff_t t, ptrdiff_t batch)
{
    for (ptrdiff_t i = 0; i < rows; i++)
        if (!(ended(lengths, t, i, batch) > R(0.0)))
            for (ptrdiff_t j = 0; j < columns; j++)
                table[places[i] * columns + j] += a[i * a_row + j];
}
""",
        ("ended",),
    ),
    "last_step": (
        """
/* The last step of a sample. */
INLINE ptrdiff_t last_step(const ptrdiff_t *lengths, ptrdiff_t length, ptrdiff_t sample)
{
    return (lengths ? lengths[sample] : length) - 1;
}
""",
        (),
    ),
    "at_end": (
        """
/* c = each sample's row of a at its last step, if that is one from t up to t1. */
static void at_end(
    real *c, ptrdiff_t c_row, const real *a, ptrdiff_t a_row, ptrdiff_t columns,
    const ptrdiff_t *lengths, ptrdiff_t length, ptrdiff_t t, ptrdiff_t t1, ptrdiff_t batch)
{
    for (ptrdiff_t b = 0; b < batch; b++) {
        const ptrdiff_t end = last_step(lengths, length, b);
        if (t <= end && end < t1)
            for (ptrdiff_t j = 0; j < columns; j++)
                c[b * c_row + j] = a[((end - t) * batch + b) * a_row + j];
    }
}
""",
        ("last_step",),
    ),
    "from_end": (
        """
/* c = each sample's row of a at its last step, 0 at the other steps from t up to t1. */
static void from_end(
    real *c, ptrdiff_t c_row, const real *a, ptrdiff_t a_row, ptrdiff_t columns,
    const ptrdiff_t *lengths, ptrdiff_t length, ptrdiff_t t, ptrdiff_t t1, ptrdiff_t batch)
{
    for (ptrdiff_t i = 0; i < (t1 - t) * batch; i++) {
        const ptrdiff_t b = i % batch;
        const int last = last_step(lengths, length, b) == t + i / batch;
        for (ptrdiff_t j = 0; j < columns; j++)
            c[i * c_row + j] = last ? a[b * a_row + j] : R(0.0);
    }
}
""",
        ("last_step",),
    ),
    "exponents": (
        """
/* c = e^(a − most) and their sum; most is the largest entry of a. */
static real exponents(real *c, const real *a, ptrdiff_t columns, real *most)
{
    real x[LANES];
    vec top = splat(a[0]), sum = splat(R(0.0));
    ptrdiff_t j = 0;
    for (; j + LANES <= columns; j += LANES)
        top = choose(load(a + j) > top, load(a + j), top);
    store(x, top);
    for (ptrdiff_t l = 0; l < LANES; l++)
        *most = l == 0 || x[l] > *most ? x[l] : *most;
    for (; j < columns; j++)
        *most = a[j] > *most ? a[j] : *most;
    for (j = 0; j + LANES <= columns; j += LANES) {
        const vec e = vexp(load(a + j) - *most);
        store(c + j, e);
        sum += e;
    }
    if (j < columns)
        store_some(c + j, vexp(load_some(a + j, columns - j) - *most), columns - j);
    store(x, sum);
    real total = R(0.0);
    for (ptrdiff_t l = 0; l < LANES; l++)
        total += x[l];
    for (; j < columns; j++)
        total += c[j];
    return total;
}
""",
        ("vexp", "load_some", "store_some"),
    ),
    "cross_entropy": (
        """
/* *loss −= the sum of log softmax(a) at the targets of the rows that have not ended. */
static void cross_entropy(
    real *loss, const real *a, ptrdiff_t a_row, const ptrdiff_t *targets, ptrdiff_t rows,
    ptrdiff_t columns, real *scratch, const ptrdiff_t *lengths, ptrdiff_t t, ptrdiff_t batch)
{
    real sum = R(0.0);
    for (ptrdiff_t i = 0; i < rows; i++, a += a_row) {
        if (ended(lengths, t, i, batch) > R(0.0))
            continue;
        real most = R(0.0);
        const real total = exponents(scratch, a, columns, &most);
        sum += LIBM(log)(total) - (a[targets[i]] - most);
    }
    *loss += sum;
}
""",
        ("ended", "exponents"),
    ),
    "cross_entropy_slope": (
        """
/* c = softmax(a) less 1 at the target of each row, 0 where a sample has ended. */
static void cross_entropy_slope(
    real *c, ptrdiff_t c_row, const real *a, ptrdiff_t a_row, const ptrdiff_t *targets,
    ptrdiff_t rows, ptrdiff_t columns, const ptrdiff_t *lengths, ptrdiff_t t, ptrdiff_t batch)
{
    for (ptrdiff_t i = 0; i < rows; i++, c += c_row, a += a_row) {
        const int over = ended(lengths, t, i, batch) > R(0.0);
        real most = R(0.0);
        const real total = exponents(c, a, columns, &most);
        for (ptrdiff_t j = 0; j < columns; j++)
            c[j] = over ? R(0.0) : c[j] / total;
        if (!over)
            c[targets[i]] -= R(1.0);
    }
}
""",
        ("ended", "exponents"),
    ),
}
