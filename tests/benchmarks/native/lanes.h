/* What a compiled benchmark kernel is: REAL (float or double) and DEPTH are given by the compiler's command line.

   State is [block][layer][vector] of SIMD vectors, U of them a layer; `lr` is the rate, or c of the adaptive one,
   c / sum(1/w_i^2) = c W^2 / q with q = sum (W/w_i)^2. There is no test for divergence, and nothing is recorded:
   the kernels stand for what the machine can do. */
#include <omp.h>
#include <string.h>
#include <time.h>

#define GD 0
#define DECAY 1
#define ADAPTIVE 2

struct variant {
    void (*advance)(void *state, long blocks, long steps, REAL lr, REAL decay);
    const char *name;
    int rule, lanes;
};

#define GLUE_(a, b, c, d, e) a##_##b##_##c##_##d##_##e
#define GLUE(a, b, c, d, e) GLUE_(a, b, c, d, e)
#define OWN(what) GLUE(what, ALGORITHM, RULE, U, BYTES)
#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
#define UNROLL _Pragma("GCC unroll 128")
#define EACH_VECTOR _Pragma("GCC unroll 16") for (int u = 0; u < U; u++)
