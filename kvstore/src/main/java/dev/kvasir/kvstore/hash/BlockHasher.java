package dev.kvasir.kvstore.hash;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.security.DigestException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/**
 * Computes block hashes. Not thread-safe: it owns a buffer, so that hashing a block allocates its hash at most.
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
    private final int narrowLength;
    private final MessageDigest digest = sha256();
    private final byte[] message;
    private final byte[] output = new byte[32];

    public BlockHasher(int blockSize) {
        this.blockSize = blockSize;
        this.narrowLength = TOKENS_AT + Math.ceilDiv(NARROW_BITS * blockSize, Byte.SIZE);
        this.message = new byte[TOKENS_AT + Integer.BYTES * blockSize];
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
        finish();
        return result();
    }

    /** The hash of the full block {@code tokens[from, from + blockSize)} that follows {@code parent}. */
    public BlockHash next(BlockHash parent, int[] tokens, int from) {
        digest(parent.high(), parent.low(), tokens, from);
        return result();
    }

    /**
     * Names the full blocks {@code [from, to)} of {@code tokens}, of which those before {@code from} have names.
     *
     * @param root before the first block
     * @param names two numbers for each block: the high half of its hash, and the low one
     */
    void name(BlockHash root, int[] tokens, long[] names, int from, int to) {
        long high = from == 0 ? root.high() : names[2 * from - 2];
        long low = from == 0 ? root.low() : names[2 * from - 1];
        for (int block = from; block < to; block++) {
            digest(high, low, tokens, block * blockSize);
            high = (long) LONGS.get(output, 0);
            low = (long) LONGS.get(output, Long.BYTES);
            names[2 * block] = high;
            names[2 * block + 1] = low;
        }
    }

    /** The parent, which has just been computed, is written last. */
    private void digest(long parentHigh, long parentLow, int[] tokens, int from) {
        int length = pack(tokens, from);
        LONGS.set(message, 1, parentHigh);
        LONGS.set(message, 1 + Long.BYTES, parentLow);
        digest.update(message, 0, length);
        finish();
    }

    /** Writes a block's message, but for the parent; tells its length. */
    private int pack(int[] tokens, int from) {
        if (narrow(tokens, from) >>> NARROW_BITS == 0) {
            message[0] = 'B';
            return narrowLength;
        }
        message[0] = 'W';
        for (int i = 0; i < blockSize; i++) {
            INTS.set(message, TOKENS_AT + Integer.BYTES * i, tokens[from + i]);
        }
        return message.length;
    }

    /** Packs as if every id were narrow; which bits any of them has tells whether that is so. */
    private int narrow(int[] tokens, int from) {
        int end = from + blockSize;
        int at = TOKENS_AT;
        int i = from;
        int all = 0;
        for (; i + 8 <= end; i += 8) {
            all |= eightNarrow(tokens, i, at);
            at += NARROW_BITS;
        }
        long waiting = 0;
        int bits = 0;
        for (; i < end; i++) {
            all |= tokens[i];
            waiting |= (long) tokens[i] << bits;
            for (bits += NARROW_BITS; bits >= Byte.SIZE; bits -= Byte.SIZE) {
                message[at++] = (byte) waiting;
                waiting >>>= Byte.SIZE;
            }
        }
        if (bits > 0) {
            message[at] = (byte) waiting;
        }
        return all;
    }

    /** Eight ids fill nineteen bytes; half the time of one after the other. The byte after them is written over. */
    private int eightNarrow(int[] tokens, int i, int at) {
        int first = tokens[i];
        int second = tokens[i + 1];
        int third = tokens[i + 2];
        int fourth = tokens[i + 3];
        int fifth = tokens[i + 4];
        int sixth = tokens[i + 5];
        int seventh = tokens[i + 6];
        int eighth = tokens[i + 7];
        long low = first | (long) second << 19 | (long) third << 38 | (long) fourth << 57;
        long middle = (long) fourth >>> 7 | (long) fifth << 12 | (long) sixth << 31 | (long) seventh << 50;
        long high = (long) seventh >>> 14 | (long) eighth << 5;
        LITTLE_LONGS.set(message, at, low);
        LITTLE_LONGS.set(message, at + Long.BYTES, middle);
        INTS.set(message, at + 2 * Long.BYTES, (int) high);
        return first | second | third | fourth | fifth | sixth | seventh | eighth;
    }

    private void field(int tag, byte[] bytes) {
        digest.update((byte) tag);
        digest.update(littleEndian(bytes.length));
        digest.update(bytes);
    }

    private void finish() {
        try {
            digest.digest(output, 0, output.length);
        } catch (DigestException e) {
            throw new IllegalStateException("SHA-256 gives 32 bytes", e);
        }
    }

    private BlockHash result() {
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
