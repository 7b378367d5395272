package dev.kvasir.router;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.kvstore.hash.HashChain;
import dev.kvasir.protocol.RequestId;
import dev.kvasir.protocol.WorkerProtocol;
import dev.kvasir.protocol.WorkerProtocol.Alive;
import dev.kvasir.protocol.WorkerProtocol.Running;
import dev.kvasir.router.ClusterStatus.WorkerStatus;
import dev.kvasir.router.Oversight.Action;
import dev.kvasir.router.placement.Query;
import dev.kvasir.router.placement.Roster;
import dev.kvasir.router.placement.WorkerId;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

class OversightTest {
    private static final long LEASE = 1_000_000_000;

    private final List<WorkerStatus> published = new ArrayList<>();
    private final Workers<String> workers = new Workers<>(
            new Roster(WorkerProtocol.VERSION, Map.of(TestModel.NAME, TestModel.TOKENIZER.vocabularySize())),
            _ -> null,
            now -> {
                published.clear();
                published.addAll(now);
            });
    private final Oversight<String, String> oversight = new Oversight<>(workers, LEASE, 0);
    private final List<String> unsubscribed = new ArrayList<>();

    private WorkerId join(String worker, int incarnation) {
        assertThat(oversight.listed(with(worker), with(worker))).contains(new Action.Describe<>(worker));
        oversight.described(worker, StandInWorker.description(incarnation, "f00d"), () -> unsubscribed.add(worker), 0);
        return java.util.Objects.requireNonNull(workers.id(worker));
    }

    private Set<String> with(String worker) {
        var all = new java.util.HashSet<>(workers.listed());
        all.add(worker);
        return all;
    }

    private static Alive alive(int incarnation, Running... running) {
        return new Alive(incarnation, 1, 0, false, running.length > 0, List.of(running));
    }

    private List<WorkerId> placeable() {
        return workers.state().view(new Query(TestModel.NAME, 1, 1, 2, HashChain.unnamed()), 0).workers().stream()
                .map(view -> view.id())
                .toList();
    }

    private List<String> asked(long nowNanos) {
        return oversight.look(nowNanos).stream()
                .filter(action -> action instanceof Action.Renew<?, ?>)
                .map(action -> ((Action.Renew<String, String>) action).worker())
                .toList();
    }

    @Test
    void aWorkerThatIsStillListedWhenItsPredecessorsEndIsToldIsMetAnew() {
        var a = join("a", 1);
        oversight.gone("a");
        assertThat(unsubscribed).containsExactly("a");
        assertThat(oversight.look(LEASE / 4)).containsExactly(new Action.Describe<>("a"));
        assertThat(oversight.look(LEASE / 2)).as("once").isEmpty();
        oversight.described("a", StandInWorker.description(1, "f00d"), () -> {}, 0);
        assertThat(placeable()).containsExactly(a);
        oversight.listed(Set.of(), Set.of());
        oversight.gone("a");
        assertThat(oversight.look(LEASE)).isEmpty();
        assertThat(placeable()).isEmpty();
    }

    @Test
    void aWorkerThatDrainsGetsNothingNewButIsAskedAndFoundUntilItIsGone() {
        var a = join("a", 1);
        var b = join("b", 2);
        oversight.listed(Set.of("b"), Set.of("b"));
        assertThat(placeable()).containsExactly(b);
        assertThat(published).anySatisfy(status -> assertThat(status.refusal()).isEqualTo("it is draining"));
        assertThat(asked(LEASE / 4)).containsExactlyInAnyOrder("a", "b");
        assertThat(oversight.heard()).containsKeys(a, b);
        assertThat(unsubscribed).isEmpty();
        oversight.gone("a");
        assertThat(asked(LEASE / 2)).containsExactly("b");
        assertThat(oversight.heard()).containsOnlyKeys(b);
        assertThat(unsubscribed).containsExactly("a");
    }

    @Test
    void aDrainingWorkerOfOldWeightsDoesNotKeepNewOnesOut() {
        join("old", 1);
        oversight.listed(Set.of("new"), Set.of("new"));
        oversight.described("new", StandInWorker.description(2, "beef"), () -> {}, 0);
        assertThat(placeable()).containsExactly(workers.id("new"));
    }

    @Test
    void aSilentWorkerIsLostWithItsStreamsAndComesBack() {
        var a = join("a", 1);
        join("b", 2);
        oversight.opened("stream", new RequestId("r"));
        oversight.given("stream", a, "a");
        var actions = new ArrayList<Action<String, String>>();
        for (long now = 0; now <= 3 * LEASE / 2; now += LEASE / 4) {
            actions.addAll(oversight.heard(alive(2), now));
            actions.addAll(oversight.look(now));
        }
        assertThat(actions).contains(new Action.Lost<>("stream", a, "has been silent for 1000 ms"));
        assertThat(placeable()).doesNotContain(a);
        assertThat(oversight.heard()).doesNotContainKey(a);
        assertThat(workers.silent(TestModel.served())).isTrue();
        oversight.heard(alive(1), 2 * LEASE);
        assertThat(placeable()).contains(a);
    }

    @Test
    void aStuckEngineIsLostOnce() {
        var a = join("a", 1);
        oversight.opened("stream", new RequestId("r"));
        oversight.given("stream", a, "a");
        var stuck = new Alive(1, 1, 40_000, true, false, List.of());
        assertThat(oversight.heard(stuck, 1))
                .containsExactly(new Action.Lost<>("stream", a, "is stuck in a step for 40000 ms"));
        assertThat(oversight.heard(stuck, 2)).isEmpty();
    }

    @Test
    void whatRunsForNobodyIsEnded() {
        var a = join("a", 1);
        oversight.opened("here", new RequestId("mine"));
        oversight.given("here", a, "a");
        oversight.opened("elsewhere", new RequestId("moved"));
        var actions = oversight.heard(
                alive(
                        1,
                        new Running(new RequestId("mine"), 3),
                        new Running(new RequestId("moved"), 4),
                        new Running(new RequestId("unknown"), 5)),
                1);
        assertThat(actions)
                .containsExactly(
                        new Action.End<>("a", new RequestId("moved"), 4),
                        new Action.End<>("a", new RequestId("unknown"), 5));
    }

    @Test
    void whatRunsIsAskedForNowAndThen() {
        join("a", 1);
        var audits = new ArrayList<Boolean>();
        for (int look = 0; look < 16; look++) {
            for (var action : oversight.look(look)) {
                if (action instanceof Action.Renew<String, String>(var _, long _, boolean audit)) {
                    audits.add(audit);
                }
            }
        }
        assertThat(audits).hasSize(16).filteredOn(audit -> audit).hasSize(2);
    }

    @Test
    void aWorkerThatCannotBeReachedLosesItsStreamsAtOnce() {
        var a = join("a", 1);
        oversight.opened("stream", new RequestId("r"));
        oversight.given("stream", a, "a");
        assertThat(oversight.listed(Set.of("a"), Set.of()))
                .contains(new Action.Lost<>("stream", a, "cannot be reached"));
        assertThat(oversight.listed(Set.of("a"), Set.of())).isEmpty();
        assertThat(placeable()).isEmpty();
    }
}
