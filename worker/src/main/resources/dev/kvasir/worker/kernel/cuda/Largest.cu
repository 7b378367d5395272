// The largest logit of each row and the lowest id that has it; NaN where any logit is NaN.
#include "Largest.cuh"

// logits [rows, columns], rows `stride` apart; chosen[2 * row] is the id, chosen[2 * row + 1] the logit's bits. One thread
// block per row.
extern "C" __global__ void largest(const float* logits, int stride, int columns, int* chosen) {
    follow();
    const Choice choice = largest_of(logits + static_cast<long>(blockIdx.x) * stride, columns);
    if (threadIdx.x == 0) {
        chosen[2 * blockIdx.x] = choice.id;
        chosen[2 * blockIdx.x + 1] = __float_as_int(choice.value);
    }
}
