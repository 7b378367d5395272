package dev.kvasir.deploy;

import com.sun.management.OperatingSystemMXBean;
import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.Arrays;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;

/**
 * Nanoseconds of processor time of this process by whose threads took them: the group in which a thread was started
 * ({@link #within}), and its name without numbers. What no platform thread took is the collector's and the compilers'.
 * Virtual threads run on carriers that all share.
 */
record ProcessorTimes(long all, Map<String, Long> parts) {
    private static final OperatingSystemMXBean PROCESS =
            ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);
    private static final ThreadMXBean THREADS = ManagementFactory.getPlatformMXBean(ThreadMXBean.class);
    private static final String REST = "collector and compilers";

    /** May be interrupted. */
    interface Start<T> {
        T start() throws InterruptedException;
    }

    /** All threads that are started meanwhile, and by those later, belong to the group. */
    static <T> T within(String group, Start<T> start) throws InterruptedException {
        var made = new CompletableFuture<T>();
        var thread = new Thread(new ThreadGroup(group), () -> {
            try {
                made.complete(start.start());
            } catch (InterruptedException | RuntimeException e) {
                made.completeExceptionally(e);
            }
        });
        thread.start();
        try {
            return made.get();
        } catch (ExecutionException e) {
            throw new IllegalStateException("%s did not start".formatted(group), e);
        }
    }

    /** Until now. */
    static ProcessorTimes now() {
        var root = Thread.currentThread().getThreadGroup();
        while (root.getParent() != null) {
            root = root.getParent();
        }
        var room = new Thread[2 * root.activeCount() + 64];
        var threads = Arrays.copyOf(room, root.enumerate(room));
        long all = PROCESS.getProcessCpuTime();
        long[] nanos = THREADS.getThreadCpuTime(
                Arrays.stream(threads).mapToLong(Thread::threadId).toArray());
        var parts = new TreeMap<String, Long>();
        parts.put(REST, all);
        for (int i = 0; i < threads.length; i++) {
            var group = threads[i].getThreadGroup();
            if (group != null && nanos[i] > 0) { // Else it has ended.
                parts.merge(group.getName() + ": " + kind(threads[i].getName()), nanos[i], Long::sum);
                parts.merge(REST, -nanos[i], Long::sum);
            }
        }
        return new ProcessorTimes(all, parts);
    }

    private static String kind(String thread) {
        return thread.replaceAll("[0-9]+", "#");
    }

    /** Since an earlier look; threads that have ended meanwhile are left out. */
    ProcessorTimes since(ProcessorTimes earlier) {
        var taken = new TreeMap<String, Long>();
        parts.forEach(
                (part, nanos) -> taken.put(part, nanos - Objects.requireNonNullElse(earlier.parts.get(part), 0L)));
        return new ProcessorTimes(all - earlier.all, taken);
    }
}
