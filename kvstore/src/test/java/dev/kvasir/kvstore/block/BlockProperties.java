package dev.kvasir.kvstore.block;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.hash.BlockHasher;
import dev.kvasir.kvstore.hash.HashChain;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.LongStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Random workloads over small pools; every operation is followed by a check of all invariants. */
class BlockProperties {
    private static final int BLOCK_SIZE = 2;

    static LongStream seeds() {
        var seed = System.getProperty("seed");
        return seed == null ? LongStream.range(0, 300) : LongStream.of(Long.parseLong(seed));
    }

    @ParameterizedTest(name = "seed {0}")
    @MethodSource("seeds")
    void everyBlockComesBackWhenEverySequenceHasFinished(long seed) {
        var workload = new Workload(new Random(seed));
        for (int operation = 0; operation < 300; operation++) {
            workload.admitGrowForkOrFinish();
            BlockInvariants.check(workload.cache, workload.tables(), List.of(Workload.ROOT));
        }
        workload.finishAll();
        BlockInvariants.check(workload.cache, List.of(), List.of(Workload.ROOT));
        assertThat(workload.pool.used()).isZero();
        assertThat(workload.pool.available()).isEqualTo(workload.pool.capacity());
    }

    /** Sequences over an alphabet of two tokens, so that prefixes meet often. Content of a block: what was written there. */
    private static final class Workload {
        static final BlockHash ROOT = new BlockHash(3, 4);

        private static final class Live {
            final BlockTable table = new BlockTable();
            HashChain chain = HashChain.unnamed();
            int[] tokens = new int[64];
            int count;
        }

        final Random random;
        final BlockPool pool;
        final PrefixCache cache;
        final BlockHasher hasher = new BlockHasher(BLOCK_SIZE);
        final List<Live> live = new ArrayList<>();
        final int[][] content;

        Workload(Random random) {
            this.random = random;
            pool = new BlockPool(random.nextInt(4, 40));
            cache = new PrefixCache(pool);
            content = new int[pool.capacity()][BLOCK_SIZE];
        }

        List<BlockTable> tables() {
            return live.stream().map(sequence -> sequence.table).toList();
        }

        void admitGrowForkOrFinish() {
            switch (live.isEmpty() ? 0 : random.nextInt(8)) {
                case 0, 1 -> admit();
                case 2 -> fork(pick());
                case 3 -> finish(pick());
                default -> write(pick());
            }
        }

        void finishAll() {
            while (!live.isEmpty()) {
                finish(live.getLast());
            }
        }

        private Live pick() {
            return live.get(random.nextInt(live.size()));
        }

        private void admit() {
            var sequence = new Live();
            sequence.chain = HashChain.of(hasher, ROOT);
            int wanted = random.nextInt(1, 20);
            var prompt = random.ints(wanted, 0, 2).toArray();
            var promptChain = HashChain.of(hasher, ROOT);
            promptChain.extend(prompt, wanted);
            int cached = cache.match(promptChain, wanted / BLOCK_SIZE);
            cache.attach(promptChain, cached, sequence.table);
            sequence.count = cached * BLOCK_SIZE;
            System.arraycopy(prompt, 0, sequence.tokens, 0, sequence.count);
            sequence.chain.extend(sequence.tokens, sequence.count);
            live.add(sequence);
            verify(sequence);
            while (sequence.count < wanted && append(sequence, prompt[sequence.count])) {}
        }

        private void fork(Live parent) {
            var sequence = new Live();
            sequence.chain = parent.chain.fork();
            sequence.tokens = parent.tokens.clone();
            sequence.count = parent.count;
            cache.fork(parent.table, sequence.table);
            live.add(sequence);
        }

        private void finish(Live sequence) {
            verify(sequence);
            cache.release(sequence.table);
            live.remove(sequence);
        }

        private void write(Live sequence) {
            for (int i = random.nextInt(6); i > 0; i--) {
                append(sequence, random.nextInt(2));
            }
            verify(sequence);
        }

        private boolean append(Live sequence, int token) {
            int index = sequence.count / BLOCK_SIZE;
            if (pool.available() == 0 || sequence.count == sequence.tokens.length) {
                return false;
            }
            cache.grow(sequence.table, index + 1);
            int copied = cache.makeWritable(sequence.table, index);
            int block = sequence.table.get(index);
            if (copied != PrefixCache.NOT_COPIED) {
                content[block] = content[copied].clone();
            }
            content[block][sequence.count % BLOCK_SIZE] = token;
            sequence.tokens[sequence.count++] = token;
            if (sequence.count % BLOCK_SIZE == 0) {
                sequence.chain.extend(sequence.tokens, sequence.count);
                cache.commit(sequence.chain, index, sequence.table);
            }
            return true;
        }

        private void verify(Live sequence) {
            for (int position = 0; position < sequence.count; position++) {
                int block = sequence.table.get(position / BLOCK_SIZE);
                assertThat(content[block][position % BLOCK_SIZE]).isEqualTo(sequence.tokens[position]);
            }
        }
    }
}
