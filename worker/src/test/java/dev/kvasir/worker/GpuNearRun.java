package dev.kvasir.worker;

import dev.kvasir.kvstore.transfer.NearMemory;
import dev.kvasir.model.weights.DType;
import dev.kvasir.worker.device.GpuSearch;
import dev.kvasir.worker.kernel.KvChecksum;
import dev.kvasir.worker.kernel.KvLayout;
import dev.kvasir.worker.kernel.KvStorage;
import dev.kvasir.worker.kernel.NearKv;
import dev.kvasir.worker.kernel.StepLimits;
import dev.kvasir.worker.kernel.cuda.CudaKernels;
import dev.kvasir.worker.kernel.cuda.CudaOptions;
import java.io.BufferedReader;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

/**
 * A program: two processes, a KV pool each, on one GPU or two; one reads the other's. Checks that checksums are those of plain Java,
 * that what comes is what was there, that pools that are not as they say are refused, and what becomes of it all when the other
 * process is killed during copies; measures copies. Status 1 where one of these went otherwise than it should. Arguments:
 * ordinals of the other's GPU and of its own, a file for results.
 */
final class GpuNearRun {
    /** Llama-3.1-8B: 2 MiB a block. */
    private static final KvLayout LAYOUT = new KvLayout(32, 8, 128, 128, 16, DType.BF16);

    private static final int BLOCKS = 2048;
    private static final int OTHER_BLOCKS = 1536;
    private static final int COMPARED = 6;
    private static final int[] COUNTS = {1, 4, 16, 64, 256, 1024};
    private static final int REPEATS = 15;
    private static final int COPIES_AFTER_DEATH = 40;

    private final CudaKernels kernels;
    private final KvStorage kv;
    private final NearKv near;
    private boolean wrong;

    private GpuNearRun(int ordinal, double utilization, int blocks, long seed) {
        if (!(GpuSearch.at(ordinal) instanceof GpuSearch.Found found)) {
            throw new IllegalStateException("no GPU " + ordinal);
        }
        kernels = CudaKernels.open(
                found.gpu(),
                DType.BF16,
                new StepLimits(16, 4, 64),
                new CudaOptions(utilization, Path.of("/tmp/kernels"), ""));
        kv = kernels.allocateKv(LAYOUT, blocks);
        kernels.fill(kv, seed);
        kernels.gpu().stream().synchronize();
        near = Objects.requireNonNull(kv.near());
    }

    public static void main(String[] arguments) throws Exception {
        if (arguments[0].equals("source")) {
            new GpuNearRun(Integer.parseInt(arguments[1]), 0.3, OTHER_BLOCKS, 7).serve();
            return;
        }
        var process = new ProcessBuilder(source(arguments[0]))
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try {
            var run = new GpuNearRun(Integer.parseInt(arguments[1]), 0.6, BLOCKS, 9);
            Files.writeString(Path.of(arguments[2]), run.read(process));
            System.exit(run.wrong ? 1 : 0);
        } finally {
            process.destroyForcibly();
        }
    }

    private static List<String> source(String ordinal) {
        var command = new ArrayList<String>();
        command.add(ProcessHandle.current().info().command().orElseThrow());
        command.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments());
        command.addAll(
                List.of("-cp", System.getProperty("java.class.path"), GpuNearRun.class.getName(), "source", ordinal));
        return command;
    }

    /** Says where its pool lies and what its first blocks are, then waits until it is killed. */
    private void serve() throws IOException {
        var memory = near.memory();
        System.out.printf(
                "pool %s %d %d %d %d %d%n",
                HexFormat.of().formatHex(memory.handle()),
                memory.offset(),
                memory.layerBytes(),
                memory.pieceBytes(),
                memory.layers(),
                memory.blocks());
        var all = near.checksums(IntStream.range(0, OTHER_BLOCKS).toArray());
        System.out.println("device " + join(all));
        System.out.println("java " + join(javaChecksums(COMPARED)));
        System.in.read();
    }

    private static String join(long[] numbers) {
        return LongStream.of(numbers).mapToObj(Long::toString).collect(Collectors.joining(" "));
    }

    private long[] javaChecksums(int count) {
        try (var arena = Arena.ofConfined()) {
            var block = arena.allocate(LAYOUT.bytesPerBlock(), 64);
            var sums = new long[count];
            for (int i = 0; i < count; i++) {
                kv.readBlock(i, block);
                sums[i] = KvChecksum.of(block);
            }
            return sums;
        }
    }

    private static String[] words(BufferedReader lines, String first) throws IOException {
        while (true) {
            var line = lines.readLine();
            if (line == null) {
                throw new IOException("the other process ended before it said " + first);
            }
            if (line.startsWith(first + " ")) {
                return line.substring(first.length() + 1).split(" ", -1);
            }
        }
    }

    private static long[] numbers(String[] words) {
        return Arrays.stream(words).mapToLong(Long::parseLong).toArray();
    }

    private void check(boolean holds, String claim) {
        System.out.printf("%s %s%n", holds ? "ok " : "BAD", claim);
        wrong |= !holds;
    }

    private String read(Process process) throws IOException, InterruptedException {
        var lines = process.inputReader(StandardCharsets.UTF_8);
        var pool = words(lines, "pool");
        var memory = new NearMemory(
                HexFormat.of().parseHex(pool[0]),
                Long.parseLong(pool[1]),
                Long.parseLong(pool[2]),
                Long.parseLong(pool[3]),
                Integer.parseInt(pool[4]),
                Integer.parseInt(pool[5]));
        var device = numbers(words(lines, "device"));
        var plain = numbers(words(lines, "java"));
        check(Arrays.equals(Arrays.copyOf(device, COMPARED), plain), "the device's checksums are those of plain Java");
        refuses(memory);
        long begin = System.nanoTime();
        var window = near.open(memory);
        double openMillis = (System.nanoTime() - begin) * 1e-6;
        System.out.printf(Locale.ROOT, "opened in %.1f ms%n", openMillis);
        copies(window, device, plain);
        var rows = new ArrayList<String>();
        for (int count : COUNTS) {
            rows.add(measure(window, count));
        }
        death(process, window, device);
        return "{\"open_ms\": %.2f, \"block_bytes\": %d, \"copies\": [%s]}%n"
                .formatted(openMillis, LAYOUT.bytesPerBlock(), String.join(", ", rows));
    }

    private void refuses(NearMemory memory) {
        var larger = new NearMemory(
                memory.handle(),
                memory.offset() + (1L << 40),
                memory.layerBytes(),
                memory.pieceBytes(),
                memory.layers(),
                memory.blocks());
        refuses(larger, "a pool beyond its memory");
        var handle = memory.handle().clone();
        Arrays.fill(handle, (byte) 1);
        refuses(
                new NearMemory(
                        handle,
                        memory.offset(),
                        memory.layerBytes(),
                        memory.pieceBytes(),
                        memory.layers(),
                        memory.blocks()),
                "a handle of nothing");
        refuses(near.memory(), "its own process's pool");
    }

    private void refuses(NearMemory memory, String what) {
        try {
            near.open(memory).close();
            check(false, what + " is opened");
        } catch (RuntimeException e) {
            check(true, what + " is refused: " + e.getMessage());
        }
    }

    private void copies(NearKv.Window window, long[] device, long[] plain) {
        int[] theirs = IntStream.range(0, COMPARED).toArray();
        var sums = window.pull(theirs, theirs);
        check(Arrays.equals(sums, plain), "blocks that came have the checksums that they had there");
        check(Arrays.equals(javaChecksums(COMPARED), plain), "and so say their bytes, read by the host");
        int[] from = IntStream.range(0, 1000).map(i -> (i * 7) % OTHER_BLOCKS).toArray();
        int[] to = IntStream.range(0, 1000).map(i -> BLOCKS - 1 - i).toArray();
        var moved = window.pull(from, to);
        check(
                IntStream.range(0, from.length).allMatch(i -> moved[i] == device[from[i]]),
                "1,000 blocks go to any others");
        check(Arrays.equals(javaChecksums(COMPARED), plain), "and to no others");
    }

    private String measure(NearKv.Window window, int count) {
        int[] blocks = IntStream.range(0, count).toArray();
        double pull = median(() -> window.pull(blocks, blocks));
        double sums = median(() -> near.checksums(blocks));
        double bytes = (double) count * LAYOUT.bytesPerBlock();
        System.out.printf(
                Locale.ROOT,
                "%5d blocks: %.3f ms with checksums, %.3f ms of them for checksums; copy %.1f GB/s, both %.1f GB/s%n",
                count,
                pull,
                sums,
                bytes / (pull - sums) * 1e-6,
                bytes / pull * 1e-6);
        return "{\"blocks\": %d, \"pull_ms\": %.4f, \"checksum_ms\": %.4f}".formatted(count, pull, sums);
    }

    private static double median(Runnable work) {
        var millis = new double[REPEATS];
        for (int i = 0; i < REPEATS; i++) {
            long begin = System.nanoTime();
            work.run();
            millis[i] = (System.nanoTime() - begin) * 1e-6;
        }
        Arrays.sort(millis);
        return millis[REPEATS / 2];
    }

    private void death(Process process, NearKv.Window window, long[] device) throws InterruptedException {
        int[] blocks = IntStream.range(0, 1024).toArray();
        long free = kernels.gpu().freeBytes();
        int same = 0;
        String failure = "none";
        try {
            for (int i = 0; i < COPIES_AFTER_DEATH; i++) {
                if (i == COPIES_AFTER_DEATH / 4) {
                    process.destroyForcibly();
                }
                same += Arrays.equals(window.pull(blocks, blocks), Arrays.copyOf(device, blocks.length)) ? 1 : 0;
            }
        } catch (RuntimeException e) {
            failure = String.valueOf(e.getMessage());
        }
        process.waitFor();
        System.out.printf(
                "the other is killed during copies: %d of %d are right, failure: %s%n",
                same, COPIES_AFTER_DEATH, failure);
        long freeAfter = kernels.gpu().freeBytes();
        window.close();
        System.out.printf(
                "free memory of this GPU: %d MiB before, %d after its death, %d after closing%n",
                free >> 20, freeAfter >> 20, kernels.gpu().freeBytes() >> 20);
        var own = near.checksums(new int[] {0, 1});
        check(own.length == 2 && own[0] == device[0], "this process's device is sound after it");
        check(same == COPIES_AFTER_DEATH || !failure.equals("none"), "a copy is right or fails");
    }
}
