/* What Python calls; `all` lists the variants, written by the including file. */
int count(void) { return sizeof all / sizeof all[0]; }
int rule_of(int k) { return all[k]->rule; }
int lanes_of(int k) { return all[k]->lanes; }
const char *name_of(int k) { return all[k]->name; }

void advance(int k, char *state, long blocks, long steps, double lr, double decay, int threads) {
#pragma omp parallel num_threads(threads)
    {
        long n = omp_get_num_threads(), i = omp_get_thread_num(), first = blocks * i / n, last = blocks * (i + 1) / n;
        all[k]->advance(state + first * DEPTH * all[k]->lanes * sizeof(REAL), last - first, steps, lr, decay);
    }
}
