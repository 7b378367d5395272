package dev.kvasir.kvstore.block;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.hash.HashChain;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Sequences, loans and reservations in turns over small pools; every operation is followed by a check of all invariants. */
class BlockLoansProperties {
    private static final List<BlockHash> ROOTS = List.of(new BlockHash(0, 0));

    static LongStream seeds() {
        var seed = System.getProperty("seed");
        return seed == null ? LongStream.range(0, 400) : LongStream.of(Long.parseLong(seed));
    }

    /** Names of the blocks of one of a few chains, each of which shares its beginning with its neighbour. */
    private static List<BlockHash> chain(int number, int length) {
        var hashes = new ArrayList<BlockHash>();
        for (int depth = 0; depth < length; depth++) {
            hashes.add(new BlockHash(depth < 3 ? number / 2 : 100 + number, depth));
        }
        return hashes;
    }

    private static final class World {
        final Random random;
        final BlockPool pool;
        final PrefixCache cache;
        final BlockLoans loans;
        final int max;
        final List<BlockTable> sequences = new ArrayList<>();
        final List<BlockLoans.Loan> lent = new ArrayList<>();
        final List<BlockLoans.Loan> reserved = new ArrayList<>();
        long now;

        World(Random random) {
            this.random = random;
            pool = new BlockPool(random.nextInt(6, 40));
            cache = new PrefixCache(pool);
            max = random.nextInt(0, pool.capacity());
            loans = new BlockLoans(cache, max);
        }

        void operate() {
            now += random.nextInt(10);
            switch (random.nextInt(8)) {
                case 0, 1 -> compute();
                case 2 -> {
                    if (!sequences.isEmpty()) {
                        cache.release(sequences.remove(random.nextInt(sequences.size())));
                    }
                }
                case 3 -> lend();
                case 4 -> reserve();
                case 5 -> end(lent);
                case 6 -> commit();
                default -> loans.expire(now);
            }
        }

        void compute() {
            var hashes = chain(random.nextInt(6), random.nextInt(1, 9));
            var names = HashChain.of(hashes);
            int known = cache.match(names, hashes.size());
            var table = new BlockTable();
            cache.attach(names, known, table);
            if (hashes.size() - known > pool.available()) {
                cache.release(table);
                return;
            }
            cache.grow(table, hashes.size());
            for (int i = known; i < hashes.size(); i++) {
                cache.commit(names, i, table);
            }
            sequences.add(table);
        }

        void lend() {
            var hashes = chain(random.nextInt(6), random.nextInt(1, 9));
            var loan = loans.lend(hashes, now + random.nextInt(20));
            if (loan != null) {
                assertThat(loan.hashes()).isEqualTo(hashes.subList(0, loan.blocks().length));
                lent.add(loan);
            }
        }

        void reserve() {
            var hashes = chain(random.nextInt(6), random.nextInt(1, 9));
            var loan = loans.reserve(hashes, random.nextInt(1, 6));
            if (loan != null && loan.state() == BlockLoans.State.RESERVED) {
                reserved.add(loan);
            }
        }

        void end(List<BlockLoans.Loan> some) {
            if (!some.isEmpty()) {
                var loan = some.remove(random.nextInt(some.size()));
                loans.end(loan);
                loans.end(loan);
            }
        }

        void commit() {
            if (random.nextInt(4) == 0) {
                end(reserved);
            } else if (!reserved.isEmpty()) {
                var loan = reserved.remove(random.nextInt(reserved.size()));
                int verified = random.nextInt(loan.blocks().length + 1);
                loans.commit(loan, verified);
                for (int i = 0; i < verified; i++) {
                    assertThat(cache.knows(loan.hashes().get(i))).isTrue();
                }
            }
        }

        void check() {
            var tables =
                    Stream.concat(sequences.stream(), loans.tables().stream()).toList();
            BlockInvariants.check(cache, tables, ROOTS);
            assertThat(loans.held()).isBetween(0, max);
            // What waits for bytes is nobody else's, and has no name.
            var taken = new HashSet<Integer>();
            for (var loan : reserved) {
                for (int block : loan.blocks()) {
                    assertThat(taken.add(block)).isTrue();
                    assertThat(pool.references(block)).isEqualTo(1);
                    assertThat(cache.hash(block)).isNull();
                }
            }
            // What is lent keeps its name, and so its content, until its time is over.
            for (var loan : lent) {
                var blocks = loan.blocks();
                for (int i = 0; i < blocks.length && loan.state() == BlockLoans.State.LENT; i++) {
                    assertThat(cache.hash(blocks[i])).isEqualTo(loan.hashes().get(i));
                }
            }
        }
    }

    @ParameterizedTest(name = "seed {0}")
    @MethodSource("seeds")
    void lentBlocksKeepTheirContentAndReservedOnesAreNobodyElses(long seed) {
        var world = new World(new Random(seed));
        for (int operation = 0; operation < 200; operation++) {
            world.operate();
            world.check();
        }
        world.sequences.forEach(world.cache::release);
        world.sequences.clear();
        world.reserved.forEach(world.loans::end);
        world.reserved.clear();
        world.loans.expire(world.now + 100);
        world.check();
        assertThat(world.loans.held()).isZero();
        assertThat(world.loans.size()).isZero();
        assertThat(world.pool.used()).isZero();
        assertThat(world.pool.available()).isEqualTo(world.pool.capacity());
    }

    @Test
    void theLongestSequenceFitsBesideAllLoans() {
        assertThat(BlockLoans.limit(1000, 100)).isEqualTo(250);
        assertThat(BlockLoans.limit(1000, 900)).isEqualTo(100);
        assertThat(BlockLoans.limit(1000, 1000)).isZero();
        assertThat(BlockLoans.limit(1000, 2000)).isZero();
    }

    @Test
    void aReservationIsCommittedOnce() {
        var cache = new PrefixCache(new BlockPool(8));
        var loans = new BlockLoans(cache, 8);
        var loan = loans.reserve(chain(0, 4), 8);
        assertThat(loan).isNotNull();
        loans.commit(loan, 2);
        assertThat(cache.size()).isEqualTo(2);
        assertThatThrownBy(() -> loans.commit(loan, 1)).isInstanceOf(IllegalStateException.class);
        var nothing = loans.reserve(chain(0, 2), 8);
        assertThat(nothing).isNotNull();
        assertThat(nothing.first()).isEqualTo(2);
        assertThat(nothing.blocks()).isEmpty();
        loans.end(nothing);
        assertThat(loans.held()).isZero();
        var rest = loans.reserve(chain(0, 4), 8);
        assertThat(rest).isNotNull();
        assertThat(rest.first()).isEqualTo(2);
        assertThat(rest.blocks()).hasSize(2);
    }
}
