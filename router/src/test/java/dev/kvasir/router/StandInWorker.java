package dev.kvasir.router;

import dev.kvasir.protocol.Delivery;
import dev.kvasir.protocol.FailureKind;
import dev.kvasir.protocol.FinishReason;
import dev.kvasir.protocol.GenerationRequest;
import dev.kvasir.protocol.RequestId;
import dev.kvasir.protocol.SamplingParameters;
import dev.kvasir.protocol.ScoredToken;
import dev.kvasir.protocol.StreamEvent;
import dev.kvasir.protocol.WorkerProtocol;
import dev.kvasir.protocol.WorkerProtocol.Description;
import dev.kvasir.protocol.WorkerProtocol.LoadReport;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;
import org.apache.pekko.actor.typed.receptionist.Receptionist;

/**
 * A worker without a model: which tokens it says is a function of request, output and index, so tests know the answer.
 * It says one token of each output per tick, obeys cancels, and tells what it is working on.
 */
public final class StandInWorker {
    /** What it says; the token after the last is the end. */
    @FunctionalInterface
    public interface Script {
        int token(GenerationRequest request, int output, int index);
    }

    private record Tick(RequestId id, int index) {}

    private record Die() {}

    private final Script script;
    private final Duration tick;
    private final Description description;
    private final Set<RequestId> working = ConcurrentHashMap.newKeySet();
    private final AtomicInteger seen = new AtomicInteger();
    private final Map<RequestId, Running> running = new ConcurrentHashMap<>();
    private volatile boolean silent;

    private record Running(GenerationRequest request, long attempt, ActorRef<Delivery> replyTo, Set<Integer> open) {
        void tell(StreamEvent event) {
            replyTo.tell(new Delivery.Event(attempt, event));
        }
    }

    public StandInWorker(Script script, Duration tick) {
        this(script, tick, description(1, "f00d"));
    }

    public StandInWorker(Script script, Duration tick, Description description) {
        this.script = script;
        this.tick = tick;
        this.description = description;
    }

    /** Says the text, then the end token. */
    public static Script saying(String text) {
        int[] tokens = TestModel.tokens(text);
        return (_, _, index) -> index < tokens.length ? tokens[index] : TestModel.END_TOKEN;
    }

    /** Never comes to an end of its own. */
    public static Script babbling() {
        int[] tokens = TestModel.tokens("and so on ");
        return (_, _, index) -> tokens[index % tokens.length];
    }

    public static Description description(long incarnation, String fingerprint) {
        return new Description(
                WorkerProtocol.VERSION,
                "127.0.0.1:" + (25520 + incarnation),
                incarnation,
                TestModel.NAME,
                "llama",
                fingerprint,
                16,
                128,
                TestModel.MAX_MODEL_LENGTH,
                TestModel.TOKENIZER.vocabularySize(),
                4_000_000,
                "f32",
                "cpu",
                "exact");
    }

    /** Requests it has and is not done with. */
    public Set<RequestId> working() {
        return Set.copyOf(working);
    }

    /** Requests it has ever been sent. */
    public int seen() {
        return seen.get();
    }

    public Description description() {
        return description;
    }

    /** Tells the worker to stop as if it had crashed. */
    public static void kill(ActorRef<WorkerProtocol.Command> worker) {
        worker.<Object>unsafeUpcast().tell(new Die());
    }

    public Behavior<WorkerProtocol.Command> behavior() {
        return Behaviors.<Object>setup(context -> {
                    context.getSystem()
                            .receptionist()
                            .tell(Receptionist.register(
                                    WorkerProtocol.KEY, context.getSelf().unsafeUpcast()));
                    return Behaviors.withTimers(timers -> serving(context, timers));
                })
                .narrow();
    }

    private Behavior<Object> serving(ActorContext<Object> context, TimerScheduler<Object> timers) {
        return Behaviors.receiveMessage(message -> switch (message) {
            case WorkerProtocol.Command command -> {
                if (command instanceof WorkerProtocol.Drain) {
                    context.getSystem()
                            .receptionist()
                            .tell(Receptionist.deregister(
                                    WorkerProtocol.KEY, context.getSelf().unsafeUpcast()));
                }
                onCommand(command, timers);
                yield Behaviors.same();
            }
            case Tick(var id, int index) -> {
                step(id, index, timers);
                yield Behaviors.same();
            }
            case Die _ -> throw new IllegalStateException("killed by the test");
            default -> throw new IllegalArgumentException(context.getSelf() + " got " + message);
        });
    }

    private void onCommand(WorkerProtocol.Command command, TimerScheduler<Object> timers) {
        switch (command) {
            case WorkerProtocol.Generate generate -> generate(generate, timers);
            case WorkerProtocol.Cancel(var id, long attempt, var output) -> cancel(id, attempt, output);
            case WorkerProtocol.Again again -> again(again);
            case WorkerProtocol.Find find ->
                find.replyTo().tell(new WorkerProtocol.Found(description.incarnation(), Optional.empty()));
            case WorkerProtocol.Claim claim ->
                claim.replyTo().tell(new Delivery.Unknown(claim.requestId(), claim.attempt()));
            case WorkerProtocol.Renew renew -> {
                if (!silent) {
                    renew.replyTo()
                            .tell(new WorkerProtocol.Alive(
                                    description.incarnation(), renew.sequence(), 0, false, false, List.of()));
                }
            }
            case WorkerProtocol.Describe(var replyTo) -> replyTo.tell(description);
            case WorkerProtocol.Subscribe(var replyTo) ->
                replyTo.tell(new LoadReport(
                        description.incarnation(), 1, 0, 0, 0, 128, 128, false, 0, Double.POSITIVE_INFINITY));
            case WorkerProtocol.Drain _ -> {}
        }
    }

    private void generate(WorkerProtocol.Generate generate, TimerScheduler<Object> timers) {
        var request = generate.request();
        var id = request.id();
        var open = ConcurrentHashMap.<Integer>newKeySet();
        var known = generate.continuation().outputs();
        IntStream.range(0, request.sampling().n())
                .filter(i -> known.isEmpty() || !known.get(i).ended())
                .forEach(open::add);
        var state = new Running(request, generate.continuation().attempt(), generate.replyTo(), open);
        working.add(id);
        seen.incrementAndGet();
        if (request.cacheSalt().equals("refuse")) {
            working.remove(id);
            state.tell(new StreamEvent.Failed(id, FailureKind.RESOURCE_EXHAUSTED, "the queue is full", 250));
            return;
        }
        state.tell(new StreamEvent.Accepted(id, description.incarnation()));
        if (request.sampling().promptLogprobs() != SamplingParameters.NO_LOGPROBS
                && !generate.continuation().promptScored()) {
            var scored = IntStream.range(1, request.prompt().length)
                    .mapToObj(
                            i -> scored(request.prompt()[i], request.sampling().promptLogprobs()))
                    .toList();
            state.tell(new StreamEvent.PromptScored(id, 0, scored));
        }
        running.put(id, state);
        int from = known.stream()
                .filter(output -> !output.ended())
                .mapToInt(output -> output.tokens().length)
                .min()
                .orElse(0);
        timers.startSingleTimer(id, new Tick(id, from), tick);
    }

    /** Says again that it has the request; all else it says in order anyway. */
    private void again(WorkerProtocol.Again again) {
        var state = running.get(again.requestId());
        if (state == null || state.attempt != again.attempt()) {
            again.replyTo().tell(new Delivery.Unknown(again.requestId(), again.attempt()));
        } else {
            state.tell(new StreamEvent.Accepted(again.requestId(), description.incarnation()));
        }
    }

    /** From now on it seems dead to routers, while it works on. */
    public void fallSilent() {
        silent = true;
    }

    private void cancel(RequestId id, long attempt, OptionalInt output) {
        var state = running.get(id);
        if (state == null || state.attempt > attempt) {
            return;
        }
        if (output.isPresent()) {
            state.open.remove(output.getAsInt());
        } else {
            state.open.clear();
        }
        forgetIfDone(id, state);
    }

    private void forgetIfDone(RequestId id, Running state) {
        if (state.open.isEmpty()) {
            running.remove(id);
            working.remove(id);
        }
    }

    private void step(RequestId id, int index, TimerScheduler<Object> timers) {
        var state = running.get(id);
        if (state == null) {
            return;
        }
        for (int output : List.copyOf(state.open)) {
            say(id, state, output, index);
        }
        forgetIfDone(id, state);
        timers.startSingleTimer(id, new Tick(id, index + 1), tick);
    }

    private void say(RequestId id, Running state, int output, int index) {
        var sampling = state.request.sampling();
        int token = script.token(state.request, output, index);
        boolean end = (!sampling.ignoreEos() && token == TestModel.END_TOKEN)
                || sampling.stopTokenIds().contains(token);
        state.tell(new StreamEvent.Tokens(id, output, index, List.of(scored(token, sampling.logprobs())), 16));
        if (end) {
            finish(id, state, output, index + 1, FinishReason.STOP, OptionalInt.of(token));
        } else if (index + 1 == sampling.maxTokens()) {
            finish(id, state, output, index + 1, FinishReason.LENGTH, OptionalInt.empty());
        }
    }

    private static void finish(
            RequestId id, Running state, int output, int count, FinishReason reason, OptionalInt stopToken) {
        state.open.remove(output);
        state.tell(new StreamEvent.Finished(id, output, count, reason, stopToken));
    }

    private static ScoredToken scored(int token, int alternatives) {
        if (alternatives == SamplingParameters.NO_LOGPROBS) {
            return ScoredToken.unscored(token);
        }
        int[] ids = IntStream.range(0, alternatives).map(i -> token + i).toArray();
        float[] logprobs = new float[alternatives];
        for (int i = 0; i < alternatives; i++) {
            logprobs[i] = -0.5f - i;
        }
        return new ScoredToken(token, -0.5f, 1, ids, logprobs);
    }
}
