package dev.kvasir.chaos.sharing;

import dev.kvasir.chaos.process.Member;
import dev.kvasir.chaos.process.Members;
import dev.kvasir.chaos.process.Roster;
import dev.kvasir.chaos.process.Settings;
import dev.kvasir.chaos.process.Timeline;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;

/** A cluster that is measured: a router that is a kvstore too, and up to two workers. */
final class Arm implements AutoCloseable {
    static final int MEMBERS = 3;
    private static final Duration PATIENCE = Duration.ofMinutes(3);
    private static final Duration SETTLED = Duration.ofMillis(1500);
    private static final Duration SETTLING_MAX = Duration.ofSeconds(20);
    private static final int PAUSES_PER_LOOK = 3;

    private final Members members;
    private final Settings settings;
    private final Door door;

    private Arm(Members members, Settings settings) {
        this.members = members;
        this.settings = settings;
        var router = members.get("router");
        this.door = new Door(router.grpcAddress(), router.httpAddress());
    }

    /** Starts router and kvstore. */
    static Arm start(Path folder, Settings settings) throws IOException {
        Files.createDirectories(folder);
        var roster = new Roster(Map.of(
                "router", List.of("router", "kvstore"), "first", List.of("worker"), "second", List.of("worker")));
        var members = new Members(roster, folder, new Timeline(), _ -> {});
        try {
            members.startAgain(members.get("router"), settings);
            return new Arm(members, settings);
        } catch (IOException e) {
            members.close();
            throw e;
        }
    }

    Door door() {
        return door;
    }

    /** Starts a worker, until the router gives it requests. */
    Member startWorker(String name) throws IOException, InterruptedException {
        var worker = members.get(name);
        members.startAgain(worker, settings);
        require(members.await(worker, Members::serves, PATIENCE), name + " does not serve");
        return worker;
    }

    Member worker(String name) {
        return members.get(name);
    }

    /** SIGTERM; waits until it has ended and gets no requests. */
    void drain(String name) throws InterruptedException {
        var worker = members.get(name);
        worker.terminate();
        require(worker.awaitEnd() == 0, name + " does not end well");
        awaitLoss(worker);
    }

    /** kill -9; waits until it gets no requests. */
    void kill(String name) throws InterruptedException {
        var worker = members.get(name);
        worker.kill();
        awaitLoss(worker);
    }

    private void awaitLoss(Member worker) throws InterruptedException {
        require(
                members.await(worker, state -> !Members.serves(state), PATIENCE),
                worker.name() + " is still given requests");
    }

    /** Waits until the kvstore takes no more blocks, for a while at most; tells how many it has. */
    int awaitKept() throws IOException, InterruptedException {
        long end = System.nanoTime() + SETTLING_MAX.toNanos();
        double last = -1;
        long since = System.nanoTime();
        while (System.nanoTime() - since < SETTLED.toNanos() && System.nanoTime() - end < 0) {
            double now = door.metric("kvasir:kvstore_memory_blocks");
            if (now != last) {
                last = now;
                since = System.nanoTime();
            }
            for (int i = 0; i < PAUSES_PER_LOOK; i++) {
                Members.pause();
            }
        }
        return (int) last;
    }

    private static void require(boolean holds, String otherwise) {
        if (!holds) {
            throw new IllegalStateException(otherwise);
        }
    }

    /** Ends all processes at once. */
    void end() {
        members.end();
    }

    @Override
    public void close() throws IOException {
        door.close();
        members.close();
    }
}
