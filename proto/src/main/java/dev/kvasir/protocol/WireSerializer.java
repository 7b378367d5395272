package dev.kvasir.protocol;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.MessageLite;
import dev.kvasir.protocol.WorkerProtocol.Again;
import dev.kvasir.protocol.WorkerProtocol.Alive;
import dev.kvasir.protocol.WorkerProtocol.Cancel;
import dev.kvasir.protocol.WorkerProtocol.Claim;
import dev.kvasir.protocol.WorkerProtocol.Describe;
import dev.kvasir.protocol.WorkerProtocol.Description;
import dev.kvasir.protocol.WorkerProtocol.Drain;
import dev.kvasir.protocol.WorkerProtocol.Find;
import dev.kvasir.protocol.WorkerProtocol.Found;
import dev.kvasir.protocol.WorkerProtocol.Generate;
import dev.kvasir.protocol.WorkerProtocol.LoadReport;
import dev.kvasir.protocol.WorkerProtocol.Renew;
import dev.kvasir.protocol.WorkerProtocol.Subscribe;
import dev.kvasir.v1.cluster.AgainCommand;
import dev.kvasir.v1.cluster.CancelCommand;
import dev.kvasir.v1.cluster.ClaimCommand;
import dev.kvasir.v1.cluster.DescribeCommand;
import dev.kvasir.v1.cluster.DrainCommand;
import dev.kvasir.v1.cluster.FindCommand;
import dev.kvasir.v1.cluster.GenerateCommand;
import dev.kvasir.v1.cluster.RenewCommand;
import dev.kvasir.v1.cluster.SubscribeCommand;
import dev.kvasir.v1.cluster.WorkerDescription;
import java.io.NotSerializableException;
import org.apache.pekko.actor.ExtendedActorSystem;
import org.apache.pekko.actor.typed.ActorRefResolver;
import org.apache.pekko.actor.typed.javadsl.Adapter;
import org.apache.pekko.serialization.SerializerWithStringManifest;

/**
 * The only way from {@link WireMessage}s to bytes and back. The manifest is the name of the Protobuf message. Bytes that
 * are not exactly one valid message, checked as if a client had sent them, are refused with a NotSerializableException
 * that says why; Pekko then drops them and keeps the connection.
 */
public final class WireSerializer extends SerializerWithStringManifest {
    /** Known to all members; never to be changed. */
    private static final int IDENTIFIER = 1_802_859;

    private final ExtendedActorSystem system;

    public WireSerializer(ExtendedActorSystem system) {
        this.system = system;
    }

    @Override
    public int identifier() {
        return IDENTIFIER;
    }

    @Override
    public String manifest(Object message) {
        return switch (wire(message)) {
            case WorkerProtocol.Command command ->
                switch (command) {
                    case Generate _ -> "GenerateCommand";
                    case Cancel _ -> "CancelCommand";
                    case Again _ -> "AgainCommand";
                    case Find _ -> "FindCommand";
                    case Claim _ -> "ClaimCommand";
                    case Renew _ -> "RenewCommand";
                    case Describe _ -> "DescribeCommand";
                    case Subscribe _ -> "SubscribeCommand";
                    case Drain _ -> "DrainCommand";
                };
            case Delivery _ -> "Delivery";
            case Found _ -> "Found";
            case Alive _ -> "Alive";
            case Description _ -> "WorkerDescription";
            case LoadReport _ -> "LoadReport";
            case PrefixCacheProtocol.Command command -> PrefixCacheWire.manifest(command);
            case PrefixCacheProtocol.HolderReply reply -> PrefixCacheWire.manifest(reply);
            case PrefixCacheProtocol.Update update -> PrefixCacheWire.manifest(update);
            case PrefixCacheProtocol.StoreCommand _ -> "IntroduceCommand";
            case PrefixCacheProtocol.Introduced _ -> "Introduced";
            default -> throw unknown(message);
        };
    }

    @Override
    public byte[] toBinary(Object message) {
        return write(wire(message)).toByteArray();
    }

    @Override
    public WireMessage fromBinary(byte[] bytes, String manifest) throws NotSerializableException {
        try {
            return read(bytes, manifest);
        } catch (InvalidProtocolBufferException | IllegalArgumentException | BadRequestException e) {
            var refusal = new NotSerializableException(
                    "%d bytes are no valid %s: %s".formatted(bytes.length, Limits.shorten(manifest), e.getMessage()));
            refusal.initCause(e);
            throw refusal;
        }
    }

    private MessageLite write(WireMessage message) {
        return switch (message) {
            case WorkerProtocol.Command command ->
                switch (command) {
                    case Generate generate -> RequestWire.write(generate, references());
                    case Cancel cancel -> WorkerWire.write(cancel);
                    case Again again -> WorkerWire.write(again, references());
                    case Find find -> WorkerWire.write(find, references());
                    case Claim claim -> WorkerWire.write(claim, references());
                    case Renew renew -> WorkerWire.write(renew, references());
                    case Describe describe ->
                        DescribeCommand.newBuilder()
                                .setReplyTo(references().toSerializationFormat(describe.replyTo()))
                                .build();
                    case Subscribe subscribe ->
                        SubscribeCommand.newBuilder()
                                .setReplyTo(references().toSerializationFormat(subscribe.replyTo()))
                                .build();
                    case Drain(long moveAfterMillis) ->
                        DrainCommand.newBuilder()
                                .setMoveAfterMillis(moveAfterMillis)
                                .build();
                };
            case Delivery delivery -> EventWire.write(delivery);
            case Found found -> RequestWire.write(found);
            case Alive alive -> WorkerWire.write(alive);
            case Description description -> WorkerWire.write(description);
            case LoadReport report -> WorkerWire.write(report);
            case PrefixCacheProtocol.Command command -> PrefixCacheWire.write(command, references());
            case PrefixCacheProtocol.HolderReply reply -> PrefixCacheWire.write(reply);
            case PrefixCacheProtocol.Update update -> PrefixCacheWire.write(update);
            case PrefixCacheProtocol.StoreCommand command -> PrefixCacheWire.write(command, references());
            case PrefixCacheProtocol.Introduced introduced -> PrefixCacheWire.write(introduced);
            default -> throw unknown(message);
        };
    }

    private WireMessage read(byte[] bytes, String manifest) throws InvalidProtocolBufferException {
        return switch (manifest) {
            case "GenerateCommand" -> RequestWire.read(GenerateCommand.parseFrom(bytes), references());
            case "CancelCommand" -> WorkerWire.read(CancelCommand.parseFrom(bytes));
            case "DescribeCommand" ->
                new Describe(
                        WireCheck.reference(DescribeCommand.parseFrom(bytes).getReplyTo(), references()));
            case "SubscribeCommand" ->
                new Subscribe(
                        WireCheck.reference(SubscribeCommand.parseFrom(bytes).getReplyTo(), references()));
            case "DrainCommand" -> WorkerWire.read(DrainCommand.parseFrom(bytes));
            case "AgainCommand" -> WorkerWire.read(AgainCommand.parseFrom(bytes), references());
            case "FindCommand" -> WorkerWire.read(FindCommand.parseFrom(bytes), references());
            case "ClaimCommand" -> WorkerWire.read(ClaimCommand.parseFrom(bytes), references());
            case "RenewCommand" -> WorkerWire.read(RenewCommand.parseFrom(bytes), references());
            case "Delivery" -> EventWire.read(dev.kvasir.v1.cluster.Delivery.parseFrom(bytes));
            case "Found" -> RequestWire.read(dev.kvasir.v1.cluster.Found.parseFrom(bytes));
            case "Alive" -> WorkerWire.read(dev.kvasir.v1.cluster.Alive.parseFrom(bytes));
            case "WorkerDescription" -> WorkerWire.read(WorkerDescription.parseFrom(bytes));
            case "LoadReport" -> WorkerWire.read(dev.kvasir.v1.cluster.LoadReport.parseFrom(bytes));
            case "IntroduceCommand" -> PrefixCacheWire.readIntroduce(bytes, references());
            case "Introduced" -> PrefixCacheWire.readIntroduced(bytes);
            case "PublishCommand" -> PrefixCacheWire.readPublish(bytes, references());
            case "ContentsCommand" -> PrefixCacheWire.readContents(bytes, references());
            case "RenewLeaseCommand" -> PrefixCacheWire.readRenew(bytes, references());
            case "LeaveCommand" -> PrefixCacheWire.readLeave(bytes);
            case "FollowCommand" -> PrefixCacheWire.readFollow(bytes, references());
            case "SendContents" -> PrefixCacheWire.readSendContents(bytes);
            case "Fenced" -> PrefixCacheWire.readFenced(bytes);
            case "IndexContents" -> PrefixCacheWire.readIndexContents(bytes);
            case "IndexChanges" -> PrefixCacheWire.readIndexChanges(bytes);
            case "IndexGone" -> PrefixCacheWire.readIndexGone(bytes);
            case "IndexCurrent" -> PrefixCacheWire.readIndexCurrent(bytes);
            default -> throw new IllegalArgumentException("no such message");
        };
    }

    /** Looked up late: serializers are made before the typed extensions. */
    private ActorRefResolver references() {
        return ActorRefResolver.get(Adapter.toTyped(system));
    }

    private static WireMessage wire(Object message) {
        if (message instanceof WireMessage wire) {
            return wire;
        }
        throw unknown(message);
    }

    private static IllegalArgumentException unknown(Object message) {
        return new IllegalArgumentException(
                "not a message of the cluster: " + message.getClass().getName());
    }
}
