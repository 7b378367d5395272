package dev.kvasir.model.weights;

import dev.kvasir.model.ModelFileException;
import dev.kvasir.model.config.ModelConfig;
import dev.kvasir.model.config.StoredTensor;
import dev.kvasir.model.config.TensorNames;
import dev.kvasir.model.config.WeightRole;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.stream.LongStream;

/**
 * Random weights for any geometry from its configuration alone, to measure speed without a checkpoint. Deterministic in
 * seed and name; scaled so that activations stay of order one: norms 1, biases 0, matrices uniform with deviation
 * 1/sqrt(inputs).
 */
public final class DummyWeights implements WeightSource {
    private static final int CHUNK_ELEMENTS = 1 << 16;
    private static final long GOLDEN = 0x9E37_79B9_7F4A_7C15L;

    private final Path origin;
    private final long seed;
    private final DType type;
    private final Arena arena = Arena.ofShared();
    private final Map<String, Tensor> tensors = new LinkedHashMap<>();

    private DummyWeights(Path origin, long seed, DType type) {
        this.origin = origin;
        this.seed = seed;
        this.type = type;
    }

    /**
     * Fills all tensors that a family stores for a configuration.
     *
     * @param origin named in messages
     */
    public static DummyWeights create(
            Path origin, ModelConfig config, TensorNames names, DType type, long seed, LoadProgress progress) {
        var weights = new DummyWeights(origin, seed, type);
        var plan = StoredShapes.of(config, names);
        long total = plan.stream()
                .mapToLong(stored -> stored.elements() * type.bytes())
                .sum();
        long done = 0;
        try {
            for (var stored : plan) {
                weights.fill(config, stored);
                done += stored.elements() * type.bytes();
                progress.loaded(done, total);
            }
        } catch (OutOfMemoryError e) {
            weights.close();
            throw new ModelFileException(
                    origin, "weights", total + " bytes", "do not fit into memory: " + e.getMessage());
        }
        return weights;
    }

    /** Stands for random weights that are made elsewhere; it has no tensors. */
    public static DummyWeights elsewhere(Path origin, DType type, long seed) {
        return new DummyWeights(origin, seed, type);
    }

    private void fill(ModelConfig config, StoredShapes.Stored stored) {
        var data = arena.allocate(stored.elements() * type.bytes(), 64);
        var role = stored.tensor().roles().getFirst();
        if (stored.shape().size() == 1) {
            float value = isNorm(role) ? 1 - config.finalNorm().weightOffset() : 0;
            fillConstant(data, value);
        } else {
            boolean transposed = stored.tensor().layout() == StoredTensor.Layout.TRANSPOSED;
            int inputs = transposed ? stored.shape().getFirst() : stored.shape().getLast();
            fillUniform(
                    data,
                    table((float) Math.sqrt(3.0 / inputs)),
                    seed ^ (GOLDEN * stored.name().hashCode()));
        }
        tensors.put(stored.name(), new Tensor(stored.name(), type, stored.shape(), data));
    }

    private static boolean isNorm(WeightRole role) {
        return switch (role) {
            case FINAL_NORM,
                    ATTENTION_PRE_NORM,
                    ATTENTION_POST_NORM,
                    FEED_FORWARD_PRE_NORM,
                    FEED_FORWARD_POST_NORM,
                    QUERY_NORM,
                    KEY_NORM -> true;
            default -> false;
        };
    }

    private void fillConstant(MemorySegment data, float value) {
        for (long i = 0; i < data.byteSize() / type.bytes(); i++) {
            put(data, i, bits(value));
        }
    }

    /** Chunks have random numbers of their own, so that they can be filled at the same time. */
    private void fillUniform(MemorySegment data, long[] table, long tensorSeed) {
        int chunkBytes = CHUNK_ELEMENTS * type.bytes();
        LongStream.range(0, Math.ceilDiv(data.byteSize(), chunkBytes))
                .parallel()
                .forEach(chunk -> {
                    var words = new long[chunkBytes / Long.BYTES];
                    fill(words, table, mix(tensorSeed + GOLDEN * (chunk + 1)), type == DType.F32);
                    long from = chunk * chunkBytes;
                    long bytes = Math.min(chunkBytes, data.byteSize() - from);
                    MemorySegment.copy(MemorySegment.ofArray(words), 0, data, from, bytes);
                });
    }

    /** Four elements from each random number, packed into one word or two. */
    private static void fill(long[] words, long[] table, long seed, boolean twoWords) {
        long state = seed;
        for (int word = 0; word < words.length; word += twoWords ? 2 : 1) {
            state += GOLDEN;
            long random = mix(state);
            long first = table[(int) (random & 0xFFF)];
            long second = table[(int) (random >>> 16 & 0xFFF)];
            long third = table[(int) (random >>> 32 & 0xFFF)];
            long fourth = table[(int) (random >>> 48 & 0xFFF)];
            if (twoWords) {
                words[word] = first | second << 32;
                words[word + 1] = third | fourth << 32;
            } else {
                words[word] = first | second << 16 | third << 32 | fourth << 48;
            }
        }
    }

    /** SplitMix64. */
    private static long mix(long z) {
        long a = (z ^ (z >>> 30)) * 0xBF58_476D_1CE4_E5B9L;
        long b = (a ^ (a >>> 27)) * 0x94D0_49BB_1331_11EBL;
        return b ^ (b >>> 31);
    }

    /** The stored form of evenly spaced values in (-bound, bound): few enough to stay in the first-level cache. */
    private long[] table(float bound) {
        var table = new long[1 << 12];
        for (int i = 0; i < table.length; i++) {
            table[i] = Integer.toUnsignedLong(bits(bound * ((i + 0.5f) / (1 << 11) - 1)));
        }
        return table;
    }

    private int bits(float value) {
        return switch (type) {
            case F32 -> Float.floatToRawIntBits(value);
            case F16 -> Float.floatToFloat16(value) & 0xFFFF;
            // Half of the last kept place rounds to nearest.
            case BF16 -> (Float.floatToRawIntBits(value) + 0x8000) >>> 16;
        };
    }

    private void put(MemorySegment data, long element, int bits) {
        if (type == DType.F32) {
            data.setAtIndex(ValueLayout.JAVA_INT, element, bits);
        } else {
            data.setAtIndex(ValueLayout.JAVA_SHORT, element, (short) bits);
        }
    }

    @Override
    public Path origin() {
        return origin;
    }

    @Override
    public Set<String> names() {
        return Collections.unmodifiableSet(tensors.keySet());
    }

    @Override
    public Tensor tensor(String name) {
        var tensor = tensors.get(name);
        if (tensor == null) {
            throw new ModelFileException(origin, name, null, "no such tensor");
        }
        return tensor;
    }

    @Override
    public long byteSize() {
        return tensors.values().stream()
                .mapToLong(tensor -> tensor.data().byteSize())
                .sum();
    }

    @Override
    public void digestInto(MessageDigest digest) {
        digest.update("dummy %s %d%s"
                .formatted(type, seed, tensors.isEmpty() ? " elsewhere" : "")
                .getBytes(StandardCharsets.UTF_8));
    }

    @Override
    public void close() {
        arena.close();
    }
}
