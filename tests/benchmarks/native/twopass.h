/* Forward for the products on the left, backward for the update; the loops over lanes are left to the compiler. */
enum { lanes = U * BYTES / sizeof(REAL) };
REAL w[DEPTH][lanes], left[DEPTH][lanes], c[lanes], s[lanes], q[lanes];
memcpy(w, state, sizeof w);
for (long step = 0; step < steps; step++) {
    for (int l = 0; l < lanes; l++) s[l] = 1;
    for (int i = 0; i < DEPTH; i++)
        for (int l = 0; l < lanes; l++) left[i][l] = s[l], s[l] *= w[i][l];
#if RULE == ADAPTIVE
    for (int l = 0; l < lanes; l++) c[l] = 1, q[l] = 0;
    for (int i = DEPTH - 1; i >= 0; i--)
        for (int l = 0; l < lanes; l++) left[i][l] *= c[l], q[l] += left[i][l] * left[i][l], c[l] *= w[i][l];
    for (int l = 0; l < lanes; l++) c[l] = -2 * lr * s[l] * s[l] * (s[l] - 1) / q[l];
    for (int i = 0; i < DEPTH; i++)
        for (int l = 0; l < lanes; l++) w[i][l] += c[l] * left[i][l];
#else
    for (int l = 0; l < lanes; l++) c[l] = -2 * lr * (s[l] - 1);
    for (int i = DEPTH - 1; i >= 0; i--)
        for (int l = 0; l < lanes; l++) {
            REAL x = w[i][l];
            w[i][l] = KEPT(x) + c[l] * left[i][l], c[l] *= x;
        }
    (void)q;
#endif
}
memcpy(state, w, sizeof w);
