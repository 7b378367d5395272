package dev.kvasir.worker;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;

/** How much memory this process could still have. */
final class AvailableMemory {
    private static final Path MEMINFO = Path.of("/proc/meminfo");
    private static final String AVAILABLE = "MemAvailable:";

    private AvailableMemory() {}

    /** Bytes; the container's limit is respected where there is one. */
    static long bytes() {
        var system = ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);
        long free = system.getFreeMemorySize();
        // The kernel counts what it would give up, such as cached files.
        return Math.clamp(fromKernel(free), free, system.getTotalMemorySize());
    }

    private static long fromKernel(long otherwise) {
        try (var lines = Files.lines(MEMINFO)) {
            return lines.filter(line -> line.startsWith(AVAILABLE))
                    .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) * 1024)
                    .findFirst()
                    .orElse(otherwise);
        } catch (IOException e) {
            return otherwise; // Not Linux.
        }
    }
}
