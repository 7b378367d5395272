package dev.kvasir.chaos.simulation;

import dev.kvasir.protocol.RequestId;
import dev.kvasir.router.OutputEvent;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * All clients. Each sends its request to some router over a connection that loses nothing as long as that router lives, and
 * compares what it gets with the right answer at once.
 */
final class ClientShell implements Life.Program {
    /** One request on its way. */
    static final class Exchange {
        private final Job job;
        private final Answer right;
        private final Answer answer;
        private @Nullable Life router;
        private boolean gaveUp;
        private boolean lostRouter;

        Exchange(Job job, Answer right) {
            this.job = job;
            this.right = right;
            this.answer = new Answer(job.sampling().n());
        }

        Job job() {
            return job;
        }

        Answer answer() {
            return answer;
        }

        boolean lostRouter() {
            return lostRouter;
        }

        /** Nothing more is expected of it. */
        boolean over() {
            return answer.ended() || gaveUp;
        }
    }

    private static final long CONNECT_AGAIN = 200 * Timeline.MILLI;

    private final World world;
    private final Life self;
    private final RandomGenerator random;
    private final Map<RequestId, Exchange> exchanges = new LinkedHashMap<>();

    ClientShell(World world, Life self, List<Job> jobs, Oracle oracle, RandomGenerator random) {
        this.world = world;
        this.self = self;
        this.random = random;
        jobs.forEach(job -> exchanges.put(job.id(), new Exchange(job, oracle.answer(job))));
    }

    Collection<Exchange> exchanges() {
        return exchanges.values();
    }

    boolean isDone() {
        return exchanges.values().stream().allMatch(Exchange::over);
    }

    @Override
    public void start() {
        exchanges.values().forEach(one -> self.after(one.job.arrivalNanos(), () -> open(one)));
    }

    private void open(Exchange one) {
        if (connect(one, () -> open(one))) {
            world.network().send(self, connected(one), new Message.Open(one.job));
        }
    }

    private void resume(Exchange one) {
        if (connect(one, () -> resume(one))) {
            var received = one.answer.resumePoint();
            world.network().send(self, connected(one), new Message.Resume(one.job, received));
        }
    }

    /** To any router that is ready; later, if there is none. */
    private boolean connect(Exchange one, Runnable again) {
        var routers = new ArrayList<Life>();
        for (var life : world.cluster().alive()) {
            if (life.program() instanceof RouterShell router && router.ready()) {
                routers.add(life);
            }
        }
        if (routers.isEmpty()) {
            self.after(CONNECT_AGAIN, again);
            return false;
        }
        one.router = routers.get(random.nextInt(routers.size()));
        return true;
    }

    private static Life connected(Exchange one) {
        if (one.router == null) {
            throw new IllegalStateException(one.job.id() + " has no connection");
        }
        return one.router;
    }

    @Override
    public void receive(Life from, Object message) {
        if (message instanceof Message.Said(var id, var event)) {
            var one = exchanges.get(id);
            if (one != null && one.router == from && !one.gaveUp) {
                heard(one, event);
            }
        }
    }

    private void heard(Exchange one, OutputEvent event) {
        try {
            one.answer.add(event);
        } catch (Violation e) {
            throw new Violation(one.job.id().value(), String.valueOf(e.getMessage()));
        }
        var difference = one.answer.difference(one.right);
        Violation.unless(
                difference == null,
                "P1 the answer is the one of a run without faults",
                () -> one.job.id() + ": " + difference);
        var failure = one.answer.failure();
        if (failure != null) {
            world.failed(one, failure);
        } else if (!one.answer.ended() && one.answer.tokenCount() >= one.job.cancelAfterTokens()) {
            one.gaveUp = true;
            world.network().send(self, connected(one), new Message.Close(one.job.id()));
        }
    }

    /** The router at the other end is dead: the rest is asked of another. */
    void connectionBroken(Life router) {
        for (var one : exchanges.values()) {
            if (one.router == router && !one.over()) {
                one.router = null;
                one.lostRouter = true;
                self.after(random.nextLong(Timeline.SECOND), () -> resume(one));
            }
        }
    }
}
