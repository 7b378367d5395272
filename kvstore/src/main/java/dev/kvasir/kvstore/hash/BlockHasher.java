package dev.kvasir.kvstore.hash;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.IntBuffer;
import java.nio.charset.StandardCharsets;
import java.security.DigestException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/**
 * Computes block hashes. Not thread-safe: it owns a buffer, so that hashing a block allocates its hash alone.
 *
 * <pre>
 * root    SHA-256( 'R' version, then per field: tag, length, bytes )
 * block   SHA-256( 'B', parent or root (16 bytes), token ids (4 bytes each, little-endian) )
 * </pre>
 *
 * Fields are typed and length-prefixed, so that no two different sets of fields give the same bytes. The number of tokens
 * of a block needs no prefix: the root holds the block size.
 */
public final class BlockHasher {
    private static final byte VERSION = 1;
    private static final VarHandle INTS = MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle LONGS = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);
    private static final int PARENT_BYTES = 16;

    private final int blockSize;
    private final MessageDigest digest = sha256();
    private final byte[] message;
    private final IntBuffer messageTokens;
    private final byte[] output = new byte[32];

    public BlockHasher(int blockSize) {
        this.blockSize = blockSize;
        this.message = new byte[1 + PARENT_BYTES + Integer.BYTES * blockSize];
        this.messageTokens = ByteBuffer.wrap(message)
                .position(1 + PARENT_BYTES)
                .slice()
                .order(ByteOrder.LITTLE_ENDIAN)
                .asIntBuffer();
    }

    public int blockSize() {
        return blockSize;
    }

    /** Parent of a prompt's first block. */
    public BlockHash root(HashRoot root) {
        if (root.blockSize() != blockSize) {
            throw new IllegalArgumentException(
                    "root is of block size %d, hasher of %d".formatted(root.blockSize(), blockSize));
        }
        digest.reset();
        digest.update((byte) 'R');
        digest.update(VERSION);
        field(1, root.modelFingerprint().getBytes(StandardCharsets.UTF_8));
        field(2, root.adapter().getBytes(StandardCharsets.UTF_8));
        field(3, root.kvDtype().getBytes(StandardCharsets.UTF_8));
        field(4, littleEndian(root.blockSize()));
        field(5, root.tenantSalt().getBytes(StandardCharsets.UTF_8));
        field(6, root.cacheSalt().getBytes(StandardCharsets.UTF_8));
        return finish();
    }

    /** The hash of the full block {@code tokens[from, from + blockSize)} that follows {@code parent}. */
    public BlockHash next(BlockHash parent, int[] tokens, int from) {
        message[0] = 'B';
        LONGS.set(message, 1, parent.high());
        LONGS.set(message, 1 + Long.BYTES, parent.low());
        messageTokens.put(0, tokens, from, blockSize);
        digest.update(message, 0, message.length);
        return finish();
    }

    private void field(int tag, byte[] bytes) {
        digest.update((byte) tag);
        digest.update(littleEndian(bytes.length));
        digest.update(bytes);
    }

    private BlockHash finish() {
        try {
            digest.digest(output, 0, output.length);
        } catch (DigestException e) {
            throw new IllegalStateException("SHA-256 gives 32 bytes", e);
        }
        return new BlockHash((long) LONGS.get(output, 0), (long) LONGS.get(output, Long.BYTES));
    }

    private static byte[] littleEndian(int value) {
        var bytes = new byte[Integer.BYTES];
        INTS.set(bytes, 0, value);
        return bytes;
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
