/*
 * test_options.c: the table of options: defaults, types, ranges, unknown names, and a text cut anywhere.
 */
#include "unit.h"

static ax_error err;

static void refused(const char *json, ax_status status, const char *message, const char *hint)
{
    ax_options *o = NULL;

    err = (ax_error){AX_OK, "", "", ""};
    unit_status(ax_options_parse(unit_env(), json, strlen(json), &o, &err), status, &err, "refused: %s", json);
    unit_check(strstr(err.message, message) != NULL, "\"%s\" says \"%s\"", err.message, message);
    unit_check(strstr(err.hint, hint) != NULL, "the hint \"%s\" says \"%s\"", err.hint, hint);
}

static void test_defaults(void)
{
    ax_options *o = NULL;

    unit_status(ax_options_parse(unit_env(), NULL, 0, &o, &err), AX_OK, &err, "nothing is {}");
    unit_is_int(ax_options_integer(o, "epochs"), 10, "epochs");
    unit_is_int(ax_options_integer(o, "batch_size"), 32, "batch_size");
    unit_is_str(ax_options_text(o, "data_format"), "channels_last", "data_format");
    unit_is_str(ax_options_text(o, "loss"), NULL, "no loss");
    unit_check(ax_options_boolean(o, "shuffle"), "shuffle");
    unit_check(!ax_options_given(o, "epochs"), "a default was not given");
    unit_check(ax_options_number(o, "no such name") == 0, "what is not there is 0");
    ax_options_free(o);
    for (int i = 0; i < ax_option_count(); i++)
        unit_check(ax_option_at(i)->description[0] != '\0', "\"%s\" is described", ax_option_at(i)->name);
}

static void test_given(void)
{
    static const char json[] = "{\"epochs\": 3, \"input_shape\": [3, 32, 32], \"shuffle\": false,"
                               " \"learning_rate\": 0.5, \"loss\": \"mse\", \"weight\": null}";
    int64_t dim[2] = {0, 0};
    ax_options *o = NULL;
    int bad = 0;

    unit_status(ax_options_parse(unit_env(), json, strlen(json), &o, &err), AX_OK, &err, "options");
    unit_is_int(ax_options_integer(o, "epochs"), 3, "epochs");
    unit_is_int(ax_options_integers(o, "input_shape", dim, 2), 3, "three dimensions");
    unit_check(dim[0] == 3 && dim[1] == 32, "of which two were asked for");
    unit_check(!ax_options_boolean(o, "shuffle"), "shuffle");
    unit_is_str(ax_options_text(o, "loss"), "mse", "loss");
    ax_options_free(o);
    for (size_t n = 1; n < strlen(json); n++) {
        o = NULL;
        bad += ax_options_parse(unit_env(), json, n, &o, &err) == AX_OK;
        ax_options_free(o);
    }
    unit_is_int(bad, 0, "cut anywhere it is refused");
}

int main(void)
{
    test_defaults();
    test_given();
    refused("{\"epoch\": 3}", AX_ERR_UNKNOWN, "\"epoch\"", "\"epochs\"");
    refused("{\"epochs\": -3}", AX_ERR_INVALID, "epochs", "");
    refused("{\"epochs\": 1.5}", AX_ERR_INVALID, "epochs", "");
    refused("{\"epochs\": \"3\"}", AX_ERR_INVALID, "epochs", "");
    refused("{\"batch_size\": 0}", AX_ERR_INVALID, "batch_size", "");
    refused("{\"validation_split\": 1}", AX_ERR_INVALID, "validation_split", "");
    refused("{\"data_format\": \"NCHW\"}", AX_ERR_INVALID, "NCHW", "");
    refused("{\"shuffle\": 1}", AX_ERR_INVALID, "shuffle", "");
    refused("{\"input_shape\": [3, \"x\"]}", AX_ERR_INVALID, "input_shape", "");
    refused("[]", AX_ERR_INVALID, "object", "");
    return unit_done();
}
