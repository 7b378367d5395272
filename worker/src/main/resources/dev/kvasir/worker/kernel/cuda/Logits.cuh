// A row of logits as the CPU's sampler sees it: what tokens weigh, and which of two is better.
#pragma once
#include "Elements.cuh"

typedef unsigned int uint32;
typedef unsigned long long uint64;

// The CPU's polynomial, operation by operation: none of them may be fused.
__device__ __forceinline__ float weight(float logit, float max, float inverseTemperature) {
    const float x = fmaxf(__fmul_rn(__fsub_rn(logit, max), inverseTemperature), -88.1f);
    const float rounded = __fadd_rn(__fmul_rn(x, 1.442695f), 12582912.0f);
    const float exponent = __fsub_rn(rounded, 12582912.0f);
    const float r = __fsub_rn(__fsub_rn(x, __fmul_rn(exponent, 0.693359375f)), __fmul_rn(exponent, -2.1219444e-4f));
    float p = __fadd_rn(__fmul_rn(1.9875691E-4f, r), 0.0013981999f);
    p = __fadd_rn(__fmul_rn(p, r), 0.008333452f);
    p = __fadd_rn(__fmul_rn(p, r), 0.041665796f);
    p = __fadd_rn(__fmul_rn(p, r), 0.16666666f);
    p = __fadd_rn(__fmul_rn(p, r), 0.5f);
    const float power = __int_as_float((__float_as_int(rounded) - 0x4B400000 + 127) << 23);
    return __fmul_rn(__fadd_rn(__fadd_rn(__fmul_rn(__fmul_rn(p, r), r), r), 1.0f), power);
}

// Smaller is better: larger logit, then lower id.
__device__ __forceinline__ uint64 keyOf(float logit, int id) {
    const int bits = __float_as_int(logit + 0.0f);
    const uint32 ordered = static_cast<uint32>(bits ^ ((bits >> 31) & 0x7fffffff)) ^ 0x80000000u;
    return static_cast<uint64>(~ordered) << 32 | static_cast<uint32>(id);
}
