package dev.kvasir.kvstore.hash;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.HashSet;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class BlockHasherTest {
    private static final HashRoot ROOT = new HashRoot("model", "adapter", "f32", 4, "tenant", "salt");
    private final BlockHasher hasher = new BlockHasher(4);

    @Test
    void everyFieldChangesTheRoot() {
        var roots = List.of(
                hasher.root(ROOT),
                hasher.root(new HashRoot("model2", "adapter", "f32", 4, "tenant", "salt")),
                hasher.root(new HashRoot("model", "adapter2", "f32", 4, "tenant", "salt")),
                hasher.root(new HashRoot("model", "adapter", "f16", 4, "tenant", "salt")),
                new BlockHasher(5).root(new HashRoot("model", "adapter", "f32", 5, "tenant", "salt")),
                hasher.root(new HashRoot("model", "adapter", "f32", 4, "tenant2", "salt")),
                hasher.root(new HashRoot("model", "adapter", "f32", 4, "tenant", "salt2")));
        assertThat(roots).doesNotHaveDuplicates();
    }

    @Test
    void bytesMovedBetweenFieldsChangeTheRoot() {
        var roots = List.of(
                hasher.root(new HashRoot("ab", "", "f32", 4, "", "")),
                hasher.root(new HashRoot("a", "b", "f32", 4, "", "")),
                hasher.root(new HashRoot("", "ab", "f32", 4, "", "")),
                hasher.root(new HashRoot("", "", "f32", 4, "ab", "")),
                hasher.root(new HashRoot("", "", "f32", 4, "a", "b")),
                hasher.root(new HashRoot("", "", "f32", 4, "", "ab")),
                hasher.root(new HashRoot("", "", "f32", 4, "ab\0", "")),
                hasher.root(new HashRoot("", "", "f32ab", 4, "", "")));
        assertThat(roots).doesNotHaveDuplicates();
    }

    @Test
    void aBlockIsTheDigestOfItsParentAndItsTokensInNineteenBitsEach() throws Exception {
        var random = new SplittableRandom(1);
        for (int size = 1; size <= 40; size++) {
            var sized = new BlockHasher(size);
            var parent = sized.root(new HashRoot("model", "", "f32", size, "", ""));
            int[] tokens = random.ints(size, 0, 1 << 19).toArray();
            var bits = BigInteger.ZERO;
            for (int i = 0; i < size; i++) {
                bits = bits.or(BigInteger.valueOf(tokens[i]).shiftLeft(19 * i));
            }
            int bytes = (19 * size + 7) / 8;
            var message = message('B', parent, 17 + bytes);
            for (int i = 0; i < bytes; i++) {
                message.put(bits.shiftRight(8 * i).byteValue());
            }

            assertThat(sized.next(parent, tokens, 0)).as("blocks of %d", size).isEqualTo(digest(message));
        }
    }

    @Test
    void aBlockWithAnIdBeyondNineteenBitsIsTheDigestOfWholeIds() throws Exception {
        var parent = hasher.root(ROOT);
        for (int large : new int[] {1 << 19, Integer.MAX_VALUE, -1}) {
            var message = message('W', parent, 17 + 16).order(ByteOrder.LITTLE_ENDIAN);
            IntStream.of(7, 8, large, 70_000).forEach(message::putInt);

            assertThat(hasher.next(parent, new int[] {6, 7, 8, large, 70_000}, 1))
                    .isEqualTo(digest(message));
        }
    }

    @Test
    void blocksOfEverySizeDependOnEachOfTheirTokens() {
        for (int size = 1; size <= 40; size++) {
            var sized = new BlockHasher(size);
            var root = sized.root(new HashRoot("model", "", "f32", size, "", ""));
            var hashes = new HashSet<BlockHash>();
            hashes.add(sized.next(root, new int[size], 0));
            for (int i = 0; i < size; i++) {
                for (int bit = 0; bit < Integer.SIZE; bit++) {
                    var tokens = new int[size];
                    tokens[i] = 1 << bit;
                    hashes.add(sized.next(root, tokens, 0));
                }
            }
            assertThat(hashes).as("blocks of %d", size).hasSize(1 + size * Integer.SIZE);
        }
    }

    private static ByteBuffer message(char tag, BlockHash parent, int bytes) {
        return ByteBuffer.allocate(bytes).put((byte) tag).putLong(parent.high()).putLong(parent.low());
    }

    private static BlockHash digest(ByteBuffer message) throws Exception {
        var sha256 = MessageDigest.getInstance("SHA-256");
        sha256.update(message.flip());
        var digest = ByteBuffer.wrap(sha256.digest());
        return new BlockHash(digest.getLong(), digest.getLong());
    }

    @Test
    void theRootIsTheDigestOfItsTypedFields() throws Exception {
        var message = ByteBuffer.allocate(256)
                .order(ByteOrder.LITTLE_ENDIAN)
                .put((byte) 'R')
                .put((byte) 2);
        put(message, 1, "model");
        put(message, 2, "adapter");
        put(message, 3, "f32");
        message.put((byte) 4).putInt(4).putInt(4);
        put(message, 5, "tenant");
        put(message, 6, "salt");
        var sha256 = MessageDigest.getInstance("SHA-256");
        sha256.update(message.array(), 0, message.position());
        var digest = ByteBuffer.wrap(sha256.digest());

        assertThat(hasher.root(ROOT)).isEqualTo(new BlockHash(digest.getLong(), digest.getLong()));
    }

    private static void put(ByteBuffer message, int tag, String text) {
        var bytes = text.getBytes(StandardCharsets.UTF_8);
        message.put((byte) tag).putInt(bytes.length).put(bytes);
    }

    @Test
    void aBlockDependsOnEveryTokenAndOnAllBefore() {
        var root = hasher.root(ROOT);
        var hash = hasher.next(root, new int[] {1, 2, 3, 4}, 0);
        assertThat(List.of(
                        hash,
                        root,
                        hasher.next(root, new int[] {9, 2, 3, 4}, 0),
                        hasher.next(root, new int[] {1, 2, 3, 9}, 0),
                        hasher.next(root, new int[] {2, 1, 3, 4}, 0),
                        hasher.next(hash, new int[] {1, 2, 3, 4}, 0)))
                .doesNotHaveDuplicates();
    }

    @Test
    void aRootOfAnotherBlockSizeIsRefused() {
        assertThatThrownBy(() -> new BlockHasher(16).root(ROOT)).hasMessage("root is of block size 4, hasher of 16");
    }

    @Test
    void aChainGrowsByFullBlocksAndForksShareTheirBeginning() {
        var chain = HashChain.of(hasher, hasher.root(ROOT));
        var tokens = IntStream.range(0, 100).toArray();
        chain.extend(tokens, 7);
        assertThat(chain.size()).isEqualTo(1);
        var fork = chain.fork();
        chain.extend(tokens, 100);
        tokens[99] = 0;
        fork.extend(tokens, 100);

        assertThat(chain.size()).isEqualTo(25);
        assertThat(fork.get(23)).isEqualTo(chain.get(23));
        assertThat(fork.get(24)).isNotEqualTo(chain.get(24));
        assertThat(chain.parent(0)).isEqualTo(hasher.root(ROOT));
        assertThat(chain.parent(5)).isEqualTo(chain.get(4));
    }

    @Test
    void aChainWithoutHasherStaysEmpty() {
        var chain = HashChain.unnamed();
        chain.extend(new int[64], 64);
        assertThat(chain.size()).isZero();
    }

    @Test
    void aLongPromptIsHashedInOnePassWithoutGarbagePerToken() {
        var tokens = IntStream.range(0, 100_000).toArray();
        var hasher16 = new BlockHasher(16);
        var root = hasher16.root(new HashRoot("model", "", "f32", 16, "", ""));
        for (int i = 0; i < 20; i++) {
            HashChain.of(hasher16, root).extend(tokens, tokens.length);
        }
        var threads = (com.sun.management.ThreadMXBean) java.lang.management.ManagementFactory.getThreadMXBean();
        long before = threads.getCurrentThreadAllocatedBytes();
        var chain = HashChain.of(hasher16, root);
        chain.extend(tokens, tokens.length);
        long bytes = threads.getCurrentThreadAllocatedBytes() - before;

        assertThat(chain.size()).isEqualTo(6_250);
        assertThat(bytes / chain.size())
                .as("bytes allocated per block of 16 tokens")
                .isLessThan(128);
    }
}
