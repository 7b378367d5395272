package dev.kvasir.deploy;

import dev.kvasir.bench.Progress;
import java.io.PrintWriter;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** Tells the user how a start goes: a progress bar on a terminal, one line per stage elsewhere. */
final class StartReport {
    private final PrintWriter err;
    private final boolean verbose;
    private @Nullable Progress loading;

    StartReport(PrintWriter err, boolean verbose) {
        this.err = err;
        this.verbose = verbose;
    }

    /** Bytes of weights that are ready; called by one thread. */
    void loaded(long bytes, long total) {
        if (loading == null) {
            loading = Progress.bytes("Loading weights", total);
        }
        loading.stepTo(bytes);
    }

    /** Recorded steps, or packed weights, that are ready; called by one thread. */
    void prepared(int done, int total) {
        if (loading != null && done == 1) {
            loading.close();
            loading = null;
        }
        if (loading == null) {
            loading = Progress.count("Preparing", total);
        }
        loading.stepTo(done);
    }

    /** Something that the user may want to know. */
    void note(String what) {
        if (verbose) {
            err.println("  " + what);
            err.flush();
        }
    }

    /** A stage is over. */
    void stage(String what, long nanos) {
        if (loading != null) {
            loading.close();
            loading = null;
        }
        if (verbose) {
            err.println(String.format(Locale.ROOT, "  %s (%.1f s)", what, nanos / 1e9));
            err.flush();
        }
    }
}
