/* One variant: included once for each ALGORITHM, RULE, U (SIMD vectors of a layer) and BYTES (of a vector). */
typedef REAL OWN(vector) __attribute__((vector_size(BYTES)));
#define V OWN(vector)
#define PULL OWN(pull)

/* -2 lr (W - 1), what a step adds to w_i for each unit of W/w_i. */
static inline __attribute__((always_inline)) V PULL(V W, V q, REAL lr) {
#if RULE == ADAPTIVE
    return -2 * lr * (W * W) * (W - 1) / q;
#else
    return -2 * lr * W + 2 * lr;
#endif
}

#if RULE == DECAY
#define KEPT(x) (kept * (x))
#else
#define KEPT(x) (x)
#endif

static void OWN(advance)(void *memory, long blocks, long steps, REAL lr, REAL decay) {
    const REAL kept = 1 - 2 * lr * decay;
    (void)kept;
    for (long block = 0; block < blocks; block++) {
        V *state = (V *)memory + block * DEPTH * U;
#include ALGORITHM_FILE
    }
}

static const struct variant OWN(variant) = {
    OWN(advance), TEXT(ALGORITHM) " U=" TEXT(U) " bytes=" TEXT(BYTES), RULE, U * BYTES / sizeof(REAL)};
#undef V
#undef PULL
#undef KEPT
#undef ALGORITHM
#undef ALGORITHM_FILE
#undef RULE
#undef U
#undef BYTES
