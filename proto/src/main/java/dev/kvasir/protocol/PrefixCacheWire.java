package dev.kvasir.protocol;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.MessageLite;
import dev.kvasir.protocol.PrefixCacheProtocol.Change;
import dev.kvasir.protocol.PrefixCacheProtocol.Contents;
import dev.kvasir.protocol.PrefixCacheProtocol.Fenced;
import dev.kvasir.protocol.PrefixCacheProtocol.Follow;
import dev.kvasir.protocol.PrefixCacheProtocol.Holder;
import dev.kvasir.protocol.PrefixCacheProtocol.HolderReply;
import dev.kvasir.protocol.PrefixCacheProtocol.HolderState;
import dev.kvasir.protocol.PrefixCacheProtocol.IndexChanges;
import dev.kvasir.protocol.PrefixCacheProtocol.IndexContents;
import dev.kvasir.protocol.PrefixCacheProtocol.IndexCurrent;
import dev.kvasir.protocol.PrefixCacheProtocol.IndexGone;
import dev.kvasir.protocol.PrefixCacheProtocol.Introduce;
import dev.kvasir.protocol.PrefixCacheProtocol.Introduced;
import dev.kvasir.protocol.PrefixCacheProtocol.Leave;
import dev.kvasir.protocol.PrefixCacheProtocol.Position;
import dev.kvasir.protocol.PrefixCacheProtocol.Publish;
import dev.kvasir.protocol.PrefixCacheProtocol.Renew;
import dev.kvasir.protocol.PrefixCacheProtocol.SendContents;
import dev.kvasir.protocol.PrefixCacheProtocol.Tier;
import dev.kvasir.protocol.PrefixCacheProtocol.Update;
import dev.kvasir.v1.cluster.BlockChange;
import dev.kvasir.v1.cluster.ContentsCommand;
import dev.kvasir.v1.cluster.FollowCommand;
import dev.kvasir.v1.cluster.HolderPosition;
import dev.kvasir.v1.cluster.IntroduceCommand;
import dev.kvasir.v1.cluster.LeaveCommand;
import dev.kvasir.v1.cluster.PublishCommand;
import dev.kvasir.v1.cluster.RenewLeaseCommand;
import java.util.ArrayList;
import java.util.List;
import org.apache.pekko.actor.typed.ActorRefResolver;

/** Messages of the prefix index as Protobuf. */
final class PrefixCacheWire {
    private static final int LIST_MAX = 65_536;

    private PrefixCacheWire() {}

    static String manifest(PrefixCacheProtocol.Command command) {
        return switch (command) {
            case Publish _ -> "PublishCommand";
            case Contents _ -> "ContentsCommand";
            case Renew _ -> "RenewLeaseCommand";
            case Leave _ -> "LeaveCommand";
            case Follow _ -> "FollowCommand";
        };
    }

    static String manifest(HolderReply reply) {
        return switch (reply) {
            case SendContents _ -> "SendContents";
            case Fenced _ -> "Fenced";
        };
    }

    static String manifest(Update update) {
        return switch (update) {
            case IndexContents _ -> "IndexContents";
            case IndexChanges _ -> "IndexChanges";
            case IndexGone _ -> "IndexGone";
            case IndexCurrent _ -> "IndexCurrent";
        };
    }

    static MessageLite write(PrefixCacheProtocol.Command command, ActorRefResolver references) {
        return switch (command) {
            case Publish publish ->
                PublishCommand.newBuilder()
                        .setHolder(write(publish.holder()))
                        .setFirstSequence(publish.firstSequence())
                        .addAllChanges(WireCheck.list(publish.changes(), PrefixCacheWire::write))
                        .setReplyTo(references.toSerializationFormat(publish.replyTo()))
                        .build();
            case Contents contents ->
                ContentsCommand.newBuilder()
                        .setHolder(write(contents.holder()))
                        .setSequence(contents.sequence())
                        .setPart(contents.part())
                        .setParts(contents.parts())
                        .addAllBlocks(WireCheck.list(contents.blocks(), PrefixCacheWire::write))
                        .setReplyTo(references.toSerializationFormat(contents.replyTo()))
                        .build();
            case Renew renew ->
                RenewLeaseCommand.newBuilder()
                        .setHolder(write(renew.holder()))
                        .setSequence(renew.sequence())
                        .setReplyTo(references.toSerializationFormat(renew.replyTo()))
                        .build();
            case Leave leave ->
                LeaveCommand.newBuilder().setHolder(write(leave.holder())).build();
            case Follow follow ->
                FollowCommand.newBuilder()
                        .setLife(follow.life())
                        .addAllKnown(WireCheck.list(follow.known(), PrefixCacheWire::write))
                        .setReplyTo(references.toSerializationFormat(follow.replyTo()))
                        .build();
        };
    }

    static MessageLite write(HolderReply reply) {
        return switch (reply) {
            case SendContents send ->
                dev.kvasir.v1.cluster.SendContents.newBuilder()
                        .setShard(send.shard())
                        .setIncarnation(send.incarnation())
                        .build();
            case Fenced fenced ->
                dev.kvasir.v1.cluster.Fenced.newBuilder()
                        .setShard(fenced.shard())
                        .setIncarnation(fenced.incarnation())
                        .build();
        };
    }

    static MessageLite write(Update update) {
        return switch (update) {
            case IndexContents contents ->
                dev.kvasir.v1.cluster.IndexContents.newBuilder()
                        .setShard(contents.shard())
                        .setLife(contents.life())
                        .setHolder(write(contents.position()))
                        .setPart(contents.part())
                        .setParts(contents.parts())
                        .addAllBlocks(WireCheck.list(contents.blocks(), PrefixCacheWire::write))
                        .build();
            case IndexChanges changes ->
                dev.kvasir.v1.cluster.IndexChanges.newBuilder()
                        .setShard(changes.shard())
                        .setLife(changes.life())
                        .setHolder(write(changes.position()))
                        .addAllChanges(WireCheck.list(changes.changes(), PrefixCacheWire::write))
                        .build();
            case IndexGone gone ->
                dev.kvasir.v1.cluster.IndexGone.newBuilder()
                        .setShard(gone.shard())
                        .setLife(gone.life())
                        .setHolder(write(gone.holder()))
                        .build();
            case IndexCurrent current ->
                dev.kvasir.v1.cluster.IndexCurrent.newBuilder()
                        .setShard(current.shard())
                        .setLife(current.life())
                        .addAllHolders(WireCheck.list(current.holders(), PrefixCacheWire::write))
                        .build();
        };
    }

    static MessageLite write(PrefixCacheProtocol.StoreCommand command, ActorRefResolver references) {
        return switch (command) {
            case Introduce introduce ->
                IntroduceCommand.newBuilder()
                        .setReplyTo(references.toSerializationFormat(introduce.replyTo()))
                        .build();
        };
    }

    static MessageLite write(Introduced introduced) {
        return dev.kvasir.v1.cluster.Introduced.newBuilder()
                .setHolder(write(introduced.holder()))
                .build();
    }

    static Introduce readIntroduce(byte[] bytes, ActorRefResolver references) throws InvalidProtocolBufferException {
        return new Introduce(
                WireCheck.reference(IntroduceCommand.parseFrom(bytes).getReplyTo(), references));
    }

    static Introduced readIntroduced(byte[] bytes) throws InvalidProtocolBufferException {
        return new Introduced(
                read(dev.kvasir.v1.cluster.Introduced.parseFrom(bytes).getHolder()));
    }

    static Publish readPublish(byte[] bytes, ActorRefResolver references) throws InvalidProtocolBufferException {
        var wire = PublishCommand.parseFrom(bytes);
        return new Publish(
                read(wire.getHolder()),
                WireCheck.count("first_sequence", wire.getFirstSequence()),
                changes(wire.getChangesList()),
                WireCheck.reference(wire.getReplyTo(), references));
    }

    static Contents readContents(byte[] bytes, ActorRefResolver references) throws InvalidProtocolBufferException {
        var wire = ContentsCommand.parseFrom(bytes);
        return new Contents(
                read(wire.getHolder()),
                WireCheck.count("sequence", wire.getSequence()),
                WireCheck.count("part", wire.getPart()),
                WireCheck.count("parts", wire.getParts()),
                changes(wire.getBlocksList()),
                WireCheck.reference(wire.getReplyTo(), references));
    }

    static Renew readRenew(byte[] bytes, ActorRefResolver references) throws InvalidProtocolBufferException {
        var wire = RenewLeaseCommand.parseFrom(bytes);
        return new Renew(
                read(wire.getHolder()),
                WireCheck.count("sequence", wire.getSequence()),
                WireCheck.reference(wire.getReplyTo(), references));
    }

    static Leave readLeave(byte[] bytes) throws InvalidProtocolBufferException {
        return new Leave(read(LeaveCommand.parseFrom(bytes).getHolder()));
    }

    static Follow readFollow(byte[] bytes, ActorRefResolver references) throws InvalidProtocolBufferException {
        var wire = FollowCommand.parseFrom(bytes);
        return new Follow(
                wire.getLife(), positions(wire.getKnownList()), WireCheck.reference(wire.getReplyTo(), references));
    }

    static SendContents readSendContents(byte[] bytes) throws InvalidProtocolBufferException {
        var wire = dev.kvasir.v1.cluster.SendContents.parseFrom(bytes);
        return new SendContents(WireCheck.text("shard", wire.getShard()), wire.getIncarnation());
    }

    static Fenced readFenced(byte[] bytes) throws InvalidProtocolBufferException {
        var wire = dev.kvasir.v1.cluster.Fenced.parseFrom(bytes);
        return new Fenced(WireCheck.text("shard", wire.getShard()), wire.getIncarnation());
    }

    static IndexContents readIndexContents(byte[] bytes) throws InvalidProtocolBufferException {
        var wire = dev.kvasir.v1.cluster.IndexContents.parseFrom(bytes);
        return new IndexContents(
                WireCheck.text("shard", wire.getShard()),
                wire.getLife(),
                read(wire.getHolder()),
                WireCheck.count("part", wire.getPart()),
                WireCheck.count("parts", wire.getParts()),
                changes(wire.getBlocksList()));
    }

    static IndexChanges readIndexChanges(byte[] bytes) throws InvalidProtocolBufferException {
        var wire = dev.kvasir.v1.cluster.IndexChanges.parseFrom(bytes);
        return new IndexChanges(
                WireCheck.text("shard", wire.getShard()),
                wire.getLife(),
                read(wire.getHolder()),
                changes(wire.getChangesList()));
    }

    static IndexGone readIndexGone(byte[] bytes) throws InvalidProtocolBufferException {
        var wire = dev.kvasir.v1.cluster.IndexGone.parseFrom(bytes);
        return new IndexGone(WireCheck.text("shard", wire.getShard()), wire.getLife(), read(wire.getHolder()));
    }

    static IndexCurrent readIndexCurrent(byte[] bytes) throws InvalidProtocolBufferException {
        var wire = dev.kvasir.v1.cluster.IndexCurrent.parseFrom(bytes);
        return new IndexCurrent(
                WireCheck.text("shard", wire.getShard()), wire.getLife(), positions(wire.getHoldersList()));
    }

    private static dev.kvasir.v1.cluster.Holder write(Holder holder) {
        return dev.kvasir.v1.cluster.Holder.newBuilder()
                .setAddress(holder.address())
                .setIncarnation(holder.incarnation())
                .setBornMillis(holder.bornMillis())
                .setTransferAddress(holder.transferAddress())
                .build();
    }

    private static Holder read(dev.kvasir.v1.cluster.Holder wire) {
        return new Holder(
                WireCheck.text("address", wire.getAddress()),
                wire.getIncarnation(),
                WireCheck.count("born_millis", wire.getBornMillis()),
                WireCheck.text("transfer_address", wire.getTransferAddress()));
    }

    private static HolderPosition write(Position position) {
        return HolderPosition.newBuilder()
                .setHolder(write(position.holder()))
                .setSequence(position.sequence())
                .setState(position.state().code())
                .build();
    }

    private static Position read(HolderPosition wire) {
        return new Position(
                read(wire.getHolder()),
                WireCheck.count("sequence", wire.getSequence()),
                constant("state", HolderState.values(), wire.getState()));
    }

    private static List<Position> positions(List<HolderPosition> wire) {
        Limits.require(wire.size() <= LIST_MAX, "holders", wire.size(), "at most " + LIST_MAX);
        return WireCheck.list(wire, PrefixCacheWire::read);
    }

    private static BlockChange write(Change change) {
        var wire = BlockChange.newBuilder()
                .setStored(change.stored())
                .setTier(change.tier().code())
                .setFirstHigh(change.firstHigh())
                .setFirstLow(change.firstLow())
                .setParentHigh(change.parentHigh())
                .setParentLow(change.parentLow());
        for (int i = 0; i < change.hashes().size(); i++) {
            wire.addHashes(change.hashes().high(i)).addHashes(change.hashes().low(i));
        }
        return wire.build();
    }

    private static List<Change> changes(List<BlockChange> wire) {
        Limits.require(wire.size() <= LIST_MAX, "changes", wire.size(), "at most " + LIST_MAX);
        var changes = new ArrayList<Change>(wire.size());
        for (var change : wire) {
            changes.add(new Change(
                    change.getStored(),
                    constant("tier", Tier.values(), change.getTier()),
                    change.getFirstHigh(),
                    change.getFirstLow(),
                    change.getParentHigh(),
                    change.getParentLow(),
                    hashes(change)));
        }
        return changes;
    }

    private static HashList hashes(BlockChange change) {
        int count = change.getHashesCount();
        Limits.require(count % 2 == 0, "hashes", count + " halves", "an even number");
        var halves = new long[count];
        for (int i = 0; i < count; i++) {
            halves[i] = change.getHashes(i);
        }
        return HashList.ofHalves(halves);
    }

    private static <E> E constant(String field, E[] values, int ordinal) {
        Limits.require(
                ordinal >= 0 && ordinal < values.length,
                field,
                Integer.toUnsignedString(ordinal),
                "below " + values.length);
        return values[ordinal];
    }
}
