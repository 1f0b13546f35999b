/* Fused multiply-adds a second: REAL and BYTES (of a SIMD vector) are given by the compiler's command line. */
#include <omp.h>
#include <time.h>

#ifdef __x86_64__
#define REGISTER "+v"
#else
#define REGISTER "+w"
#endif

typedef REAL V __attribute__((vector_size(BYTES)));

static double cpu(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}

/* Floating-point operations a second (a fused multiply-add is two), all threads together, in CPU time. */
double flops(int threads, long turns) {
    double seconds = 0;
#pragma omp parallel num_threads(threads) reduction(max : seconds)
    {
        const V x = (V){0} + (REAL)0.999, y = (V){0} + (REAL)0.001;
        V a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x, i = x, j = x, k = x, l = x;
        double start = cpu();
        for (long turn = 0; turn < turns; turn++) {
            a = a * x + y, b = b * x + y, c = c * x + y, d = d * x + y, e = e * x + y, f = f * x + y;
            g = g * x + y, h = h * x + y, i = i * x + y, j = j * x + y, k = k * x + y, l = l * x + y;
            /* values the compiler may not guess, merge or drop */
            __asm__ volatile("" : REGISTER(a), REGISTER(b), REGISTER(c), REGISTER(d), REGISTER(e), REGISTER(f));
            __asm__ volatile("" : REGISTER(g), REGISTER(h), REGISTER(i), REGISTER(j), REGISTER(k), REGISTER(l));
        }
        seconds = cpu() - start;
    }
    return 2.0 * 12 * (BYTES / sizeof(REAL)) * turns * threads / seconds;
}
