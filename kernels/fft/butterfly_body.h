/* butterfly_body: straight-line Fourier transforms of 4 to 32 values, included after VEC is defined. All sizes are constants
 * after inlining and all arrays live in registers as far as these reach.
 *
 * Decimation in time by two (Cooley & Tukey, Math. Comp. 19, 1965); for real input both halves are real transforms again and only
 * points 0..n/2 are formed (Sorensen et al., IEEE ASSP 35(6), 1987). A twiddle c - i*s is applied as c * (1 - i*s/c): two
 * fused operations form O.re + tan*O.im and O.im - tan*O.re, four more E +- c*that, 6 in place of 10 (Linzer & Feig, IEEE SP
 * 41(1), 1993). Only angles below a quarter turn occur, so c never vanishes; the others are these times -i. */

#define FFT_INLINE static inline __attribute__((always_inline))

/* Of the angle pi/16 times the index. */
static const float cosine[8] = {1.0f,
                                0.98078528040323044f,
                                0.92387953251128674f,
                                0.83146961230254524f,
                                0.70710678118654752f,
                                0.55557023301960222f,
                                0.38268343236508977f,
                                0.19509032201612827f};
static const float tangent[8] = {0.0f, 0.19891236737965801f, 0.41421356237309505f, 0.66817863791929891f,
                                 1.0f, 1.49660576266548902f, 2.41421356237309505f, 5.02733949212584810f};

/* Points 0..2 of four real values x[0], x[s], ... */
FFT_INLINE void real_4(const VEC *x, const int s, VEC *re, VEC *im)
{
    const VEC a = x[0] + x[2 * s], c = x[s] + x[3 * s];
    re[0] = a + c;
    re[1] = x[0] - x[2 * s];
    im[1] = x[3 * s] - x[s];
    re[2] = a - c;
}

/* Points 0..n/2 from those of the even and the odd values. */
FFT_INLINE void real_join(const int n, const VEC *er, const VEC *ei, const VEC *odr, const VEC *odi, VEC *re, VEC *im)
{
    const int quarter = n / 4;
    re[0] = er[0] + odr[0];
    re[n / 2] = er[0] - odr[0];
#pragma GCC unroll 8
    for (int f = 1; f < quarter; f++) {
        const float c = cosine[f * 32 / n], t = tangent[f * 32 / n];
        const VEC tr = odr[f] + t * odi[f], ti = odi[f] - t * odr[f];
        re[f] = er[f] + c * tr;
        im[f] = ei[f] + c * ti;
        re[n / 2 - f] = er[f] - c * tr;
        im[n / 2 - f] = c * ti - ei[f];
    }
    re[quarter] = er[quarter];
    im[quarter] = -odr[quarter];
}

#define DEFINE_REAL(n, half)                                                                                                     \
    FFT_INLINE void real_##n(const VEC *x, const int s, VEC *re, VEC *im)                                                        \
    {                                                                                                                            \
        VEC er[half / 2 + 1], ei[half / 2 + 1], odr[half / 2 + 1], odi[half / 2 + 1];                                            \
        real_##half(x, 2 * s, er, ei);                                                                                           \
        real_##half(x + s, 2 * s, odr, odi);                                                                                     \
        real_join(n, er, ei, odr, odi, re, im);                                                                                  \
    }
DEFINE_REAL(8, 4)
DEFINE_REAL(16, 8)
DEFINE_REAL(32, 16)

/* All points of four complex values. */
FFT_INLINE void complex_4(const VEC *xr, const VEC *xi, const int s, VEC *re, VEC *im)
{
    const VEC ar = xr[0] + xr[2 * s], ai = xi[0] + xi[2 * s], br = xr[0] - xr[2 * s], bi = xi[0] - xi[2 * s];
    const VEC cr = xr[s] + xr[3 * s], ci = xi[s] + xi[3 * s], dr = xr[s] - xr[3 * s], di = xi[s] - xi[3 * s];
    re[0] = ar + cr;
    im[0] = ai + ci;
    re[1] = br + di;
    im[1] = bi - dr;
    re[2] = ar - cr;
    im[2] = ai - ci;
    re[3] = br - di;
    im[3] = bi + dr;
}

FFT_INLINE void complex_join(const int n, const VEC *er, const VEC *ei, const VEC *odr, const VEC *odi, VEC *re, VEC *im)
{
    const int quarter = n / 4, half = n / 2;
    re[0] = er[0] + odr[0];
    im[0] = ei[0] + odi[0];
    re[half] = er[0] - odr[0];
    im[half] = ei[0] - odi[0];
#pragma GCC unroll 16
    for (int f = 1; f < half; f++) {
        const int turn = f >= quarter;
        const float c = cosine[(f % quarter) * 32 / n], t = tangent[(f % quarter) * 32 / n];
        const VEC tr = odr[f] + t * odi[f], ti = odi[f] - t * odr[f];
        if (!turn) {
            re[f] = er[f] + c * tr;
            im[f] = ei[f] + c * ti;
            re[f + half] = er[f] - c * tr;
            im[f + half] = ei[f] - c * ti;
        } else { /* times -i */
            re[f] = er[f] + c * ti;
            im[f] = ei[f] - c * tr;
            re[f + half] = er[f] - c * ti;
            im[f + half] = ei[f] + c * tr;
        }
    }
}

#define DEFINE_COMPLEX(n, half)                                                                                                  \
    FFT_INLINE void complex_##n(const VEC *xr, const VEC *xi, const int s, VEC *re, VEC *im)                                     \
    {                                                                                                                            \
        VEC er[half], ei[half], odr[half], odi[half];                                                                            \
        complex_##half(xr, xi, 2 * s, er, ei);                                                                                   \
        complex_##half(xr + s, xi + s, 2 * s, odr, odi);                                                                         \
        complex_join(n, er, ei, odr, odi, re, im);                                                                               \
    }
DEFINE_COMPLEX(8, 4)
DEFINE_COMPLEX(16, 8)
DEFINE_COMPLEX(32, 16)

/* The inverse of real_n times n, by decimation in frequency: even values come from X[f] + conj X[n/2-f], odd ones from
 * (X[f] - conj X[n/2-f]) * exp(2 pi i f/n). */
FFT_INLINE void hermitian_4(const VEC *re, const VEC *im, VEC *x, const int s)
{
    const VEC a = re[0] + re[2], b = re[0] - re[2];
    x[0] = a + 2.0f * re[1];
    x[s] = b - 2.0f * im[1];
    x[2 * s] = a - 2.0f * re[1];
    x[3 * s] = b + 2.0f * im[1];
}

FFT_INLINE void hermitian_split(const int n, const VEC *re, const VEC *im, VEC *er, VEC *ei, VEC *odr, VEC *odi)
{
    const int quarter = n / 4, half = n / 2;
    er[0] = re[0] + re[half];
    odr[0] = re[0] - re[half];
#pragma GCC unroll 8
    for (int f = 1; f < quarter; f++) {
        const float c = cosine[f * 32 / n], t = tangent[f * 32 / n];
        const VEC dr = re[f] - re[half - f], di = im[f] + im[half - f];
        er[f] = re[f] + re[half - f];
        ei[f] = im[f] - im[half - f];
        odr[f] = c * (dr - t * di);
        odi[f] = c * (di + t * dr);
    }
    er[quarter] = 2.0f * re[quarter];
    odr[quarter] = -2.0f * im[quarter];
}

#define DEFINE_HERMITIAN(n, half)                                                                                                \
    FFT_INLINE void hermitian_##n(const VEC *re, const VEC *im, VEC *x, const int s)                                             \
    {                                                                                                                            \
        VEC er[half / 2 + 1], ei[half / 2 + 1], odr[half / 2 + 1], odi[half / 2 + 1];                                            \
        hermitian_split(n, re, im, er, ei, odr, odi);                                                                            \
        hermitian_##half(er, ei, x, 2 * s);                                                                                      \
        hermitian_##half(odr, odi, x + s, 2 * s);                                                                                \
    }
DEFINE_HERMITIAN(8, 4)
DEFINE_HERMITIAN(16, 8)
DEFINE_HERMITIAN(32, 16)

FFT_INLINE void real_n(const int n, const VEC *x, const int s, VEC *re, VEC *im)
{
    if (n == 8)
        real_8(x, s, re, im);
    else if (n == 16)
        real_16(x, s, re, im);
    else
        real_32(x, s, re, im);
}

FFT_INLINE void complex_n(const int n, const VEC *xr, const VEC *xi, const int s, VEC *re, VEC *im)
{
    if (n == 8)
        complex_8(xr, xi, s, re, im);
    else if (n == 16)
        complex_16(xr, xi, s, re, im);
    else
        complex_32(xr, xi, s, re, im);
}

FFT_INLINE void hermitian_n(const int n, const VEC *re, const VEC *im, VEC *x, const int s)
{
    if (n == 8)
        hermitian_8(re, im, x, s);
    else if (n == 16)
        hermitian_16(re, im, x, s);
    else
        hermitian_32(re, im, x, s);
}
