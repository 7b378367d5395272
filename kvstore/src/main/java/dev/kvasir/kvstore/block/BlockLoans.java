package dev.kvasir.kvstore.block;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.hash.HashChain;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Blocks of a pool that a neighbour's device is concerned with: lent ones, which it reads, and reserved ones, which wait for
 * bytes of its blocks. Both are held by a table of their own, as a sequence's are, so that nobody else is given them. Pure;
 * used by the engine's thread alone, time is an argument.
 *
 * <pre>
 * lend     known blocks      LENT     -> ENDED     when the reader is done, or its time is over
 * reserve  nobody's blocks   RESERVED -> ENDED     with the verified ones known from then on, the others free
 * </pre>
 *
 * A reservation has no time limit, since a writer may be at work: who made it ends it when none is left. A loan has one; who
 * reads on after it may read what others write, and finds out by checksum. Bounded, so that any sequence still fits beside.
 */
public final class BlockLoans {
    /** What a loan is. */
    public enum State {
        LENT,
        RESERVED,
        ENDED
    }

    private final PrefixCache cache;
    private final int blocksMax;
    private final Set<Loan> loans = new LinkedHashSet<>();
    private int held;
    private long expired;

    /**
     * None.
     *
     * @param blocksMax that may be lent and reserved at a time
     */
    public BlockLoans(PrefixCache cache, int blocksMax) {
        this.cache = cache;
        this.blocksMax = Math.max(0, blocksMax);
    }

    /** A quarter of a pool, but no block that the longest sequence could want. */
    public static int limit(int capacity, int longestSequence) {
        return Math.clamp((long) capacity - longestSequence, 0, capacity / 4);
    }

    /** Some blocks of a chain. What it says of itself never changes, but for its state. */
    public static final class Loan {
        private final BlockTable table = new BlockTable();
        private final HashChain chain;
        private final long untilNanos;
        private State state;
        private int first;
        private int[] blocks = {};

        private Loan(HashChain chain, State state, long untilNanos) {
            this.chain = chain;
            this.state = state;
            this.untilNanos = untilNanos;
        }

        public State state() {
            return state;
        }

        /** Place in the chain of the first of {@link #blocks}: of a reservation, those before it are known here. */
        public int first() {
            return first;
        }

        /** Names of {@link #blocks}. */
        public List<BlockHash> hashes() {
            var hashes = new ArrayList<BlockHash>(blocks.length);
            for (int i = 0; i < blocks.length; i++) {
                hashes.add(chain.get(first + i));
            }
            return hashes;
        }

        /** Blocks of the pool, in the order of the chain. */
        public int[] blocks() {
            return blocks.clone();
        }

        private void takeFrom(int firstEntry) {
            first = firstEntry;
            blocks = new int[table.size() - firstEntry];
            for (int i = 0; i < blocks.length; i++) {
                blocks[i] = table.get(firstEntry + i);
            }
        }
    }

    /** Lends the leading ones of some blocks, as far as they are known and there is room; null where that is none. */
    public @Nullable Loan lend(List<BlockHash> hashes, long untilNanos) {
        int room = Math.min(hashes.size(), blocksMax - held);
        int count = 0;
        while (count < room && cache.knows(hashes.get(count))) {
            count++;
        }
        if (count == 0) {
            return null;
        }
        var loan = new Loan(HashChain.of(hashes.subList(0, count)), State.LENT, untilNanos);
        cache.hold(loan.chain, count, loan.table);
        loan.takeFrom(0);
        return begun(loan);
    }

    /**
     * Takes blocks for those of a chain that are not known, and holds those before them, as far as there is room; null where
     * that is none. Where nothing is lacking it is none of any block, and has ended.
     *
     * @param countMax most blocks to take
     */
    public @Nullable Loan reserve(List<BlockHash> hashes, int countMax) {
        var chain = HashChain.of(hashes);
        int known = cache.match(chain, chain.size());
        if (known == chain.size()) {
            var nothing = new Loan(chain, State.ENDED, 0);
            nothing.first = known;
            return nothing;
        }
        if (held + known >= blocksMax) {
            return null;
        }
        var loan = new Loan(chain, State.RESERVED, 0);
        cache.hold(chain, known, loan.table);
        int wanted = Math.min(countMax, chain.size() - known);
        int count = Math.min(wanted, Math.min(cache.pool().available(), blocksMax - held - known));
        if (count <= 0) {
            cache.release(loan.table);
            return null;
        }
        cache.grow(loan.table, known + count);
        loan.takeFrom(known);
        return begun(loan);
    }

    private Loan begun(Loan loan) {
        held += loan.table.size();
        loans.add(loan);
        return loan;
    }

    /** Ends a reservation: its first {@code verified} blocks have their content, and are known from now on. */
    public void commit(Loan loan, int verified) {
        if (loan.state != State.RESERVED || verified > loan.blocks.length) {
            throw new IllegalStateException(
                    "%d blocks cannot be committed: %d are %s".formatted(verified, loan.blocks.length, loan.state));
        }
        for (int i = 0; i < verified; i++) {
            cache.commit(loan.chain, loan.first + i, loan.table);
        }
        end(loan);
    }

    /** Ends it, where that has not been done: of what was reserved nothing has come. */
    public void end(Loan loan) {
        if (loan.state != State.ENDED) {
            loan.state = State.ENDED;
            held -= loan.table.size();
            cache.release(loan.table);
            loans.remove(loan);
        }
    }

    /** Ends what was lent until now, or longer ago. */
    public void expire(long nowNanos) {
        if (loans.isEmpty()) {
            return;
        }
        for (var loan : List.copyOf(loans)) {
            if (loan.state == State.LENT && nowNanos - loan.untilNanos >= 0) {
                end(loan);
                expired++;
            }
        }
    }

    /** Blocks that loans and reservations hold, those held twice counted twice. */
    public int held() {
        return held;
    }

    /** Tables that hold them. */
    List<BlockTable> tables() {
        var tables = new ArrayList<BlockTable>();
        loans.forEach(loan -> tables.add(loan.table));
        return tables;
    }

    public int size() {
        return loans.size();
    }

    /** Loans that were not given back in time. */
    public long expired() {
        return expired;
    }
}
