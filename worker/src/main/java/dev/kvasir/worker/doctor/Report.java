package dev.kvasir.worker.doctor;

import java.io.PrintWriter;
import java.util.Locale;

/** Findings, one line each, and whether any of them is bad. */
final class Report {
    private final PrintWriter out;
    private int failures;

    Report(PrintWriter out) {
        this.out = out;
    }

    void section(String title) {
        out.printf("%n%s%n", title);
        out.flush();
    }

    void good(String what, String finding) {
        line("ok", what, finding);
    }

    void note(String what, String finding) {
        line("-", what, finding);
    }

    void bad(String what, String finding) {
        failures++;
        line("BAD", what, finding);
    }

    private void line(String mark, String what, String finding) {
        out.println(String.format(Locale.ROOT, "  %-4s %-42s %s", mark, what, finding));
        out.flush();
    }

    int failures() {
        return failures;
    }
}
