// Keys and values of eight bits: e4m3 numbers (sign, exponent of bias 7, three bits of mantissa, no infinities, 448 at most)
// with a scale of each token and KV head. Includes nothing, as Elements.cuh.
#pragma once

struct e4m3 {
    unsigned char bits;
};

// Two numbers, the first in the low byte, as two of f16, which hold them exactly. The upper half of the argument is ignored.
__device__ __forceinline__ unsigned e4m3_to_f16x2(unsigned pair) {
    unsigned result;
#if __CUDA_ARCH__ >= 890
    asm("{.reg .b16 low, high; mov.b32 {low, high}, %1; cvt.rn.f16x2.e4m3x2 %0, low;}" : "=r"(result) : "r"(pair));
#else
    // As bits of f16 a number is 2^-8 of itself, subnormals too: the biases are 7 and 15.
    const unsigned x = __byte_perm(pair, 0, 0x1404);
    const unsigned rest = x & 0x7f007f00u;
    const unsigned nan = (rest + 0x01000100u) & 0x80008000u;
    const unsigned small = (x & 0x80008000u) | rest >> 1 | nan >> 1;
    asm("mul.f16x2 %0, %1, %2;" : "=r"(result) : "r"(small), "r"(0x5c005c00u));
#endif
    return result;
}

__device__ __forceinline__ float to_float(e4m3 x) {
    float result;
    asm("{.reg .b16 low, high; mov.b32 {low, high}, %1; cvt.f32.f16 %0, low;}" : "=f"(result) : "r"(e4m3_to_f16x2(x.bits)));
    return result;
}

// Nearest number, ties to even; what is larger than 448 becomes it, what is not finite NaN.
__device__ __forceinline__ e4m3 to_e4m3(float x) {
    const unsigned bits = __float_as_uint(x);
    const unsigned magnitude = bits & 0x7fffffffu;
    unsigned code;
    if (magnitude >= 0x7f800000u) {
        code = 0x7f;
    } else if (magnitude > 0x43e00000u) {  // 448
        code = 0x7e;
    } else if (magnitude < 0x3c800000u) {  // 2^-6, the least that is not subnormal
        code = __float2int_rn(__uint_as_float(magnitude) * 512.0f);
    } else {
        code = ((magnitude + 0x7ffffu + (magnitude >> 20 & 1)) >> 20) - (120 << 3);
    }
    return {static_cast<unsigned char>(bits >> 24 & 0x80 | code)};
}

// The scale of a row whose largest magnitude is given, as bits of f16: what brings it to 448, in [2^-14, 128].
__device__ __forceinline__ unsigned scale_bits(float largest) {
    const float scale = fminf(fmaxf(__fdiv_rn(largest, 448.0f), 0x1p-14f), 128.0f);
    unsigned bits;
    asm("{.reg .b16 half; cvt.rn.f16.f32 half, %1; cvt.u32.u16 %0, half;}" : "=r"(bits) : "f"(scale));
    return bits;
}

// A token's scales in one word: the key's in the low half, the value's in the high one. Words of a block follow its keys and
// values, [kv head][slot], at a multiple of 16 bytes.
__device__ __forceinline__ float key_scale(unsigned word) {
    float result;
    asm("{.reg .b16 low, high; mov.b32 {low, high}, %1; cvt.f32.f16 %0, low;}" : "=f"(result) : "r"(word));
    return result;
}
__device__ __forceinline__ float value_scale(unsigned word) {
    float result;
    asm("{.reg .b16 low, high; mov.b32 {low, high}, %1; cvt.f32.f16 %0, high;}" : "=f"(result) : "r"(word));
    return result;
}
