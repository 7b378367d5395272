package dev.kvasir.worker.schedule;

import dev.kvasir.kvstore.block.BlockTable;
import dev.kvasir.kvstore.hash.HashChain;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * One sequence of tokens on a worker: what is known of it, and how much of that is computed. Prefill and decode are cases
 * of one thing: computed tokens catch up with known ones.
 *
 * <pre>
 * [0, committed * blockSize)     computed, in blocks known to the prefix cache
 * [0, computed)                  keys and values are in the table's blocks
 * [computed, tokenCount)         known, to be computed; at least one while running
 * </pre>
 *
 * A sequence stands for {@code seats} outputs: for all n of a request while it computes their prompt, for one after the
 * others have forked off. Used by the engine's thread alone.
 */
public final class Sequence {
    /** Lower rank first, then earlier arrival, then lower output. */
    public static final Comparator<Sequence> ORDER = Comparator.comparingLong((Sequence s) -> s.rank)
            .thenComparingLong(s -> s.arrival)
            .thenComparingInt(s -> s.outputIndex);

    private final Standing standing;
    private final long rank;
    private final long arrival;
    private final int outputIndex;
    private final int promptCount;
    private final boolean scoresPrompt;
    private final HashChain chain;
    private final BlockTable table = new BlockTable();
    private int[] tokens;
    private int tokenCount;
    private int computed;
    private int expectedFound;
    private int committed;
    private int scoredRows;
    private int seats;
    private boolean begun;
    private int promised;
    private int served;
    private @Nullable Account account;
    private SequenceState state = SequenceState.WAITING;

    private Sequence(
            Standing standing,
            int outputIndex,
            int promptCount,
            boolean scoresPrompt,
            HashChain chain,
            int[] tokens,
            int seats) {
        this.standing = standing;
        this.rank = standing.rank();
        this.arrival = standing.arrival();
        this.outputIndex = outputIndex;
        this.promptCount = promptCount;
        this.scoresPrompt = scoresPrompt;
        this.chain = chain;
        this.tokens = tokens;
        this.seats = seats;
    }

    /**
     * A sequence that waits.
     *
     * @param outputs how many outputs start from the prompt
     * @param scoresPrompt whether the logits of prompt rows are wanted, so that their blocks may not be reused unseen
     */
    public static Sequence waiting(
            Standing standing, int[] prompt, int outputs, boolean scoresPrompt, HashChain chain) {
        var tokens = Arrays.copyOf(prompt, prompt.length + 16);
        var sequence = new Sequence(standing, 0, prompt.length, scoresPrompt, chain, tokens, outputs);
        sequence.tokenCount = prompt.length;
        chain.extend(tokens, prompt.length);
        return sequence;
    }

    /**
     * A sequence of one output that waits, of which tokens are known beyond the prompt: another worker generated them.
     *
     * @param known generated so far
     */
    public static Sequence continuing(
            Standing standing, int outputIndex, int[] prompt, int[] known, boolean scoresPrompt, HashChain chain) {
        var tokens = Arrays.copyOf(prompt, prompt.length + known.length + 16);
        System.arraycopy(known, 0, tokens, prompt.length, known.length);
        var sequence = new Sequence(standing, outputIndex, prompt.length, scoresPrompt, chain, tokens, 1);
        sequence.tokenCount = prompt.length + known.length;
        sequence.begun = true;
        chain.extend(tokens, sequence.tokenCount);
        return sequence;
    }

    /** A running sequence that knows and has computed what this one has; the caller shares the blocks. */
    public Sequence fork(int forkIndex) {
        require(state == SequenceState.RUNNING && seats > 1, "fork");
        var fork = new Sequence(standing, forkIndex, promptCount, scoresPrompt, chain.fork(), tokens.clone(), 1);
        fork.tokenCount = tokenCount;
        fork.computed = computed;
        fork.committed = committed;
        fork.scoredRows = scoredRows;
        fork.promised = promised;
        fork.served = served;
        fork.account = account;
        fork.state = SequenceState.RUNNING;
        seats--;
        return fork;
    }

    /** One of the outputs that would have forked off is not wanted any more. */
    public void dropSeat() {
        require(seats > 1, "drop a seat");
        seats--;
    }

    public void append(int token) {
        if (tokenCount == tokens.length) {
            tokens = Arrays.copyOf(tokens, tokenCount * 2);
        }
        tokens[tokenCount++] = token;
    }

    /** Tokens up to {@code end} are computed now. */
    public void computedTo(int end) {
        require(end > computed && end <= tokenCount, "compute to " + end);
        computed = end;
        served = Math.max(served, end);
        if (scoresPrompt) {
            scoredRows = Math.max(scoredRows, Math.min(end, promptCount - 1));
        }
    }

    /** It runs now; answers with the tokens that it will have computed for the first time. */
    int start(int cachedBlocks, int blockSize) {
        boolean first = state == SequenceState.WAITING;
        become(SequenceState.RUNNING);
        committed = cachedBlocks;
        computed = cachedBlocks * blockSize;
        served = Math.max(served, computed);
        if (!first) {
            return 0;
        }
        promised = tokenCount;
        return tokenCount - computed;
    }

    /** Tokens promised that were never computed. */
    int promisedInVain() {
        return Math.max(0, promised - served);
    }

    void preempt() {
        become(SequenceState.PREEMPTED);
        computed = 0;
        committed = 0;
    }

    void finish() {
        become(SequenceState.FINISHED);
    }

    /** One more block is known to the prefix cache. */
    public void blockCommitted() {
        committed++;
    }

    /** Most leading blocks that may come from the cache: at least one token is computed, to have its logits. */
    public int reusableBlocksMax(int blockSize) {
        return (scoresPrompt ? Math.min(scoredRows, tokenCount - 1) : tokenCount - 1) / blockSize;
    }

    /** First row of [from, to) whose logits score a prompt token not scored yet; {@link #scoreEnd} if none. */
    public int scoreStart(int from, int to) {
        return scoresPrompt ? Math.min(Math.max(from, scoredRows), scoreEnd(to)) : scoreEnd(to);
    }

    /** End of the rows before {@code to} that score prompt tokens; the last prompt row chooses instead. */
    public int scoreEnd(int to) {
        return Math.min(to, promptCount - 1);
    }

    public int remaining() {
        return tokenCount - computed;
    }

    /** So many leading tokens are expected to be found when the sequence starts: they are no work that waits. */
    public void expectFound(int tokens) {
        expectedFound = Math.clamp(tokens, 0, tokenCount - 1);
    }

    /** Tokens to be computed, as far as that is known. */
    public int expectedWork() {
        return computed == 0 ? tokenCount - expectedFound : remaining();
    }

    public int generated() {
        return tokenCount - promptCount;
    }

    public int promptCount() {
        return promptCount;
    }

    public boolean scoresPrompt() {
        return scoresPrompt;
    }

    int scoredRows() {
        return scoredRows;
    }

    public int tokenCount() {
        return tokenCount;
    }

    /** Valid in [0, tokenCount) until the next append. */
    public int[] tokens() {
        return tokens;
    }

    public int computed() {
        return computed;
    }

    public int committed() {
        return committed;
    }

    public int seats() {
        return seats;
    }

    public BlockTable table() {
        return table;
    }

    public HashChain chain() {
        return chain;
    }

    public SequenceState state() {
        return state;
    }

    public long arrival() {
        return arrival;
    }

    String tenant() {
        return standing.tenant();
    }

    int priority() {
        return standing.priority();
    }

    /** Whether nothing was done for it, here or elsewhere. */
    boolean isNew() {
        return state == SequenceState.WAITING && !begun;
    }

    Account account() {
        return Objects.requireNonNull(account, "not queued yet");
    }

    void account(Account of) {
        account = of;
    }

    private void become(SequenceState next) {
        require(state.mayBecome(next), "become " + next);
        state = next;
    }

    private void require(boolean holds, String what) {
        if (!holds) {
            throw new IllegalStateException("%s cannot %s".formatted(this, what));
        }
    }

    @Override
    public String toString() {
        return "sequence %d.%d (%s, %d of %d tokens computed, %d blocks, %d seats)"
                .formatted(arrival, outputIndex, state, computed, tokenCount, table.size(), seats);
    }
}
