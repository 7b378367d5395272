package dev.kvasir.bench.simulate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.bench.BenchException;
import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.hash.HashChain;
import dev.kvasir.router.placement.Policy;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.assertj.core.data.Offset;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import picocli.CommandLine;

class SimulateTest {
    private static final StepCosts COSTS = new StepCosts(40_000, 7, 0.05, 2048, 256);

    /** So fast that each request ends before the next begins. */
    private static final StepCosts AT_ONCE = new StepCosts(1e15, 1e-9, 0, 1 << 20, 256);

    @TempDir
    private Path folder;

    @Test
    void aCacheKeepsWhatWasUsedLastAndDropsTailsFirst() {
        var changes = new Recorded();
        var cache = new BlockCache(4);
        cache.use(chain(1, 2, 3), changes);
        cache.use(chain(1, 5), changes);
        assertThat(cache.match(chain(1, 2, 3))).isEqualTo(3);
        cache.use(chain(7), changes);
        assertThat(changes.log).containsExactly("+1", "+2<1", "+3<2", "+5<1", "-3", "+7");
        assertThat(cache.match(chain(1, 2, 3))).isEqualTo(2);
        cache.use(chain(10, 11, 12, 13, 14, 15), changes);
        assertThat(cache.match(chain(10, 11, 12, 13, 14, 15)))
                .as("a prompt too long keeps its head")
                .isEqualTo(4);
    }

    @Test
    void takenOneByOneRoundRobinAndOneWorkerAreWhatTheyMustBe() {
        var trace = GeneratedTrace.of(2000, 1);
        int capacity = trace.uniqueBlocks() / 5;
        var pooled = trace.pooledHitRate(capacity);
        var one = run(trace, 1, capacity, AT_ONCE, Policy.ROUND_ROBIN);
        assertThat(one.hitRate()).isEqualTo(pooled);
        assertThat(run(trace, 8, capacity / 8, AT_ONCE, Policy.LONGEST_PREFIX).imbalance())
                .as("all prompts begin alike, so all follow the first")
                .isEqualTo(8);
    }

    @Test
    void costKeepsPromptsWhereTheyAreKnownAndWorkEven() {
        var trace = GeneratedTrace.of(4000, 2);
        int capacity = trace.uniqueBlocks() / 5;
        var pooled = trace.pooledHitRate(capacity);
        var cost = run(trace, 8, capacity / 8, COSTS, Policy.COST);
        var turns = run(trace, 8, capacity / 8, COSTS, Policy.ROUND_ROBIN);
        assertThat(pooled).isBetween(0.2, 0.6);
        assertThat(cost.hitRate()).isGreaterThan(0.98 * pooled);
        assertThat(cost.imbalance()).isLessThan(1.05);
        assertThat(turns.hitRate()).isLessThan(0.5 * pooled);
        assertThat(cost.ttftMillis().mean()).isLessThan(turns.ttftMillis().mean());
    }

    @Test
    void theSameSeedGivesTheSameFigures() {
        var trace = GeneratedTrace.of(500, 3);
        var first = run(trace, 4, 200, COSTS, Policy.COST);
        var second = run(GeneratedTrace.of(500, 3), 4, 200, COSTS, Policy.COST);
        assertThat(second.served()).isEqualTo(first.served());
        assertThat(second.hitRate()).isEqualTo(first.hitRate());
    }

    @Test
    void timesAreThoseOfTheSteps() {
        var request = new Trace.Request(1, 1000, 11, chain(1, 2));
        var trace = new Trace("one", 512, List.of(request));
        var outcome = run(trace, 1, 10, new StepCosts(1000, 10, 0, 500, 4), Policy.LEAST_LOADED);
        assertThat(outcome.ttftMillis().median()).isEqualTo(1000, within());
        assertThat(outcome.tpotMillis().median()).isEqualTo(10, within());
        assertThat(outcome.seconds()).isEqualTo(2.1, within());
        assertThat(outcome.work().max()).isEqualTo(1010);
    }

    @Test
    void aWorkerSeesWhatComesDuringALongDecodeAtItsNextStep() {
        var first = new Trace.Request(0, 512, 1001, chain(1));
        var second = new Trace.Request(1.005, 512, 1, chain(2));
        var trace = new Trace("two", 512, List.of(first, second));
        var outcome = run(trace, 1, 10, new StepCosts(51_200, 10, 0, 2048, 4), Policy.LEAST_LOADED);
        // Its step begins at 1.01 s and takes 10 ms for the token of the first and 10 ms for the prompt of the second.
        assertThat(outcome.served().get(1).ttftMillis()).isEqualTo(25, within());
        assertThat(outcome.seconds()).isEqualTo(10.02, within());
    }

    @Test
    void whatAWorkerLetGoOfIsPulledFromTheStoreInTheTimeThatItTakes() {
        var trace = twiceTheSame();
        // Two blocks of 512 bytes take 0.1 s and come 0.05 s after they are asked for; then one token is computed.
        var network = new Network(1, 10_240, 1, 0.05, 1e12);
        var outcome = run(trace, new Capacity(2, 0, 10), network);
        assertThat(outcome.localRate()).isZero();
        assertThat(outcome.pulledRate()).isEqualTo(2 / 6.0);
        assertThat(outcome.served().get(2).ttftMillis()).isEqualTo(160, Offset.offset(1e-5));
        assertThat(outcome.pulledBytes()).isEqualTo(1024);
        assertThat(outcome.storedBytes()).isEqualTo(2048);
        assertThat(outcome.work().max()).isEqualTo(2 * 1024 + 1);

        var without = run(trace, new Capacity(2, 0, 10), Network.none());
        assertThat(without.hitRate()).isZero();
        assertThat(without.served().get(2).ttftMillis()).isEqualTo(1024, within());
    }

    @Test
    void whatAWorkerLetGoOfComesBackFromItsHostMemory() {
        var outcome = run(twiceTheSame(), new Capacity(2, 4, 0), new Network(1, 0, 1, 0, 10_240));
        assertThat(outcome.localRate()).isEqualTo(2 / 6.0);
        assertThat(outcome.served().get(2).ttftMillis()).isEqualTo(110, within());
    }

    @Test
    void aNetworkSlowerThanTheDeviceIsTriedAndThenLeftAlone() {
        var requests = new ArrayList<Trace.Request>();
        for (int i = 0; i < 20; i++) {
            requests.add(new Trace.Request(10 * i, 1024, 1, i % 2 == 0 ? chain(1, 2) : chain(3, 4)));
        }
        var trace = new Trace("in turns", 512, requests);
        var slow = run(trace, new Capacity(2, 0, 10), new Network(1, 600, 1, 0.001, 1e12));
        assertThat(slow.pulledBytes()).isEqualTo(4 * 1024);
        var fast = run(trace, new Capacity(2, 0, 10), new Network(1, 6_000, 1, 0.001, 1e12));
        assertThat(fast.pulledBytes()).isEqualTo(18 * 1024);
    }

    /** Nobody has pulled yet, and by what is guessed of the network a pull takes ten times as long as computing. */
    @Test
    void ofABurstOnOnePrefixTheOtherWorkerPullsItInsteadOfAllWaitingForItsHolder() {
        var requests = new ArrayList<Trace.Request>();
        requests.add(new Trace.Request(0, 4096, 1, chain(1, 2, 3, 4, 5, 6, 7, 8)));
        for (int i = 0; i < 64; i++) {
            requests.add(new Trace.Request(10, 4608, 32, chain(1, 2, 3, 4, 5, 6, 7, 8, 100 + i)));
        }
        var trace = new Trace("burst", 512, requests);
        var costs = new StepCosts(40_000, 7, 0.05, 2048, 4);
        var pulling = run(trace, 2, new Capacity(200, 0, 0), costs, new Network(131_072, 12.5e9, 8, 0.001, 1e12));
        var waiting = run(trace, 2, new Capacity(200, 0, 0), costs, Network.none());
        assertThat(pulling.pulledBytes()).isEqualTo(8 * 512 * 131_072L);
        assertThat(pulling.ttftMillis().median())
                .isLessThan(0.8 * waiting.ttftMillis().median());
    }

    @Test
    void aCacheOfOneSizeIsDividedInManyWays() {
        for (int workers : List.of(1, 7, 64, 512)) {
            for (int store : List.of(0, 50, 90)) {
                var capacity = Capacity.of(14_424, workers, 5, store);
                int own = capacity.deviceBlocks() + capacity.hostBlocks();
                assertThat(workers * own + capacity.storeBlocks()).isBetween(14_424 - workers, 14_424);
            }
        }
        assertThat(Capacity.of(64, 64, 0, 90)).isEqualTo(new Capacity(1, 0, 0));
    }

    @Test
    void aSharedTierFindsWhatManySmallCachesCannotHold() {
        var trace = GeneratedTrace.of(4000, 2);
        int blocks = trace.uniqueBlocks() / 5;
        var pooled = trace.pooledHitRate(blocks);
        var network = new Network(131_072, 50e9, 8, 0.001, 50e9);
        var apart = run(trace, 128, Capacity.of(blocks, 128, 0, 0), COSTS, Network.none());
        var shared = run(trace, 128, Capacity.of(blocks, 128, 0, 90), COSTS, network);
        assertThat(apart.hitRate()).isLessThan(0.97 * pooled);
        assertThat(shared.hitRate()).isGreaterThan(0.93 * pooled);
    }

    @Test
    void whatHasNoRoomOnAnyWorkerBoundsWhatCanBeFound() {
        var trace = GeneratedTrace.of(2000, 5);
        int capacity = trace.uniqueBlocks() / 5;
        int workers = capacity / 4;
        double bound = trace.pooledHitRate(capacity, capacity / workers);
        double found =
                run(trace, workers, capacity / workers, COSTS, Policy.COST).hitRate();
        assertThat(bound).isLessThan(0.9 * trace.pooledHitRate(capacity));
        assertThat(found).isPositive().isLessThanOrEqualTo(bound);
        assertThat(trace.pooledHitRate(capacity, Integer.MAX_VALUE)).isEqualTo(trace.pooledHitRate(capacity));
    }

    @Test
    void greedyBalanceGivesEachRequestToWhoeverHasLeast() {
        var trace = new Trace(
                "three",
                512,
                List.of(
                        new Trace.Request(0, 1024, 1, chain(1, 2)),
                        new Trace.Request(0, 512, 1, chain(3)),
                        new Trace.Request(0, 1024, 1, chain(1, 4))));
        assertThat(trace.balance(2, 10)).isEqualTo(new Trace.Balance(1, 1));
        assertThat(trace.balance(2, 0)).isEqualTo(new Trace.Balance(1536 / 1280.0, 1536 / 1280.0));
        assertThat(trace.balance(4, 0)).isEqualTo(new Trace.Balance(1024 / 640.0, 1024 / 640.0));
    }

    @Test
    void whoKnowsTheFutureBalancesBetter() {
        var trace = new Trace(
                "small ones first",
                512,
                List.of(
                        new Trace.Request(0, 512, 1, chain(1)),
                        new Trace.Request(0, 512, 1, chain(2)),
                        new Trace.Request(0, 1024, 1, chain(3, 4))));
        assertThat(trace.balance(2, 0)).isEqualTo(new Trace.Balance(1.5, 1));
    }

    @Test
    void aTraceFileIsRead() throws IOException {
        var file = write("""
                {"timestamp": 0, "input_length": 700, "output_length": 5, "hash_ids": [0, 1]}
                {"timestamp": 2500, "input_length": 1400, "output_length": 0, "hash_ids": [0, 1, 2]}
                """);
        var trace = TraceFile.read(file, 512);
        assertThat(trace.requests()).hasSize(2);
        assertThat(trace.uniqueBlocks()).isEqualTo(3);
        assertThat(trace.blocks()).isEqualTo(5);
        assertThat(trace.seconds()).isEqualTo(2.5);
        assertThat(trace.pooledHitRate(3)).isEqualTo(0.4);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{\"timestamp\": 0, \"input_length\": 7 | is not JSON",
                "{\"timestamp\": -1, \"input_length\": 7, \"output_length\": 5, \"hash_ids\": [0]} | timestamp",
                "{\"timestamp\": 1, \"input_length\": 0, \"output_length\": 5, \"hash_ids\": []} | input_length of 0",
                "{\"timestamp\": 1, \"input_length\": 7, \"output_length\": 5, \"hash_ids\": [0, 1]} | 2 hash_ids",
                "{\"timestamp\": 1, \"input_length\": 7, \"output_length\": 5, \"hash_ids\": [\"a\"]} | whole numbers",
                "{\"timestamp\": 1, \"input_length\": 600, \"output_length\": 5, \"hash_ids\": [9, 8]} | hash id 8 after 9"
            })
    void aWrongLineIsNamed(String line, String reason) throws IOException {
        var file = write("{\"timestamp\": 0, \"input_length\": 600, \"output_length\": 5, \"hash_ids\": [7, 8]}\n"
                + line + "\n");
        assertThatThrownBy(() -> TraceFile.read(file, 512))
                .isInstanceOf(BenchException.class)
                .hasMessageContainingAll("line 2 of the trace", reason);
    }

    @Test
    void theCommandComparesPoliciesInATableAPlotAndJson() throws IOException {
        var out = new StringWriter();
        var json = folder.resolve("result.json");
        int status = new CommandLine(new SimulateCommand())
                .setOut(new PrintWriter(out))
                .execute(
                        "--num-requests",
                        "200",
                        "--workers",
                        "2,4",
                        "--cache",
                        "5,100",
                        "--store-share",
                        "0,50",
                        "--pull-bandwidth",
                        "12500",
                        "-o",
                        json.toString());
        assertThat(status).isZero();
        assertThat(out.toString())
                .contains("(pooled, greedy)", "of bound %", "prefix-threshold", "max/mean work", "result.svg");
        assertThat(Files.readString(json))
                .contains("\"policy\" : \"bounded-hash\"", "\"max_over_mean_work\"", "\"pulled_hit_rate\"");
        assertThat(Files.readString(folder.resolve("result.svg")))
                .startsWith("<svg")
                .contains("4 workers", "cache 5 %");
    }

    @Test
    void wrongFlagsAreRefusedWithTheirValues() {
        var err = new StringWriter();
        var line = new CommandLine(new SimulateCommand()).setErr(new PrintWriter(err));
        assertThat(line.execute("--workers", "0")).isEqualTo(2);
        assertThat(line.execute("--placement", "best")).isEqualTo(2);
        assertThat(line.execute("--prefill-rate", "0")).isEqualTo(2);
        assertThat(line.execute("--store-share", "100")).isEqualTo(2);
        assertThat(line.execute("--pull-bandwidth", "-1")).isEqualTo(2);
        assertThat(line.execute("--store-added", "-5")).isEqualTo(2);
        assertThat(err.toString())
                .contains(
                        "--workers is 0",
                        "--placement is best but must be one of cost",
                        "step costs must be above 0",
                        "--store-share 100 and --host-share 0",
                        "--pull-bandwidth is -1",
                        "--store-added is -5");
    }

    /** A prompt, another, and the first again, far apart. */
    private static Trace twiceTheSame() {
        return new Trace(
                "again",
                512,
                List.of(
                        new Trace.Request(0, 1024, 1, chain(1, 2)),
                        new Trace.Request(10, 1024, 1, chain(3, 4)),
                        new Trace.Request(20, 1024, 1, chain(1, 2))));
    }

    private static Outcome run(Trace trace, Capacity capacity, Network network) {
        return run(trace, 1, capacity, new StepCosts(1000, 10, 0, 2048, 4), network);
    }

    private static Outcome run(Trace trace, int workers, Capacity capacity, StepCosts costs, Network network) {
        return SimulatedCluster.run(
                new SimulatedCluster.Settings(trace, workers, capacity, costs, network, 1, 5), Policy.COST.create());
    }

    private static Outcome run(Trace trace, int workers, int cacheBlocks, StepCosts costs, Policy policy) {
        return SimulatedCluster.run(
                new SimulatedCluster.Settings(
                        trace, workers, Capacity.onDevices(cacheBlocks), costs, Network.none(), 1, 5),
                policy.create());
    }

    private Path write(String text) throws IOException {
        return Files.writeString(folder.resolve("trace.jsonl"), text);
    }

    private static HashChain chain(long... numbers) {
        var hashes = new ArrayList<BlockHash>();
        for (long number : numbers) {
            hashes.add(new BlockHash(0, number));
        }
        return HashChain.of(hashes);
    }

    private static Offset<Double> within() {
        return Offset.offset(1e-6);
    }

    private static final class Recorded implements BlockCache.Changes {
        final List<String> log = new ArrayList<>();

        @Override
        public void stored(BlockHash hash, @Nullable BlockHash parent) {
            log.add("+" + hash.low() + (parent == null ? "" : "<" + parent.low()));
        }

        @Override
        public void evicted(BlockHash hash) {
            log.add("-" + hash.low());
        }
    }
}
