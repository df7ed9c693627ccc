/*
 * version.c: the engine's own version, which a stored model carries.
 */
#include "base/base.h"

const char *ax_engine_version(void)
{
    return "0.1";
}
