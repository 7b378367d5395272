package dev.kvasir.chaos.simulation;

import dev.kvasir.kvstore.shard.ShardRoute;
import dev.kvasir.protocol.PrefixCacheProtocol.Command;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Stands in for Pekko's cluster sharding, which is not run here. Modelled: a coordinator on the oldest kvstore that says
 * where each shard is; members that remember what it said for as long as that kvstore is a member; messages that wait while
 * the coordinator cannot be reached or the shard moves; kvstores that pass on what is meant for a shard that has moved. A shard
 * whose kvstore was removed begins anew elsewhere, whatever the removed one still does: that is a matter of lives.
 */
final class Sharding {
    private static final long ASK_AGAIN = 200 * Timeline.MILLI;
    private static final int QUESTIONS_MAX = 50;

    private final World world;
    private final Map<String, Life> homes = new HashMap<>();
    private final Map<String, Long> since = new HashMap<>();
    private final Map<String, Life> leaving = new HashMap<>();
    private final Map<Life, Map<String, Life>> remembered = new HashMap<>();

    Sharding(World world) {
        this.world = world;
    }

    /** The way to shards from one member. */
    ShardRoute from(Life self) {
        return new ShardRoute() {
            @Override
            public boolean exist() {
                return !stores(self).isEmpty();
            }

            @Override
            public void tell(String shard, Command command) {
                Sharding.this.tell(self, shard, command, 0);
            }
        };
    }

    private void tell(Life from, String shard, Command command, int questions) {
        var home = home(from, shard);
        if (home != null) {
            world.network().send(from, home, new Message.ToShard(shard, command));
        } else if (questions < QUESTIONS_MAX) {
            from.after(ASK_AGAIN, () -> tell(from, shard, command, questions + 1));
        }
    }

    /** What came to a kvstore that does not have the shard any more. */
    void passOn(Life from, String shard, Command command) {
        remembered.getOrDefault(from, new HashMap<>()).remove(shard);
        tell(from, shard, command, 0);
    }

    private @Nullable Life home(Life from, String shard) {
        var known = remembered.computeIfAbsent(from, _ -> new HashMap<>());
        var home = known.get(shard);
        if (home != null && counts(from, home)) {
            return home;
        }
        var coordinator = stores(from).stream()
                .min(Comparator.comparingLong(Life::incarnation))
                .orElse(null);
        if (coordinator == null || !coordinator.isRunning() || !bothWays(from, coordinator)) {
            return null;
        }
        home = home(coordinator, shard, stores(coordinator));
        if (home != null) {
            known.put(shard, home);
        }
        return home;
    }

    /** As the coordinator says. */
    private @Nullable Life home(Life coordinator, String shard, List<Life> stores) {
        var goes = leaving.get(shard);
        if (goes != null && counts(coordinator, goes) && !goes.isDead()) {
            return null;
        }
        leaving.remove(shard);
        var home = homes.get(shard);
        if (home == null || !counts(coordinator, home)) {
            home = stores.stream()
                    .min(Comparator.comparingLong(this::load).thenComparing(Life::name))
                    .orElse(null);
            if (home != null) {
                put(shard, home);
            }
        }
        return home;
    }

    private void put(String shard, Life home) {
        homes.put(shard, home);
        since.put(shard, world.timeline().now());
        world.trace().note(home.name(), () -> home + " is the home of shard " + shard);
    }

    private long load(Life store) {
        return homes.values().stream().filter(home -> home == store).count();
    }

    /** Kvstores that a member counts, itself included. */
    private List<Life> stores(Life member) {
        var stores = new ArrayList<Life>();
        if (World.isStore(member.name())) {
            stores.add(member);
        }
        for (var other : world.membership().others(member)) {
            if (World.isStore(other.name())) {
                stores.add(other);
            }
        }
        return stores;
    }

    private boolean counts(Life member, Life other) {
        return member == other || world.membership().others(member).contains(other);
    }

    private boolean bothWays(Life one, Life other) {
        return one == other
                || (world.network().isOpen(one.name(), other.name())
                        && world.network().isOpen(other.name(), one.name()));
    }

    boolean isHome(Life store, String shard) {
        return homes.get(shard) == store && !leaving.containsKey(shard);
    }

    /** The one that has a shard, as the cluster has agreed. */
    @Nullable
    Life home(String shard) {
        return homes.get(shard);
    }

    /** Whether a shard is, and has been for so long, where it was put. */
    boolean isSettledSince(String shard, long nanos) {
        return !leaving.containsKey(shard) && since.getOrDefault(shard, Long.MAX_VALUE) <= nanos;
    }

    /** Moves a shard from where it is to {@code target}, as rebalancing does: the old one stops before the new one begins. */
    void move(int shardNumber, String target) {
        var shards = homes.keySet().stream().sorted().toList();
        var next = world.cluster().current(target);
        if (shards.isEmpty() || next == null) {
            return;
        }
        var shard = shards.get(shardNumber % shards.size());
        var old = homes.get(shard);
        if (old == null || old == next || old.isDead() || leaving.containsKey(shard)) {
            return;
        }
        world.trace().note(old.name(), () -> "gives up shard " + shard + " for " + next);
        leaving.put(shard, old);
        old.after(ASK_AGAIN, () -> {
            if (old.program() instanceof KvStoreShell store) {
                store.stops(shard);
            }
            if (leaving.remove(shard, old) && !next.isDead()) {
                put(shard, next);
            }
        });
    }
}
