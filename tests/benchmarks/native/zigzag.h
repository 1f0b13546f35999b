/* One pass over the layers a step, to and fro. `others[g]` is the product of the layers that the pass has not
   reached yet, left there by the pass of the step before, which came the other way; `c` is the pull times the
   product of the old weights behind, `s` the product of the new ones, which the next pass needs; `r`, the sum of
   their (s/w_i)^2, gives the q of the adaptive rate. Layers are taken one by one (3 operations, 2 stores), in
   pairs (7 operations, 3 stores for two) or in triples of a single one and a pair, which is between the limits
   of arithmetic and of stores. */
#define GROUP (SINGLES + 2 * PAIRS)
#define PLACES (SINGLES + PAIRS)
#define REST (DEPTH % GROUP)
#if RULE == ADAPTIVE
#define GROW(e, product) r[u] = r[u] * ((product) * (product)) + (s[u] * s[u]) * (e);
#else
#define GROW(e, product)
#endif
#define SINGLE(i, g)                                                    \
    EACH_VECTOR {                                                       \
        V x = w[i][u], y = KEPT(x) + c[u] * others[g][u];               \
        GROW(1, y)                                                      \
        others[g][u] = s[u], c[u] *= x, s[u] *= y, w[i][u] = y;         \
    }
#define PAIR(i, g)                                                      \
    EACH_VECTOR {                                                       \
        V x = w[i][u], y = w[(i) + 1][u], k = c[u] * others[g][u];      \
        V nx = KEPT(x) + k * y, ny = KEPT(y) + k * x, product = nx * ny; \
        GROW(nx * nx + ny * ny, product)                                \
        others[g][u] = s[u], c[u] *= x * y, s[u] *= product;            \
        w[i][u] = nx, w[(i) + 1][u] = ny;                               \
    }
#define LEFT (DEPTH / GROUP * GROUP)
#define LEFT_PLACE (DEPTH / GROUP * PLACES)
#define BEGIN EACH_VECTOR { c[u] = PULL(s[u], r[u], lr), s[u] = (V){0} + 1, r[u] = (V){0}; }
#define TO                                                                                       \
    LAYERS for (int i = 0; i < DEPTH / GROUP; i++) {                                             \
        if (SINGLES) SINGLE(i * GROUP, i * PLACES)                                               \
        if (PAIRS) PAIR(i * GROUP + SINGLES, i * PLACES + SINGLES)                               \
    }                                                                                            \
    for (int i = 0; i < REST; i++) SINGLE(LEFT + i, LEFT_PLACE + i)
#define FRO                                                                                      \
    for (int i = REST - 1; i >= 0; i--) SINGLE(LEFT + i, LEFT_PLACE + i)                         \
    LAYERS for (int i = DEPTH / GROUP - 1; i >= 0; i--) {                                        \
        if (PAIRS) PAIR(i * GROUP + SINGLES, i * PLACES + SINGLES)                               \
        if (SINGLES) SINGLE(i * GROUP, i * PLACES)                                               \
    }
V w[DEPTH][U], others[DEPTH][U], c[U], s[U], r[U];
for (int i = 0; i < DEPTH; i++) EACH_VECTOR w[i][u] = state[i * U + u];
{ /* a pass that moves nothing */
    const REAL kept = 1;
    (void)kept;
    EACH_VECTOR { c[u] = (V){0}, s[u] = (V){0} + 1, r[u] = (V){0}; }
    for (int i = 0; i < DEPTH; i++) EACH_VECTOR others[i][u] = (V){0};
    TO
}
for (long step = 0; step < steps; step++) {
    BEGIN
    FRO
    if (++step == steps) break;
    BEGIN
    TO
}
for (int i = 0; i < DEPTH; i++) EACH_VECTOR state[i * U + u] = w[i][u];
#undef GROUP
#undef PLACES
#undef REST
#undef GROW
#undef SINGLE
#undef PAIR
#undef LEFT
#undef LEFT_PLACE
#undef BEGIN
#undef TO
#undef FRO
#undef SINGLES
#undef PAIRS
#undef LAYERS
