package dev.kvasir.worker.kernel.cpu;

/**
 * Arguments of the benchmark programs: threads, and {@code fast}, {@code unpacked} (fast without copies of weights) or
 * {@code deterministic}.
 */
final class BenchmarkArguments {
    private BenchmarkArguments() {}

    static CpuOptions options(String[] arguments) {
        var defaults = CpuOptions.defaults();
        int threads = arguments.length > 0 ? Integer.parseInt(arguments[0]) : defaults.threads();
        String mode = arguments.length > 1 ? arguments[1] : "fast";
        return switch (mode) {
            case "fast" -> new CpuOptions(threads, Determinism.FAST, defaults.packedBytesMax(), defaults.cache());
            case "unpacked" -> new CpuOptions(threads, Determinism.FAST, 0, defaults.cache());
            case "deterministic" ->
                new CpuOptions(threads, Determinism.DETERMINISTIC, defaults.packedBytesMax(), defaults.cache());
            default -> throw new IllegalArgumentException(mode + " is none of fast, unpacked, deterministic");
        };
    }
}
