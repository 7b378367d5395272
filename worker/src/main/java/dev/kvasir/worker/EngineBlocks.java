package dev.kvasir.worker;

import dev.kvasir.kvstore.block.BlockLoans.Loan;
import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.worker.engine.Engine;
import dev.kvasir.worker.engine.EngineCore;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Lends and reserves blocks of an engine for other threads, between two of its steps. Whatever is not fetched in time goes back,
 * and what is given back is so even where the engine has no time for more tasks.
 */
final class EngineBlocks {
    /** A long step of a slow device, with room. */
    private static final long STEP_MILLIS_MAX = 3_000;

    private final Engine engine;

    EngineBlocks(Engine engine) {
        this.engine = engine;
    }

    /** Null where no block of them is on the device, or none may be lent. */
    @Nullable
    Loan lend(List<BlockHash> hashes, Duration timeMax) throws InterruptedException {
        long until = System.nanoTime() + timeMax.toNanos();
        return ask(core -> core.lend(hashes, until), STEP_MILLIS_MAX);
    }

    /** Null where there is no room; of no block where none is lacking. */
    @Nullable
    Loan reserve(List<BlockHash> hashes, int countMax, long millisMax) throws InterruptedException {
        return ask(core -> core.reserve(hashes, countMax), Math.min(millisMax, STEP_MILLIS_MAX));
    }

    private @Nullable Loan ask(Function<EngineCore, @Nullable Loan> task, long millisMax) throws InterruptedException {
        var answer = new CompletableFuture<@Nullable Loan>();
        boolean taken = engine.execute(core -> {
            var loan = task.apply(core);
            if (!answer.complete(loan) && loan != null) {
                core.giveBack(loan); // Nobody waits for it any more.
            }
        });
        try {
            return taken ? answer.get(millisMax, TimeUnit.MILLISECONDS) : null;
        } catch (TimeoutException | ExecutionException _) {
            return answer.cancel(false) ? null : answer.getNow(null);
        } catch (InterruptedException e) {
            if (!answer.cancel(false)) {
                giveBack(answer.getNow(null));
            }
            throw e;
        }
    }

    /** The first blocks of a reservation have come; {@code then} runs when they can be found, or could not be kept. */
    void commit(Loan loan, int verified, Runnable then) {
        boolean taken = engine.execute(core -> {
            core.commit(loan, verified);
            then.run();
        });
        if (!taken) {
            giveBack(loan);
            then.run();
        }
    }

    void giveBack(@Nullable Loan loan) {
        if (loan != null) {
            engine.giveBack(loan);
        }
    }
}
