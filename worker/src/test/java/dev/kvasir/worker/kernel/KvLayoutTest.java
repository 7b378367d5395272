package dev.kvasir.worker.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kvasir.model.weights.DType;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.BitSet;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class KvLayoutTest {
    private static final List<KvFormat> FORMATS = List.of(KvFormat.F32, KvFormat.F16, KvFormat.BF16, KvFormat.FP8);

    private final SplittableRandom random = new SplittableRandom(Long.getLong("seed", 3));

    private static double gain(int headSize) {
        var half = new KvLayout(32, 8, headSize, headSize, 16, KvFormat.BF16);
        var scaled = new KvLayout(32, 8, headSize, headSize, 16, KvFormat.FP8);
        return half.bytesPerBlock() / (double) scaled.bytesPerBlock();
    }

    @Test
    void scaledBlocksAreHalfAsLargeButForFourBytesPerTokenAndHead() {
        assertThat(gain(64)).isEqualTo(256.0 / 132, within(1e-12));
        assertThat(gain(128)).isEqualTo(512.0 / 260, within(1e-12));
        assertThat(gain(256)).isEqualTo(1024.0 / 516, within(1e-12));
    }

    @Test
    void everyByteOfABlockBelongsToOneThing() {
        for (int i = 0; i < 200; i++) {
            var format = FORMATS.get(random.nextInt(FORMATS.size()));
            int blocks = random.nextInt(1, 4);
            var layout = new KvLayout(
                    random.nextInt(1, 3),
                    random.nextInt(1, 4),
                    random.nextInt(1, 40),
                    random.nextInt(1, 40),
                    random.nextInt(1, 20),
                    format);
            var used = new BitSet();
            for (int layer = 0; layer < layout.layerCount(); layer++) {
                for (int block = 0; block < blocks; block++) {
                    for (int head = 0; head < layout.kvHeadCount(); head++) {
                        int slots = layout.blockSize();
                        claim(
                                used,
                                layout.keys(blocks, layer, block, head),
                                slots * layout.keySize() * format.elementBytes());
                        claim(
                                used,
                                layout.values(blocks, layer, block, head),
                                slots * layout.valueSize() * format.elementBytes());
                        if (format.scaled()) {
                            claim(used, layout.scales(blocks, layer, block, head), slots * KvLayout.SCALE_BYTES);
                        }
                    }
                }
            }
            long all = layout.bytesPerBlock() * blocks;
            assertThat((long) used.length()).as("%s", layout).isLessThanOrEqualTo(all);
            int padding = format.scaled() ? 30 * layout.layerCount() * blocks : 0;
            assertThat(all - used.cardinality()).as("%s", layout).isLessThanOrEqualTo(padding);
            assertThat(format.scaled() ? layout.bytesPerLayerBlock() % 16 : 0).isZero();
        }
    }

    private static void claim(BitSet used, long from, int bytes) {
        int at = Math.toIntExact(from);
        assertThat(used.get(at, at + bytes).cardinality()).isZero();
        used.set(at, at + bytes);
    }

    @Test
    void partsOfABlockTogetherAreAllOfIt() {
        for (var format : FORMATS) {
            var whole = new KvLayout(2, 6, 5, 3, 7, format);
            var part = new KvLayout(2, 2, 5, 3, 7, format);
            try (var arena = Arena.ofConfined()) {
                var block = arena.allocate(whole.bytesPerBlock());
                claimAll(whole, (at, count) -> block.asSlice(at, count).fill((byte) random.nextInt(1, 256)));
                var again = arena.allocate(whole.bytesPerBlock());
                for (int head = 0; head < 6; head += 2) {
                    var heads = arena.allocate(part.bytesPerBlock());
                    whole.copyHeads(block, head, part, heads, true);
                    whole.copyHeads(again, head, part, heads, false);
                }
                assertThat(again.mismatch(block)).as("%s", format).isEqualTo(-1);
            }
        }
    }

    private interface Claim {
        void take(long at, int bytes);
    }

    /** All that belongs to a block that is alone. */
    private static void claimAll(KvLayout layout, Claim claim) {
        for (int layer = 0; layer < layout.layerCount(); layer++) {
            for (int head = 0; head < layout.kvHeadCount(); head++) {
                int slots = layout.blockSize();
                int bytes = layout.format().elementBytes();
                claim.take(layout.keys(1, layer, 0, head), slots * layout.keySize() * bytes);
                claim.take(layout.values(1, layer, 0, head), slots * layout.valueSize() * bytes);
                if (layout.format().scaled()) {
                    claim.take(layout.scales(1, layer, 0, head), slots * KvLayout.SCALE_BYTES);
                }
            }
        }
    }

    @Test
    void aScaledBlockThatLeavesAndComesBackAnswersTheSame() {
        var layout = new KvLayout(2, 1, 4, 4, 2, KvFormat.FP8);
        try (var kernels = new ReferenceKernels();
                var arena = Arena.ofConfined()) {
            var kv = kernels.allocateKv(layout, 3);
            var batch = new Batch(2, 1);
            batch.add(new int[2], 0, 2, new int[] {2}, 2);
            var rows = kernels.allocate(2, 4);
            var table = kernels.load(Tensors.random(DType.F32, 2, 4, 3, random));
            kernels.embed(rows, 2, table, new int[] {0, 1}, 1);
            kernels.writeKv(kv, 1, rows, rows, batch);
            var shape = new AttentionShape(1, 1, 4, 1, 0, 0);
            var before = kernels.allocate(2, 4);
            kernels.attend(before, rows, kv, 1, batch, shape);

            var alone = arena.allocate(layout.bytesPerBlock());
            kv.readBlock(2, alone);
            assertThat(alone.toArray(ValueLayout.JAVA_BYTE)).isNotEqualTo(new byte[(int) layout.bytesPerBlock()]);
            kv.writeBlock(0, alone);
            batch.clear();
            batch.add(new int[2], 0, 2, new int[] {0}, 2);
            var after = kernels.allocate(2, 4);
            kernels.attend(after, rows, kv, 1, batch, shape);
            var expected = new float[4];
            var actual = new float[4];
            for (int row = 0; row < 2; row++) {
                before.read(row, expected);
                after.read(row, actual);
                assertThat(actual).isEqualTo(expected);
            }
        }
    }
}
