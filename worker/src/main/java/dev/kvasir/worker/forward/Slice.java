package dev.kvasir.worker.forward;

/** The part of a weight that one rank holds. */
public sealed interface Slice {
    /** All of it. */
    record Whole() implements Slice {}

    /** Rows, outputs of a matrix or elements of a vector, [from, from + count). */
    record Rows(int from, int count) implements Slice {}

    /** Columns, inputs of a matrix, [from, from + count). */
    record Columns(int from, int count) implements Slice {}

    /** Nothing: another rank has it. */
    record Elsewhere() implements Slice {}

    Slice WHOLE = new Whole();

    Slice ELSEWHERE = new Elsewhere();
}
