/* fill_body: copies a panel, included by each instruction set's file for its compiler flags. */

static inline void fill_piece(float *to, const float *row, int64_t first, int64_t step, int64_t count, int64_t in, int64_t col)
{
    /* Elements j with 0 <= first + j*step < in are copied. */
    int64_t from = first >= 0 ? 0 : (-first + step - 1) / step;
    int64_t upto = first >= in ? 0 : (in - first + step - 1) / step;
    upto = upto < count ? upto : count;
    from = from < upto ? from : upto;
    int64_t j = 0;
    for (; j < from; j++)
        to[j] = 0;
    const float *const source = row + first * col;
    const int64_t distance = step * col;
    if (distance == 1) {
        for (; j < upto; j++)
            to[j] = source[j];
    } else {
        for (; j < upto; j++)
            to[j] = source[j * distance];
    }
    for (; j < count; j++)
        to[j] = 0;
}

static void fill_panel(const struct panel_job *job)
{
    const struct panel *const panel = job->panel;
    const struct layout layout = *job->layout;
    const int64_t h_first = job->oh * job->h->stride, w_first = job->ow * job->w->stride;
    float *to = job->to;
    for (int64_t c = 0; c < job->channels; c++) {
        const float *const plane = job->x + c * layout.channel;
        for (int64_t i = 0; i < panel->height; i++) {
            const int64_t h = h_first + panel->row_source[i];
            if (h < 0 || h >= job->h->in) {
                for (int64_t j = 0; j < panel->width; j++)
                    to[j] = 0;
                to += panel->width;
                continue;
            }
            for (int32_t piece = 0; piece < panel->pieces; piece++) {
                fill_piece(to, plane + h * layout.row, w_first + panel->piece_source[piece], panel->piece_step,
                           panel->piece_width, job->w->in, layout.col);
                to += panel->piece_width;
            }
        }
    }
}
