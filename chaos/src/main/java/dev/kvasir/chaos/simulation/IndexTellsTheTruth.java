package dev.kvasir.chaos.simulation;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.index.IndexReplica;
import dev.kvasir.kvstore.index.Tier;
import dev.kvasir.kvstore.shard.Hashes;
import dev.kvasir.kvstore.shard.ShardName;
import dev.kvasir.kvstore.shard.ShardReplica;
import dev.kvasir.protocol.PrefixCacheProtocol.Change;
import dev.kvasir.protocol.PrefixCacheProtocol.Holder;
import dev.kvasir.protocol.PrefixCacheProtocol.HolderState;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * P5 and the index's own promise, never silently wrong:
 *
 * <pre>
 * a holder    has told its shards what it has, whenever it has told its news
 * a shard     has one home at a time, among members that nobody has removed
 * a shard     forgets the blocks of a holder's earlier life within the length of a lease; a copy of it, where the way
 *             there is good, two seconds later
 * a copy      that calls itself exact is what its shard had at that number
 * at rest     every copy is what its shard knows, and that is what each holder has
 * </pre>
 */
final class IndexTellsTheTruth implements Invariant {
    private static final String TRUTH = "P5 the index says what holders have";
    private static final String EXACT = "P5 a copy that calls itself exact is";
    private static final String TELLS = "P5 a holder tells what it has";
    private static final String FORGETS = "P5 the index forgets an earlier life";
    private static final String ONE_HOME = "P5 a shard has one home";

    /** Of a dead holder in a shard: lease, look, and what was on its way. */
    private static final long FORGOTTEN_WITHIN = KvStoreShell.LEASE + KvStoreShell.TICK + Timeline.SECOND;

    /** In a copy: its shard's time, and until it has asked and heard. */
    private static final long COPY_FORGETS_WITHIN = FORGOTTEN_WITHIN + 2 * Timeline.SECOND;

    /** Blocks that a message names. */
    private static final int SHOWN_MAX = 3;

    private final Map<Checked, Long> checked = new HashMap<>();

    private record Checked(Life router, String shard, long shardLife, Holder holder) {}

    @Override
    public void now(World world) {
        for (var name : world.shardNames()) {
            checkHomes(world, name);
        }
        for (var store : world.programs(KvStoreShell.class)) {
            if (store.self().isRunning() && store.self().unchangedNanos() > FORGOTTEN_WITHIN) {
                checkForgets(world, store);
            }
        }
        for (var router : world.programs(RouterShell.class)) {
            checkExact(world, router);
            if (router.self().isRunning() && router.self().unchangedNanos() > COPY_FORGETS_WITHIN) {
                checkCopyForgets(world, router);
            }
        }
    }

    @Override
    public void told(HolderShell holder) {
        var has = holder.held();
        if (has != null) {
            var told = holder.told();
            Violation.unless(
                    told.equals(has),
                    TELLS,
                    () -> "%s has told of %d blocks and has %d: %s"
                            .formatted(holder, told.size(), has.size(), differences(told, has)));
        }
    }

    @Override
    public void updated(World world, RouterShell router, String shard) {
        for (var copy : router.index().copies()) {
            var replica = copy.shard(shard);
            var hosted = replica == null ? null : hosted(world, shard, replica.life());
            if (replica != null && hosted != null) {
                checkExact(router, shard, replica, hosted);
            }
        }
    }

    /** Where the way to the shard was good for long enough. */
    private static void checkCopyForgets(World world, RouterShell router) {
        long since = world.timeline().now() - COPY_FORGETS_WITHIN;
        if (!world.network().isGoodSince(since)) {
            return;
        }
        for (var copy : router.index().copies()) {
            for (var name : copy.shards()) {
                var home = world.sharding().home(name);
                if (home == null
                        || !home.isRunning()
                        || home.unchangedNanos() <= COPY_FORGETS_WITHIN
                        || !world.sharding().isSettledSince(name, since)) {
                    continue;
                }
                for (var holder : Objects.requireNonNull(copy.shard(name)).holders()) {
                    var life = life(world, holder);
                    boolean known = life != null && (!life.isDead() || life.unchangedNanos() <= COPY_FORGETS_WITHIN);
                    Violation.unless(
                            known, FORGETS, () -> "%s still knows %s in shard %s".formatted(router, holder, name));
                }
            }
        }
    }

    private static void checkHomes(World world, String name) {
        var homes = world.programs(KvStoreShell.class).stream()
                .filter(store -> store.self().isRunning() && store.shard(name) != null)
                .map(KvStoreShell::self)
                .filter(store -> world.membership().isCountedByAll(store))
                .toList();
        Violation.unless(homes.size() <= 1, ONE_HOME, () -> name + " is at " + homes);
    }

    private static void checkForgets(World world, KvStoreShell store) {
        for (var hosted : store.shards().entrySet()) {
            for (var position : hosted.getValue().shard().holders()) {
                var holder = position.holder();
                var life = life(world, holder);
                boolean known = life != null && (!life.isDead() || life.unchangedNanos() <= FORGOTTEN_WITHIN);
                Violation.unless(
                        known,
                        FORGETS,
                        () -> "%s still knows %s in shard %s".formatted(store, holder, hosted.getKey()));
            }
        }
    }

    private static @Nullable Life life(World world, Holder holder) {
        for (var life : world.cluster().everyLife()) {
            boolean there = life.name().equals(holder.address()) || holder.isStoreOf(life.name());
            if (there && life.incarnation() == holder.incarnation()) {
                return life;
            }
        }
        return null;
    }

    private void checkExact(World world, RouterShell router) {
        for (var copy : router.index().copies()) {
            for (var name : copy.shards()) {
                var replica = Objects.requireNonNull(copy.shard(name));
                var hosted = hosted(world, name, replica.life());
                if (hosted != null) {
                    checkExact(router, name, replica, hosted);
                }
            }
        }
    }

    private void checkExact(RouterShell router, String name, ShardReplica replica, KvStoreShell.Hosted hosted) {
        for (var position : hosted.shard().holders()) {
            var holder = position.holder();
            if (replica.sequence(holder) == position.sequence()
                    && replica.state(holder) == IndexReplica.State.EXACT
                    && !Objects.equals(
                            checked.put(new Checked(router.self(), name, hosted.life(), holder), position.sequence()),
                            position.sequence())) {
                var wrong = difference(replica, holder, blocks(hosted.shard().blocks(holder)), false);
                Violation.unless(
                        wrong == null,
                        EXACT,
                        () -> "%s has %s of %s at %d in shard %s: %s"
                                .formatted(router, replica.state(holder), holder, position.sequence(), name, wrong));
            }
        }
    }

    private static KvStoreShell.@Nullable Hosted hosted(World world, String name, long life) {
        for (var store : world.programs(KvStoreShell.class)) {
            var hosted = store.shard(name);
            if (hosted != null && hosted.life() == life) {
                return hosted;
            }
        }
        return null;
    }

    private static Map<BlockHash, Integer> blocks(List<Change> changes) {
        var blocks = new HashMap<BlockHash, Integer>();
        for (var change : changes) {
            for (int i = 0; i < change.hashes().size(); i++) {
                blocks.merge(Hashes.get(change.hashes(), i), change.tier().bit(), (one, other) -> one | other);
            }
        }
        return blocks;
    }

    /** @param partial whether the copy may lack blocks */
    private static @Nullable String difference(
            ShardReplica replica, Holder holder, Map<BlockHash, Integer> blocks, boolean partial) {
        var index = replica.of(holder).index();
        int slot = index.slot(ShardReplica.key(holder));
        int found = 0;
        for (var block : blocks.entrySet()) {
            int tiers = 0;
            for (var tier : Tier.values()) {
                tiers |= index.has(slot, block.getKey(), tier) ? tier.bit() : 0;
            }
            found += tiers == 0 ? 0 : 1;
            if (tiers != block.getValue() && !(partial && (tiers & ~block.getValue()) == 0)) {
                return "block %s is in tiers %d, not %d".formatted(block.getKey(), tiers, block.getValue());
            }
        }
        return index.blocks(slot) == found
                ? null
                : "it names %d blocks, of which %d are there".formatted(index.blocks(slot), found);
    }

    /** Some of the blocks that are said to be elsewhere than they are. */
    private static String differences(Map<BlockHash, Integer> said, Map<BlockHash, Integer> are) {
        var all = new HashSet<>(said.keySet());
        all.addAll(are.keySet());
        return all.stream()
                .filter(block -> !Objects.equals(said.get(block), are.get(block)))
                .sorted(Comparator.comparing(BlockHash::toString))
                .limit(SHOWN_MAX)
                .map(block -> "block %s is in tiers %d, not %d"
                        .formatted(block, are.getOrDefault(block, 0), said.getOrDefault(block, 0)))
                .collect(Collectors.joining(", "));
    }

    @Override
    public boolean waits(World world) {
        return wrong(world) != null;
    }

    @Override
    public void atRest(World world) {
        var wrong = wrong(world);
        Violation.unless(wrong == null, TRUTH, () -> String.valueOf(wrong));
    }

    private static @Nullable String wrong(World world) {
        for (var name : world.shardNames()) {
            var home = world.sharding().home(name);
            var hosted = home == null || home.isDead() || !(home.program() instanceof KvStoreShell store)
                    ? null
                    : store.shard(name);
            if (hosted == null) {
                return name + " is nowhere";
            }
            var wrong = wrong(world, name, hosted);
            if (wrong != null) {
                return wrong;
            }
        }
        return null;
    }

    private static @Nullable String wrong(World world, String name, KvStoreShell.Hosted hosted) {
        var alive = new HashSet<Holder>();
        for (var worker : world.programs(WorkerShell.class)) {
            alive.add(worker.publisher().holder());
            var wrong = shardDiffers(world, name, hosted, worker.publisher().holder(), worker.heldByFirst());
            if (wrong != null) {
                return wrong;
            }
        }
        for (var store : world.programs(KvStoreShell.class)) {
            var publisher = store.publisher();
            if (publisher != null) {
                alive.add(publisher.holder());
                var wrong = shardDiffers(world, name, hosted, publisher.holder(), store.heldByFirst());
                if (wrong != null) {
                    return wrong;
                }
            }
        }
        var known = new HashSet<Holder>();
        hosted.shard().holders().forEach(position -> known.add(position.holder()));
        if (!known.equals(alive)) {
            return "shard %s knows %s, but these are there: %s".formatted(name, known, alive);
        }
        for (var router : world.programs(RouterShell.class)) {
            var wrong = copyDiffers(router, name, hosted, known);
            if (wrong != null) {
                return wrong;
            }
        }
        return null;
    }

    private static @Nullable String shardDiffers(
            World world,
            String name,
            KvStoreShell.Hosted hosted,
            Holder holder,
            Map<BlockHash, Map<BlockHash, Integer>> held) {
        var there = new HashMap<BlockHash, Integer>();
        held.forEach((first, blocks) -> {
            if (world.shardNames()
                    .get(ShardName.range(first, world.shardNames().size()))
                    .equals(name)) {
                there.putAll(blocks);
            }
        });
        var state = state(hosted, holder);
        var known = blocks(hosted.shard().blocks(holder));
        boolean right = state == HolderState.COMPLETE
                ? known.equals(there)
                : state == HolderState.PARTIAL
                        && known.entrySet().stream()
                                .allMatch(block -> isPart(block.getValue(), there.get(block.getKey())));
        return right
                ? null
                : "shard %s knows of %d blocks of %s (%s), which has %d: %s"
                        .formatted(name, known.size(), holder, state, there.size(), differences(known, there));
    }

    private static boolean isPart(int tiers, @Nullable Integer of) {
        return of != null && (tiers & ~of) == 0;
    }

    private static @Nullable HolderState state(KvStoreShell.Hosted hosted, Holder holder) {
        return hosted.shard().holders().stream()
                .filter(position -> position.holder().equals(holder))
                .map(position -> position.state())
                .findFirst()
                .orElse(null);
    }

    private static @Nullable String copyDiffers(
            RouterShell router, String name, KvStoreShell.Hosted hosted, Set<Holder> holders) {
        for (var copy : router.index().copies()) {
            var replica = copy.shard(name);
            if (replica == null
                    || replica.life() != hosted.life()
                    || !Set.copyOf(replica.holders()).equals(holders)) {
                return router + " does not follow shard " + name;
            }
            for (var holder : holders) {
                var state = replica.state(holder);
                boolean partial = state == IndexReplica.State.DEGRADED;
                if (state == IndexReplica.State.REBUILDING) {
                    return "%s has not what shard %s knows of %s".formatted(router, name, holder);
                }
                var wrong = difference(replica, holder, blocks(hosted.shard().blocks(holder)), partial);
                if (wrong != null) {
                    return "%s has of %s in shard %s: %s".formatted(router, holder, name, wrong);
                }
            }
        }
        return router.index().copies().isEmpty() ? router + " follows nothing" : null;
    }
}
