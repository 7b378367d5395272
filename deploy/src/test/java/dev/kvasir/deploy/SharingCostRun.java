package dev.kvasir.deploy;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.kvasir.deploy.Settings.Flag;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Collectors;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;

/**
 * A program: what sharing costs prompts that share nothing. Two clusters in this one process, so that both run the same
 * compiled code: a router that is a kvstore and a worker each, one of which exchanges no blocks. Both are asked each prompt, in
 * turns, for one token. They are started again, in the other order, for each of several segments, so that it does not matter
 * which has the better memory. Arguments: folder, segments, pairs in each, tokens of a prompt, seed, a file for all times,
 * what is offered to kvstores (copied by default), and what the other cluster has to go without: memory for copies, or (with
 * {@code caching}) any prefix cache.
 *
 * <p>Processor time is told per prompt and by whose threads took it ({@link ProcessorTimes}).
 */
final class SharingCostRun {
    /** Until compilers are done, and host memory for copies is full. */
    private static final int WARM_UP = 150;

    private static final int DRAWS = 4000;
    /** What a prompt sets off, offers for one, comes later and is its own. */
    private static final long AFTERWARDS_NANOS = 250_000_000;

    private final Path folder;
    private final int pairs;
    private final int tokens;
    private final String offer;
    private final Map<String, String> without;
    private final SplittableRandom random;
    private final HttpClient client = HttpClient.newHttpClient();
    private final List<Double> cpu = new ArrayList<>();
    private final Map<String, Part> parts = new TreeMap<>();
    private final ObjectNode times = ApiClient.JSON.createObjectNode();

    private SharingCostRun(Path folder, int pairs, int tokens, long seed, String offer, Map<String, String> without) {
        this.without = without;
        this.offer = offer;
        this.folder = folder;
        this.pairs = pairs;
        this.tokens = tokens;
        this.random = new SplittableRandom(seed);
    }

    public static void main(String[] arguments) throws IOException, InterruptedException {
        int segments = Integer.parseInt(arguments[1]);
        var run = new SharingCostRun(
                Path.of(arguments[0]),
                Integer.parseInt(arguments[2]),
                Integer.parseInt(arguments[3]),
                Long.parseLong(arguments[4]),
                arguments.length > 6 ? arguments[6] : "copied",
                arguments.length > 7 && arguments[7].equals("caching")
                        ? Map.of(
                                "kvasir.worker.enable-prefix-caching", "false", "kvasir.worker.sharing.memory", "0 MiB")
                        : Map.of("kvasir.worker.sharing.memory", "0 MiB"));
        double[][] logs = new double[segments][];
        for (int segment = 0; segment < segments; segment++) {
            logs[segment] = run.segment(segment);
            run.tell("segment " + segment, logs[segment]);
        }
        run.tell(
                "all, processor time",
                run.cpu.stream().mapToDouble(Double::doubleValue).toArray());
        run.tell("all", Arrays.stream(logs).flatMapToDouble(Arrays::stream).toArray());
        run.tellParts();
        ApiClient.JSON.writeValue(Path.of(arguments[5]).toFile(), run.times);
        System.exit(0);
    }

    /** A cluster of two members. */
    private record Cluster(KvasirNode router, KvasirNode worker) implements AutoCloseable {
        @Override
        public void close() {
            worker.close();
            router.close();
        }
    }

    private Cluster start(int segment, boolean shares) throws InterruptedException {
        var at = folder.resolve(segment + (shares ? "-with" : "-without"));
        var router = ProcessorTimes.within(
                "router and kvstore", () -> member(at.resolve("router"), "router,kvstore", Map.of()));
        var settings = new HashMap<>(shares ? Map.of("kvasir.worker.sharing.offer", offer) : without);
        settings.put("kvasir.cluster.join", router.addresses().cluster());
        var worker = ProcessorTimes.within("worker", () -> member(at.resolve("worker"), "worker", settings));
        return new Cluster(router, worker);
    }

    private static KvasirNode member(Path data, String roles, Map<String, String> more) throws InterruptedException {
        var settings = new HashMap<>(more);
        settings.put("kvasir.roles", roles);
        settings.put("kvasir.data-dir", data.toString());
        settings.put("kvasir.router.http-port", "0");
        settings.put("kvasir.router.grpc-port", "0");
        settings.put("kvasir.worker.deterministic", "true");
        // Some ten prompts: then others have to go.
        settings.put("kvasir.worker.num-kv-blocks", "1024");
        settings.put("kvasir.warm-up-timeout", "2 s");
        settings.put("kvasir.cluster.lease", "10 s");
        settings.put("kvasir.kvstore.memory", "256 MiB");
        settings.put("kvasir.kvstore.disk", "0 MiB");
        var flags = new HashMap<Flag, String>();
        settings.forEach((key, value) -> flags.put(new Flag("--" + key, key), value));
        return KvasirNode.start(
                KvasirConfig.load(null, System.getenv(), flags),
                new StartReport(new PrintWriter(new StringWriter()), true));
    }

    /** Logarithms of the ratios of times with sharing to times without. */
    private double[] segment(int segment) throws IOException, InterruptedException {
        boolean sharesFirst = segment % 2 == 0;
        try (var one = start(segment, sharesFirst);
                var other = start(segment, !sharesFirst)) {
            var with = (sharesFirst ? one : other).router().addresses().http();
            var without = (sharesFirst ? other : one).router().addresses().http();
            for (int i = 0; i < WARM_UP; i++) {
                pair(with, without, i);
            }
            double[] logs = IntStream.range(0, pairs)
                    .mapToDouble(i -> {
                        var took = pair(with, without, i);
                        note(took);
                        return Math.log((double) took.with.nanos / took.without.nanos);
                    })
                    .toArray();
            System.out.printf("segment %d: %s%n", segment, copies((sharesFirst ? one : other).worker()));
            return logs;
        }
    }

    /** Microseconds of processor time of some threads, by pairs. */
    private record Part(List<Double> with, List<Double> without) {}

    private void note(Took took) {
        note("with", took.with);
        note("without", took.without);
        cpu.add(Math.log((double) took.with.cpu.all() / took.without.cpu.all()));
        var names = new TreeSet<>(took.with.cpu.parts().keySet());
        names.addAll(took.without.cpu.parts().keySet());
        for (var name : names) {
            var part = parts.computeIfAbsent(name, _ -> new Part(new ArrayList<>(), new ArrayList<>()));
            part.with.add(took.with.cpu.parts().getOrDefault(name, 0L) / 1e3);
            part.without.add(took.without.cpu.parts().getOrDefault(name, 0L) / 1e3);
        }
    }

    private void note(String cluster, One took) {
        times.withArray(cluster + "_cpu").add(took.cpu.all() / 1000);
        times.withArray(cluster).add(took.nanos / 1000);
    }

    /** What one prompt took: nanoseconds on the clock, and of processors until a while after. */
    private record One(long nanos, ProcessorTimes cpu) {}

    private record Took(One with, One without) {}

    private Took pair(URI with, URI without, int index) {
        var prompt = random.ints(tokens, 300, 1000).toArray();
        var first = one(index % 2 == 0 ? with : without, prompt);
        var second = one(index % 2 == 0 ? without : with, prompt);
        return index % 2 == 0 ? new Took(first, second) : new Took(second, first);
    }

    private One one(URI router, int[] prompt) {
        var began = ProcessorTimes.now();
        long took = ask(router, prompt);
        LockSupport.parkNanos(AFTERWARDS_NANOS);
        return new One(took, ProcessorTimes.now().since(began));
    }

    /** Whose processor time it is: means, and how much more of all of it sharing takes, by means and by the median pair. */
    private void tellParts() {
        double all = parts.values().stream()
                .mapToDouble(part -> average(part.without))
                .sum();
        System.out.printf(Locale.ROOT, "%10s %10s %8s %8s  threads, us%n", "with", "without", "more", "median");
        parts.forEach((part, taken) -> System.out.printf(
                Locale.ROOT,
                "%10.0f %10.0f %7.2f%% %7.2f%%  %s%n",
                average(taken.with),
                average(taken.without),
                100 * (average(taken.with) - average(taken.without)) / all,
                100
                        * median(IntStream.range(0, taken.with.size())
                                .mapToDouble(i -> taken.with.get(i) - taken.without.get(i))
                                .toArray())
                        / all,
                part));
    }

    private static double average(List<Double> values) {
        return values.stream().mapToDouble(Double::doubleValue).average().orElse(0);
    }

    /** How many nanoseconds it took. */
    private long ask(URI router, int[] prompt) {
        var request = ApiClient.JSON
                .createObjectNode()
                .put("model", "demo")
                .put("max_tokens", 1)
                .put("temperature", 0);
        var ids = request.putArray("prompt");
        for (int token : prompt) {
            ids.add(token);
        }
        var message = HttpRequest.newBuilder(router.resolve("/v1/completions"))
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(request.toString()))
                .build();
        try {
            while (true) {
                long began = System.nanoTime();
                var answer = client.send(message, BodyHandlers.ofString());
                long took = System.nanoTime() - began;
                if (answer.statusCode() == 200) {
                    return took;
                }
                // The router hears of its worker with a delay.
                if (answer.statusCode() != 503) {
                    throw new IllegalStateException(answer.body());
                }
            }
        } catch (IOException | InterruptedException e) {
            throw new IllegalStateException("a request failed", e);
        }
    }

    /** What the worker that shares has copied and handed on. */
    private String copies(KvasirNode worker) throws IOException, InterruptedException {
        var metrics = client.send(
                HttpRequest.newBuilder(worker.addresses().http().resolve("/metrics"))
                        .build(),
                BodyHandlers.ofString());
        return metrics.body()
                .lines()
                .filter(line ->
                        line.startsWith("kvasir:worker_host_blocks_kept") || line.startsWith("kvasir:worker_offered"))
                .collect(Collectors.joining(", "));
    }

    private void tell(String what, double[] logs) {
        var draws = new SplittableRandom(0);
        double[] medians = DoubleStream.generate(() -> median(draws.ints(logs.length, 0, logs.length)
                        .mapToDouble(i -> logs[i])
                        .toArray()))
                .limit(DRAWS)
                .sorted()
                .toArray();
        System.out.printf(
                Locale.ROOT,
                "%s: %d pairs, median ratio %.4f (95 %%: %.4f to %.4f), geometric mean of the middle half %.4f%n",
                what,
                logs.length,
                Math.exp(median(logs)),
                Math.exp(medians[DRAWS / 40]),
                Math.exp(medians[DRAWS - DRAWS / 40]),
                Math.exp(Arrays.stream(logs)
                        .sorted()
                        .skip(logs.length / 4)
                        .limit(Math.max(1, logs.length / 2))
                        .average()
                        .orElseThrow()));
    }

    private static double median(double[] values) {
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        int middle = sorted.length / 2;
        return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }
}
