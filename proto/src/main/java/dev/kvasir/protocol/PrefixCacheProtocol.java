package dev.kvasir.protocol;

import java.util.List;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.receptionist.ServiceKey;

/**
 * How members that hold KV blocks, the shards of the prefix index, and the routers that follow it speak. Every message may
 * be lost, doubled or late: sequence numbers show gaps, and contents close them.
 *
 * <pre>
 * holder -> shard    Publish (what changed), Renew (still alive), Contents (everything, when asked), Leave
 * shard  -> holder   SendContents, Fenced
 * router -> shard    Follow, again and again: with what it has
 * shard  -> router   IndexChanges, IndexGone; IndexContents where the router has a gap; IndexCurrent in answer
 * </pre>
 */
public final class PrefixCacheProtocol {
    /** Most parts that contents are sent in. */
    public static final int PARTS_MAX = 4096;

    /** Under this key every kvstore registers with the receptionist. */
    public static final ServiceKey<StoreCommand> STORES = ServiceKey.create(StoreCommand.class, "kvasir-kvstore");

    private PrefixCacheProtocol() {}

    /** To a kvstore. Blocks go over the transfer service instead. */
    public sealed interface StoreCommand extends WireMessage {}

    /** Answered with {@link Introduced}. */
    public record Introduce(ActorRef<Introduced> replyTo) implements StoreCommand {}

    /** Who a kvstore is, and where it takes and gives blocks. */
    public record Introduced(Holder holder) implements WireMessage {}

    /** Where a copy of a block lies, fastest first. */
    public enum Tier {
        DEVICE(0),
        HOST(1),
        DISK(2);

        private final int code;

        Tier(int code) {
            this.code = code;
        }

        /** As it is written on the wire. */
        public int code() {
            return code;
        }

        /** In a set of tiers. */
        public int bit() {
            return 1 << code;
        }
    }

    /**
     * One life of a member that holds blocks.
     *
     * @param address host:port of the member
     * @param incarnation Pekko's UID of the member
     * @param bornMillis when this life began: of two lives at one address the later wins
     * @param transferAddress host:port of its KV transfer service; empty where it has none
     */
    public record Holder(String address, long incarnation, long bornMillis, String transferAddress) {
        private static final String STORE = "/kvstore";

        public Holder {
            checkAddress("address", address);
            checkAddress("transfer_address", transferAddress);
        }

        /** Whether it is a kvstore. */
        public boolean isStore() {
            return address.endsWith(STORE);
        }

        /** The same for the kvstore of a member, whose worker may hold blocks too. */
        public static Holder ofStore(String address, long incarnation, long bornMillis, String transferAddress) {
            return new Holder(address + STORE, incarnation, bornMillis, transferAddress);
        }

        /** Whether this is the kvstore of the member at {@code memberAddress}. */
        public boolean isStoreOf(String memberAddress) {
            return address.equals(memberAddress + STORE);
        }

        /** Whether this is a later life of the same member. */
        public boolean follows(Holder other) {
            return address.equals(other.address)
                    && incarnation != other.incarnation
                    && (bornMillis > other.bornMillis
                            || (bornMillis == other.bornMillis
                                    && Long.compareUnsigned(incarnation, other.incarnation) > 0));
        }

        @Override
        public String toString() {
            return address + "#" + Long.toHexString(incarnation);
        }
    }

    /**
     * Blocks of one chain that a holder has now, or has no longer.
     *
     * @param firstHigh of the hash of the chain's first block
     * @param parentHigh of the hash of the block before the first one named, unless that is the chain's first
     * @param hashes where stored, blocks that follow each other in their chain
     */
    public record Change(
            boolean stored,
            Tier tier,
            long firstHigh,
            long firstLow,
            long parentHigh,
            long parentLow,
            HashList hashes) {
        /** Whether the first block named begins a chain. */
        public boolean beginsChain() {
            return hashes.size() > 0 && hashes.high(0) == firstHigh && hashes.low(0) == firstLow;
        }
    }

    /** Events in changes: each block is one. */
    public static int events(List<Change> changes) {
        int events = 0;
        for (var change : changes) {
            events += change.hashes().size();
        }
        return events;
    }

    /** To a shard. */
    public sealed interface Command extends WireMessage {}

    /**
     * What changed at a holder. Events of a holder and shard are numbered from 1, without gaps.
     *
     * @param firstSequence number of the first event
     */
    public record Publish(Holder holder, long firstSequence, List<Change> changes, ActorRef<HolderReply> replyTo)
            implements Command {
        public Publish {
            changes = List.copyOf(changes);
        }
    }

    /** All that a holder has, as of {@code sequence}, in parts. */
    public record Contents(
            Holder holder, long sequence, int part, int parts, List<Change> blocks, ActorRef<HolderReply> replyTo)
            implements Command {
        public Contents {
            blocks = List.copyOf(blocks);
            checkPart(part, parts);
        }
    }

    /** The holder lives, and {@code sequence} was the last that it sent. */
    public record Renew(Holder holder, long sequence, ActorRef<HolderReply> replyTo) implements Command {}

    /** The holder goes, and its blocks with it. */
    public record Leave(Holder holder) implements Command {}

    /**
     * Send changes from now on, for a while; and contents of those holders of which the follower has less than it was sent.
     *
     * @param life of the shard; 0 where the follower has nothing
     */
    public record Follow(long life, List<Position> known, ActorRef<Update> replyTo) implements Command {
        public Follow {
            known = List.copyOf(known);
        }
    }

    /** How far somebody knows a holder's blocks: up to an event, by the shard's numbers. */
    public record Position(Holder holder, long sequence, HolderState state) {}

    /** To a holder. */
    public sealed interface HolderReply extends WireMessage {}

    /** The shard lacks something: send {@link Contents}. */
    public record SendContents(String shard, long incarnation) implements HolderReply {}

    /** A later life of the same member is known; this one is not listened to. */
    public record Fenced(String shard, long incarnation) implements HolderReply {}

    /** How far a shard knows a holder's blocks. */
    public enum HolderState {
        /** All of them. */
        COMPLETE(0),
        /** Contents were asked for. */
        REBUILDING(1),
        /** Some were dropped to bound the shard's memory. */
        PARTIAL(2);

        private final int code;

        HolderState(int code) {
            this.code = code;
        }

        /** As it is written on the wire. */
        public int code() {
            return code;
        }
    }

    /**
     * To a follower. A shard numbers the events of each holder anew in each of its own lives: from 1, unless a holder has gone
     * before.
     */
    public sealed interface Update extends WireMessage {
        String shard();

        long life();
    }

    /** All that a shard knows of a holder, in parts. */
    public record IndexContents(String shard, long life, Position position, int part, int parts, List<Change> blocks)
            implements Update {
        public IndexContents {
            blocks = List.copyOf(blocks);
            checkPart(part, parts);
        }
    }

    /** What changed at a holder; the position has the number of the first event. */
    public record IndexChanges(String shard, long life, Position position, List<Change> changes) implements Update {
        public IndexChanges {
            changes = List.copyOf(changes);
        }
    }

    /** The holder is no more. */
    public record IndexGone(String shard, long life, Holder holder) implements Update {}

    /** The shard lives, and knows these holders and no others. Answers each {@link Follow}. */
    public record IndexCurrent(String shard, long life, List<Position> holders) implements Update {
        public IndexCurrent {
            holders = List.copyOf(holders);
        }
    }

    private static void checkAddress(String field, String address) {
        Limits.require(
                address.length() <= KvSource.ADDRESS_MAX,
                field,
                address.length() + " characters",
                "at most " + KvSource.ADDRESS_MAX + " characters");
    }

    private static void checkPart(int part, int parts) {
        Limits.require(parts >= 1 && parts <= PARTS_MAX, "parts", parts, "in [1, " + PARTS_MAX + "]");
        Limits.require(part >= 0 && part < parts, "part", part, "in [0, " + parts + ")");
    }
}
