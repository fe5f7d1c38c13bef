/* scatter_body: the store of a tile whose outputs do not lie side by side, included by each instruction set's file. */

static void store_scattered(const struct tile_store *s)
{
    for (int32_t j = 0; j < s->channels; j++) {
        const float bias = s->bias ? s->bias[j] : 0;
        float *const y = s->y + j * s->y_channel;
        for (int32_t i = 0; i < s->rows; i++) {
            const float value = s->tile[i * s->width + j] + bias;
            y[i * s->y_col] = s->relu && value < 0 ? 0 : value;
        }
    }
}
