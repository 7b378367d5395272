package dev.kvasir.kvstore.hash;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.security.DigestException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import org.jspecify.annotations.Nullable;

/**
 * Computes block hashes. Not thread-safe: it owns a buffer, so that hashing a block allocates its hash alone.
 *
 * <pre>
 * root    SHA-256( 'R' version, then per field: tag, length, bytes )
 * block   SHA-256( 'B', parent or root (16 bytes), token ids (19 bits each, little-endian) )
 *         SHA-256( 'W', parent or root (16 bytes), token ids (4 bytes each, little-endian) )  where one takes more than 19 bits
 * </pre>
 *
 * Fields are typed and length-prefixed, so that no two different sets of fields give the same bytes. The number of tokens
 * of a block needs no prefix: the root holds the block size. SHA-256 takes 55 bytes in one round: a block of 16 tokens in 19 bits
 * each fits exactly, and vocabularies of up to 524,288 tokens never need more.
 */
public final class BlockHasher {
    private static final byte VERSION = 2;
    private static final VarHandle INTS = MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle LITTLE_LONGS =
            MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle LONGS = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);
    private static final int TOKENS_AT = 1 + 16;
    private static final int NARROW_BITS = 19;

    private final int blockSize;
    private final @Nullable NameCache known;
    private final MessageDigest digest = sha256();
    private final byte[] message;
    private final byte[] output = new byte[32];

    /** For blocks of so many tokens, all of which are hashed. */
    public BlockHasher(int blockSize) {
        this(blockSize, null);
    }

    /** For blocks of so many tokens, of which those of chains that are known need not be hashed. */
    public BlockHasher(int blockSize, @Nullable NameCache known) {
        this.blockSize = blockSize;
        this.known = known;
        this.message = new byte[TOKENS_AT + Integer.BYTES * blockSize];
    }

    public int blockSize() {
        return blockSize;
    }

    /** Names that need not be computed. */
    @Nullable
    NameCache known() {
        return known;
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
        LONGS.set(message, 1, parent.high());
        LONGS.set(message, 1 + Long.BYTES, parent.low());
        int bits = 0;
        for (int i = from; i < from + blockSize; i++) {
            bits |= tokens[i];
        }
        if (bits >>> NARROW_BITS == 0) {
            narrow(tokens, from);
        } else {
            wide(tokens, from);
        }
        return finish();
    }

    private void narrow(int[] tokens, int from) {
        message[0] = 'B';
        int end = from + blockSize;
        int at = TOKENS_AT;
        int i = from;
        for (; i + 8 <= end; i += 8) {
            eightNarrow(tokens, i, at);
            at += NARROW_BITS;
        }
        long waiting = 0;
        int bits = 0;
        for (; i < end; i++) {
            waiting |= (long) tokens[i] << bits;
            for (bits += NARROW_BITS; bits >= Byte.SIZE; bits -= Byte.SIZE) {
                message[at++] = (byte) waiting;
                waiting >>>= Byte.SIZE;
            }
        }
        if (bits > 0) {
            message[at++] = (byte) waiting;
        }
        digest.update(message, 0, at);
    }

    /** Eight ids fill nineteen bytes; half the time of one after the other. The byte after them is written over. */
    private void eightNarrow(int[] tokens, int i, int at) {
        long fourth = tokens[i + 3];
        long seventh = tokens[i + 6];
        long low = tokens[i] | (long) tokens[i + 1] << 19 | (long) tokens[i + 2] << 38 | fourth << 57;
        long middle = fourth >>> 7 | (long) tokens[i + 4] << 12 | (long) tokens[i + 5] << 31 | seventh << 50;
        long high = seventh >>> 14 | (long) tokens[i + 7] << 5;
        LITTLE_LONGS.set(message, at, low);
        LITTLE_LONGS.set(message, at + Long.BYTES, middle);
        INTS.set(message, at + 2 * Long.BYTES, (int) high);
    }

    private void wide(int[] tokens, int from) {
        message[0] = 'W';
        for (int i = 0; i < blockSize; i++) {
            INTS.set(message, TOKENS_AT + Integer.BYTES * i, tokens[from + i]);
        }
        digest.update(message, 0, message.length);
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
