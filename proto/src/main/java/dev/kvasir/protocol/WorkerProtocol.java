package dev.kvasir.protocol;

import java.util.OptionalInt;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.receptionist.ServiceKey;

/** What a worker can be told, and what it tells of itself. Sealed: it is spoken over the wire. */
public final class WorkerProtocol {
    /** Version of all cluster messages; members that differ refuse each other. */
    public static final int VERSION = 1;

    /** Under this key every worker registers with the receptionist. */
    public static final ServiceKey<Command> KEY = ServiceKey.create(Command.class, "kvasir-worker");

    private WorkerProtocol() {}

    public sealed interface Command extends WireMessage {}

    /**
     * Run a request. Answered with {@link StreamEvent}s.
     *
     * @param deadlineMillis from receipt until the answer is of no use; 0 for no deadline
     */
    public record Generate(GenerationRequest request, long deadlineMillis, ActorRef<StreamEvent> replyTo)
            implements Command {}

    /** Give up a request, or one output of it. Never answered; unknown requests are ignored. */
    public record Cancel(RequestId requestId, OptionalInt outputIndex) implements Command {}

    /** Answered with a {@link Description}. */
    public record Describe(ActorRef<Description> replyTo) implements Command {}

    /** Send {@link LoadReport}s from now on, until the subscriber terminates. */
    public record Subscribe(ActorRef<LoadReport> replyTo) implements Command {}

    /** Take no new requests; finish those at hand. */
    public record Drain() implements Command {}

    /**
     * What does not change in a worker's life.
     *
     * @param incarnation Pekko's UID of the member: one life of it
     * @param fingerprint digest of weights and configuration, in hexadecimal
     * @param maxModelLength most tokens of prompt and output together
     */
    public record Description(
            int protocolVersion,
            String address,
            long incarnation,
            String model,
            String family,
            String fingerprint,
            int blockSize,
            int totalBlocks,
            int maxModelLength,
            int vocabularySize,
            long parameterCount,
            String kvCacheDtype,
            String device)
            implements WireMessage {}

    /**
     * What does.
     *
     * @param epoch rises with each report of an incarnation; a lower one is late and to be ignored
     * @param tokensInFlight tokens still to be computed, over all sequences
     * @param freeBlocks blocks that no sequence uses, empty or cached
     */
    public record LoadReport(
            long incarnation,
            long epoch,
            int runningSequences,
            int waitingSequences,
            long tokensInFlight,
            int freeBlocks,
            int totalBlocks,
            boolean draining)
            implements WireMessage {}
}
