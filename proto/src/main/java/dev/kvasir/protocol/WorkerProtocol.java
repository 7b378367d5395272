package dev.kvasir.protocol;

import com.google.protobuf.ByteString;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.receptionist.ServiceKey;

/** What a worker can be told, and what it tells of itself. Sealed: it is spoken over the wire. */
public final class WorkerProtocol {
    /** Version of all cluster messages; members that differ refuse each other. */
    public static final int VERSION = 4;

    /** Under this key every worker registers with the receptionist. */
    public static final ServiceKey<Command> KEY = ServiceKey.create(Command.class, "kvasir-worker");

    private WorkerProtocol() {}

    public sealed interface Command extends WireMessage {}

    /**
     * Run a request, from its beginning or from where another attempt got to. Answered with {@link Delivery}s. A worker
     * that has an older attempt of the request gives that up.
     *
     * @param origin a {@link StreamOrigin}; of no meaning to the worker
     * @param router the life of a router whose lease keeps the request running
     * @param deadlineMillis from receipt until the answer is of no use; 0 for no deadline
     * @param sources members that are believed to have KV blocks of the prompt, best first
     */
    public record Generate(
            GenerationRequest request,
            Continuation continuation,
            ByteString origin,
            String router,
            long deadlineMillis,
            ActorRef<Delivery> replyTo,
            List<KvSource> sources)
            implements Command {
        public Generate {
            sources = List.copyOf(sources);
            Limits.require(
                    origin.size() <= StreamOrigin.BYTES_MAX,
                    "origin",
                    origin.size() + " bytes",
                    "at most " + StreamOrigin.BYTES_MAX);
        }

        public Generate(
                GenerationRequest request,
                Continuation continuation,
                ByteString origin,
                String router,
                long deadlineMillis,
                ActorRef<Delivery> replyTo) {
            this(request, continuation, origin, router, deadlineMillis, replyTo, List.of());
        }
    }

    /**
     * Compute no more of a request, or of one output. Never answered. What was generated is kept for a while, so that the
     * stream can be resumed. Later attempts are not touched.
     */
    public record Cancel(RequestId requestId, long attempt, OptionalInt outputIndex) implements Command {}

    /**
     * Say again what came after these positions: something was lost, or nothing was heard for a while. Answered at least
     * with {@code Accepted}, or {@code Unknown}.
     *
     * @param next index of the next token wanted, per output
     */
    public record Again(
            RequestId requestId, long attempt, List<Integer> next, boolean promptScored, ActorRef<Delivery> replyTo)
            implements Command {
        public Again {
            next = List.copyOf(next);
        }
    }

    /** Do you know this request? Answered with {@link Found}, whether it does or not. */
    public record Find(RequestId requestId, ActorRef<Found> replyTo) implements Command {}

    /**
     * The stream of a request is the sender's now, and the stream of before is told so. Answered with all that is known of
     * the request, and what comes next. Refused as {@code Superseded} unless the attempt is higher than the worker's.
     */
    public record Claim(
            RequestId requestId, long attempt, String router, long deadlineMillis, ActorRef<Delivery> replyTo)
            implements Command {}

    /**
     * This router lives. Answered with {@link Alive}. A router that is not heard for the length of a lease loses its
     * requests: they stop, and wait to be claimed.
     *
     * @param router one life of a router
     * @param audit answer with the attempts that run for it
     */
    public record Renew(String router, long sequence, boolean audit, ActorRef<Alive> replyTo) implements Command {}

    /** Answered with a {@link Description}. */
    public record Describe(ActorRef<Description> replyTo) implements Command {}

    /** Send {@link LoadReport}s from now on, until the subscriber terminates. */
    public record Subscribe(ActorRef<LoadReport> replyTo) implements Command {}

    /**
     * Take no new requests; finish those at hand, or hand them back.
     *
     * @param moveAfterMillis what still runs after this time is given back to its routers, which go on elsewhere
     */
    public record Drain(long moveAfterMillis) implements Command {}

    /**
     * Whether, and how far, a worker knows a request.
     *
     * @param known empty where it does not
     */
    public record Found(long incarnation, Optional<Knowledge> known) implements WireMessage {}

    /**
     * What a worker knows of a request.
     *
     * @param complete all that was ever said about it can be said again, log-probabilities included
     */
    public record Knowledge(long attempt, GenerationRequest request, ByteString origin, boolean complete) {}

    /**
     * A worker lives, and its engine moves.
     *
     * @param inStepMillis time since the engine's step began; 0 between steps
     * @param stuck the engine has not come back from a step for far longer than any took before
     * @param running attempts that run for the router; only where {@code audit} was asked for
     */
    public record Alive(
            long incarnation, long sequence, long inStepMillis, boolean stuck, boolean audit, List<Running> running)
            implements WireMessage {
        public Alive {
            running = List.copyOf(running);
        }
    }

    /** An attempt that a worker works on. */
    public record Running(RequestId requestId, long attempt) {}

    /**
     * What does not change in a worker's life.
     *
     * @param incarnation Pekko's UID of the member: one life of it
     * @param fingerprint digest of weights and configuration, in hexadecimal
     * @param maxModelLength most tokens of prompt and output together
     * @param numerics names all that the bits of KV blocks depend on besides model and element type
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
            String device,
            String numerics)
            implements WireMessage {
        /** Workers whose blocks are the same, bit for bit, name the same: the model, and how it is computed. */
        public String kvOrigin() {
            return fingerprint + "/" + numerics;
        }
    }

    /**
     * What does.
     *
     * @param epoch rises with each report of an incarnation; a lower one is late and to be ignored
     * @param tokensInFlight tokens still to be computed, over all sequences
     * @param freeBlocks blocks that no sequence uses, empty or cached
     * @param pullSetupTokens that could be computed while the first block of a pull comes
     * @param pullTokenCost time to pull a token over time to compute one, as measured lately; infinite where it does not pull
     */
    public record LoadReport(
            long incarnation,
            long epoch,
            int runningSequences,
            int waitingSequences,
            long tokensInFlight,
            int freeBlocks,
            int totalBlocks,
            boolean draining,
            double pullSetupTokens,
            double pullTokenCost)
            implements WireMessage {
        public LoadReport {
            Limits.require(pullSetupTokens >= 0, "pull.setup_tokens", pullSetupTokens, "at least 0");
            Limits.require(pullTokenCost >= 0, "pull.per_token", pullTokenCost, "at least 0");
        }
    }
}
