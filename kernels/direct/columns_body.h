/* columns_body: packs pixels for the tiles of pointwise.c, included by each instruction set's file after depthwise_body.h. */

static void pack_columns(const struct columns *job)
{
    const int64_t whole = job->count / job->width, rest = job->count - whole * job->width;
    const int64_t rest_width = (rest + LANES - 1) / LANES * LANES, ahead = 4 * job->row;
    for (int64_t r = 0; r < job->rows; r++) {
        const float *from = job->from + r * job->row;
        float *to = job->to + r * job->width;
        for (int64_t t = 0; t < whole; t++) {
            for (int64_t j = 0; j < job->width; j += LANES) {
                /* Rows are pages apart, and too short for the hardware's prefetch. */
                __builtin_prefetch(from + j + ahead);
                *(vec *)(to + j) = *(const vec *)(from + j);
            }
            from += job->width;
            to += job->rows * job->width;
        }
        to = job->to + whole * job->rows * job->width + r * rest_width;
        for (int64_t j = 0; j < rest; j++)
            to[j] = from[j];
        for (int64_t j = rest; j < rest_width; j++)
            to[j] = 0;
    }
}
