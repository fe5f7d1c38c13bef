#include "select/select.h"
convoy_status select_read(const char *p, struct selection *s, struct convoy_error *e){(void)p;(void)s;(void)e;return CONVOY_FAILED;}
void select_free(struct selection *s){(void)s;}
convoy_status select_check(const struct selection *s, const struct registry *r, const struct machine *m, struct convoy_error *e){(void)s;(void)r;(void)m;(void)e;return 0;}
const struct select_row *select_find(const struct selection *s, const union problem *p, uint32_t t){(void)s;(void)p;(void)t;return 0;}
