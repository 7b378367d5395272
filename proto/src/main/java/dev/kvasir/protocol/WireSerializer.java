package dev.kvasir.protocol;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.MessageLite;
import dev.kvasir.protocol.WorkerProtocol.Cancel;
import dev.kvasir.protocol.WorkerProtocol.Describe;
import dev.kvasir.protocol.WorkerProtocol.Description;
import dev.kvasir.protocol.WorkerProtocol.Drain;
import dev.kvasir.protocol.WorkerProtocol.Generate;
import dev.kvasir.protocol.WorkerProtocol.LoadReport;
import dev.kvasir.protocol.WorkerProtocol.Subscribe;
import dev.kvasir.v1.cluster.Accepted;
import dev.kvasir.v1.cluster.CancelCommand;
import dev.kvasir.v1.cluster.DescribeCommand;
import dev.kvasir.v1.cluster.DrainCommand;
import dev.kvasir.v1.cluster.Failed;
import dev.kvasir.v1.cluster.Finished;
import dev.kvasir.v1.cluster.GenerateCommand;
import dev.kvasir.v1.cluster.PromptScored;
import dev.kvasir.v1.cluster.SubscribeCommand;
import dev.kvasir.v1.cluster.Tokens;
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
                    case Describe _ -> "DescribeCommand";
                    case Subscribe _ -> "SubscribeCommand";
                    case Drain _ -> "DrainCommand";
                };
            case StreamEvent event ->
                switch (event) {
                    case StreamEvent.Accepted _ -> "Accepted";
                    case StreamEvent.PromptScored _ -> "PromptScored";
                    case StreamEvent.Tokens _ -> "Tokens";
                    case StreamEvent.Finished _ -> "Finished";
                    case StreamEvent.Failed _ -> "Failed";
                };
            case Description _ -> "WorkerDescription";
            case LoadReport _ -> "LoadReport";
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
                    case Describe describe ->
                        DescribeCommand.newBuilder()
                                .setReplyTo(references().toSerializationFormat(describe.replyTo()))
                                .build();
                    case Subscribe subscribe ->
                        SubscribeCommand.newBuilder()
                                .setReplyTo(references().toSerializationFormat(subscribe.replyTo()))
                                .build();
                    case Drain _ -> DrainCommand.getDefaultInstance();
                };
            case StreamEvent event -> EventWire.write(event);
            case Description description -> WorkerWire.write(description);
            case LoadReport report -> WorkerWire.write(report);
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
            case "Accepted" -> EventWire.read(Accepted.parseFrom(bytes));
            case "PromptScored" -> EventWire.read(PromptScored.parseFrom(bytes));
            case "Tokens" -> EventWire.read(Tokens.parseFrom(bytes));
            case "Finished" -> EventWire.read(Finished.parseFrom(bytes));
            case "Failed" -> EventWire.read(Failed.parseFrom(bytes));
            case "WorkerDescription" -> WorkerWire.read(WorkerDescription.parseFrom(bytes));
            case "LoadReport" -> WorkerWire.read(dev.kvasir.v1.cluster.LoadReport.parseFrom(bytes));
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
