package dev.kvasir.worker.doctor;

import dev.kvasir.worker.kernel.Matrix;
import dev.kvasir.worker.kernel.check.KernelCheck;

/** Comparisons of all ranks, which run at the same time. */
final class Tally {
    private final String name;
    private int cases;
    private double error;
    private String failure = "";

    Tally(String name) {
        this.name = name;
    }

    /** What an element has to be. */
    @FunctionalInterface
    interface Expected {
        float at(int row, int column);
    }

    void compare(Matrix matrix, int rows, int columns, Expected expected) {
        var values = new float[columns];
        double worst = 0;
        var where = "";
        for (int row = 0; row < rows; row++) {
            matrix.read(row, values);
            for (int c = 0; c < columns; c++) {
                float wanted = expected.at(row, c);
                double difference = Math.abs(values[c] - wanted) / Math.max(1, Math.abs(wanted));
                if (!(difference <= worst)) {
                    worst = Double.isNaN(difference) ? Double.POSITIVE_INFINITY : difference;
                    where = "%d x %d: %s instead of %s at [%d, %d]".formatted(rows, columns, values[c], wanted, row, c);
                }
            }
        }
        add(worst, where);
    }

    synchronized void add(double worst, String where) {
        cases++;
        if (worst > error) {
            error = worst;
            failure = where;
        }
    }

    synchronized KernelCheck result(double tolerance) {
        return new KernelCheck(name, cases, error, tolerance, error > tolerance ? failure : "");
    }
}
