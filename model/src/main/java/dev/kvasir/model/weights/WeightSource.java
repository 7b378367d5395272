package dev.kvasir.model.weights;

import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Set;

/**
 * Stored tensors by name. Their memory lives until the source is closed; kernels that computed from it must be closed
 * before.
 */
public interface WeightSource extends AutoCloseable {
    /** Where the tensors come from, for messages. */
    Path origin();

    Set<String> names();

    /**
     * A tensor.
     *
     * @throws dev.kvasir.model.ModelFileException if there is none of that name, or it is of a type that cannot be computed
     */
    Tensor tensor(String name);

    /** Bytes of all tensors. */
    long byteSize();

    /** Feeds what tells these weights from others into a digest. */
    void digestInto(MessageDigest digest);

    @Override
    void close();
}
