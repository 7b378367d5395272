package dev.kvasir.model.config;

import java.util.ArrayList;
import java.util.List;

/**
 * Where a family's files hold each weight.
 *
 * @param bodyPrefixes what stands before every name but the output projection's; checkpoints differ, the first one under
 *     which the token embedding is found holds for all
 * @param tensors one entry per stored tensor; those whose weights a configuration does not call for are not read
 */
public record TensorNames(List<String> bodyPrefixes, List<StoredTensor> tensors) {
    public TensorNames {
        bodyPrefixes = List.copyOf(bodyPrefixes);
        tensors = List.copyOf(tensors);
    }

    /** These names with other entries, which replace those that hold the same weights. */
    TensorNames with(StoredTensor... others) {
        var changed = new ArrayList<>(tensors);
        for (var other : others) {
            changed.removeIf(tensor -> other.roles().containsAll(tensor.roles()));
            changed.add(other);
        }
        return new TensorNames(bodyPrefixes, changed);
    }

    TensorNames prefixed(String... prefixes) {
        return new TensorNames(List.of(prefixes), tensors);
    }
}
