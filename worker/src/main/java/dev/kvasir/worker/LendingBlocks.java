package dev.kvasir.worker;

import dev.kvasir.kvstore.block.BlockLoans;
import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.transfer.LentBlock;
import dev.kvasir.kvstore.transfer.NearBlocks;
import dev.kvasir.kvstore.transfer.NearMemory;
import dev.kvasir.worker.kernel.NearKv;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** A worker's blocks for its neighbours: the engine lends them, the device makes their checksums. */
final class LendingBlocks implements NearBlocks {
    private static final long CHECKSUM_MILLIS_MAX = 1_000;

    private final String host;
    private final NearKv kv;
    private final NearThread thread;
    private final EngineBlocks blocks;

    LendingBlocks(String host, NearKv kv, NearThread thread, EngineBlocks blocks) {
        this.host = host;
        this.kv = kv;
        this.thread = thread;
        this.blocks = blocks;
    }

    @Override
    public String host() {
        return host;
    }

    @Override
    public NearMemory memory() {
        return kv.memory();
    }

    @Override
    public Loan lend(List<BlockHash> hashes, Duration timeMax) throws InterruptedException {
        var loan = blocks.lend(hashes, timeMax);
        if (loan == null) {
            return Loan.NONE;
        }
        boolean lent = false;
        try {
            var result = new Lending(loan, checksums(loan.blocks()));
            lent = true;
            return result;
        } finally {
            if (!lent) {
                blocks.giveBack(loan);
            }
        }
    }

    private long[] checksums(int[] numbers) throws InterruptedException {
        try {
            return thread.call(() -> kv.checksums(numbers)).get(CHECKSUM_MILLIS_MAX, TimeUnit.MILLISECONDS);
        } catch (ExecutionException | TimeoutException e) {
            throw new IllegalStateException("no checksums of %d blocks".formatted(numbers.length), e);
        }
    }

    private final class Lending implements Loan {
        private final BlockLoans.Loan loan;
        private final List<LentBlock> lent = new ArrayList<>();

        Lending(BlockLoans.Loan loan, long[] checksums) {
            this.loan = loan;
            var hashes = loan.hashes();
            var numbers = loan.blocks();
            for (int i = 0; i < numbers.length; i++) {
                lent.add(new LentBlock(hashes.get(i), numbers[i], checksums[i]));
            }
        }

        @Override
        public List<LentBlock> blocks() {
            return List.copyOf(lent);
        }

        @Override
        public void close() {
            blocks.giveBack(loan);
        }
    }
}
