// KV blocks between the pools of two processes of one host: copies of whole blocks, and checksums of them. A block has a
// piece of each layer; a layer's pieces lie side by side, and pools differ in how many there are.

typedef unsigned long long uint64;

constexpr uint64 GOLDEN = 0x9E3779B97F4A7C15ull;
constexpr int WARPS_MAX = 32;

// An eight-byte word with its place: the finaliser of SplitMix64.
__device__ __forceinline__ uint64 mixed(uint64 word, uint64 place) {
    uint64 z = word + GOLDEN * (place + 1);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}

// A thread block for each KV block and for every gridDim.y-th of its layers; pieces are read 16 bytes at a time. A block's
// checksum is the sum of sums[y][block]. numbers and sums lie in host memory.
extern "C" __global__ void checksum_blocks(
    const unsigned char* pool, long layerBytes, long pieceBytes, int layers, const int* numbers, uint64* sums) {
    __shared__ uint64 warps[WARPS_MAX];
    const unsigned char* block = pool + numbers[blockIdx.x] * pieceBytes;
    const long pairs = pieceBytes / 16;
    uint64 sum = 0;
    for (int layer = blockIdx.y; layer < layers; layer += gridDim.y) {
        const ulonglong2* piece = reinterpret_cast<const ulonglong2*>(block + layer * layerBytes);
        const uint64 place = 2ull * layer * pairs;
#pragma unroll 4
        for (long i = threadIdx.x; i < pairs; i += blockDim.x) {
            const ulonglong2 words = piece[i];
            sum += mixed(words.x, place + 2 * i) + mixed(words.y, place + 2 * i + 1);
        }
    }
    for (int other = 16; other > 0; other /= 2) {
        sum += __shfl_xor_sync(0xffffffffu, sum, other);
    }
    if (threadIdx.x % 32 == 0) {
        warps[threadIdx.x / 32] = sum;
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        for (int w = 1; w < blockDim.x / 32; w++) {
            sum += warps[w];
        }
        sums[blockIdx.y * gridDim.x + blockIdx.x] = sum;
    }
}

// Thread blocks take pieces in turns. own and theirs, numbers of blocks in the two pools, lie in host memory.
extern "C" __global__ void pull_blocks(
    unsigned char* pool,
    long layerBytes,
    const unsigned char* otherPool,
    long otherLayerBytes,
    long pieceBytes,
    int layers,
    const int* own,
    const int* theirs,
    int count) {
    constexpr int AHEAD = 4;
    const long words = pieceBytes / 16;
    for (int p = blockIdx.x; p < count * layers; p += gridDim.x) {
        const int block = p / layers;
        const long layer = p % layers;
        const int4* from =
            reinterpret_cast<const int4*>(otherPool + layer * otherLayerBytes + theirs[block] * pieceBytes);
        int4* to = reinterpret_cast<int4*>(pool + layer * layerBytes + own[block] * pieceBytes);
        long i = threadIdx.x;
        for (; i + (AHEAD - 1) * blockDim.x < words; i += AHEAD * blockDim.x) {
            int4 some[AHEAD];
#pragma unroll
            for (int a = 0; a < AHEAD; a++) {
                some[a] = __ldcs(from + i + a * blockDim.x);
            }
#pragma unroll
            for (int a = 0; a < AHEAD; a++) {
                to[i + a * blockDim.x] = some[a];
            }
        }
        for (; i < words; i += blockDim.x) {
            to[i] = __ldcs(from + i);
        }
    }
}
