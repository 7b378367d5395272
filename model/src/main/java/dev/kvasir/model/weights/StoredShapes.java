package dev.kvasir.model.weights;

import dev.kvasir.model.config.Layer;
import dev.kvasir.model.config.ModelConfig;
import dev.kvasir.model.config.StoredTensor;
import dev.kvasir.model.config.TensorNames;
import dev.kvasir.model.config.WeightRole;
import dev.kvasir.model.config.WeightShapes;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The tensors that a family's files must hold for a configuration, with their shapes. */
final class StoredShapes {
    private StoredShapes() {}

    /**
     * A tensor to be stored.
     *
     * @param name under the first prefix and spelling
     */
    record Stored(String name, StoredTensor tensor, List<Integer> shape) {
        long elements() {
            return shape.stream().mapToLong(Integer::longValue).reduce(1, Math::multiplyExact);
        }
    }

    static List<Stored> of(ModelConfig config, TensorNames names) {
        var prefix = names.bodyPrefixes().getFirst();
        var all = new ArrayList<Stored>();
        for (var tensor : names.tensors()) {
            if (!tensor.roles().getFirst().perLayer()) {
                add(all, name(prefix, tensor, 0), tensor, shape(config, null, tensor));
            }
        }
        for (int layer = 0; layer < config.layers().size(); layer++) {
            for (var tensor : names.tensors()) {
                if (tensor.roles().getFirst().perLayer()) {
                    var shape = shape(config, config.layers().get(layer), tensor);
                    add(all, name(prefix, tensor, layer), tensor, shape);
                }
            }
        }
        return all;
    }

    private static void add(List<Stored> all, String name, StoredTensor tensor, List<Integer> shape) {
        if (!shape.isEmpty()) {
            all.add(new Stored(name, tensor, shape));
        }
    }

    private static String name(String prefix, StoredTensor tensor, int layer) {
        return name(prefix, tensor, tensor.names().getFirst(), layer);
    }

    /** The name in a file of one spelling. */
    static String name(String prefix, StoredTensor tensor, String spelling, int layer) {
        boolean body = !tensor.roles().getFirst().equals(WeightRole.OUTPUT);
        return (body ? prefix : "") + spelling.replace("{}", Integer.toString(layer));
    }

    /** Shape of the weights of a tensor together, as they are stored; empty where the configuration calls for none. */
    static List<Integer> shape(ModelConfig config, @Nullable Layer layer, StoredTensor tensor) {
        int rows = 0;
        List<Integer> last = List.of();
        for (var role : tensor.roles()) {
            last = layer == null ? WeightShapes.of(config, role) : WeightShapes.of(config, layer, role);
            if (last.isEmpty()) {
                return last;
            }
            rows = Math.addExact(rows, last.getFirst());
        }
        if (last.size() == 1) {
            return List.of(rows);
        }
        return tensor.layout() == StoredTensor.Layout.TRANSPOSED
                ? List.of(last.getLast(), rows)
                : List.of(rows, last.getLast());
    }
}
