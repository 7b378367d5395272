package dev.kvasir.worker.kernel.cuda;

import java.util.ArrayList;
import java.util.Arrays;

/** The batch sizes that decode steps are recorded for; a batch between two of them is made up to the larger. */
final class GraphBuckets {
    private final int[] sizes;

    /**
     * Steps of 1, 2 and 4 sequences, then multiples of 8, farther apart as padding weighs less, up to what may run at once.
     */
    GraphBuckets(int sequencesMax) {
        var list = new ArrayList<Integer>();
        for (int size = 1; size < sequencesMax; size = next(size)) {
            list.add(size);
        }
        list.add(sequencesMax);
        sizes = list.stream().mapToInt(Integer::intValue).toArray();
    }

    private static int next(int size) {
        if (size < 8) {
            return 2 * size;
        }
        return size + (size < 64 ? 8 : size < 256 ? 16 : 64);
    }

    int[] sizes() {
        return sizes.clone();
    }

    /** Index of the smallest size that holds so many rows; the number of sizes where none does. */
    int indexFor(int rows) {
        int found = Arrays.binarySearch(sizes, rows);
        return found >= 0 ? found : -found - 1;
    }

    int size(int index) {
        return sizes[index];
    }

    int count() {
        return sizes.length;
    }
}
