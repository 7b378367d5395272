package dev.kvasir.worker.kernel.cpu;

import static dev.kvasir.worker.kernel.cpu.Memory.FLOATS;
import static dev.kvasir.worker.kernel.cpu.Memory.LANES;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/** Pieces of the softmax over whole vectors of an array. */
final class Softmax {
    private Softmax() {}

    static float max(float[] array, int at, int count) {
        var max = FloatVector.fromArray(FLOATS, array, at);
        for (int i = LANES; i < count; i += LANES) {
            max = max.max(FloatVector.fromArray(FLOATS, array, at + i));
        }
        return max.reduceLanes(VectorOperators.MAX);
    }

    /** Sums of elements by lane, one vector, to {@code lanesAt} of the same array. */
    static void sumLanes(float[] array, int at, int count, int lanesAt) {
        var sum = FloatVector.zero(FLOATS);
        for (int i = 0; i < count; i += LANES) {
            sum = sum.add(FloatVector.fromArray(FLOATS, array, at + i));
        }
        sum.intoArray(array, lanesAt);
    }
}
