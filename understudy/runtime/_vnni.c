/* The forward pass of an int8 encoder and its heads on one core; `vnni.py` says when it serves, and calls it.
 *
 * Tokens of all sequences lie one after the other, without padding. Each is quantised by its own least and largest value, so that
 * an answer does not depend on what else is in its batch.
 */
#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030B0000
#endif
#include <Python.h>

#ifdef _WIN32
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

#if defined(__x86_64__) && defined(__GNUC__)
#include "_vnni.h"

typedef struct {
    Norm attention_norm;
    Linear qkv, out;
    Norm ffn_norm;
    Linear ffn_in, ffn_out;
} Block;

typedef struct {
    Linear layers[3];
} Head;

/* word: integers [words, width] and a scale for each; position: [positions, width]. pooling: 0 the mean, 1 the first token.
 * heads: of the attention. domain.layers[2].outputs is 0 where there is no such head. */
typedef struct {
    int32_t width, heads, blocks, words, positions, pooling;
    const int8_t *word;
    const float *word_scale, *position;
    Norm embedding_norm, final_norm;
    const Block *block;
    Head intent, slots, domain;
} Model;

/* Widths of the rows of the scratch space. */
typedef struct {
    int h, wide, bytes;
} Widths;

static int most(int a, int b) { return a > b ? a : b; }

static int widest(const Head *h) { return most(h->layers[0].outputs, most(h->layers[1].outputs, h->layers[2].outputs)); }

/* Room for a row of floats that takes an odd number of cache lines, or rows would meet in a few sets of the cache. */
static int odd(int width) { return up(width, 32) + 16; }

static Widths widths(const Model *m) {
    int ffn = 0, heads = most(widest(&m->intent), most(widest(&m->slots), widest(&m->domain)));
    for (int b = 0; b < m->blocks; b++) ffn = most(ffn, m->block[b].ffn_in.outputs);
    int wide = most(3 * m->width, most(ffn, heads));
    return (Widths){odd(m->width), odd(wide), up(wide, 128) + 64};
}

/* Bytes of scratch space for `tokens` tokens in sequences of at most `longest`. */
EXPORT size_t understudy_scratch(const Model *m, int tokens, int longest) {
    Widths w = widths(m);
    size_t row = sizeof(float) * ((size_t)3 * w.h + w.wide + 2) + w.bytes;
    return tokens * row + sizeof(float) * ((size_t)m->width + 1) * up(longest, 16) + 1024;
}

static void *take(char **from, size_t bytes) {
    void *found = *from;
    *from += (bytes + 63) / 64 * 64;
    return found;
}

FAST static void head(const Head *h, const float *x, int ld, int rows, const Rows *q, float *inner, int wide) {
    for (int i = 0; i < 3; i++) {
        for (int r = 0; r < rows; r++) quantise(x + (size_t)r * ld, h->layers[i].inputs, q, r);
        linear(&h->layers[i], q, rows, inner, wide, i < 2 ? GELU : STORE);
        x = inner, ld = wide;
    }
}

FAST static void embed(const Model *m, int64_t id, int at, float *to) {
    const int8_t *word = m->word + (size_t)id * m->width;
    const float *position = m->position + (size_t)at * m->width;
    __m512 scale = _mm512_set1_ps(m->word_scale[id]);
    for (int i = 0; i < up(m->width, 32); i += 16) {
        const __mmask16 there = first(m->width - i);
        __m512 x = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(there, word + i)));
        _mm512_store_ps(to + i, _mm512_fmadd_ps(x, scale, _mm512_maskz_loadu_ps(there, position + i)));
    }
    normalise(to, &m->embedding_norm, m->width, to);
}

FAST static void block(const Block *b, const Model *m, const int32_t *lengths, int sequences, int tokens, float *h, int h_ld,
                       float *a, float *wide, int wide_ld, const Rows *q, float *keys, float *shares) {
    const int d = m->width / m->heads;
    for (int t = 0; t < tokens; t++)
        quantise(normalise(h + (size_t)t * h_ld, &b->attention_norm, m->width, a), m->width, q, t);
    linear(&b->qkv, q, tokens, wide, wide_ld, STORE);
    for (int s = 0, t = 0; s < sequences; t += lengths[s++])
        for (int at = 0; at < m->width; at += d)
            attend(wide + (size_t)t * wide_ld + at, wide_ld, m->width, d, lengths[s], a + (size_t)t * h_ld + at, h_ld, keys,
                   shares);
    for (int t = 0; t < tokens; t++) quantise(a + (size_t)t * h_ld, m->width, q, t);
    linear(&b->out, q, tokens, h, h_ld, ADD);
    for (int t = 0; t < tokens; t++)
        quantise(normalise(h + (size_t)t * h_ld, &b->ffn_norm, m->width, a), m->width, q, t);
    linear(&b->ffn_in, q, tokens, wide, wide_ld, GELU);
    for (int t = 0; t < tokens; t++) quantise(wide + (size_t)t * wide_ld, b->ffn_in.outputs, q, t);
    linear(&b->ffn_out, q, tokens, h, h_ld, ADD);
}

static void copy(const float *from, int ld, int rows, int columns, float *to) {
    for (int r = 0; r < rows; r++) memcpy(to + (size_t)r * columns, from + (size_t)r * ld, sizeof(float) * columns);
}

/* Logits of `sequences` sequences: ids [sequences, longest], of which the first `lengths[s]` count; slots [sequences, longest, S]
 * is to be zero beforehand. `scratch` begins at a cache line. Gives 0, or -1 where an id or a length is out of range. */
EXPORT FAST int understudy_run(const Model *m, const int64_t *ids, const int32_t *lengths, int sequences, int longest,
                               void *scratch, float *intents, float *slots, float *domains) {
    Widths w = widths(m);
    int tokens = 0;
    for (int s = 0; s < sequences; s++) {
        if (lengths[s] < 1 || lengths[s] > longest || lengths[s] > m->positions) return -1;
        for (int t = 0; t < lengths[s]; t++) {
            int64_t id = ids[(size_t)s * longest + t];
            if (id < 0 || id >= m->words) return -1;
        }
        tokens += lengths[s];
    }
    char *room = scratch;
    float *h = take(&room, sizeof(float) * w.h * tokens), *a = take(&room, sizeof(float) * w.h * tokens);
    float *wide = take(&room, sizeof(float) * w.wide * tokens), *pooled = take(&room, sizeof(float) * w.h * sequences);
    float *keys = take(&room, sizeof(float) * m->width * up(longest, 16));
    float *shares = take(&room, sizeof(float) * up(longest, 16));
    Rows q = {take(&room, (size_t)w.bytes * tokens), take(&room, sizeof(float) * tokens), NULL, w.bytes};
    q.zero = take(&room, sizeof(int32_t) * tokens);

    for (int s = 0, t = 0; s < sequences; s++)
        for (int i = 0; i < lengths[s]; i++, t++) embed(m, ids[(size_t)s * longest + i], i, h + (size_t)t * w.h);
    memset(a, 0, sizeof(float) * w.h * tokens);
    for (int b = 0; b < m->blocks; b++)
        block(&m->block[b], m, lengths, sequences, tokens, h, w.h, a, wide, w.wide, &q, keys, shares);
    for (float *row = h; row < h + (size_t)tokens * w.h; row += w.h) normalise(row, &m->final_norm, m->width, row);

    for (int s = 0, t = 0; s < sequences; t += lengths[s++]) {
        const float *from = h + (size_t)t * w.h;
        const int counted = m->pooling == 1 ? 1 : lengths[s];
        for (int k = 0; k < up(m->width, 32); k += 16) {
            __m512 sum = _mm512_setzero_ps();
            for (int i = 0; i < counted; i++) sum = _mm512_add_ps(sum, _mm512_load_ps(from + (size_t)i * w.h + k));
            _mm512_store_ps(pooled + (size_t)s * w.h + k, _mm512_div_ps(sum, _mm512_set1_ps(counted)));
        }
    }
    head(&m->intent, pooled, w.h, sequences, &q, wide, w.wide);
    copy(wide, w.wide, sequences, m->intent.layers[2].outputs, intents);
    if (m->domain.layers[2].outputs) {
        head(&m->domain, pooled, w.h, sequences, &q, wide, w.wide);
        copy(wide, w.wide, sequences, m->domain.layers[2].outputs, domains);
    }
    head(&m->slots, h, w.h, tokens, &q, wide, w.wide);
    const int tags = m->slots.layers[2].outputs;
    for (int s = 0, t = 0; s < sequences; t += lengths[s++])
        copy(wide + (size_t)t * w.wide, w.wide, lengths[s], tags, slots + (size_t)s * longest * tags);
    return 0;
}

/* 1 where this processor has all instructions that the functions above use. */
EXPORT int understudy_supported(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("fma");
}
#else
EXPORT int understudy_supported(void) { return 0; }
#endif

/* An empty module, so that Python finds the file; ctypes calls what is in it. */
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_vnni", NULL, 0, NULL, NULL, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit__vnni(void) { return PyModule_Create(&definition); }
