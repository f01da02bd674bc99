"""The part of an emitted C file on which all else rests: numbers, vectors, tanh, σ and exp.

Text only. A `vec` holds LANES numbers; without vector extensions it is one number, and the same
text is plain C11. e^z is 2^k e^r with |r| at most half of ln 2, and e^r − 1 = r + r² q(r), q the
polynomial of least largest relative error (Remez): 1.3e-8 in float, 1.3e-16 in double. The sums
x + SHIFT − SHIFT round x to an integer; a compiler may not simplify them (no -ffast-math).
"""

from __future__ import annotations

from typing import Final

NUMBERS: Final = """
#ifdef {PREFIX}_DOUBLE
typedef double real;
typedef uint64_t word;
typedef int64_t flag;
#define R(x) x
#define NAME(x) {prefix}_f8_##x
#define LIBM(x) x
#else
typedef float real;
typedef uint32_t word;
typedef int32_t flag;
#define R(x) x##f
#define NAME(x) {prefix}_f4_##x
#define LIBM(x) x##f
#endif

#if defined(__GNUC__) && !defined({PREFIX}_PLAIN)
#define INLINE static inline __attribute__((always_inline, unused))
#define COLD __attribute__((noinline))
#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#define TILE_ROWS 6
#elif defined(__AVX__)
#define VECTOR_BYTES 32
#define TILE_ROWS 3
#elif defined(__aarch64__)
#define VECTOR_BYTES 16
#define TILE_ROWS 6
#else
#define VECTOR_BYTES 16
#define TILE_ROWS 3
#endif
#define LANES ((ptrdiff_t)(VECTOR_BYTES / sizeof(real)))
typedef real vec __attribute__((vector_size(VECTOR_BYTES)));
typedef real loose __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(real)), may_alias));
typedef word bits __attribute__((vector_size(VECTOR_BYTES)));
typedef flag mask __attribute__((vector_size(VECTOR_BYTES)));
INLINE vec load(const real *p) { return *(const loose *)p; }
INLINE void store(real *p, vec v) { *(loose *)p = v; }
INLINE vec splat(real x) { return x - (vec){0}; }
INLINE vec choose(mask m, vec a, vec b)
{
    return (vec)(((bits)m & (bits)a) | (~(bits)m & (bits)b));
}
#else
#ifdef __GNUC__
#define INLINE static inline __attribute__((unused))
#else
#define INLINE static inline
#endif
#define COLD
#define TILE_ROWS 3
#define LANES ((ptrdiff_t)1)
typedef real vec;
typedef word bits;
typedef int mask;
INLINE vec load(const real *p) { return *p; }
INLINE void store(real *p, vec v) { *p = v; }
INLINE vec splat(real x) { return x; }
INLINE vec choose(mask m, vec a, vec b) { return m ? a : b; }
#endif
#if defined(__GNUC__)
#define PREFETCH(p) __builtin_prefetch(p, 1)
#else
#define PREFETCH(p) (void)(p)
#endif
#if defined(__GNUC__) && !defined(__clang__)
#define UNROLL _Pragma("GCC unroll 8")
#else
#define UNROLL
#endif

/* A size rounded up to whole vectors. */
static inline ptrdiff_t whole(ptrdiff_t size) { return (size + LANES - 1) / LANES * LANES; }
static inline ptrdiff_t least(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }
"""

# name → text, and the names of what it needs
HELPERS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "many": (
        """
/* A product of sizes; one that no memory has, where it is too large to tell. */
static inline ptrdiff_t many(ptrdiff_t a, ptrdiff_t b)
{
    return a > 0 && b > PTRDIFF_MAX / 64 / a ? PTRDIFF_MAX / 64 : a * b;
}
""",
        (),
    ),
    "within": (
        """
/* The first entries of a vector, zeros behind them: whatever stands there is no part of a sum. */
INLINE vec within(vec a, ptrdiff_t some)
{
    static const real number[] = {
        R(0.0), R(1.0), R(2.0), R(3.0), R(4.0), R(5.0), R(6.0), R(7.0), R(8.0), R(9.0), R(10.0),
        R(11.0), R(12.0), R(13.0), R(14.0), R(15.0)
    };
    return some >= LANES ? a : choose(load(number) < splat((real)some), a, splat(R(0.0)));
}
""",
        (),
    ),
    "sum_of": (
        """
/* The sum of a vector's entries. */
#if defined(VECTOR_BYTES)
typedef real half __attribute__((vector_size(VECTOR_BYTES / 2)));
INLINE real sum_of(vec a)
{
    half x[2];
    real y[LANES / 2];
    memcpy(x, &a, sizeof a);
    x[0] += x[1];
    memcpy(y, x, sizeof y);
    UNROLL for (ptrdiff_t w = LANES / 4; w > 0; w /= 2)
        UNROLL for (ptrdiff_t l = 0; l < w; l++)
            y[l] += y[l + w];
    return y[0];
}
#else
INLINE real sum_of(vec a) { return a; }
#endif
""",
        (),
    ),
    "load_some": (
        """
/* The first entries of a vector, zeros behind them; and only those written. */
static COLD vec load_edge(const real *p, ptrdiff_t some)
{
    real x[LANES];
    for (ptrdiff_t l = 0; l < LANES; l++)
        x[l] = l < some ? p[l] : R(0.0);
    return load(x);
}
INLINE vec load_some(const real *p, ptrdiff_t some)
{
    return some >= LANES ? load(p) : load_edge(p, some);
}
""",
        (),
    ),
    "store_some": (
        """
static COLD void store_edge(real *p, vec v, ptrdiff_t some)
{
    real x[LANES];
    store(x, v);
    for (ptrdiff_t l = 0; l < some; l++)
        p[l] = x[l];
}
INLINE void store_some(real *p, vec v, ptrdiff_t some)
{
    if (some >= LANES)
        store(p, v);
    else
        store_edge(p, v, some);
}
""",
        (),
    ),
    "powers": (
        """
#ifdef {PREFIX}_DOUBLE
#define SHIFT 6755399441055744.0 /* 1.5 · 2^52 */
#define BIAS 1023
#define MANTISSA 52
#define LOG2_E 1.4426950408889634
#define LN2_HIGH 6.93147180369123816490e-01
#define LN2_LOW 1.90821492927058770002e-10
#define TAIL(r) (((((((((R(2.4667178492166394e-8) * r + R(2.761846874922320791e-7)) * r \\
    + R(2.7558501008398200427e-6)) * r + R(0.000024801526576740360965)) * r \\
    + R(0.0001984126870141415907)) * r + R(0.0013888888912210111057)) * r \\
    + R(0.0083333333337297148133)) * r + R(0.041666666666637087408)) * r \\
    + R(0.16666666666666284768)) * r + R(0.5))
#else
#define SHIFT 12582912.0f /* 1.5 · 2^23 */
#define BIAS 127
#define MANTISSA 23
#define LOG2_E 1.44269504f
#define LN2_HIGH 0.693359375f
#define LN2_LOW -2.12194440e-4f
#define TAIL(r) ((((R(0.0013882516499209401505) * r + R(0.0083665471251500397588)) * r \\
    + R(0.04166720071081649508)) * r + R(0.16666543424347258315)) * r \\
    + R(0.49999998149625744637))
#endif
#if defined(VECTOR_BYTES)
INLINE bits bits_of(vec v) { return (bits)v; }
INLINE vec vec_of(bits b) { return (vec)b; }
#else
INLINE bits bits_of(vec v) { bits b; memcpy(&b, &v, sizeof b); return b; }
INLINE vec vec_of(bits b) { vec v; memcpy(&v, &b, sizeof v); return v; }
#endif
/* 2^k from k + SHIFT. */
INLINE vec two_to(vec shifted) { return vec_of((bits_of(shifted) + BIAS) << MANTISSA); }
/* For z = k ln 2 + r: e^r − 1, and k + SHIFT. */
INLINE vec fraction(vec z, vec *shifted)
{
    const vec s = z * LOG2_E + SHIFT;
    const vec k = s - SHIFT;
    const vec r = (z - k * LN2_HIGH) - k * LN2_LOW;
    *shifted = s;
    return r + r * r * TAIL(r);
}
""",
        (),
    ),
    "vabs": ("\nINLINE vec vabs(vec a) { return choose(a < splat(R(0.0)), -a, a); }\n", ()),
    "vmax": (
        """
INLINE vec vmax(vec a, real b) { return choose(a < splat(b), splat(b), a); } /* NaN stays NaN */
""",
        (),
    ),
    "vmin": (
        """
INLINE vec vmin(vec a, real b) { return choose(a > splat(b), splat(b), a); }
""",
        (),
    ),
    "expm1_within": (
        """
/* e^z − 1 for z from −60 to 80, within 2 units in the last place. */
INLINE vec expm1_within(vec z)
{
    vec shifted;
    const vec p = fraction(z, &shifted);
    const vec s = two_to(shifted);
    return s * p + (s - R(1.0));
}
""",
        ("powers",),
    ),
    "vexpm1": (
        """
/* The same for any z at most 80. */
INLINE vec vexpm1(vec z) { return expm1_within(vmax(z, -R(60.0))); }
""",
        ("expm1_within", "vmax"),
    ),
    "vexp": (
        """
/* e^z over the whole range of the type, in two factors 2^k so that neither overflows. */
#ifdef {PREFIX}_DOUBLE
#define EXP_LEAST -R(746.0)
#define EXP_MOST R(711.0)
#else
#define EXP_LEAST -R(104.0)
#define EXP_MOST R(90.0)
#endif
INLINE vec vexp(vec z)
{
    vec shifted;
    const vec p = fraction(vmin(vmax(z, EXP_LEAST), EXP_MOST), &shifted);
    const vec k = shifted - SHIFT;
    const vec half = k * R(0.5) + SHIFT;
    return (p + R(1.0)) * two_to(half) * two_to((k - (half - SHIFT)) + SHIFT);
}
""",
        ("powers", "vmax", "vmin"),
    ),
    "vtanh": (
        """
/* tanh a = (e^2a − 1) / (e^2a + 1); 1 to rounding beyond 20. */
INLINE vec vtanh(vec a)
{
    const vec e = expm1_within(vmin(vmax(a, -R(20.0)), R(20.0)) * R(2.0));
    return e / (e + R(2.0));
}
""",
        ("expm1_within", "vmax", "vmin"),
    ),
    "vsigmoid": (
        """
/* σ(a) = 1 / (1 + e^−a): accurate on both sides; the power overflows and σ is 0 below −MOST. */
#ifdef {PREFIX}_DOUBLE
#define MOST R(709.5)
#else
#define MOST R(88.5)
#endif
INLINE vec vsigmoid(vec a)
{
    vec shifted;
    const vec p = fraction(vmin(vmax(-a, R(2.0) - MOST), MOST), &shifted);
    return R(1.0) / ((p + R(1.0)) * two_to(shifted) + R(1.0));
}
""",
        ("powers", "vmax", "vmin"),
    ),
    "each": (
        """
/* A function of the C library, entry by entry. */
INLINE vec each(real (*f)(real), vec a)
{
    real x[LANES];
    store(x, a);
    for (ptrdiff_t l = 0; l < LANES; l++)
        x[l] = f(x[l]);
    return load(x);
}
""",
        (),
    ),
}
