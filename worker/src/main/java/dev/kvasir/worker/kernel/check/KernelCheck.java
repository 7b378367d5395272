package dev.kvasir.worker.kernel.check;

/**
 * One kind of operation, computed by kernels and by the reference at several sizes.
 *
 * @param error largest difference, of numbers beyond one as a share of them; infinite where a result is no number
 * @param tolerance what rounding explains
 * @param failure what went wrong otherwise; empty where nothing did
 */
public record KernelCheck(String name, int cases, double error, double tolerance, String failure) {
    public boolean passed() {
        return failure.isEmpty() && error <= tolerance;
    }
}
