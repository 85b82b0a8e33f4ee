/*
 * module.h: what the runtime sees of a module beyond the public interface.
 */
#ifndef RK_MODULE_MODULE_H
#define RK_MODULE_MODULE_H

#include "module/bundle.h"
#include <ringkernel/module.h>

/* The bundle, borrowed from the module. */
const rk_bundle *rk_module_bundle(const rk_module *module);

#endif
