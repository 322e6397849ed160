/* SPDX-License-Identifier: MIT */
#include "tests/monitor/models.h"

const struct fake_model fake_models[FAKE_MODELS] = {
#define FAKE_MODEL(name, signature, features, features7, xcr0, control, ...) \
	{                                                                    \
		#name, signature, features,	  features7,                 \
		xcr0,  control,	  { __VA_ARGS__ }                            \
	},
#include "tests/monitor/models.def"
#undef FAKE_MODEL
};
