package dev.kvasir.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.deploy.Settings.Flag;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Props;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.cluster.ClusterEvent.MemberRemoved;
import org.apache.pekko.cluster.MemberStatus;
import org.apache.pekko.cluster.typed.Cluster;
import org.apache.pekko.cluster.typed.Subscribe;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Members that leave, and what those that stay take it for. */
final class LeavingTest {
    private static final long SECONDS_MAX = 60;

    private final List<ActorSystem<Void>> systems = new ArrayList<>();

    private ActorSystem<Void> member(Map<String, String> settings) throws InterruptedException {
        var flags = new HashMap<Flag, String>();
        flags.put(new Flag("--roles", "kvasir.roles"), "kvstore");
        settings.forEach((key, value) -> flags.put(new Flag("--" + key, key), value));
        var config = KvasirConfig.load(null, Map.of(), flags);
        var system = ClusterMember.start(config, Optional.empty());
        systems.add(system);
        ClusterMember.join(system, config.cluster(), Optional.empty());
        return system;
    }

    private static void end(ActorSystem<Void> system) throws Exception {
        system.terminate();
        system.getWhenTerminated().toCompletableFuture().get(SECONDS_MAX, TimeUnit.SECONDS);
    }

    @AfterEach
    void endAll() throws Exception {
        for (var system : systems) {
            system.terminate();
        }
        for (var system : systems) {
            end(system);
        }
    }

    @Test
    void whoLeavesBesideACrashedMemberIsNotTakenForAnotherCrash() throws Exception {
        var stays = member(Map.of());
        var join = Map.of("kvasir.cluster.join", ClusterMember.address(stays));
        var another = member(join);
        var leaves = member(join);
        // It ends without a word to its cluster.
        var crashes = member(Map.of(
                "kvasir.cluster.join",
                ClusterMember.address(stays),
                "pekko.coordinated-shutdown.run-by-actor-system-terminate",
                "off"));
        var gone = new LinkedBlockingQueue<MemberRemoved>();
        var watch = Behaviors.receiveMessage((MemberRemoved event) -> {
            gone.add(event);
            return Behaviors.same();
        });
        Cluster.get(stays)
                .subscriptions()
                .tell(Subscribe.create(stays.systemActorOf(watch, "gone", Props.empty()), MemberRemoved.class));

        end(crashes);
        end(leaves);

        var removed = new HashMap<String, MemberStatus>();
        while (removed.size() < 2) {
            var event = gone.poll(SECONDS_MAX, TimeUnit.SECONDS);
            assertThat(event).as("after %s", removed).isNotNull();
            removed.put(event.member().address().toString(), event.previousStatus());
        }
        assertThat(removed)
                .isEqualTo(Map.of(
                        "pekko://kvasir@" + ClusterMember.address(crashes), MemberStatus.down(),
                        "pekko://kvasir@" + ClusterMember.address(leaves), MemberStatus.exiting()));
        assertThat(another.whenTerminated().isCompleted()).isFalse();
    }
}
