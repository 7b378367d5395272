// Activation functions by number: 0 SiLU, 1 GELU by tanh, 2 GELU, 3 ReLU.
#pragma once
#include "Primitives.cuh"

INLINE float activate(float x, int activation) {
    switch (activation) {
        case 0: return x / (1.0f + __expf(-x));
        case 2: return 0.5f * x * (1.0f + erff(x * 0.7071067811865476f));
        case 1: return 0.5f * x * (1.0f + tanhFast(0.7978845608028654f * (x + 0.044715f * x * x * x)));
        default: return fmaxf(x, 0.0f);
    }
}
