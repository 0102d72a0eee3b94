/* What the int8 kernel does to rows of numbers, with AVX-512 VNNI.
 *
 * A product of ten rows reads every weight once and does little with it. Weights therefore lie in the order in which they are
 * read, and are asked for 8 kB ahead: a student's products then take a quarter of the time of those that wait for memory.
 *
 * Rows of floats begin at a cache line and are filled up to a multiple of 32 with zeros, which stay so.
 */
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#define FAST __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,fma")))
#define INLINE FAST static inline __attribute__((always_inline))
#define TILE 12    /* rows multiplied at once: 24 registers hold their sums */
#define COLUMNS 32 /* of a panel */
#define AHEAD 8192 /* bytes */

/* scale, shift: as wide as a row. */
typedef struct {
    const float *scale, *shift;
    float epsilon;
} Norm;

/* weight: panels of 32 columns, in each four inputs of a column side by side. scale, bias, sums (of a column's weights): as wide
 * as a row of outputs. */
typedef struct {
    const int8_t *weight;
    const float *scale, *bias;
    const int32_t *sums;
    int32_t inputs, outputs;
} Linear;

/* Rows of 8-bit integers: a value is scale * (integer - zero). */
typedef struct {
    uint8_t *values;
    float *scale;
    int32_t *zero, ld;
} Rows;

enum Then { STORE, GELU, ADD };

/* The first `left` of sixteen, all where there are more, none where there is nothing left. */
static inline uint16_t first(int left) { return left >= 16 ? 0xffff : left <= 0 ? 0 : (uint16_t)((1 << left) - 1); }

static int up(int n, int to) { return (n + to - 1) / to * to; }

/* e to the x, relative error below 3e-7. */
INLINE __m512 exponential(__m512 x) {
    x = _mm512_max_ps(x, _mm512_set1_ps(-87.0f));
    __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)), 8);
    __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375f), x);
    r = _mm512_fnmadd_ps(n, _mm512_set1_ps(-2.12194440e-4f), r);
    __m512 y = _mm512_set1_ps(1.0f / 720);
    const float taylor[6] = {1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1, 1};
#pragma GCC unroll 6
    for (int i = 0; i < 6; i++) y = _mm512_fmadd_ps(y, r, _mm512_set1_ps(taylor[i]));
    return _mm512_scalef_ps(y, n);
}

/* x/2 (1 + erf(x / sqrt 2)); erf by Abramowitz and Stegun 7.1.26, error below 2e-7. */
INLINE __m512 gelu(__m512 x) {
    __m512 z = _mm512_mul_ps(_mm512_abs_ps(x), _mm512_set1_ps(0.70710678f)), one = _mm512_set1_ps(1);
    __m512 t = _mm512_div_ps(one, _mm512_fmadd_ps(z, _mm512_set1_ps(0.3275911f), one)), y = _mm512_set1_ps(1.061405429f);
    const float terms[4] = {-1.453152027f, 1.421413741f, -0.284496736f, 0.254829592f};
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) y = _mm512_fmadd_ps(y, t, _mm512_set1_ps(terms[i]));
    y = _mm512_mul_ps(_mm512_mul_ps(y, t), exponential(_mm512_sub_ps(_mm512_setzero_ps(), _mm512_mul_ps(z, z)))); /* 1 - erf z */
    __m512 half = _mm512_mul_ps(x, _mm512_set1_ps(0.5f));
    __mmask16 below = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ);
    return _mm512_mul_ps(half, _mm512_mask_mov_ps(_mm512_sub_ps(_mm512_set1_ps(2), y), below, y));
}

/* Sums of the products of `m` rows and one panel. `m` is known where this is inlined, so that they all stay in registers. */
INLINE void multiply(const int m, const uint8_t *a, size_t ld, const int8_t *w, int steps, int32_t (*sums)[COLUMNS]) {
    __m512i left[TILE], right[TILE];
#pragma GCC unroll 12
    for (int i = 0; i < m; i++) left[i] = right[i] = _mm512_setzero_si512();
    for (int k = 0; k < steps; k++, a += 4, w += 128) {
        __m512i these = _mm512_load_si512(w), those = _mm512_load_si512(w + 64);
        _mm_prefetch((const char *)w + AHEAD, _MM_HINT_T0);
        _mm_prefetch((const char *)w + AHEAD + 64, _MM_HINT_T0);
#pragma GCC unroll 12
        for (int i = 0; i < m; i++) {
            int32_t four;
            memcpy(&four, a + i * ld, 4);
            left[i] = _mm512_dpbusd_epi32(left[i], _mm512_set1_epi32(four), these);
            right[i] = _mm512_dpbusd_epi32(right[i], _mm512_set1_epi32(four), those);
        }
    }
#pragma GCC unroll 12
    for (int i = 0; i < m; i++) {
        _mm512_store_si512(sums[i], left[i]);
        _mm512_store_si512(sums[i] + 16, right[i]);
    }
}

/* Sums of one panel become numbers: y = sum * scale + bias, the zeros of the inputs taken off. */
FAST static void finish(const Linear *l, const Rows *x, int row, int end, int column, int32_t (*sums)[COLUMNS], float *out,
                        int ld, enum Then then) {
    for (int c = column; c < column + COLUMNS; c += 16) {
        __m512i of_weights = _mm512_load_si512(l->sums + c);
        __m512 scale = _mm512_load_ps(l->scale + c), bias = _mm512_load_ps(l->bias + c);
        for (int r = row; r < end; r++) {
            __m512i shift = _mm512_mullo_epi32(of_weights, _mm512_set1_epi32(x->zero[r]));
            __m512 sum = _mm512_cvtepi32_ps(_mm512_sub_epi32(_mm512_load_si512(sums[r - row] + c - column), shift));
            __m512 y = _mm512_fmadd_ps(sum, _mm512_mul_ps(scale, _mm512_set1_ps(x->scale[r])), bias);
            float *to = out + (size_t)r * ld + c;
            if (then == GELU) y = gelu(y);
            if (then == ADD) y = _mm512_add_ps(y, _mm512_load_ps(to));
            _mm512_store_ps(to, y);
        }
    }
}

#define CASE(M) case M: multiply(M, a, x->ld, w, steps, sums); break;

/* out = x W + b for `rows` rows, through GELU, or added to what is there. Rows are multiplied in tiles of nearly one size. */
FAST static void linear(const Linear *l, const Rows *x, int rows, float *out, int ld, enum Then then) {
    const int tiles = (rows + TILE - 1) / TILE, steps = up(l->inputs, 4) / 4;
    const int8_t *w = l->weight;
    int32_t sums[TILE][COLUMNS] __attribute__((aligned(64)));
    for (int column = 0; column < l->outputs; column += COLUMNS, w += (size_t)steps * 4 * COLUMNS)
        for (int t = 0, row = 0, end; t < tiles; t++, row = end) {
            const uint8_t *a = x->values + (size_t)row * x->ld;
            end = (int)((int64_t)rows * (t + 1) / tiles);
            switch (end - row) {
                CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12)
            }
            finish(l, x, row, end, column, sums, out, ld, then);
        }
}

/* The row x of numbers as integers of 8 bits, by its least and largest value, zero among them. */
FAST static void quantise(const float *x, int width, const Rows *q, int row) {
    __m512 low = _mm512_setzero_ps(), high = low;
    for (int i = 0; i < width; i += 16) {
        low = _mm512_min_ps(low, _mm512_load_ps(x + i));
        high = _mm512_max_ps(high, _mm512_load_ps(x + i));
    }
    float least = _mm512_reduce_min_ps(low), range = _mm512_reduce_max_ps(high) - least, scale = range > 0 ? range / 255 : 1;
    __m512i zero = _mm512_cvtps_epi32(_mm512_set1_ps(-least / scale));
    q->scale[row] = scale;
    q->zero[row] = _mm_cvtsi128_si32(_mm512_castsi512_si128(zero));
    uint8_t *to = q->values + (size_t)row * q->ld;
    __m512 by = _mm512_set1_ps(1 / scale);
    for (int i = 0; i < width; i += 16) {
        __m512i n = _mm512_add_epi32(_mm512_cvtps_epi32(_mm512_mul_ps(_mm512_load_ps(x + i), by)), zero);
        _mm_store_si128((__m128i *)(to + i), _mm512_cvtusepi32_epi8(_mm512_max_epi32(n, _mm512_setzero_si512())));
    }
}

/* The normalised row x, in `to`, which may be the same row. */
FAST static const float *normalise(const float *x, const Norm *n, int width, float *to) {
    __m512 sum = _mm512_setzero_ps(), squares = sum;
    for (int i = 0; i < width; i += 16) sum = _mm512_add_ps(sum, _mm512_load_ps(x + i));
    __m512 mean = _mm512_set1_ps(_mm512_reduce_add_ps(sum) / width);
    for (int i = 0; i < width; i += 16) {
        __m512 d = _mm512_maskz_sub_ps(first(width - i), _mm512_load_ps(x + i), mean);
        squares = _mm512_fmadd_ps(d, d, squares);
    }
    float deviation = _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(_mm512_reduce_add_ps(squares) / width + n->epsilon)));
    __m512 by = _mm512_set1_ps(1 / deviation);
    for (int i = 0; i < up(width, 32); i += 16) {
        __m512 y = _mm512_mul_ps(_mm512_sub_ps(_mm512_load_ps(x + i), mean), by);
        _mm512_store_ps(to + i, _mm512_fmadd_ps(y, _mm512_load_ps(n->scale + i), _mm512_load_ps(n->shift + i)));
    }
    return to;
}

INLINE __m512 total4(const __m512 *s) { return _mm512_add_ps(_mm512_add_ps(s[0], s[1]), _mm512_add_ps(s[2], s[3])); }

/* One head of width d over one sequence of n tokens: qkv has its queries, at `width` keys, at 2 * `width` values. `keys`: room
 * for d rows of n floats, rounded up to 16, and `shares` for one. */
FAST static void attend(const float *qkv, int ld, int width, int d, int n, float *to, int to_ld, float *keys, float *shares) {
    const int n16 = up(n, 16);
    const float scale = 1 / _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss((float)d)));
    memset(keys, 0, sizeof(float) * d * n16);
    for (int j = 0; j < n; j++)
        for (int k = 0; k < d; k++) keys[k * n16 + j] = qkv[(size_t)j * ld + width + k];
    for (int i = 0; i < n; i++) {
        const float *query = qkv + (size_t)i * ld;
        __m512 top = _mm512_set1_ps(-3e38f), total = _mm512_setzero_ps();
        for (int j = 0; j < n16; j += 16) {
            __m512 s[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps()};
            int k = 0;
            for (; k + 4 <= d; k += 4)
#pragma GCC unroll 4
                for (int u = 0; u < 4; u++)
                    s[u] = _mm512_fmadd_ps(_mm512_set1_ps(query[k + u]), _mm512_load_ps(keys + (k + u) * n16 + j), s[u]);
            for (; k < d; k++) s[0] = _mm512_fmadd_ps(_mm512_set1_ps(query[k]), _mm512_load_ps(keys + k * n16 + j), s[0]);
            __m512 sum = _mm512_mul_ps(total4(s), _mm512_set1_ps(scale));
            top = _mm512_mask_max_ps(top, first(n - j), top, sum);
            _mm512_store_ps(shares + j, sum);
        }
        __m512 highest = _mm512_set1_ps(_mm512_reduce_max_ps(top));
        for (int j = 0; j < n16; j += 16) {
            __m512 e = _mm512_maskz_mov_ps(first(n - j), exponential(_mm512_sub_ps(_mm512_load_ps(shares + j), highest)));
            total = _mm512_add_ps(total, e);
            _mm512_store_ps(shares + j, e);
        }
        __m512 by = _mm512_set1_ps(1 / _mm512_reduce_add_ps(total));
        for (int c = 0; c < d; c += 16) {
            const __mmask16 there = first(d - c);
            const float *value = qkv + 2 * width + c;
            __m512 s[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps()};
            int j = 0;
            for (; j + 4 <= n; j += 4)
#pragma GCC unroll 4
                for (int u = 0; u < 4; u++, value += ld)
                    s[u] = _mm512_fmadd_ps(_mm512_set1_ps(shares[j + u]), _mm512_maskz_loadu_ps(there, value), s[u]);
            for (; j < n; j++, value += ld)
                s[0] = _mm512_fmadd_ps(_mm512_set1_ps(shares[j]), _mm512_maskz_loadu_ps(there, value), s[0]);
            _mm512_mask_storeu_ps(to + (size_t)i * to_ld + c, there, _mm512_mul_ps(total4(s), by));
        }
    }
}
