/* Products up a binary heap (leaves DEPTH ... 2 DEPTH - 1, root 1), coefficients down it, all unrolled: the state
   stays in registers over all steps as long as they suffice. 3 DEPTH - 2 operations a step of gradient descent. */
V n[2 * DEPTH][U];
UNROLL for (int i = 0; i < DEPTH; i++) EACH_VECTOR n[DEPTH + i][u] = state[i * U + u];
for (long step = 0; step < steps; step++) {
    EACH_VECTOR {
        UNROLL for (int i = DEPTH - 1; i > 0; i--) n[i][u] = n[2 * i][u] * n[2 * i + 1][u];
        V down[2 * DEPTH], q = (V){0};
#if RULE == ADAPTIVE
        down[2] = n[3][u];
        down[3] = n[2][u];
        UNROLL for (int i = 2; i < DEPTH; i++) {
            down[2 * i] = down[i] * n[2 * i + 1][u];
            down[2 * i + 1] = down[i] * n[2 * i][u];
        }
        UNROLL for (int i = DEPTH; i < 2 * DEPTH; i++) q += down[i] * down[i];
        V pull = PULL(n[1][u], q, lr);
        UNROLL for (int i = DEPTH; i < 2 * DEPTH; i++) n[i][u] += pull * down[i];
#else
        down[1] = PULL(n[1][u], q, lr);
        UNROLL for (int i = 2; i < DEPTH; i++) down[i] = down[i / 2] * n[i ^ 1][u];
        V moved[2 * DEPTH];
        UNROLL for (int i = DEPTH; i < 2 * DEPTH; i++) moved[i] = KEPT(n[i][u]) + down[i / 2] * n[i ^ 1][u];
        UNROLL for (int i = DEPTH; i < 2 * DEPTH; i++) n[i][u] = moved[i];
#endif
    }
}
UNROLL for (int i = 0; i < DEPTH; i++) EACH_VECTOR state[i * U + u] = n[DEPTH + i][u];
