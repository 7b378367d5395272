package dev.kvasir.chaos.sharing;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.stream.IntStream;

/** Where sharing KV blocks is to pay, and where it must not cost anything. Each begins with new processes. */
enum Scenario {
    COLD_WORKER("a cold worker has joined, and is asked for what another has computed", "placement = round-robin") {
        @Override
        Samples play(Pair pair, Scale scale) throws InterruptedException {
            var sessions = sessions(pair, scale);
            joinSecond(pair, scale);
            return pair.measure(scale.prompts(), (arm, i) -> askSecond(arm, sessions.next(arm, i)));
        }
    },

    DRAINED_WORKER("a worker was drained, and its sessions go on at another", "") {
        @Override
        Samples play(Pair pair, Scale scale) throws InterruptedException {
            var sessions = sessions(pair, scale);
            joinSecond(pair, scale);
            pair.both(arm -> arm.drain("first"));
            return pair.measure(scale.prompts(), (arm, i) -> ask(arm, sessions.next(arm, i)));
        }
    },

    HOT_PREFIX(
            "four times as many ask at once for one prefix as its holder has seats; each sample is the mean of a burst",
            "") {
        @Override
        Samples play(Pair pair, Scale scale) throws InterruptedException {
            var prompts = new Prompts(scale.seed());
            var warmUp = fresh(prompts, WARM_UP, scale);
            var hot = fresh(prompts, scale.prompts(), scale);
            var questions = new ArrayList<List<int[]>>();
            for (int i = 0; i < hot.size(); i++) {
                questions.add(fresh(prompts, BURST, QUESTION));
            }
            pair.both(arm -> {
                arm.startWorker("first");
                warmUp.forEach(prompt -> arm.door().ask(prompt, OUTPUT));
                for (int time = 0; time < 2; time++) {
                    hot.forEach(prompt -> arm.door().ask(prompt, OUTPUT));
                }
            });
            joinSecond(pair, scale);
            pair.both(Arm::awaitKept);
            return pair.measure(hot.size(), (arm, i) -> askAtOnce(arm, hot.get(i), questions.get(i)));
        }
    },

    LOST_WORKER("a worker was lost to kill -9, and its sessions go on at another", "") {
        @Override
        Samples play(Pair pair, Scale scale) throws InterruptedException {
            var sessions = sessions(pair, scale);
            pair.both(sessions::goOn); // What nobody has come back to is lost with its worker.
            joinSecond(pair, scale);
            pair.both(Arm::awaitKept);
            pair.both(arm -> arm.kill("first"));
            return pair.measure(scale.prompts(), (arm, i) -> ask(arm, sessions.next(arm, i)));
        }
    },

    UNIQUE_PROMPTS("no two prompts share anything; what sharing costs", "") {
        @Override
        Samples play(Pair pair, Scale scale) throws InterruptedException {
            var prompts = new Prompts(scale.seed());
            var warmUp = fresh(prompts, POOL_FILLING, scale);
            var measured = fresh(prompts, UNIQUE_FACTOR * scale.prompts(), scale);
            pair.both(arm -> {
                arm.startWorker("first");
                warmUp.forEach(prompt -> arm.door().ask(prompt, OUTPUT));
            });
            return pair.measure(measured.size(), (arm, i) -> ask(arm, measured.get(i)));
        }

        @Override
        int blocks() {
            return FEW_BLOCKS;
        }
    };

    private static final int OUTPUT = 32;
    private static final int QUESTION = 32;
    private static final int WARM_UP = 6;
    private static final int TRIES_MAX = 50;
    private static final int SEATS = 4;
    private static final int BURST = 4 * SEATS;
    private static final int MANY_BLOCKS = 8192;
    private static final int UNIQUE_FACTOR = 2;

    /** Of prompts of 1,500 tokens some ten; then others have to go. */
    private static final int FEW_BLOCKS = 1024;

    private static final int POOL_FILLING = 14;

    private final String what;
    private final String routing;

    Scenario(String what, String routing) {
        this.what = what;
        this.routing = routing;
    }

    /** How much of it. */
    record Scale(int prompts, int promptTokens, long seed) {}

    /** What was measured, in pairs. */
    record Samples(List<Sample> with, List<Sample> without) {
        Samples() {
            this(new ArrayList<>(), new ArrayList<>());
        }
    }

    abstract Samples play(Pair pair, Scale scale) throws IOException, InterruptedException;

    /** In words. */
    String what() {
        return what;
    }

    String label() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    int blocks() {
        return MANY_BLOCKS;
    }

    /** Settings of both clusters. */
    String settings() {
        return """
                # Two clusters on one machine: nobody is to be given up for want of a processor.
                kvasir.cluster.lease = 10 s
                pekko.cluster.failure-detector.acceptable-heartbeat-pause = 30 s
                kvasir.worker { num-kv-blocks = %d, max-num-seqs = %d }
                kvasir.worker.sharing { memory = 256 MiB, offer = copied }
                kvasir.kvstore { memory = 256 MiB, disk = 0 MiB }
                kvasir.router { %s }
                """.formatted(blocks(), SEATS, routing);
    }

    /** Conversations, each with a first prompt and answer; what comes next begins with both. */
    private static final class Sessions {
        private final Map<Arm, List<List<Integer>>> answered = new ConcurrentHashMap<>();
        private final List<int[]> questions;

        Sessions(List<int[]> questions) {
            this.questions = questions;
        }

        void begin(Arm arm, List<int[]> prompts) {
            var all = new ArrayList<List<Integer>>();
            for (var prompt : prompts) {
                all.add(arm.door().ask(prompt, OUTPUT).tokens());
            }
            answered.put(arm, all);
        }

        void goOn(Arm arm) {
            begin(
                    arm,
                    IntStream.range(0, questions.size())
                            .mapToObj(i -> next(arm, i))
                            .toList());
        }

        int[] next(Arm arm, int index) {
            var before = answered.getOrDefault(arm, List.of()).get(index);
            var question = Arrays.stream(questions.get(index));
            return IntStream.concat(before.stream().mapToInt(Integer::intValue), question)
                    .toArray();
        }
    }

    /** Starts the first worker, makes it fast, and has all conversations begin there. */
    private static Sessions sessions(Pair pair, Scale scale) throws InterruptedException {
        var prompts = new Prompts(scale.seed());
        var warmUp = fresh(prompts, WARM_UP, scale);
        var first = fresh(prompts, scale.prompts(), scale);
        var sessions = new Sessions(fresh(prompts, scale.prompts(), QUESTION));
        pair.both(arm -> {
            arm.startWorker("first");
            warmUp.forEach(prompt -> arm.door().ask(prompt, OUTPUT));
            sessions.begin(arm, first);
        });
        return sessions;
    }

    /** Starts the second worker and makes it as fast as the first, with prompts that nobody asks for again. */
    private static void joinSecond(Pair pair, Scale scale) throws InterruptedException {
        pair.both(arm -> {
            arm.startWorker("second");
            var others = new Prompts(scale.seed() + 2);
            int there = 0;
            for (int i = 0; i < TRIES_MAX && there < WARM_UP; i++) {
                there += isFromSecond(arm, ask(arm, others.fresh(scale.promptTokens()))) ? 1 : 0;
            }
        });
    }

    /** Asks until the second worker has answered. */
    private static Sample askSecond(Arm arm, int[] prompt) {
        for (int i = 0; i < TRIES_MAX; i++) {
            var sample = ask(arm, prompt);
            if (isFromSecond(arm, sample)) {
                return sample;
            }
        }
        throw new IllegalStateException("of %d requests none went to the second worker".formatted(TRIES_MAX));
    }

    private static boolean isFromSecond(Arm arm, Sample sample) {
        return sample.isFrom(arm.worker("second").clusterAddress());
    }

    /** One prefix, with each of these questions. */
    private static Sample askAtOnce(Arm arm, int[] prefix, List<int[]> questions) throws InterruptedException {
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            var asked = questions.stream()
                    .map(question -> threads.submit(() -> ask(
                            arm,
                            IntStream.concat(Arrays.stream(prefix), Arrays.stream(question))
                                    .toArray())))
                    .toList();
            var samples = new ArrayList<Sample>();
            for (var one : asked) {
                samples.add(one.get());
            }
            return Sample.mean(samples);
        } catch (ExecutionException e) {
            throw new IllegalStateException("a request of a burst failed: " + e.getCause(), e);
        }
    }

    private static Sample ask(Arm arm, int[] prompt) {
        return arm.door().ask(prompt, OUTPUT).sample();
    }

    private static List<int[]> fresh(Prompts prompts, int count, Scale scale) {
        return fresh(prompts, count, scale.promptTokens());
    }

    private static List<int[]> fresh(Prompts prompts, int count, int length) {
        var fresh = new ArrayList<int[]>();
        for (int i = 0; i < count; i++) {
            fresh.add(prompts.fresh(length));
        }
        return fresh;
    }
}
