package dev.kvasir.model.config;

import java.util.List;

/**
 * How a family's files hold one or several weights of a layer, or one of the whole model.
 *
 * @param names name in the files, older or newer spellings after the first; {@code {}} is the layer's number
 * @param roles the weights in it, in order
 */
public record StoredTensor(List<String> names, Layout layout, List<WeightRole> roles) {
    public StoredTensor {
        names = List.copyOf(names);
        roles = List.copyOf(roles);
    }

    /** How the weights of one tensor lie in it. */
    public enum Layout {
        /** One after the other, along the first dimension. */
        ROWS,
        /** Taking turns, one head of each at a time, along the first dimension. */
        HEADS,
        /** As ROWS, but of the transposed matrix: [inputs, outputs]. */
        TRANSPOSED
    }

    static StoredTensor rows(String name, WeightRole... roles) {
        return new StoredTensor(List.of(name), Layout.ROWS, List.of(roles));
    }

    static StoredTensor heads(String name, WeightRole... roles) {
        return new StoredTensor(List.of(name), Layout.HEADS, List.of(roles));
    }

    static StoredTensor transposed(String name, WeightRole... roles) {
        return new StoredTensor(List.of(name), Layout.TRANSPOSED, List.of(roles));
    }

    StoredTensor orNamed(String name) {
        return new StoredTensor(List.of(names.getFirst(), name), layout, roles);
    }
}
