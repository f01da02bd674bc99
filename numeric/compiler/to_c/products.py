"""The part of an emitted C file that multiplies matrices: packing, the register tile, sums.

Text only. Weights are packed once a call into panels of PANEL vectors of columns, so that the
tile reads them in order; a tile keeps TILE_ROWS × PANEL vectors in registers. With few of them
the sum is split into several chains, else the latency of the multiply-add would decide.

Source: Goto and van de Geijn 2008, Anatomy of high-performance matrix multiplication.
"""

from __future__ import annotations

from typing import Final

PRODUCTS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "tile": (
        """
#define PANEL 4
/* c (+)= Σ_k a[·, k] b[k, ·] on `rows` rows and `vectors` vectors, in registers. */
INLINE void tile(
    const int rows, const int vectors, const int chains, real *c, ptrdiff_t c_row, int grow,
    const real *a, ptrdiff_t a_row, ptrdiff_t a_step, const real *b, ptrdiff_t b_step,
    ptrdiff_t depth)
{
    vec sum[TILE_ROWS * PANEL];
    UNROLL for (int i = 0; i < chains; i++)
        UNROLL for (int r = 0; r < rows; r++)
            UNROLL for (int v = 0; v < vectors; v++)
                sum[(i * rows + r) * vectors + v] = splat(R(0.0));
    ptrdiff_t k = 0;
    for (; k + chains <= depth; k += chains) {
        UNROLL for (int i = 0; i < chains; i++) {
            vec w[PANEL];
            UNROLL for (int v = 0; v < vectors; v++)
                w[v] = load(b + v * LANES);
            UNROLL for (int r = 0; r < rows; r++) {
                const vec x = splat(a[r * a_row]);
                UNROLL for (int v = 0; v < vectors; v++)
                    sum[(i * rows + r) * vectors + v] += x * w[v];
            }
            a += a_step;
            b += b_step;
        }
    }
    for (; k < depth; k++) {
        UNROLL for (int r = 0; r < rows; r++) {
            const vec x = splat(a[r * a_row]);
            UNROLL for (int v = 0; v < vectors; v++)
                sum[r * vectors + v] += x * load(b + v * LANES);
        }
        a += a_step;
        b += b_step;
    }
    UNROLL for (int i = 1; i < chains; i++)
        UNROLL for (int r = 0; r < rows; r++)
            UNROLL for (int v = 0; v < vectors; v++)
                sum[r * vectors + v] += sum[(i * rows + r) * vectors + v];
    if (grow)
        UNROLL for (int r = 0; r < rows; r++)
            UNROLL for (int v = 0; v < vectors; v++)
                sum[r * vectors + v] += load(c + r * c_row + v * LANES);
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int v = 0; v < vectors; v++)
            store(c + r * c_row + v * LANES, sum[r * vectors + v]);
}
#define TILE(rows, vectors, chains) \\
    case (rows) * 8 + (vectors): \\
        tile(rows, vectors, chains, c, c_row, grow, a, a_row, a_step, b, b_step, depth); \\
        break;
#define TILES(rows, few) TILE(rows, 1, few * 2) TILE(rows, 2, few) TILE(rows, 3, 1) TILE(rows, 4, 1)
static COLD void tile_of(
    int rows, int vectors, real *c, ptrdiff_t c_row, int grow, const real *a, ptrdiff_t a_row,
    ptrdiff_t a_step, const real *b, ptrdiff_t b_step, ptrdiff_t depth)
{
    switch (rows * 8 + vectors) {
        TILE(1, 1, 8) TILE(1, 2, 4) TILE(1, 3, 2) TILE(1, 4, 2)
        TILES(2, 2) TILES(3, 1)
#if TILE_ROWS > 3
        TILES(4, 1) TILES(5, 1) TILES(6, 1)
#endif
    default:
        break;
    }
}
/* Calls for what a tile will add to. Within the tile the addresses would be kept until its end, in
   registers that its loop needs. */
static COLD void call_for(ptrdiff_t rows, int vectors, const real *c, ptrdiff_t c_row)
{
    for (ptrdiff_t r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++)
            PREFETCH(c + r * c_row + v * LANES);
}
/* The same on all rows of one panel of columns; c may end within the panel's last vector. */
static void panel_of(
    ptrdiff_t rows, ptrdiff_t columns, real *c, ptrdiff_t c_row, int grow, const real *a,
    ptrdiff_t a_row, ptrdiff_t a_step, const real *b, ptrdiff_t b_step, ptrdiff_t depth)
{
    const int vectors = (int)((columns + LANES - 1) / LANES);
    const ptrdiff_t count = (rows + TILE_ROWS - 1) / TILE_ROWS;
    for (ptrdiff_t i = 0, first = 0; i < count; i++) {
        const ptrdiff_t some = rows / count + (i < rows % count);
        if (columns % LANES == 0) {
            if (grow)
                call_for(some, vectors, c + first * c_row, c_row);
            tile_of((int)some, vectors, c + first * c_row, c_row, grow, a + first * a_row, a_row,
                    a_step, b, b_step, depth);
        } else {
            real edge[TILE_ROWS * PANEL * LANES];
            const ptrdiff_t width = vectors * LANES;
            for (ptrdiff_t r = 0; grow && r < some; r++)
                for (ptrdiff_t j = 0; j < width; j++)
                    edge[r * width + j] = j < columns ? c[(first + r) * c_row + j] : R(0.0);
            tile_of((int)some, vectors, edge, width, grow, a + first * a_row, a_row, a_step, b,
                    b_step, depth);
            for (ptrdiff_t r = 0; r < some; r++)
                for (ptrdiff_t j = 0; j < columns; j++)
                    c[(first + r) * c_row + j] = edge[r * width + j];
        }
        first += some;
    }
}
""",
        (),
    ),
    "pack": (
        """
/* Packs w(k, j) = w[k · k_step + j · j_step] for k < depth and j < columns: the rows from `first`
   on and the vectors from `at` on, of a packed matrix of `all` rows and `vectors` vectors. */
static void pack(
    real *packed, ptrdiff_t all, ptrdiff_t vectors, ptrdiff_t first, ptrdiff_t at, const real *w,
    ptrdiff_t depth, ptrdiff_t k_step, ptrdiff_t columns, ptrdiff_t j_step)
{
    for (ptrdiff_t j = 0; j < columns; j += LANES, at++) {
        const ptrdiff_t start = at / PANEL * PANEL;
        const ptrdiff_t step = least(PANEL, vectors - start) * LANES;
        const ptrdiff_t some = least(LANES, columns - j);
        real *to = packed + start * LANES * all + first * step + (at - start) * LANES;
        const real *from = w + j * j_step;
        if (some == LANES && j_step == 1) {
            for (ptrdiff_t k = 0; k < depth; k++)
                store(to + k * step, load(from + k * k_step));
        } else if (some == LANES) {
            for (ptrdiff_t k = 0; k < depth; k++)
                for (ptrdiff_t l = 0; l < LANES; l++)
                    to[k * step + l] = from[k * k_step + l * j_step];
        } else {
            for (ptrdiff_t k = 0; k < depth; k++)
                for (ptrdiff_t l = 0; l < LANES; l++)
                    to[k * step + l] = l < some ? from[k * k_step + l * j_step] : R(0.0);
        }
    }
}
""",
        ("tile",),
    ),
    "product": (
        """
/* c (+)= a · packed: `parts` runs of `depth` columns of a, `gap` apart, meet the packed rows from
   `first` on. */
static void product(
    real *c, ptrdiff_t c_row, ptrdiff_t columns, int grow, const real *a, ptrdiff_t a_row,
    ptrdiff_t parts, ptrdiff_t depth, ptrdiff_t gap, const real *packed, ptrdiff_t all,
    ptrdiff_t first, ptrdiff_t rows)
{
    const ptrdiff_t width = PANEL * LANES;
    if (gap == depth) {
        depth *= parts;
        parts = 1;
    }
    for (ptrdiff_t j = 0; j < columns; j += width) {
        const ptrdiff_t some = least(width, columns - j);
        const real *b = packed + j * all + first * whole(some);
        for (ptrdiff_t i = 0; i < parts; i++)
            panel_of(rows, some, c + j, c_row, grow || i > 0, a + i * gap, a_row, 1,
                     b + i * depth * whole(some), whole(some), depth);
    }
}
""",
        ("pack",),
    ),
    "side": (
        """
/* The columns of u that `outer` copies side by side: where each row has a page of its own. */
INLINE ptrdiff_t side(ptrdiff_t u_columns, ptrdiff_t v_columns)
{
    return u_columns * (ptrdiff_t)sizeof(real) >= 4096 && v_columns > 4 * TILE_ROWS
        ? PANEL * LANES : 0;
}
""",
        ("tile",),
    ),
    "outer": (
        """
/* c += vᵀ u, summed over the rows: one row of c for each column of v, whole vectors of u. Of u
   `width` columns at a time are copied to `beside`, or none. */
static void outer(
    real *c, ptrdiff_t c_row, const real *u, ptrdiff_t u_row, ptrdiff_t u_columns, const real *v,
    ptrdiff_t v_row, ptrdiff_t v_columns, ptrdiff_t rows, real *beside, ptrdiff_t width)
{
    for (ptrdiff_t j = 0; j < u_columns; j += PANEL * LANES) {
        const ptrdiff_t some = least(PANEL * LANES, u_columns - j);
        for (ptrdiff_t k = 0; width > 0 && k < rows; k++)
            for (ptrdiff_t i = 0; i < some; i += LANES)
                store(beside + k * some + i, load(u + k * u_row + j + i));
        panel_of(v_columns, some, c + j, c_row, 1, v, 1, v_row, width > 0 ? beside : u + j,
                 width > 0 ? some : u_row, rows);
    }
}
""",
        ("side",),
    ),
    "together": (
        """
/* `runs` runs of `width` numbers that begin `step` apart, as one: where they stand, or copied. */
static const real *together(
    real *copied, const real *a, ptrdiff_t runs, ptrdiff_t width, ptrdiff_t step)
{
    for (ptrdiff_t i = 0; step != width && i < runs; i++)
        memcpy(copied + i * width, a + i * step, (size_t)width * sizeof(real));
    return step == width ? a : copied;
}
""",
        (),
    ),
    "transposed": (
        """
/* c (+)= the transpose of a. */
static void transposed(
    real *c, ptrdiff_t c_row, const real *a, ptrdiff_t a_row, ptrdiff_t rows, ptrdiff_t columns,
    int grow)
{
    const ptrdiff_t side = 16;
    for (ptrdiff_t i0 = 0; i0 < rows; i0 += side)
        for (ptrdiff_t j0 = 0; j0 < columns; j0 += side)
            for (ptrdiff_t i = i0; i < least(rows, i0 + side); i++)
                for (ptrdiff_t j = j0; j < least(columns, j0 + side); j++)
                    c[i * c_row + j] = (grow ? c[i * c_row + j] : R(0.0)) + a[j * a_row + i];
}
""",
        (),
    ),
    "multiply": (
        """
/* c = a b of two matrices, plainly. */
static void multiply(
    real *c, ptrdiff_t c_row, const real *a, ptrdiff_t a_row, const real *b, ptrdiff_t b_row,
    ptrdiff_t rows, ptrdiff_t depth, ptrdiff_t columns)
{
    for (ptrdiff_t i = 0; i < rows; i++) {
        for (ptrdiff_t j = 0; j < columns; j++)
            c[i * c_row + j] = R(0.0);
        for (ptrdiff_t k = 0; k < depth; k++)
            for (ptrdiff_t j = 0; j < columns; j++)
                c[i * c_row + j] += a[i * a_row + k] * b[k * b_row + j];
    }
}
""",
        (),
    ),
    "copy": (
        """
/* c (+)= a, row by row. */
static void copy(
    real *c, ptrdiff_t c_row, const real *a, ptrdiff_t a_row, ptrdiff_t rows, ptrdiff_t columns,
    int grow)
{
    for (ptrdiff_t i = 0; i < rows; i++)
        for (ptrdiff_t j = 0; j < columns; j++)
            c[i * c_row + j] = (grow ? c[i * c_row + j] : R(0.0)) + a[i * a_row + j];
}
""",
        (),
    ),
    "clear": (
        """
static void clear(real *c, ptrdiff_t c_row, ptrdiff_t rows, ptrdiff_t columns)
{
    for (ptrdiff_t i = 0; i < rows; i++)
        for (ptrdiff_t j = 0; j < columns; j++)
            c[i * c_row + j] = R(0.0);
}
""",
        (),
    ),
    "sum_rows": (
        """
/* c += the sum of the rows of a: of each column; c has whole vectors. */
static void sum_rows(real *c, const real *a, ptrdiff_t a_row, ptrdiff_t rows, ptrdiff_t columns)
{
    ptrdiff_t j = 0;
    for (; j + 4 * LANES <= columns; j += 4 * LANES) { /* four sums, none waiting for another */
        vec sum[4];
        UNROLL for (int v = 0; v < 4; v++)
            sum[v] = load(c + j + v * LANES);
        for (ptrdiff_t i = 0; i < rows; i++)
            UNROLL for (int v = 0; v < 4; v++)
                sum[v] += load(a + i * a_row + j + v * LANES);
        UNROLL for (int v = 0; v < 4; v++)
            store(c + j + v * LANES, sum[v]);
    }
    for (; j < columns; j += LANES) {
        vec sum = load(c + j);
        for (ptrdiff_t i = 0; i < rows; i++)
            sum += load_some(a + i * a_row + j, columns - j);
        store(c + j, sum);
    }
}
""",
        ("load_some",),
    ),
    "sum_all": (
        """
/* c += the sum of all entries of a. */
static void sum_all(real *c, const real *a, ptrdiff_t a_row, ptrdiff_t rows, ptrdiff_t columns)
{
    for (ptrdiff_t i = 0; i < rows; i++)
        for (ptrdiff_t j = 0; j < columns; j++)
            *c += a[i * a_row + j];
}
""",
        (),
    ),
    "sum_columns": (
        """
/* c (+)= the sum of each row of a. */
static void sum_columns(
    real *c, ptrdiff_t c_row, const real *a, ptrdiff_t a_row, ptrdiff_t rows, ptrdiff_t columns,
    int grow)
{
    for (ptrdiff_t i = 0; i < rows; i++) {
        real sum = grow ? c[i * c_row] : R(0.0);
        for (ptrdiff_t j = 0; j < columns; j++)
            sum += a[i * a_row + j];
        c[i * c_row] = sum;
    }
}
""",
        (),
    ),
    "softmax": (
        """
/* c = softmax of each row of a. */
static void softmax(
    real *c, ptrdiff_t c_row, const real *a, ptrdiff_t a_row, ptrdiff_t rows, ptrdiff_t columns)
{
    for (ptrdiff_t i = 0; i < rows; i++, c += c_row, a += a_row) {
        real most = a[0], sum = R(0.0);
        for (ptrdiff_t j = 1; j < columns; j++)
            most = a[j] > most || a[j] != a[j] ? a[j] : most;
        for (ptrdiff_t j = 0; j < columns; j++)
            sum += c[j] = LIBM(exp)(a[j] - most);
        for (ptrdiff_t j = 0; j < columns; j++)
            c[j] /= sum;
    }
}
""",
        (),
    ),
}
