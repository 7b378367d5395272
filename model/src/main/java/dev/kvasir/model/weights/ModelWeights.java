package dev.kvasir.model.weights;

import dev.kvasir.model.ModelFileException;
import dev.kvasir.model.config.Attention;
import dev.kvasir.model.config.Layer;
import dev.kvasir.model.config.ModelConfig;
import dev.kvasir.model.config.StoredTensor;
import dev.kvasir.model.config.TensorNames;
import dev.kvasir.model.config.WeightRole;
import dev.kvasir.model.config.WeightShapes;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Weights by role, cut out of the tensors that a family stores them in. What lies in one piece stays mapped; what lies
 * interleaved or transposed is copied once, in its stored type. Shapes are checked against the configuration.
 */
public final class ModelWeights implements AutoCloseable {
    private final ModelConfig config;
    private final TensorNames names;
    private final WeightSource source;
    private final String prefix;
    private final Map<WeightRole, StoredTensor> storedIn = new EnumMap<>(WeightRole.class);
    private final Arena copies = Arena.ofShared();

    /**
     * Weights of a source, which is closed with this.
     *
     * @param names where the family's files hold each weight
     */
    public ModelWeights(ModelConfig config, TensorNames names, WeightSource source) {
        this.config = config;
        this.names = names;
        this.source = source;
        for (var tensor : names.tensors()) {
            tensor.roles().forEach(role -> storedIn.put(role, tensor));
        }
        this.prefix = prefix();
    }

    private String prefix() {
        var embedding = stored(WeightRole.EMBEDDING);
        return names.bodyPrefixes().stream()
                .filter(candidate -> embedding.names().stream()
                        .anyMatch(name -> source.names().contains(StoredShapes.name(candidate, embedding, name, 0))))
                .findFirst()
                .orElse(names.bodyPrefixes().getFirst());
    }

    private StoredTensor stored(WeightRole role) {
        var tensor = storedIn.get(role);
        if (tensor == null) {
            throw new IllegalStateException(config.architecture() + " has no name for the weight " + role);
        }
        return tensor;
    }

    /** A weight outside layers; empty where the configuration calls for none. */
    public Optional<Tensor> find(WeightRole role) {
        return find(null, 0, role);
    }

    /** A weight of a layer; empty where the configuration calls for none. */
    public Optional<Tensor> find(int layer, WeightRole role) {
        return find(config.layers().get(layer), layer, role);
    }

    private Optional<Tensor> find(@Nullable Layer layer, int number, WeightRole role) {
        var shape = layer == null ? WeightShapes.of(config, role) : WeightShapes.of(config, layer, role);
        if (shape.isEmpty()) {
            return Optional.empty();
        }
        var tensor = stored(role);
        var whole = stored(tensor, number);
        var needed = StoredShapes.shape(config, layer, tensor);
        if (!whole.shape().equals(needed)) {
            throw new ModelFileException(
                    source.origin(), whole.name() + ".shape", whole.shape(), "the configuration calls for " + needed);
        }
        if (tensor.roles().size() == 1 && tensor.layout() != StoredTensor.Layout.TRANSPOSED) {
            return Optional.of(whole);
        }
        return Optional.of(cut(layer, tensor, whole, role, shape));
    }

    private Tensor stored(StoredTensor tensor, int layer) {
        for (var spelling : tensor.names()) {
            var name = StoredShapes.name(prefix, tensor, spelling, layer);
            if (source.names().contains(name)) {
                return source.tensor(name);
            }
        }
        return source.tensor(StoredShapes.name(prefix, tensor, tensor.names().getFirst(), layer));
    }

    private Tensor cut(@Nullable Layer layer, StoredTensor tensor, Tensor whole, WeightRole role, List<Integer> shape) {
        int before = 0;
        for (var other : tensor.roles().subList(0, tensor.roles().indexOf(role))) {
            var otherShape = layer == null ? WeightShapes.of(config, other) : WeightShapes.of(config, layer, other);
            before += otherShape.getFirst();
        }
        var data = switch (tensor.layout()) {
            case ROWS -> rows(whole, shape, before);
            case HEADS ->
                heads(
                        whole,
                        shape,
                        headCount(layer),
                        tensor.roles().indexOf(role),
                        tensor.roles().size());
            case TRANSPOSED -> transposed(whole, shape, before);
        };
        return new Tensor(whole.name() + "/" + role, whole.dtype(), shape, data);
    }

    private static int headCount(@Nullable Layer layer) {
        if (layer == null) {
            throw new IllegalArgumentException("weights outside layers have no heads");
        }
        return switch (layer.mixer()) {
            case Attention attention -> attention.headCount();
        };
    }

    private static long rowBytes(Tensor whole) {
        return whole.data().byteSize() / whole.shape().getFirst();
    }

    private static MemorySegment rows(Tensor whole, List<Integer> shape, int before) {
        return whole.data().asSlice(before * rowBytes(whole), shape.getFirst() * rowBytes(whole));
    }

    /** One of several projections that take turns head by head; all have as many heads. */
    private MemorySegment heads(Tensor whole, List<Integer> shape, int headCount, int turn, int turns) {
        long headBytes = rowBytes(whole) * shape.getFirst() / headCount;
        var copy = copies.allocate(headBytes * headCount, 64);
        for (int head = 0; head < headCount; head++) {
            long from = ((long) head * turns + turn) * headBytes;
            MemorySegment.copy(whole.data(), from, copy, head * headBytes, headBytes);
        }
        return copy;
    }

    /** Columns [before, before + rows) of a stored [inputs, outputs] as rows of [outputs, inputs]. */
    private MemorySegment transposed(Tensor whole, List<Integer> shape, int before) {
        int outputs = shape.getFirst();
        int inputs = shape.getLast();
        int stride = whole.shape().getLast();
        int bytes = whole.dtype().bytes();
        var copy = copies.allocate((long) outputs * inputs * bytes, 64);
        for (int output = 0; output < outputs; output++) {
            for (int input = 0; input < inputs; input++) {
                long from = (long) input * stride + before + output;
                long to = (long) output * inputs + input;
                if (bytes == 4) {
                    copy.setAtIndex(ValueLayout.JAVA_INT, to, whole.data().getAtIndex(ValueLayout.JAVA_INT, from));
                } else {
                    copy.setAtIndex(ValueLayout.JAVA_SHORT, to, whole.data().getAtIndex(ValueLayout.JAVA_SHORT, from));
                }
            }
        }
        return copy;
    }

    public WeightSource source() {
        return source;
    }

    @Override
    public void close() {
        copies.close();
        source.close();
    }
}
