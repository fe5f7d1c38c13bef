/* The identities alone, without the comparison with the referee: they must hold for a backend without bugs and break for wrong
 * indices, so that they can guard the referee itself. */
#include "examinee.h"
#include "verify/identity.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct examinee_plugins plugins;
static struct host *host;

static int load(void **state)
{
    struct convoy_error err = error_none();
    (void)state;
    setenv("CONVOY_MUTANT_BASE", BUILD_DIR "/plugins/convoy_naive.so", 1);
    host = host_open(1, &err);
    return host && examinee_load(BUILD_DIR "/tests/plugins/convoy_mutant.so", &plugins, &err) ? 0 : -1;
}

static int unload(void **state)
{
    (void)state;
    host_close(host);
    return 0;
}

static struct finding identities_of(const char *bug, const char *text)
{
    struct convoy_error err = error_none();
    struct finding finding = finding_none();
    struct convoy_instance *instance = NULL;
    union problem problem;
    struct rig rig;
    if (problem_parse(text, &problem, &err) != CONVOY_OK ||
        loader_instance(plugins.subject, host_table(host), bug, &instance, &err) != CONVOY_OK)
        fail_msg("%s %s: %s", bug, text, err.text);
    const struct verify_subject subject = {.plugin = plugins.subject,
                                           .instance = instance,
                                           .host = host_table(host),
                                           .referee = plugins.reference->extension(CONVOY_REFEREE_ID)};
    const struct oracle oracle = {subject.referee, subject.host};
    if (!rig_open(&rig, &subject, &problem, 0, &finding))
        fail_msg("%s %s: %s", bug, text, finding.reason);
    identity_check(&rig, &oracle, 3, &finding);
    rig_close(&rig, &finding);
    instance->ops->close(instance);
    return finding;
}

static void test_they_hold(void **state)
{
    static const char *const texts[] = {
        "conv_fwd:n2c3h8k4kh3p1",
        "conv_fwd:n2c6h9w7k9kh3g3p1s2b1",
        "conv_fwd:n1c4h12k4kh3d2p2r1b1",
        "conv_fwd:n1c2h5k2kh5",
        "conv_bwd_data:n2c6h9w7k9kh3g3p1s2",
        "conv_bwd_data:n2c3h8w5k4kh3kw2p2",
        "conv_bwd_weights:n2c3h8k4kh3p1b1",
        "conv_bwd_weights:n2c6h9w7k9kh3g3p1s2",
        "conv_transpose:n1c4h5k3kh3s2p1",
        "maxpool_bwd:n2c3h9kh3s2p1",
        "avgpool_bwd:n2c3h9kh3s2p1",
        "avgpoolx_bwd:n2c3h9kh3s2p1",
        "l2pool_bwd:n2c3h9kh3s2p1",
        "bn_train:n4c6h7",
        "bn_bwd:n4c6h7",
        "bn_bwd:n1c2h1",
        "maxpool_fwd:n1c2h4kh2",
        "relu:n10",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const struct finding found = identities_of("none", texts[i]);
        if (found.verdict != VERDICT_PASS)
            fail_msg("%s: %s", texts[i], found.reason);
    }
}

static void test_they_break(void **state)
{
    static const struct {
        const char *bug, *text, *says;
    } cases[] = {
        {"kernel_flipped", "conv_fwd:n1c3h6k2kh3p1", "impulse"},
        {"kernel_transposed", "conv_fwd:n1c3h6k2kh3p1", "impulse"},
        {"pad_off_by_one", "conv_fwd:n1c3h6k2kh3p1", "impulse"},
        {"strides_swapped", "conv_fwd:n1c3h9k2kh3sh2sw1p1", "shift"},
        {"dilation_ignored", "conv_fwd:n1c3h9k2kh3d2p2", "impulse"},
        {"groups_ignored", "conv_fwd:n1c6h6k6kh3p1g3", "impulse"},
        {"replay", "conv_fwd:n1c3h6k2kh3p1", "linearity"},
        {"last_channel_dropped", "conv_bwd_data:n2c3h8k4kh3p1", "x,bwd_data(g,w)"},
        {"nan_left", "conv_bwd_data:n2c3h8k4kh3p1", "adjoint"},
        {"nan_left", "conv_bwd_weights:n2c3h8k4kh3p1", "w,bwd_weights(x,g)"},
        {"gradient_overwrites", "maxpool_bwd:n2c3h9kh3s1p1", "adjoint"},
        {"zero_norm_divides", "l2pool_bwd:n2c3h5kh1s1", "adjoint"},
        {"statistics_constant", "bn_bwd:n4c6h7", "sum(dx"},
        {"eps_ignored", "bn_train:n4c6h7eps0.1", "variance"},
        {"nan_left", "bn_train:n4c6h7", "mean"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct finding found = identities_of(cases[i].bug, cases[i].text);
        if (found.verdict != VERDICT_FAIL || !strstr(found.reason, cases[i].says))
            fail_msg("%s %s: %s \"%s\", expected \"%s\"", cases[i].bug, cases[i].text, verdict_name(found.verdict), found.reason,
                     cases[i].says);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_they_hold), cmocka_unit_test(test_they_break)};
    return cmocka_run_group_tests_name("identity", tests, load, unload);
}
