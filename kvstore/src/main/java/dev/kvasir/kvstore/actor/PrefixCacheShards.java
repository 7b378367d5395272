package dev.kvasir.kvstore.actor;

import dev.kvasir.kvstore.shard.IndexShard;
import dev.kvasir.kvstore.shard.ShardRoute;
import dev.kvasir.protocol.PrefixCacheProtocol.Command;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.random.RandomGenerator;
import org.apache.pekko.Done;
import org.apache.pekko.actor.CoordinatedShutdown;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Props;
import org.apache.pekko.cluster.ClusterEvent;
import org.apache.pekko.cluster.MemberStatus;
import org.apache.pekko.cluster.sharding.typed.javadsl.ClusterSharding;
import org.apache.pekko.cluster.sharding.typed.javadsl.Entity;
import org.apache.pekko.cluster.sharding.typed.javadsl.EntityTypeKey;
import org.apache.pekko.cluster.typed.Cluster;

/**
 * The way to the shards of the prefix index, wherever in the cluster they are. They live on members of the role {@code
 * kvstore}; without one, nothing is sent.
 */
public final class PrefixCacheShards implements ShardRoute {
    /** Role of members that hold shards. */
    public static final String ROLE = "kvstore";

    private static final EntityTypeKey<Command> KEY = EntityTypeKey.create(Command.class, "kvasir-prefix-cache");

    private final ClusterSharding sharding;
    private final Cluster cluster;
    private volatile boolean silent;

    private PrefixCacheShards(ClusterSharding sharding, Cluster cluster) {
        this.sharding = sharding;
        this.cluster = cluster;
    }

    /** Makes this member able to reach shards and, where it has the role, to hold some. Once per actor system. */
    public static PrefixCacheShards start(ActorSystem<?> system, IndexShard.Limits limits, RandomGenerator random) {
        var sharding = ClusterSharding.get(system);
        sharding.init(Entity.of(
                        KEY,
                        context -> PrefixCacheActor.create(
                                context.getEntityId(), random.nextLong() | 1, limits, System::nanoTime))
                .withRole(ROLE));
        var shards = new PrefixCacheShards(sharding, Cluster.get(system));
        CoordinatedShutdown.get(system)
                .addTask(CoordinatedShutdown.PhaseBeforeClusterShutdown(), "kvasir-prefix-cache", shards::fallSilent);
        system.systemActorOf(StoresWatch.create(shards::reachable), "kvasir-kvstores", Props.empty());
        return shards;
    }

    /** The only kvstore of a cluster could not hand a shard on while there are messages for it, and would wait in vain. */
    private CompletionStage<Done> fallSilent() {
        silent = true;
        return CompletableFuture.completedFuture(Done.getInstance());
    }

    @Override
    public boolean exist() {
        return hasMember(cluster.state());
    }

    private static boolean hasMember(ClusterEvent.CurrentClusterState state) {
        for (var member : state.getMembers()) {
            if (member.hasRole(ROLE) && member.status().equals(MemberStatus.up())) {
                return true;
            }
        }
        return false;
    }

    /** Whether a kvstore can be spoken to; also where this member is about to go and wants none any more. */
    private boolean reachable() {
        var state = cluster.state();
        for (var member : state.getMembers()) {
            if (member.hasRole(ROLE)
                    && member.status().equals(MemberStatus.up())
                    && !state.getUnreachable().contains(member)) {
                return true;
            }
        }
        return silent;
    }

    @Override
    public void tell(String shard, Command command) {
        if (!silent) {
            sharding.entityRefFor(KEY, shard).tell(command);
        }
    }
}
