package dev.kvasir.kvstore.shard;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.protocol.PrefixCacheProtocol;
import dev.kvasir.protocol.PrefixCacheProtocol.Change;
import dev.kvasir.protocol.PrefixCacheProtocol.Fenced;
import dev.kvasir.protocol.PrefixCacheProtocol.Holder;
import dev.kvasir.protocol.PrefixCacheProtocol.HolderReply;
import dev.kvasir.protocol.PrefixCacheProtocol.HolderState;
import dev.kvasir.protocol.PrefixCacheProtocol.IndexChanges;
import dev.kvasir.protocol.PrefixCacheProtocol.IndexContents;
import dev.kvasir.protocol.PrefixCacheProtocol.IndexCurrent;
import dev.kvasir.protocol.PrefixCacheProtocol.IndexGone;
import dev.kvasir.protocol.PrefixCacheProtocol.Position;
import dev.kvasir.protocol.PrefixCacheProtocol.SendContents;
import dev.kvasir.protocol.PrefixCacheProtocol.Update;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One shard of the prefix index: which holder has which blocks of some chains. Pure: time comes with each message, answers
 * leave through the {@link Outbox}. It keeps nothing: a shard that begins anew asks each holder for its blocks.
 *
 * <pre>
 * a holder      appears with its first message; is COMPLETE if that was its first event, else REBUILDING until its
 *               contents came; again REBUILDING after a gap; goes when it leaves, when its lease ends, or when a later
 *               life of the same member appears. Messages of an earlier life are answered with Fenced
 * a follower    is told of every change until it has not asked to follow for a while
 * </pre>
 *
 * Memory is bounded: beyond {@code blocksMax} block-holder pairs the chains that nobody stored to for longest are dropped,
 * and followers are told. A block that is missing here is recomputed; one that is credited wrongly is not found by the
 * holder, which looks for itself.
 *
 * @param <H> reply address of a holder
 * @param <F> reply address of a follower
 */
public final class IndexShard<H, F> {
    /** Where answers go. */
    public interface Outbox<H, F> {
        void toHolder(H to, HolderReply reply);

        void toFollower(F to, Update update);
    }

    /**
     * Bounds.
     *
     * @param blocksMax block-holder pairs
     * @param leaseNanos how long a holder may be silent
     * @param askAgainNanos after which contents that did not come are asked for again
     * @param followNanos how long a follower may be silent
     */
    public record Limits(
            int blocksMax, int holdersMax, int followersMax, long leaseNanos, long askAgainNanos, long followNanos) {}

    private static final class Known {
        private final Holder holder;
        private HeldBlocks blocks = new HeldBlocks();
        private HolderState state = HolderState.REBUILDING;
        private @Nullable Parts parts;
        private long next = 1;
        private long told;
        private long leaseUntil;
        private long askAgainAt;
        private boolean asked;

        Known(Holder holder) {
            this.holder = holder;
        }

        Position position(long sequence) {
            return new Position(holder, sequence, state);
        }
    }

    /** Contents as they arrive. */
    private static final class Parts {
        private final long sequence;
        private final Map<Integer, List<Change>> received = new HashMap<>();
        private final int count;

        Parts(long sequence, int count) {
            this.sequence = sequence;
            this.count = count;
        }
    }

    private static final class Follower {
        private long until;
        private Map<Holder, Long> toldBefore = new HashMap<>();
    }

    private final String name;
    private final long life;
    private final Limits limits;
    private final Outbox<H, F> outbox;
    private final Map<String, Known> holders = new LinkedHashMap<>();
    private final Map<F, Follower> followers = new LinkedHashMap<>();
    private final Map<BlockHash, Boolean> chainsByAge = new LinkedHashMap<>(16, 0.75f, true);
    private int size;

    /** Beyond all that was told of holders that went: one that comes back is not taken for what it was before. */
    private long toldOfGone;

    /** @param life of this shard, unlike that of any before it; not 0 */
    public IndexShard(String name, long life, Limits limits, Outbox<H, F> outbox) {
        this.name = name;
        this.life = life;
        this.limits = limits;
        this.outbox = outbox;
    }

    /** Events of a holder. */
    public void publish(Holder holder, long firstSequence, List<Change> changes, H replyTo, long now) {
        var known = admit(holder, replyTo, now, firstSequence == 1);
        if (known == null) {
            return;
        }
        long end = firstSequence + PrefixCacheProtocol.events(changes);
        if (end <= known.next) {
            return; // Heard before.
        }
        if (firstSequence > known.next || known.state == HolderState.REBUILDING) {
            ask(known, replyTo, now);
            return;
        }
        var fresh = after(changes, (int) (known.next - firstSequence));
        known.next = end;
        apply(known, fresh);
    }

    /** All blocks of a holder, in parts. */
    public void contents(Holder holder, long sequence, int part, int parts, List<Change> blocks, H replyTo, long now) {
        var known = admit(holder, replyTo, now, false);
        if (known == null || sequence + 1 < known.next) {
            return;
        }
        var collected = known.parts;
        if (collected == null || collected.sequence < sequence || collected.count != parts) {
            collected = new Parts(sequence, parts);
            known.parts = collected;
        }
        if (collected.sequence == sequence) {
            collected.received.put(part, blocks);
            if (collected.received.size() == parts) {
                replace(known, collected);
            }
        }
    }

    /** A holder lives, and its last event was {@code sequence}. */
    public void renew(Holder holder, long sequence, H replyTo, long now) {
        var known = admit(holder, replyTo, now, sequence == 0);
        if (known != null && (sequence >= known.next || known.state == HolderState.REBUILDING)) {
            ask(known, replyTo, now);
        }
    }

    public void leave(Holder holder) {
        var known = holders.get(holder.address());
        if (known != null && known.holder.incarnation() == holder.incarnation()) {
            remove(known);
        }
    }

    /** Somebody wants to know all changes, and has the blocks of some holders up to some events. */
    public void follow(long lifeKnown, List<Position> known, F replyTo, long now) {
        boolean isNew = !followers.containsKey(replyTo);
        if (isNew && followers.size() >= limits.followersMax()) {
            return;
        }
        var follower = followers.computeIfAbsent(replyTo, _ -> new Follower());
        follower.until = now + limits.followNanos();
        var positions = new HashMap<Holder, Long>();
        if (lifeKnown == life) {
            known.forEach(position -> positions.put(position.holder(), position.sequence()));
        }
        for (var holder : holders.values()) {
            // Less than was told before the last question means lost; less than since then may be on its way.
            long least = isNew ? holder.told : follower.toldBefore.getOrDefault(holder.holder, 0L);
            if (positions.getOrDefault(holder.holder, -1L) < least) {
                tellContents(holder, replyTo);
            }
        }
        positions.keySet().stream()
                .filter(holder -> !isKnown(holder))
                .forEach(holder -> outbox.toFollower(replyTo, new IndexGone(name, life, holder)));
        var all = new ArrayList<Position>();
        var tellings = new HashMap<Holder, Long>();
        for (var holder : holders.values()) {
            all.add(holder.position(holder.told));
            tellings.put(holder.holder, holder.told);
        }
        follower.toldBefore = tellings;
        outbox.toFollower(replyTo, new IndexCurrent(name, life, all));
    }

    /** Whether it has asked to follow, not long ago, and was taken. */
    public boolean isFollowedBy(F follower) {
        return followers.containsKey(follower);
    }

    /** A follower has gone. */
    public void unfollow(F follower) {
        followers.remove(follower);
    }

    /** Ends leases; to be called every now and then. */
    public void tick(long now) {
        List.copyOf(holders.values()).stream()
                .filter(known -> now - known.leaseUntil > 0)
                .forEach(this::remove);
        followers.values().removeIf(follower -> now - follower.until > 0);
    }

    private boolean isKnown(Holder holder) {
        var known = holders.get(holder.address());
        return known != null && known.holder.equals(holder);
    }

    private @Nullable Known admit(Holder holder, H replyTo, long now, boolean fromItsBeginning) {
        var known = holders.get(holder.address());
        if (known != null && known.holder.incarnation() != holder.incarnation()) {
            if (!holder.follows(known.holder)) {
                outbox.toHolder(replyTo, new Fenced(name, holder.incarnation()));
                return null;
            }
            remove(known);
            known = null;
        }
        if (known == null) {
            if (holders.size() >= limits.holdersMax()) {
                return null;
            }
            known = new Known(holder);
            known.state = fromItsBeginning ? HolderState.COMPLETE : HolderState.REBUILDING;
            known.told = toldOfGone;
            holders.put(holder.address(), known);
        }
        known.leaseUntil = now + limits.leaseNanos();
        return known;
    }

    private void ask(Known known, H replyTo, long now) {
        if (known.state != HolderState.REBUILDING) {
            known.state = HolderState.REBUILDING;
            tellChanges(known, List.of());
        }
        if (!known.asked || now - known.askAgainAt >= 0) {
            known.asked = true;
            known.askAgainAt = now + limits.askAgainNanos();
            outbox.toHolder(replyTo, new SendContents(name, known.holder.incarnation()));
        }
    }

    private static List<Change> after(List<Change> changes, int skip) {
        if (skip == 0) {
            return changes;
        }
        var rest = new ArrayList<Change>();
        for (var change : changes) {
            int size = change.hashes().size();
            if (skip < size) {
                rest.add(skip == 0 ? change : tail(change, skip));
            }
            skip = Math.max(0, skip - size);
        }
        return rest;
    }

    private static Change tail(Change change, int from) {
        return new Change(
                change.stored(),
                change.tier(),
                change.firstHigh(),
                change.firstLow(),
                change.hashes().high(from - 1),
                change.hashes().low(from - 1),
                change.hashes().range(from, change.hashes().size()));
    }

    private void apply(Known known, List<Change> changes) {
        var taken = new ArrayList<Change>();
        for (var change : changes) {
            if (take(known, change)) {
                taken.add(change);
            }
        }
        tellChanges(known, taken);
        bound();
    }

    /** False where there is no room. */
    private boolean take(Known known, Change change) {
        var first = Hashes.first(change);
        int before = known.blocks.size();
        if (change.stored()) {
            chainsByAge.put(first, true);
            if (size + change.hashes().size() > limits.blocksMax() && chainsByAge.size() == 1) {
                known.state = HolderState.PARTIAL; // Nothing older could make room.
                return false;
            }
            for (int i = 0; i < change.hashes().size(); i++) {
                known.blocks.store(first, Hashes.parent(change, i), Hashes.get(change.hashes(), i), change.tier());
            }
        } else {
            for (int i = 0; i < change.hashes().size(); i++) {
                known.blocks.evict(first, Hashes.get(change.hashes(), i), change.tier());
            }
            forgetIfUnused(first);
        }
        size += known.blocks.size() - before;
        return true;
    }

    private void bound() {
        while (size > limits.blocksMax() && !chainsByAge.isEmpty()) {
            var oldest = chainsByAge.keySet().iterator().next();
            chainsByAge.remove(oldest);
            for (var known : holders.values()) {
                int before = known.blocks.size();
                for (var changes : known.blocks.drop(oldest)) {
                    known.state = known.state == HolderState.COMPLETE ? HolderState.PARTIAL : known.state;
                    tellChanges(known, changes);
                }
                size += known.blocks.size() - before;
            }
        }
    }

    private void forgetIfUnused(BlockHash chain) {
        if (holders.values().stream().noneMatch(known -> known.blocks.hasChain(chain))) {
            chainsByAge.remove(chain);
        }
    }

    private void replace(Known known, Parts parts) {
        size -= known.blocks.size();
        var before = known.blocks;
        known.blocks = new HeldBlocks();
        known.state = HolderState.COMPLETE;
        known.parts = null;
        known.asked = false;
        known.next = parts.sequence + 1;
        for (int part = 0; part < parts.count; part++) {
            for (var change : parts.received.getOrDefault(part, List.of())) {
                take(known, change);
            }
        }
        before.chains().forEach(this::forgetIfUnused);
        // A number of its own: followers that lose the contents see a gap.
        known.told++;
        followers.keySet().forEach(follower -> tellContents(known, follower));
        bound();
    }

    private void tellChanges(Known known, List<Change> changes) {
        long first = known.told + 1;
        known.told += PrefixCacheProtocol.events(changes);
        var update = new IndexChanges(name, life, known.position(first), changes);
        followers.keySet().forEach(follower -> outbox.toFollower(follower, update));
    }

    private void tellContents(Known known, F follower) {
        var parts = known.blocks.contents();
        var position = known.position(known.told);
        if (parts.isEmpty()) {
            outbox.toFollower(follower, new IndexContents(name, life, position, 0, 1, List.of()));
        }
        for (int part = 0; part < parts.size(); part++) {
            outbox.toFollower(follower, new IndexContents(name, life, position, part, parts.size(), parts.get(part)));
        }
    }

    private void remove(Known known) {
        holders.remove(known.holder.address());
        size -= known.blocks.size();
        toldOfGone = Math.max(toldOfGone, known.told + 1);
        known.blocks.chains().forEach(this::forgetIfUnused);
        var gone = new IndexGone(name, life, known.holder);
        followers.keySet().forEach(follower -> outbox.toFollower(follower, gone));
    }

    /** Block-holder pairs known. */
    public int size() {
        return size;
    }

    /** Holders known, with how far they are. */
    public List<Position> holders() {
        return holders.values().stream()
                .map(known -> known.position(known.told))
                .toList();
    }

    /** Whether the holder is known to have a block, for tests. */
    public boolean has(Holder holder, BlockHash first, BlockHash hash) {
        var known = holders.get(holder.address());
        return known != null && known.holder.equals(holder) && known.blocks.has(first, hash);
    }

    /** Blocks known of a holder, for tests. */
    public List<Change> blocks(Holder holder) {
        var known = holders.get(holder.address());
        return known == null
                ? List.of()
                : known.blocks.contents().stream().flatMap(List::stream).toList();
    }
}
