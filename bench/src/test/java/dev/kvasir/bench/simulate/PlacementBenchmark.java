package dev.kvasir.bench.simulate;

import dev.kvasir.kvstore.hash.BlockHasher;
import dev.kvasir.kvstore.hash.HashChain;
import dev.kvasir.kvstore.hash.HashRoot;
import dev.kvasir.kvstore.hash.NameCache;
import dev.kvasir.kvstore.hash.Segments;
import dev.kvasir.kvstore.index.BlockEvent.Stored;
import dev.kvasir.kvstore.index.IndexReplica;
import dev.kvasir.kvstore.index.Match;
import dev.kvasir.kvstore.index.SnapshotPart;
import dev.kvasir.kvstore.index.Tier;
import dev.kvasir.kvstore.transfer.PullPrice;
import dev.kvasir.router.placement.ClusterState;
import dev.kvasir.router.placement.LoadLedger.Capacity;
import dev.kvasir.router.placement.LoadLedger.Reported;
import dev.kvasir.router.placement.Placement;
import dev.kvasir.router.placement.Policy;
import dev.kvasir.router.placement.PrefixSource.Prefixes;
import dev.kvasir.router.placement.Query;
import dev.kvasir.router.placement.WorkerId;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.Main;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Time of a placement decision and of its parts, with 100 workers that hold 20,000 blocks of 16 tokens each. No test: run
 * {@code main}; the command is in docs/performance/cluster.md. Prompts continue conversations that some worker holds.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.SampleTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
@Fork(value = 1, jvmArgs = "-Xmx3g")
public class PlacementBenchmark {
    private static final int WORKERS = 100;
    private static final int BLOCK = 16;
    private static final int CONVERSATION_BLOCKS = 400;
    private static final int CONVERSATIONS_PER_WORKER = 50;
    private static final int SYSTEM_PROMPT_TOKENS = 1024;
    private static final int PROMPTS = 40;
    private static final long NAMES_BYTES = 32 << 20;

    /** Prompt length. */
    @Param({"1000", "10000", "100000"})
    private int tokens;

    /** Whether prompts came before, so that the names of their blocks are known. */
    @Param({"false", "true"})
    private boolean known;

    private int next;
    private final List<int[]> prompts = new ArrayList<>();
    private final List<Query> queries = new ArrayList<>();
    private final Match match = new Match();

    private final SplittableRandom random = new SplittableRandom(1);
    private BlockHasher hasher = new BlockHasher(BLOCK);
    private final HashRoot root = new HashRoot("fingerprint", "", "bf16", BLOCK, "", "");
    private final int[] systemPrompt =
            random.ints(SYSTEM_PROMPT_TOKENS, 0, 100_000).toArray();
    private final IndexReplica replica = new IndexReplica(new IndexReplica.Limits(4_000_000, 4_000_000, 1_000_000, 1));
    private final ClusterState state = new ClusterState(_ -> new Prefixes(
            replica, new BitSet(), new IndexReplica(new IndexReplica.Limits(2, 2, 2, 1)), Segments.BLOCKS, _ -> false));
    private final Placement placement = Policy.COST.create();
    private final List<int[]> conversations = new ArrayList<>();

    /** One that is filled. */
    static PlacementBenchmark of(int tokens, boolean known) {
        var benchmark = new PlacementBenchmark();
        benchmark.tokens = tokens;
        benchmark.known = known;
        benchmark.fill();
        return benchmark;
    }

    /** Fills the workers and makes the prompts. */
    @Setup
    public void fill() {
        for (int i = 0; i < WORKERS; i++) {
            var id = new WorkerId("10.0.0." + i + ":25520", i);
            state.ledger().join(id, new Capacity("m", 131_072, BLOCK, 20_000));
            var load = new Reported(1, random.nextInt(20_000), random.nextInt(60), 9000, false, PullPrice.NONE);
            state.ledger().reported(id, load);
            replica.join(id.holder());
            var blocks = new ArrayList<Stored>();
            for (int c = 0; c < CONVERSATIONS_PER_WORKER; c++) {
                var tokens = prompt(CONVERSATION_BLOCKS * BLOCK);
                conversations.add(tokens);
                var chain = chain(tokens);
                for (int b = 0; b < chain.size(); b++) {
                    blocks.add(new Stored(chain.get(b), b == 0 ? null : chain.get(b - 1), Tier.DEVICE));
                }
            }
            replica.apply(new SnapshotPart(id.holder(), 0, 0, 1, blocks), 0);
        }
        for (int i = 0; i < PROMPTS; i++) {
            var prompt = prompt(tokens);
            var known = conversations.get(random.nextInt(conversations.size()));
            System.arraycopy(known, 0, prompt, 0, Math.min(tokens, known.length));
            prompts.add(prompt);
            queries.add(query(chain(prompt)));
        }
        if (known) {
            hasher = new BlockHasher(BLOCK, new NameCache(NAMES_BYTES));
            for (int times = 0; times < 2; times++) {
                prompts.forEach(this::chain);
            }
        }
        var index = replica.index();
        System.out.printf(
                Locale.ROOT,
                "%d workers, %d blocks known, %.1f bytes per block%n",
                WORKERS,
                index.size(),
                (double) index.bytes() / index.size());
    }

    private int[] prompt(int tokens) {
        var prompt = random.ints(tokens, 0, 100_000).toArray();
        System.arraycopy(systemPrompt, 0, prompt, 0, Math.min(tokens, SYSTEM_PROMPT_TOKENS));
        return prompt;
    }

    private HashChain chain(int[] tokens) {
        var chain = HashChain.of(hasher, hasher.root(root));
        chain.extend(tokens, tokens.length);
        return chain;
    }

    private Query query(HashChain chain) {
        return new Query("m", tokens, 500, tokens + 500, chain);
    }

    private int next() {
        next = (next + 1) % PROMPTS;
        return next;
    }

    /** Names of a prompt's blocks. */
    @Benchmark
    public HashChain hashes() {
        return chain(prompts.get(next()));
    }

    /** What the index knows of a prompt. */
    @Benchmark
    public Match lookUp() {
        var chain = queries.get(next()).prompt();
        replica.index().match(chain, chain.size(), match);
        return match;
    }

    /** View of the cluster, costs, choice. */
    @Benchmark
    public Object choice() {
        int at = next();
        var query = queries.get(at);
        return placement.place(state.view(query, at), query, random);
    }

    /** All that a request meets: names, look-up, view, choice. */
    @Benchmark
    public Object decision() {
        int at = next();
        var query = query(chain(prompts.get(at)));
        return placement.place(state.view(query, at), query, random);
    }

    /** Runs it; arguments are JMH's. */
    public static void main(String[] arguments) throws Exception {
        Main.main(arguments);
    }
}
