package dev.kvasir.router;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.protocol.Attempt;
import dev.kvasir.protocol.Continuation;
import dev.kvasir.protocol.Delivery;
import dev.kvasir.protocol.FailureKind;
import dev.kvasir.protocol.StreamEvent;
import dev.kvasir.router.Session.Action;
import dev.kvasir.router.placement.WorkerId;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalInt;
import java.util.PriorityQueue;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.function.Consumer;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/**
 * One request, some workers, a network that loses, doubles and reorders messages, workers that die, fall silent, come back as
 * zombies, refuse or drain, and a client that goes to another router in the middle: what the client has in the end is what it
 * would have had without any of it.
 */
class SessionSimulation {
    private static final String TEXT =
            "One answer 😀 that is long enough to be cut anywhere, naïve as it may be. STOP not here";
    private static final long MILLI = 1_000_000;
    private static final Session.Bounds BOUNDS =
            new Session.Bounds(1000 * MILLI, 5000 * MILLI, 60_000 * MILLI, 250 * MILLI, 1000);

    @Test
    void theClientHasEveryTokenOnceWhateverHappens() {
        int moved = 0;
        int resumed = 0;
        for (long seed : Seeds.of(1_000).toArray()) {
            var run = new Simulation(seed, true);
            run.run();
            var calm = new Simulation(seed, false);
            calm.run();
            assertThat(run.client.describe()).as("seed %d", seed).isEqualTo(calm.client.describe());
            assertThat(run.failure).as("seed %d", seed).isNull();
            moved += run.session.attempt() > Attempt.FIRST ? 1 : 0;
            resumed += run.resumes;
        }
        if (Long.getLong("seed") == null) {
            assertThat(moved).isGreaterThan(400);
            assertThat(resumed).isGreaterThan(150);
        }
    }

    /** A message on its way, or a moment to come. */
    private record Due(long atNanos, long number, Runnable what) {}

    private static final class Simulation {
        private final RandomGenerator random;
        private final long seed;
        private final boolean faults;
        private final ValidRequest request;
        private final int[] script = TestModel.tokens(TEXT);
        private final PriorityQueue<Due> agenda = new PriorityQueue<>((a, b) ->
                a.atNanos != b.atNanos ? Long.compare(a.atNanos, b.atNanos) : Long.compare(a.number, b.number));
        private final Map<WorkerId, Worker> workers = new HashMap<>();
        private final KeepingClient client;
        private Session session;
        private @Nullable Failure failure;
        private long now;
        private long numbers;
        private int incarnations;
        private int resumes;
        private int faultsLeft;
        private int generation;

        Simulation(long seed, boolean faults) {
            this.seed = seed;
            var shape = new SplittableRandom(seed);
            this.random = new SplittableRandom(seed + 1_000_003);
            this.faults = faults;
            this.faultsLeft = faults ? 12 : 0;
            var draft = RequestDraft.of(TestModel.NAME, 0)
                    .prompt(new Prompt.Text("hello there", true))
                    .n((long) shape.nextInt(1, 4))
                    .stop(shape.nextBoolean() ? List.of() : List.of("STOP", "not"))
                    .includeStop(shape.nextBoolean())
                    .minTokens((long) shape.nextInt(4))
                    .echo(shape.nextBoolean())
                    .logprobs(shape.nextBoolean() ? 1L : null)
                    .promptLogprobs(shape.nextInt(3) == 0 ? 0L : null)
                    .maxTokens((long) shape.nextInt(4, 60));
            request = RequestRules.validate(draft, TestModel.served(), true, new SplittableRandom(7));
            client = new KeepingClient(request.generation().sampling().n());
            session = Session.begin(request, BOUNDS);
            for (int i = 0; i < 3; i++) {
                newWorker();
            }
        }

        void run() {
            apply(session.start());
            tick(generation);
            while (!session.ended()) {
                var due = agenda.poll();
                assertThat(due).as("something to come").isNotNull();
                now = Objects.requireNonNull(due).atNanos;
                assertThat(now).as("virtual time, seed %d", seed).isLessThan(3_600_000 * MILLI);
                due.what.run();
                if (faultsLeft > 0 && random.nextInt(25) == 0) {
                    faultsLeft--;
                    fault();
                }
            }
        }

        void in(long nanos, Runnable what) {
            agenda.add(new Due(now + nanos, numbers++, what));
        }

        void tick(int of) {
            in(500 * MILLI, () -> {
                if (of == generation && !session.ended()) {
                    apply(session.tick(now));
                    tick(of);
                }
            });
        }

        /** Over a network that may lose, double and reorder. */
        void send(Runnable message) {
            if (faultsLeft > 0 && random.nextInt(12) == 0) {
                return;
            }
            int copies = faultsLeft > 0 && random.nextInt(12) == 0 ? 2 : 1;
            for (int i = 0; i < copies; i++) {
                in(faults ? random.nextLong(20 * MILLI) : MILLI, message);
            }
        }

        Worker newWorker() {
            var id = new WorkerId("host" + incarnations, ++incarnations);
            var worker = new Worker(id);
            workers.put(id, worker);
            return worker;
        }

        void fault() {
            var alive = workers.values().stream().filter(w -> !w.dead).toList();
            if (alive.isEmpty()) {
                return;
            }
            var victim = alive.get(random.nextInt(alive.size()));
            switch (random.nextInt(5)) {
                case 0 -> { // Dies, and comes back as another.
                    victim.dead = true;
                    victim.held = null;
                    suspectSoon(victim);
                    in(random.nextLong(3000 * MILLI), this::newWorker);
                }
                case 1 -> { // Goes on, but nobody hears it for a while.
                    victim.mute = true;
                    suspectSoon(victim);
                    in(random.nextLong(4000 * MILLI), () -> victim.mute = false);
                }
                case 2 -> victim.refuses = !victim.refuses;
                case 3 -> victim.handBack();
                default -> resume();
            }
        }

        void suspectSoon(Worker worker) {
            in(1200 * MILLI, () -> apply(session.lost(worker.id, "is silent")));
        }

        /** The router dies; the client goes to another with what it has. */
        void resume() {
            if (session.ended()) {
                return;
            }
            resumes++;
            generation++;
            int of = generation;
            in(random.nextLong(2000 * MILLI), () -> {
                if (of != generation) {
                    return;
                }
                var best = workers.values().stream()
                        .filter(w -> !w.dead && !w.mute && w.held != null)
                        .max((a, b) -> Long.compare(
                                Objects.requireNonNull(a.held).attempt, Objects.requireNonNull(b.held).attempt));
                long highest =
                        best.map(w -> Objects.requireNonNull(w.held).attempt).orElse(0L);
                long known = Math.max(highest, session.attempt());
                session = Session.resume(request, client.point(), BOUNDS, known);
                boolean complete =
                        best.map(w -> Objects.requireNonNull(w.held).complete()).orElse(false);
                apply(best.isPresent() && complete ? session.claim(best.get().id, now) : session.start());
                tick(of);
            });
            session = dead();
        }

        /** A session that hears nothing any more, in place of the one that died with its router. */
        private Session dead() {
            return Session.resume(request, client.point(), BOUNDS, session.attempt());
        }

        void deliver(Delivery delivery, int of) {
            send(() -> {
                if (of == generation) {
                    apply(session.received(delivery, now));
                }
            });
        }

        void apply(List<Action> actions) {
            for (var action : actions) {
                switch (action) {
                    case Action.Emit(var event) -> {
                        client.take(event);
                        if (event instanceof OutputEvent.Failed(var why)) {
                            failure = why;
                        }
                    }
                    case Action.Place(var without) -> {
                        int of = generation;
                        in(MILLI, () -> {
                            if (of == generation) {
                                place(without);
                            }
                        });
                    }
                    case Action.Generate(var worker, var continuation) ->
                        to(worker, w -> w.generate(continuation, generation));
                    case Action.Claim(var worker, long attempt) -> to(worker, w -> w.claim(attempt, generation));
                    case Action.Again(var worker, long attempt, var next, boolean scored) ->
                        to(worker, w -> w.again(attempt, next, scored, generation));
                    case Action.Cancel(var worker, long attempt, var output) ->
                        to(worker, w -> w.cancel(attempt, output));
                }
            }
        }

        void to(WorkerId id, Consumer<Worker> message) {
            int of = generation;
            send(() -> {
                var worker = workers.get(id);
                if (worker != null && !worker.dead && !worker.mute && of == generation) {
                    message.accept(worker);
                }
            });
        }

        void place(Set<WorkerId> without) {
            var candidates = workers.values().stream()
                    .filter(w -> !w.dead && !w.mute && !without.contains(w.id))
                    .sorted((a, b) -> a.id.compareTo(b.id))
                    .toList();
            apply(
                    candidates.isEmpty()
                            ? session.notPlaced("none", Session.Prospect.SILENT, now)
                            : session.placed(candidates.get(random.nextInt(candidates.size())).id, now));
        }

        /** A worker that says what the script says, one token of each output at a time. */
        private final class Worker {
            private final WorkerId id;
            private boolean dead;
            private boolean mute;
            private boolean refuses;
            private @Nullable ScriptedAnswer held;

            Worker(WorkerId id) {
                this.id = id;
            }

            void say(ScriptedAnswer from, StreamEvent event) {
                if (!mute && !dead) {
                    deliver(new Delivery.Event(from.attempt, event), from.listener);
                }
            }

            private void tell(ScriptedAnswer what, List<Integer> next, boolean scored) {
                what.tellSince(next, scored, id.incarnation(), event -> say(what, event));
            }

            void generate(Continuation continuation, int listener) {
                var had = held;
                var requestId = request.generation().id();
                if (had != null && had.attempt > continuation.attempt()) {
                    deliver(new Delivery.Superseded(requestId, continuation.attempt()), listener);
                    return;
                }
                if (had != null && had.attempt == continuation.attempt()) {
                    tell(had, List.of(), false);
                    return;
                }
                var fresh = new ScriptedAnswer(request, script, continuation, listener);
                if (refuses && faultsLeft > 0) {
                    say(fresh, new StreamEvent.Failed(requestId, FailureKind.RESOURCE_EXHAUSTED, "full", 10));
                    return;
                }
                held = fresh;
                say(fresh, new StreamEvent.Accepted(requestId, id.incarnation()));
                step(fresh);
            }

            void claim(long attempt, int listener) {
                var had = held;
                if (had == null) {
                    deliver(new Delivery.Unknown(request.generation().id(), attempt), listener);
                } else if (had.attempt >= attempt) {
                    if (had.attempt == attempt && had.listener == listener) {
                        tell(had, List.of(), false);
                    } else {
                        deliver(new Delivery.Superseded(request.generation().id(), attempt), listener);
                    }
                } else {
                    had.attempt = attempt;
                    had.listener = listener;
                    tell(had, List.of(), false);
                    goOn(had);
                }
            }

            void again(long attempt, List<Integer> next, boolean scored, int listener) {
                var had = held;
                if (had == null || had.attempt != attempt) {
                    var answer = had != null && had.attempt > attempt
                            ? new Delivery.Superseded(request.generation().id(), attempt)
                            : new Delivery.Unknown(request.generation().id(), attempt);
                    deliver(answer, listener);
                } else {
                    tell(had, next, scored);
                    goOn(had);
                }
            }

            void cancel(long attempt, OptionalInt output) {
                var had = held;
                if (had != null && had.attempt <= attempt) {
                    if (output.isPresent()) {
                        had.dropped.add(output.getAsInt());
                    } else {
                        had.stopped = true;
                    }
                }
            }

            void handBack() {
                var had = held;
                if (had != null && !had.stopped) {
                    say(had, new StreamEvent.Failed(request.generation().id(), FailureKind.UNAVAILABLE, "draining", 0));
                    had.stopped = true;
                }
            }

            void goOn(ScriptedAnswer what) {
                if (what.stopped) {
                    what.stopped = false;
                    step(what);
                }
            }

            void step(ScriptedAnswer what) {
                in(20 * MILLI, () -> {
                    if (!dead && held == what && !what.stopped && what.advance(event -> say(what, event))) {
                        step(what);
                    }
                });
            }
        }
    }
}
