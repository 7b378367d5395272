package dev.kvasir.bench.simulate;

import dev.kvasir.kvstore.hash.BlockHasher;
import dev.kvasir.kvstore.hash.HashChain;
import dev.kvasir.kvstore.hash.HashRoot;
import dev.kvasir.kvstore.index.BlockEvent.Stored;
import dev.kvasir.kvstore.index.IndexReplica;
import dev.kvasir.kvstore.index.Match;
import dev.kvasir.kvstore.index.SnapshotPart;
import dev.kvasir.kvstore.index.Tier;
import dev.kvasir.router.placement.ClusterState;
import dev.kvasir.router.placement.LoadLedger.Capacity;
import dev.kvasir.router.placement.LoadLedger.Reported;
import dev.kvasir.router.placement.Placement;
import dev.kvasir.router.placement.Policy;
import dev.kvasir.router.placement.Query;
import dev.kvasir.router.placement.WorkerId;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.function.IntConsumer;

/**
 * Time of a placement decision and of its parts, with 100 workers that hold 20,000 blocks of 16 tokens each. No test: run
 * {@code main}; the command is in docs/performance.md. Every call is timed on its own, so the percentiles are of single calls.
 */
public final class PlacementBenchmark {
    private static final int WORKERS = 100;
    private static final int BLOCK = 16;
    private static final int CONVERSATION_BLOCKS = 400;
    private static final int CONVERSATIONS_PER_WORKER = 50;
    private static final int SYSTEM_PROMPT_TOKENS = 1024;
    private static final int WARM_UP = 3000;
    private static final int CALLS = 10_000;

    private final SplittableRandom random = new SplittableRandom(1);
    private final BlockHasher hasher = new BlockHasher(BLOCK);
    private final HashRoot root = new HashRoot("fingerprint", "", "bf16", BLOCK, "", "");
    private final int[] systemPrompt =
            random.ints(SYSTEM_PROMPT_TOKENS, 0, 100_000).toArray();
    private final IndexReplica replica = new IndexReplica(new IndexReplica.Limits(4_000_000, 4_000_000, 1_000_000, 1));
    private final ClusterState state = new ClusterState(_ -> replica);
    private final Placement placement = Policy.COST.create();
    private final List<int[]> conversations = new ArrayList<>();

    private PlacementBenchmark() {
        for (int i = 0; i < WORKERS; i++) {
            var id = new WorkerId("10.0.0." + i + ":25520", i);
            state.ledger().join(id, new Capacity("m", 131_072, BLOCK, 20_000));
            state.ledger().reported(id, new Reported(1, random.nextInt(20_000), random.nextInt(60), 9000, false));
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

    private Query query(HashChain chain, int tokens) {
        return new Query("m", tokens, 500, tokens + 500, chain);
    }

    /** Runs all of it. */
    public static void main(String[] arguments) {
        var benchmark = new PlacementBenchmark();
        System.out.printf(
                Locale.ROOT,
                "%d workers, %d blocks known, %.1f bytes per block%n",
                WORKERS,
                benchmark.replica.index().size(),
                (double) benchmark.replica.index().bytes()
                        / benchmark.replica.index().size());
        for (int tokens : new int[] {1000, 10_000, 100_000}) {
            benchmark.run(tokens);
        }
    }

    private void run(int tokens) {
        // Each continues a conversation that some worker holds, as far as it is long enough.
        var prompts = new ArrayList<int[]>();
        var queries = new ArrayList<Query>();
        for (int i = 0; i < 64; i++) {
            var prompt = prompt(tokens);
            var known = conversations.get(random.nextInt(conversations.size()));
            System.arraycopy(known, 0, prompt, 0, Math.min(tokens, known.length));
            prompts.add(prompt);
            queries.add(query(chain(prompt), tokens));
        }
        var match = new Match();
        var name = "prompt of " + tokens + " tokens: ";
        time(name + "hashes", i -> chain(prompts.get(i % 64)));
        time(name + "index look-up", i -> {
            var chain = queries.get(i % 64).prompt();
            replica.index().match(chain, chain.size(), match);
        });
        time(name + "view and choice", i -> {
            var query = queries.get(i % 64);
            placement.place(state.view(query, i), query, random);
        });
        time(name + "all together", i -> {
            var query = query(chain(prompts.get(i % 64)), tokens);
            placement.place(state.view(query, i), query, random);
        });
    }

    private static void time(String what, IntConsumer call) {
        for (int i = 0; i < WARM_UP; i++) {
            call.accept(i);
        }
        var nanos = new long[CALLS];
        for (int i = 0; i < CALLS; i++) {
            long begin = System.nanoTime();
            call.accept(i);
            nanos[i] = System.nanoTime() - begin;
        }
        Arrays.sort(nanos);
        System.out.printf(
                Locale.ROOT,
                "%-50s p50 %9.2f us   p99 %9.2f us%n",
                what,
                nanos[CALLS / 2] / 1e3,
                nanos[CALLS * 99 / 100] / 1e3);
    }
}
