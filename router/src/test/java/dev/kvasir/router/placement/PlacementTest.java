package dev.kvasir.router.placement;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.kvstore.hash.HashChain;
import dev.kvasir.kvstore.transfer.PullPrice;
import dev.kvasir.router.Seeds;
import dev.kvasir.router.placement.ClusterView.Cached;
import dev.kvasir.router.placement.ClusterView.WorkerView;
import dev.kvasir.router.placement.Compatibility.Traits;
import dev.kvasir.router.placement.LoadLedger.Account;
import dev.kvasir.router.placement.LoadLedger.Capacity;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class PlacementTest {
    private static final WorkerId A = new WorkerId("a:1", 1);
    private static final WorkerId B = new WorkerId("b:1", 2);
    private static final Query QUERY = new Query("m", 100, 50, 150, HashChain.unnamed());
    private static final Capacity CAPACITY = new Capacity("m", 1000, 16, 10);
    private static final Traits TRAITS = new Traits(1, "f00d", 16, 512, "f32");

    private static WorkerView worker(WorkerId id, long tokens, boolean draining) {
        return view(id, "m", 1000, tokens, draining);
    }

    private static WorkerView view(WorkerId id, String model, int maxModelLength, long tokens, boolean draining) {
        return new WorkerView(
                id, model, maxModelLength, 16, tokens, 1, 0, 10, 10, draining, PullPrice.NONE, Cached.NONE, 0);
    }

    private static Decision place(WorkerView... workers) {
        return new LeastLoaded().place(new ClusterView(List.of(workers)), QUERY, new SplittableRandom(1));
    }

    @Test
    void leastLoadedWorkerIsChosenAndTheReasonsKept() {
        var decision = place(worker(A, 500, false), worker(B, 499, false));
        assertThat(decision.chosen()).contains(B);
        assertThat(decision.candidates()).extracting("cost").containsExactly(650.0, 649.0);
    }

    @Test
    void drainingOrTooSmallOrOtherWorkersAreNotChosen() {
        var other = view(new WorkerId("c:1", 3), "other", 1000, 0, false);
        var small = view(new WorkerId("d:1", 4), "m", 149, 0, false);
        var decision = place(worker(A, 0, true), other, small);
        assertThat(decision.chosen()).isEmpty();
        assertThat(decision.reason()).contains("is draining", "serves other", "takes at most 149 tokens, not 150");
    }

    @Test
    void equalWorkersAreAllChosenSometimes() {
        var view = new ClusterView(List.of(worker(A, 0, false), worker(B, 0, false)));
        var chosen = new HashSet<WorkerId>();
        var random = new SplittableRandom(1);
        IntStream.range(0, 50)
                .forEach(_ ->
                        new LeastLoaded().place(view, QUERY, random).chosen().ifPresent(chosen::add));
        assertThat(chosen).containsExactlyInAnyOrder(A, B);
    }

    @Test
    void dispatchedTokensCountUntilTheWorkerReportsThem() {
        var ledger = new LoadLedger();
        ledger.join(A, CAPACITY);
        ledger.dispatched(A, "r", 150, 150, 0);
        assertThat(tokens(ledger)).isEqualTo(150);
        ledger.reported(A, new LoadLedger.Reported(1, 7, 0, 10, false, PullPrice.NONE));
        assertThat(tokens(ledger)).isEqualTo(157);
        ledger.acknowledged(A, "r");
        ledger.reported(A, new LoadLedger.Reported(2, 140, 1, 8, false, PullPrice.NONE));
        assertThat(tokens(ledger)).isEqualTo(140);
    }

    @Test
    void lateReportIsIgnored() {
        var ledger = new LoadLedger();
        ledger.join(A, CAPACITY);
        assertThat(ledger.reported(A, new LoadLedger.Reported(5, 50, 1, 8, false, PullPrice.NONE)))
                .isTrue();
        assertThat(ledger.reported(A, new LoadLedger.Reported(4, 40, 1, 8, false, PullPrice.NONE)))
                .isFalse();
        assertThat(tokens(ledger)).isEqualTo(50);
    }

    @Test
    void deathOfOneWorkerLeavesTheOthersAlone() {
        Seeds.of(100).forEach(seed -> {
            var random = new SplittableRandom(seed);
            var ledger = new LoadLedger();
            ledger.join(A, CAPACITY);
            ledger.join(B, CAPACITY);
            for (int i = 0; i < 50; i++) {
                ledger.dispatched(random.nextBoolean() ? A : B, "r" + i, random.nextInt(1000), 16, i);
            }
            var before = accounts(ledger).get(1);
            ledger.remove(A);
            ledger.acknowledged(A, "r1");
            ledger.ended(A, "r2");
            assertThat(accounts(ledger)).withFailMessage("seed %d", seed).containsExactly(before);
        });
    }

    @Test
    void firstWorkerOfAModelSetsWhatOthersMustMatchUntilItLeaves() {
        var roster = new Roster(1, Map.of("m", 512));
        roster.join(A, "m", TRAITS);
        roster.join(B, "m", new Traits(1, "beef", 16, 512, "f32"));
        assertThat(roster.refusals().get(A)).isEmpty();
        assertThat(roster.refusals().get(B)).isEqualTo("its model fingerprint is beef, but f00d is expected here");
        roster.leave(A);
        assertThat(roster.refusals()).containsExactly(Map.entry(B, ""));
    }

    @Test
    void eachTraitThatDiffersIsNamedWithBothValues() {
        assertThat(Compatibility.refusal(TRAITS, new Traits(2, "f00d", 16, 512, "f32")))
                .contains("its protocol version is 2, but 1 is expected here");
        assertThat(Compatibility.refusal(TRAITS, new Traits(1, "f00d", 32, 512, "f32")))
                .contains("its block size is 32, but 16 is expected here");
        assertThat(Compatibility.refusal(TRAITS, new Traits(1, "f00d", 16, 513, "f32")))
                .contains("its vocabulary size is 513, but 512 is expected here");
        assertThat(Compatibility.refusal(TRAITS, new Traits(1, "f00d", 16, 512, "f16")))
                .contains("its KV cache dtype is f16, but f32 is expected here");
        assertThat(Compatibility.refusal(TRAITS, TRAITS)).isEmpty();
    }

    @Test
    void workerOfAModelThatIsNotServedIsRefused() {
        var roster = new Roster(1, Map.of("m", 512));
        roster.join(A, "other", TRAITS);
        assertThat(roster.refusals().get(A)).contains("other", "does not serve");
    }

    private static List<Account> accounts(LoadLedger ledger) {
        var accounts = new ArrayList<Account>();
        ledger.forEach(100, accounts::add);
        return accounts;
    }

    private static long tokens(LoadLedger ledger) {
        return accounts(ledger).getFirst().tokens();
    }
}
