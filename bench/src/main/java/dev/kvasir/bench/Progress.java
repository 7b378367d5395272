package dev.kvasir.bench;

import java.io.Console;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.jspecify.annotations.Nullable;

/** A progress bar on standard error; silent where that is no terminal. Any thread may step it. */
public final class Progress implements AutoCloseable {
    private static final int WIDTH = 100;

    private final @Nullable ProgressBar bar;

    private Progress(@Nullable ProgressBar bar) {
        this.bar = bar;
    }

    /** Shows nothing. */
    public static Progress silent() {
        return new Progress(null);
    }

    /** Counts to {@code max}. */
    public static Progress count(String task, long max) {
        return onTerminal() ? new Progress(builder(task, max).build()) : silent();
    }

    /** Counts bytes to {@code max} and shows them as megabytes. */
    public static Progress bytes(String task, long max) {
        return onTerminal()
                ? new Progress(builder(task, max).setUnit(" MB", 1_000_000).build())
                : silent();
    }

    private static ProgressBarBuilder builder(String task, long max) {
        return new ProgressBarBuilder()
                .setTaskName(task)
                .setInitialMax(max)
                .setStyle(ProgressBarStyle.UNICODE_BLOCK)
                .setUpdateIntervalMillis(100)
                .setConsumer(new ConsoleProgressBarConsumer(System.err, WIDTH));
    }

    public void step() {
        if (bar != null) {
            bar.step();
        }
    }

    public void stepTo(long value) {
        if (bar != null) {
            bar.stepTo(value);
        }
    }

    @Override
    public void close() {
        if (bar != null) {
            bar.close();
        }
    }

    /** Standard error is a terminal; where the system does not tell, whether standard input and output are. */
    public static boolean onTerminal() {
        try {
            var target = Files.readSymbolicLink(Path.of("/proc/self/fd/2")).toString();
            return target.startsWith("/dev/pts/") || target.startsWith("/dev/tty") || target.equals("/dev/console");
        } catch (IOException | UnsupportedOperationException _) {
            return Optional.ofNullable(System.console())
                    .map(Console::isTerminal)
                    .orElse(false);
        }
    }
}
