/* SPDX-License-Identifier: MIT */
/* CPU models the tests run on: models.def. */
#ifndef TESTS_MONITOR_MODELS_H
#define TESTS_MONITOR_MODELS_H

#include <ringwall/types.h>

#define FAKE_NO_MSR   UINT64_MAX
#define FAKE_VMX_MSR  0x480
#define FAKE_VMX_MSRS 18

struct fake_model {
	const char *name;
	uint32_t signature; /* CPUID.1:EAX */
	uint32_t features;  /* CPUID.1:ECX */
	uint32_t features7; /* CPUID.7.0:ECX */
	uint32_t xcr0;	    /* CPUID.D.0:EAX */
	uint64_t feature_control;
	uint64_t vmx[FAKE_VMX_MSRS]; /* MSR 480H on */
};

enum fake_model_name {
#define FAKE_MODEL(name, ...) MODEL_##name,
#include "tests/monitor/models.def"
#undef FAKE_MODEL
	FAKE_MODELS
};

extern const struct fake_model fake_models[FAKE_MODELS];

#endif
