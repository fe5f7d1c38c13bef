/* butterfly_body: straight-line Fourier transforms of 3 to 32 values, included after VEC is defined. All sizes are constants
 * after inlining and all arrays live in registers as far as these reach.
 *
 * Decimation in time by two (Cooley & Tukey, Math. Comp. 19, 1965) down to 4, or to an odd number; for real input both halves are
 * real transforms again and only points 0..n/2 are formed (Sorensen et al., IEEE ASSP 35(6), 1987). A twiddle c - i*s is applied
 * as c * (1 - i*s/c): two fused operations form O.re + tan*O.im and O.im - tan*O.re, four more E +- c*that, 6 in place of 10
 * (Linzer & Feig, IEEE SP 41(1), 1993). Only angles below a quarter turn occur, so c never vanishes: exp(-2 pi i f/n) is
 * -conj of that of n/2 - f.
 * 3, 5 and 9 values are summed as they stand, cosines over x[j] + x[n-j] and sines over x[j] - x[n-j]: chains of fused
 * operations, in number what a smaller radix would need. */

#define FFT_INLINE static inline __attribute__((always_inline))

/* Of f/n of a turn, f < n/4. */
static const float cosine_32[8] = {1.0f,
                                   0.98078528040323043f,
                                   0.92387953251128674f,
                                   0.83146961230254524f,
                                   0.70710678118654757f,
                                   0.55557023301960229f,
                                   0.38268343236508984f,
                                   0.19509032201612833f};
static const float tangent_32[8] = {0.0f,
                                    0.19891236737965801f,
                                    0.41421356237309503f,
                                    0.66817863791929888f,
                                    0.99999999999999989f,
                                    1.4966057626654889f,
                                    2.4142135623730949f,
                                    5.0273394921258463f};
static const float cosine_24[6] = {1.0f, 0.96592582628906831f, 0.86602540378443871f, 0.70710678118654757f,
                                   0.5f, 0.25881904510252074f};
static const float tangent_24[6] = {
    0.0f, 0.2679491924311227f, 0.57735026918962573f, 0.99999999999999989f, 1.7320508075688767f, 3.7320508075688776f};
static const float cosine_20[5] = {1.0f, 0.95105651629515353f, 0.80901699437494745f, 0.58778525229247314f, 0.30901699437494745f};
static const float tangent_20[5] = {0.0f, 0.32491969623290629f, 0.7265425280053609f, 1.3763819204711734f, 3.0776835371752531f};
static const float cosine_18[5] = {1.0f, 0.93969262078590843f, 0.76604444311897801f, 0.5f, 0.17364817766693041f};
static const float tangent_18[5] = {0.0f, 0.36397023426620234f, 0.83909963117727993f, 1.7320508075688767f, 5.6712818196177066f};
/* Of j/n of a turn, 2j < n. */
static const float odd_cosine_3[2] = {1.0f, -0.5f};
static const float odd_sine_3[2] = {0.0f, 0.86602540378443871f};
static const float odd_cosine_5[3] = {1.0f, 0.30901699437494745f, -0.80901699437494734f};
static const float odd_sine_5[3] = {0.0f, 0.95105651629515353f, 0.58778525229247325f};
static const float odd_cosine_9[5] = {1.0f, 0.76604444311897801f, 0.17364817766693041f, -0.5f, -0.93969262078590832f};
static const float odd_sine_9[5] = {0.0f, 0.64278760968653925f, 0.98480775301220802f, 0.86602540378443871f, 0.34202014332566888f};

FFT_INLINE float twiddle_cosine(const int n, const int f)
{
    return n % 9 == 0   ? cosine_18[f * 18 / n]
           : n % 5 == 0 ? cosine_20[f * 20 / n]
           : n % 3 == 0 ? cosine_24[f * 24 / n]
                        : cosine_32[f * 32 / n];
}

FFT_INLINE float twiddle_tangent(const int n, const int f)
{
    return n % 9 == 0   ? tangent_18[f * 18 / n]
           : n % 5 == 0 ? tangent_20[f * 20 / n]
           : n % 3 == 0 ? tangent_24[f * 24 / n]
                        : tangent_32[f * 32 / n];
}

/* Of any whole j/n of a turn, n odd. */
FFT_INLINE float odd_cosine(const int n, const int j)
{
    const int near = 2 * (j % n) > n ? n - j % n : j % n;
    return n == 3 ? odd_cosine_3[near] : n == 5 ? odd_cosine_5[near] : odd_cosine_9[near];
}

FFT_INLINE float odd_sine(const int n, const int j)
{
    const int near = 2 * (j % n) > n ? n - j % n : j % n;
    const float sine = n == 3 ? odd_sine_3[near] : n == 5 ? odd_sine_5[near] : odd_sine_9[near];
    return near == j % n ? sine : -sine;
}

/* Points 0..n/2 of n real values x[0], x[s], ..., n odd. */
FFT_INLINE void real_odd(const int n, const VEC *x, const int s, VEC *re, VEC *im)
{
    VEC sum[5], difference[5];
    re[0] = x[0];
#pragma GCC unroll 4
    for (int j = 1; j <= n / 2; j++) {
        sum[j] = x[j * s] + x[(n - j) * s];
        difference[j] = x[(n - j) * s] - x[j * s];
        re[0] += sum[j];
    }
#pragma GCC unroll 4
    for (int f = 1; f <= n / 2; f++) {
        re[f] = x[0] + odd_cosine(n, f) * sum[1];
        im[f] = odd_sine(n, f) * difference[1];
#pragma GCC unroll 4
        for (int j = 2; j <= n / 2; j++) {
            re[f] += odd_cosine(n, f * j) * sum[j];
            if (f * j % n)
                im[f] += odd_sine(n, f * j) * difference[j];
        }
    }
}

FFT_INLINE void complex_odd(const int n, const VEC *xr, const VEC *xi, const int s, VEC *re, VEC *im)
{
    VEC sr[5], si[5], dr[5], di[5];
    re[0] = xr[0];
    im[0] = xi[0];
#pragma GCC unroll 4
    for (int j = 1; j <= n / 2; j++) {
        sr[j] = xr[j * s] + xr[(n - j) * s];
        si[j] = xi[j * s] + xi[(n - j) * s];
        dr[j] = xr[j * s] - xr[(n - j) * s];
        di[j] = xi[j * s] - xi[(n - j) * s];
        re[0] += sr[j];
        im[0] += si[j];
    }
#pragma GCC unroll 4
    for (int f = 1; f <= n / 2; f++) {
        VEC cr = xr[0] + odd_cosine(n, f) * sr[1], ci = xi[0] + odd_cosine(n, f) * si[1];
        VEC tr = odd_sine(n, f) * di[1], ti = odd_sine(n, f) * dr[1];
#pragma GCC unroll 4
        for (int j = 2; j <= n / 2; j++) {
            cr += odd_cosine(n, f * j) * sr[j];
            ci += odd_cosine(n, f * j) * si[j];
            if (f * j % n) {
                tr += odd_sine(n, f * j) * di[j];
                ti += odd_sine(n, f * j) * dr[j];
            }
        }
        re[f] = cr + tr;
        im[f] = ci - ti;
        re[n - f] = cr - tr;
        im[n - f] = ci + ti;
    }
}

/* n times the inverse of real_odd. */
FFT_INLINE void hermitian_odd(const int n, const VEC *re, const VEC *im, VEC *x, const int s)
{
    VEC twice_re[5], twice_im[5], total = re[0];
#pragma GCC unroll 4
    for (int f = 1; f <= n / 2; f++) {
        twice_re[f] = re[f] + re[f];
        twice_im[f] = im[f] + im[f];
        total += twice_re[f];
    }
    x[0] = total;
#pragma GCC unroll 4
    for (int j = 1; j <= n / 2; j++) {
        VEC even = re[0] + odd_cosine(n, j) * twice_re[1], odd = odd_sine(n, j) * twice_im[1];
#pragma GCC unroll 4
        for (int f = 2; f <= n / 2; f++) {
            even += odd_cosine(n, f * j) * twice_re[f];
            if (f * j % n)
                odd += odd_sine(n, f * j) * twice_im[f];
        }
        x[j * s] = even - odd;
        x[(n - j) * s] = even + odd;
    }
}

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
    for (int f = 1; 4 * f < n; f++) {
        const float c = twiddle_cosine(n, f), t = twiddle_tangent(n, f);
        const VEC tr = odr[f] + t * odi[f], ti = odi[f] - t * odr[f];
        re[f] = er[f] + c * tr;
        im[f] = ei[f] + c * ti;
        re[n / 2 - f] = er[f] - c * tr;
        im[n / 2 - f] = c * ti - ei[f];
    }
    if (n % 4 == 0) {
        re[quarter] = er[quarter];
        im[quarter] = -odr[quarter];
    }
}

#define DEFINE_REAL_ODD(n)                                                                                                       \
    FFT_INLINE void real_##n(const VEC *x, const int s, VEC *re, VEC *im)                                                        \
    {                                                                                                                            \
        real_odd(n, x, s, re, im);                                                                                               \
    }
DEFINE_REAL_ODD(3)
DEFINE_REAL_ODD(5)
DEFINE_REAL_ODD(9)

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
DEFINE_REAL(6, 3)
DEFINE_REAL(12, 6)
DEFINE_REAL(24, 12)
DEFINE_REAL(10, 5)
DEFINE_REAL(20, 10)
DEFINE_REAL(18, 9)

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
    const int half = n / 2;
    re[0] = er[0] + odr[0];
    im[0] = ei[0] + odi[0];
    re[half] = er[0] - odr[0];
    im[half] = ei[0] - odi[0];
#pragma GCC unroll 16
    for (int f = 1; f < half; f++) {
        if (4 * f == n) { /* times -i */
            re[f] = er[f] + odi[f];
            im[f] = ei[f] - odr[f];
            re[f + half] = er[f] - odi[f];
            im[f + half] = ei[f] + odr[f];
        } else if (4 * f < n) {
            const float c = twiddle_cosine(n, f), t = twiddle_tangent(n, f);
            const VEC tr = odr[f] + t * odi[f], ti = odi[f] - t * odr[f];
            re[f] = er[f] + c * tr;
            im[f] = ei[f] + c * ti;
            re[f + half] = er[f] - c * tr;
            im[f + half] = ei[f] - c * ti;
        } else {
            const float c = twiddle_cosine(n, half - f), t = twiddle_tangent(n, half - f);
            const VEC tr = odr[f] - t * odi[f], ti = odi[f] + t * odr[f];
            re[f] = er[f] - c * tr;
            im[f] = ei[f] - c * ti;
            re[f + half] = er[f] + c * tr;
            im[f + half] = ei[f] + c * ti;
        }
    }
}

#define DEFINE_COMPLEX_ODD(n)                                                                                                    \
    FFT_INLINE void complex_##n(const VEC *xr, const VEC *xi, const int s, VEC *re, VEC *im)                                     \
    {                                                                                                                            \
        complex_odd(n, xr, xi, s, re, im);                                                                                       \
    }
DEFINE_COMPLEX_ODD(3)
DEFINE_COMPLEX_ODD(5)
DEFINE_COMPLEX_ODD(9)

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
DEFINE_COMPLEX(6, 3)
DEFINE_COMPLEX(12, 6)
DEFINE_COMPLEX(24, 12)
DEFINE_COMPLEX(10, 5)
DEFINE_COMPLEX(20, 10)
DEFINE_COMPLEX(18, 9)

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
    for (int f = 1; 4 * f < n; f++) {
        const float c = twiddle_cosine(n, f), t = twiddle_tangent(n, f);
        const VEC dr = re[f] - re[half - f], di = im[f] + im[half - f];
        er[f] = re[f] + re[half - f];
        ei[f] = im[f] - im[half - f];
        odr[f] = c * (dr - t * di);
        odi[f] = c * (di + t * dr);
    }
    if (n % 4 == 0) {
        er[quarter] = 2.0f * re[quarter];
        odr[quarter] = -2.0f * im[quarter];
    }
}

#define DEFINE_HERMITIAN_ODD(n)                                                                                                  \
    FFT_INLINE void hermitian_##n(const VEC *re, const VEC *im, VEC *x, const int s)                                             \
    {                                                                                                                            \
        hermitian_odd(n, re, im, x, s);                                                                                          \
    }
DEFINE_HERMITIAN_ODD(3)
DEFINE_HERMITIAN_ODD(5)
DEFINE_HERMITIAN_ODD(9)

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
DEFINE_HERMITIAN(6, 3)
DEFINE_HERMITIAN(12, 6)
DEFINE_HERMITIAN(24, 12)
DEFINE_HERMITIAN(10, 5)
DEFINE_HERMITIAN(20, 10)
DEFINE_HERMITIAN(18, 9)

FFT_INLINE void real_n(const int n, const VEC *x, const int s, VEC *re, VEC *im)
{
    if (n == 8)
        real_8(x, s, re, im);
    else if (n == 16)
        real_16(x, s, re, im);
    else if (n == 18)
        real_18(x, s, re, im);
    else if (n == 20)
        real_20(x, s, re, im);
    else if (n == 24)
        real_24(x, s, re, im);
    else
        real_32(x, s, re, im);
}

FFT_INLINE void complex_n(const int n, const VEC *xr, const VEC *xi, const int s, VEC *re, VEC *im)
{
    if (n == 8)
        complex_8(xr, xi, s, re, im);
    else if (n == 16)
        complex_16(xr, xi, s, re, im);
    else if (n == 18)
        complex_18(xr, xi, s, re, im);
    else if (n == 20)
        complex_20(xr, xi, s, re, im);
    else if (n == 24)
        complex_24(xr, xi, s, re, im);
    else
        complex_32(xr, xi, s, re, im);
}

FFT_INLINE void hermitian_n(const int n, const VEC *re, const VEC *im, VEC *x, const int s)
{
    if (n == 8)
        hermitian_8(re, im, x, s);
    else if (n == 16)
        hermitian_16(re, im, x, s);
    else if (n == 18)
        hermitian_18(re, im, x, s);
    else if (n == 20)
        hermitian_20(re, im, x, s);
    else if (n == 24)
        hermitian_24(re, im, x, s);
    else
        hermitian_32(re, im, x, s);
}
