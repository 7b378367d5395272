package dev.kvasir.worker.doctor;

import dev.kvasir.worker.device.GpuSearch;
import dev.kvasir.worker.kernel.cuda.CudaOptions;
import java.io.BufferedReader;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

/** The doctor's other process, whose blocks it reads: it says where its pools lie and what is in them, and ends when its input does. */
final class NearSource implements AutoCloseable {
    private static final long SEED = 7;
    private static final Duration LIFE_MAX = Duration.ofSeconds(60);

    private final Process process;
    private final BufferedReader lines;

    private NearSource(Process process) {
        this.process = process;
        this.lines = process.inputReader(StandardCharsets.UTF_8);
    }

    /** Arguments: a GPU, the folder of compiled kernels, CUDA's folders or nothing. */
    public static void main(String[] arguments) throws IOException {
        if (!(GpuSearch.at(Integer.parseInt(arguments[0])) instanceof GpuSearch.Found(var gpu))) {
            throw new IllegalStateException("no GPU " + arguments[0]);
        }
        var options = new CudaOptions(1, Path.of(arguments[1]), arguments.length > 2 ? arguments[2] : "");
        try (var pools = new NearPools(gpu, options, SEED)) {
            for (int i = 0; i < NearPools.LAYOUTS.size(); i++) {
                var near = pools.get(i).near();
                var memory = near.memory();
                System.out.printf(
                        "pool %s %d %d%n",
                        HexFormat.of().formatHex(memory.handle()), memory.offset(), memory.layerBytes());
                long[] sums =
                        near.checksums(IntStream.range(0, NearPools.BLOCKS).toArray());
                System.out.println(
                        "sums " + LongStream.of(sums).mapToObj(Long::toString).collect(Collectors.joining(" ")));
            }
            while (System.in.read() >= 0) {
                // Until whoever started it closes its end, or is gone.
            }
        }
    }

    /** What it said of one pool. */
    @SuppressWarnings("ArrayRecordComponent") // Read once.
    record Said(byte[] handle, long offset, long layerBytes, long[] checksums) {}

    /** Starts it with this process's program. It does not outlive a minute. */
    static NearSource start(int ordinal, CudaOptions options) throws IOException {
        var command = new ArrayList<String>();
        command.add(ProcessHandle.current().info().command().orElse("java"));
        command.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments());
        command.addAll(List.of(
                "-cp",
                System.getProperty("java.class.path"),
                NearSource.class.getName(),
                Integer.toString(ordinal),
                options.cache().toString()));
        if (!options.libraryPath().isEmpty()) {
            command.add(options.libraryPath());
        }
        var process = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        CompletableFuture.delayedExecutor(LIFE_MAX.toMillis(), TimeUnit.MILLISECONDS)
                .execute(process::destroyForcibly);
        return new NearSource(process);
    }

    Said next() throws IOException {
        var pool = words("pool");
        var sums = words("sums");
        return new Said(
                HexFormat.of().parseHex(pool[0]),
                Long.parseLong(pool[1]),
                Long.parseLong(pool[2]),
                Arrays.stream(sums).mapToLong(Long::parseLong).toArray());
    }

    private String[] words(String first) throws IOException {
        var line = lines.readLine();
        while (line != null && !line.startsWith(first + " ")) {
            line = lines.readLine();
        }
        if (line == null) {
            throw new IOException("the other process ended before it said " + first);
        }
        return Objects.requireNonNull(line).substring(first.length() + 1).split(" ", -1);
    }

    @Override
    public void close() {
        process.destroyForcibly();
    }
}
