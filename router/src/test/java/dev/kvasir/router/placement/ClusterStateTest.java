package dev.kvasir.router.placement;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.hash.HashChain;
import dev.kvasir.kvstore.index.BlockEvent;
import dev.kvasir.kvstore.index.EventBatch;
import dev.kvasir.kvstore.index.Holder;
import dev.kvasir.kvstore.index.IndexReplica;
import dev.kvasir.kvstore.index.SnapshotPart;
import dev.kvasir.kvstore.index.Tier;
import dev.kvasir.kvstore.transfer.PullEstimate;
import dev.kvasir.kvstore.transfer.PullPrice;
import dev.kvasir.router.Seeds;
import dev.kvasir.router.placement.ClusterView.Cached;
import dev.kvasir.router.placement.ClusterView.WorkerView;
import dev.kvasir.router.placement.LoadLedger.Capacity;
import dev.kvasir.router.placement.LoadLedger.Reported;
import dev.kvasir.router.placement.PrefixSource.Prefixes;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class ClusterStateTest {
    private static final int BLOCK = 16;
    private static final int WORKERS = 4;
    private static final int SEGMENT = 8;

    private final IndexReplica replica = new IndexReplica(new IndexReplica.Limits(10_000, 10_000, 10_000, 1));
    private final IndexReplica stores = new IndexReplica(new IndexReplica.Limits(10_000, 10_000, 10_000, 1));
    private final BitSet offering = new BitSet();
    private final Set<WorkerId> others = new HashSet<>();
    private final ClusterState state =
            new ClusterState(_ -> new Prefixes(replica, offering, stores, SEGMENT, worker -> !others.contains(worker)));
    private final SplittableRandom random = new SplittableRandom(7);
    private final List<WorkerId> workers = new ArrayList<>();

    ClusterStateTest() {
        for (int i = 0; i < WORKERS; i++) {
            var id = new WorkerId("w" + i + ":1", i);
            workers.add(id);
            state.ledger().join(id, new Capacity("m", 100_000, BLOCK, 1000));
            hold(id.holder(), List.of());
        }
    }

    @Test
    void aWorkersBlocksArePricedByTier() {
        var prompt = prompt(1, 10);
        hold(workers.get(0).holder(), stored(prompt, 6, Tier.DEVICE));
        hold(workers.get(1).holder(), stored(prompt, 9, Tier.HOST));
        hold(new Holder("kvstore:1", 99), stored(prompt, 10, Tier.DISK));

        var view = state.view(query(prompt), 0);

        assertThat(view.workers())
                .extracting(WorkerView::cached)
                .containsExactly(
                        new Cached(96, 96, 96), new Cached(0, 144, 144), new Cached(0, 0, 0), new Cached(0, 0, 0));
        assertThat(place(Policy.COST, prompt).chosen()).contains(workers.get(1));
    }

    @Test
    void whatOthersOfferCountsAtTheWorkersOwnPriceAndWhatNobodyOffersDoesNot() {
        var prompt = prompt(1, 100);
        var store = new Holder("kvstore:1", 99);
        hold(workers.get(0).holder(), stored(prompt, 100, Tier.DEVICE));
        hold(workers.get(1).holder(), stored(prompt, 20, Tier.DEVICE));
        priced(workers.get(1), new PullPrice(16, 0.25));
        priced(workers.get(2), new PullPrice(16, 0.9));
        priced(workers.get(3), new PullPrice(16, 0.25));
        others.add(workers.get(3));
        assertThat(state.view(query(prompt), 0).workers())
                .allMatch(w -> w.cached().far() == w.cached().near());

        join(stores, store, stored(prompt, 80, Tier.DISK));

        assertThat(state.view(query(prompt), 0).workers())
                .extracting(WorkerView::cached)
                .containsExactly(
                        new Cached(1600, 1600, 1600),
                        new Cached(320, 320, 1280),
                        new Cached(0, 0, 0), // It computes about as fast.
                        new Cached(0, 0, 0)); // It computes in another way.
        var candidates = place(Policy.COST, prompt).candidates();
        double pulled = 320 + 0.25 * (16 + 0.25 * 960);
        assertThat(candidates.get(1).cost() - candidates.get(0).cost()).isCloseTo(pulled, within(5.0));
        assertThat(candidates.get(1).pull()).isEqualTo(new PullPrice(16, 0.25));
    }

    @Test
    void whatSeveralKvstoresHaveOfAPromptCountsTogetherWithWhatTheWorkerHas() {
        var prompt = prompt(1, 100);
        var one = new Holder("a/kvstore", 98);
        var other = new Holder("b/kvstore", 99);
        join(stores, one, scattered(prompt, 24, 48));
        join(stores, other, scattered(prompt, 48, 61));
        hold(workers.get(0).holder(), stored(prompt, 30, Tier.DEVICE));
        workers.forEach(worker -> priced(worker, new PullPrice(0, 0.1)));
        assertThat(state.view(query(prompt), 0).workers())
                .extracting(w -> w.cached().far() / BLOCK)
                .containsExactly(61, 0, 0, 0);

        offering.set(replica.index().slot(workers.get(0).holder()));
        assertThat(state.view(query(prompt), 0).workers())
                .allMatch(w -> w.cached().far() == 61 * BLOCK);

        stores.leave(one);
        assertThat(state.view(query(prompt), 0).workers())
                .allMatch(w -> w.cached().far() == 30 * BLOCK);
    }

    @Test
    void whatIsPulledIsNoLoad() {
        var prompt = prompt(1, 100);
        hold(workers.get(0).holder(), stored(prompt, 90, Tier.HOST));
        offering.set(replica.index().slot(workers.get(0).holder()));
        report(workers.get(0), 1, 1_000_000, 50);
        workers.subList(1, WORKERS).forEach(worker -> priced(worker, new PullPrice(10, 0.05)));

        var chosen = dispatch("r", prompt);

        assertThat(chosen).isNotEqualTo(workers.get(0));
        assertThat(load(chosen)).isEqualTo(10 * BLOCK);
    }

    @Test
    void aHotPrefixGoesToAWorkerThatPullsItOnceTheQueueAtItsHolderCostsMore() {
        Seeds.of(50).forEach(seed -> {
            var random = new SplittableRandom(seed);
            var price = new PullPrice(random.nextInt(100), random.nextDouble(0.01, 0.6));
            var fresh = new ClusterStateTest();
            var blocks = random.nextInt(100, 400);
            int stay = fresh.requestsUntilTheHolderIsLeft(blocks, price);
            // Each request at hand is a load of 512 tokens and one to compute; one that waits costs a twentieth, a pull
            // a fourth.
            double expected = 0.25 * price.of((long) blocks * BLOCK) / (513 * 0.05);
            assertThat((double) stay)
                    .withFailMessage("seed %d: %d requests stay, not about %f", seed, stay, expected)
                    .isBetween(0.6 * expected - 2, expected + 2);
            int stayWithout = new ClusterStateTest().requestsUntilTheHolderIsLeft(blocks, PullPrice.NONE);
            assertThat(stay).withFailMessage("seed %d", seed).isLessThan(stayWithout);
        });
    }

    /** It has joined to help, and nobody asks it for anything else by which it could learn what pulls are worth. */
    @Test
    void aWorkerThatHasComputedNothingYetIsGivenAHotPrefixToPull() {
        int blocks = 94;
        int stay = requestsUntilTheHolderIsLeft(blocks, new PullEstimate().price(1536, 0, 0));
        assertThat(stay).isBetween(1, 10);
        assertThat(new ClusterStateTest().requestsUntilTheHolderIsLeft(blocks, PullPrice.NONE))
                .isGreaterThan(40);
    }

    private int requestsUntilTheHolderIsLeft(int blocks, PullPrice price) {
        var prompt = prompt(1, blocks);
        var holder = workers.get(0);
        hold(holder.holder(), stored(prompt, blocks, Tier.DEVICE));
        offering.set(replica.index().slot(holder.holder()));
        workers.forEach(worker -> priced(worker, price));
        int stay = 0;
        while (dispatch("r" + stay, prompt).equals(holder)) {
            stay++;
        }
        return stay;
    }

    @Test
    void aBurstOfPromptsThatBeginAlikeStaysTogetherBeforeAnyBlockIsStored() {
        var first = dispatch("first", prompt(1, 200));
        for (int i = 0; i < 10; i++) {
            assertThat(dispatch("r" + i, prompt(1, 200))).isEqualTo(first);
        }
        assertThat(dispatch("other", prompt(2, 200))).isNotEqualTo(first);
    }

    @Test
    void whatAWorkerWasSentIsForgottenWithItsEndOrDeath() {
        var first = dispatch("first", prompt(1, 64));
        assertThat(cached(first, prompt(1, 64)).here()).isEqualTo(64 * BLOCK);
        state.ended("first");
        assertThat(cached(first, prompt(1, 64))).isEqualTo(Cached.NONE);

        var second = dispatch("second", prompt(1, 64));
        state.removed(second);
        assertThat(state.view(query(prompt(1, 64)), 0).workers())
                .hasSize(WORKERS - 1)
                .allMatch(w -> w.cached().equals(Cached.NONE));
    }

    @Test
    void aPrefixThatEverybodyAsksForIsComputedInMorePlaces() {
        var chosen = new HashMap<WorkerId, Integer>();
        for (int i = 0; i < 400; i++) {
            chosen.merge(dispatch("r" + i, prompt(1, 128)), 1, Integer::sum);
        }
        assertThat(chosen).hasSize(WORKERS);
        assertThat(chosen.values()).allMatch(count -> count >= 50);
    }

    @Test
    void aBusyWorkerIsLeftForAnIdleOneOnlyWhereThatCostsLess() {
        var prompt = prompt(1, 100);
        hold(workers.get(2).holder(), stored(prompt, 100, Tier.DEVICE));
        report(workers.get(2), 1, 10_000, 1);
        assertThat(place(Policy.COST, prompt).chosen()).contains(workers.get(2));
        assertThat(place(Policy.COST, prompt(5, 100)).chosen().orElseThrow()).isNotEqualTo(workers.get(2));

        report(workers.get(2), 2, 100_000, 1);
        assertThat(place(Policy.COST, prompt).chosen().orElseThrow()).isNotEqualTo(workers.get(2));
    }

    @Test
    void aWorkerWithoutRoomCostsMore() {
        var prompt = prompt(1, 100);
        state.ledger().reported(workers.get(0), new Reported(1, 0, 0, 10, false, PullPrice.NONE));
        for (int i = 0; i < 20; i++) {
            assertThat(place(Policy.COST, prompt).chosen().orElseThrow()).isNotEqualTo(workers.get(0));
        }
        var costs = place(Policy.COST, prompt).candidates();
        assertThat(costs.get(0).cost()).isGreaterThan(costs.get(1).cost() + 90 * BLOCK);
    }

    @Test
    void whatIsNewGoesWhereTheOldestContentIs() {
        for (int i = 0; i < WORKERS; i++) {
            // Each worker's cache is full: the first one's with what was used longest ago.
            state.ledger().dispatched(workers.get(i), "full" + i, 1, 1000 * BLOCK, i * 60_000_000_000L);
        }
        var costs = state.view(query(prompt(9, 100)), 200_000_000_000L).workers().stream()
                .map(WorkerView::displacedTokens)
                .toList();
        assertThat(costs).isSorted().allMatch(worth -> worth > 0 && worth < 100 * BLOCK);
    }

    @ParameterizedTest
    @EnumSource(Policy.class)
    void everyPolicyGivesReasonsAndChoosesOnlyWhoMayServe(Policy policy) {
        report(workers.get(0), 1, 0, 0, true);
        var placement = policy.create();
        for (int i = 0; i < 100; i++) {
            var query = query(prompt(i % 5, 3));
            var decision = placement.place(state.view(query, i), query, random);
            assertThat(decision.policy()).isEqualTo(policy.title());
            assertThat(decision.chosen().orElseThrow()).isNotEqualTo(workers.get(0));
            assertThat(decision.candidates()).hasSize(WORKERS);
            assertThat(decision.candidates().getFirst().refusal()).isEqualTo("is draining");
            assertThat(decision.shortened(2).candidates())
                    .hasSize(2)
                    .anyMatch(c -> c.worker().equals(decision.chosen().get()));
            state.dispatched(decision.chosen().get(), "r" + i, query, decision, i);
        }
        workers.forEach(state::removed);
        var nobody = placement.place(state.view(query(prompt(1, 3)), 0), query(prompt(1, 3)), random);
        assertThat(nobody.chosen()).isEmpty();
        assertThat(nobody.reason()).isEqualTo("no worker has joined");
    }

    @Test
    void roundRobinTakesTurnsAndBoundedHashKeepsPromptsTogether() {
        var turns = Policy.ROUND_ROBIN.create();
        var query = query(prompt(1, 3));
        var chosen = IntStream.range(0, 8)
                .mapToObj(_ -> turns.place(state.view(query, 0), query, random)
                        .chosen()
                        .orElseThrow())
                .toList();
        assertThat(chosen.subList(0, 4)).containsExactlyElementsOf(workers);
        assertThat(chosen.subList(4, 8)).containsExactlyElementsOf(workers);

        var hashed = new HashMap<Integer, WorkerId>();
        for (int i = 0; i < 100; i++) {
            var decision = place(Policy.BOUNDED_HASH, prompt(i % 20, 3));
            assertThat(hashed.computeIfAbsent(i % 20, _ -> decision.chosen().orElseThrow()))
                    .isEqualTo(decision.chosen().orElseThrow());
        }
        assertThat(hashed.values()).containsAll(workers);
    }

    /** A prompt of {@code blocks} blocks; those of different {@code kind} share none. */
    private static HashChain prompt(long kind, int blocks) {
        return HashChain.of(LongStream.range(0, blocks)
                .mapToObj(i -> new BlockHash(kind, i * 0x9e3779b97f4a7c15L))
                .toList());
    }

    private static Query query(HashChain prompt) {
        int tokens = prompt.size() * BLOCK;
        return new Query("m", tokens, 10, tokens + 10, prompt);
    }

    private Decision place(Policy policy, HashChain prompt) {
        return policy.create().place(state.view(query(prompt), 0), query(prompt), random);
    }

    private WorkerId dispatch(String id, HashChain prompt) {
        var decision = place(Policy.COST, prompt);
        state.dispatched(decision.chosen().orElseThrow(), id, query(prompt), decision, 0);
        return decision.chosen().get();
    }

    private Cached cached(WorkerId worker, HashChain prompt) {
        return state.view(query(prompt), 0).workers().stream()
                .filter(w -> w.id().equals(worker))
                .map(WorkerView::cached)
                .findFirst()
                .orElseThrow();
    }

    private long load(WorkerId worker) {
        return state.view(query(prompt(9, 1)), 0).workers().stream()
                .filter(w -> w.id().equals(worker))
                .mapToLong(WorkerView::tokens)
                .sum();
    }

    private void priced(WorkerId id, PullPrice price) {
        state.ledger().reported(id, new Reported(1, 0, 0, 1000, false, price));
    }

    private void report(WorkerId id, long epoch, long tokens, int requests, boolean... draining) {
        state.ledger().reported(id, new Reported(epoch, tokens, requests, 1000, draining.length > 0, PullPrice.NONE));
    }

    private void hold(Holder holder, List<BlockEvent> blocks) {
        join(replica, holder, blocks);
    }

    private static void join(IndexReplica copy, Holder holder, List<BlockEvent> blocks) {
        if (copy.state(holder) == null) {
            copy.join(holder);
            copy.apply(new SnapshotPart(holder, 0, 0, 1, List.of()), 0);
        }
        copy.apply(new EventBatch(holder, 1, blocks));
    }

    private static List<BlockEvent> scattered(HashChain chain, int from, int to) {
        return IntStream.range(from, to)
                .<BlockEvent>mapToObj(i -> new BlockEvent.Stored(chain.get(i), null, Tier.HOST))
                .toList();
    }

    private static List<BlockEvent> stored(HashChain chain, int blocks, Tier tier) {
        return IntStream.range(0, blocks)
                .<BlockEvent>mapToObj(i -> new BlockEvent.Stored(chain.get(i), i == 0 ? null : chain.get(i - 1), tier))
                .toList();
    }
}
