package dev.kvasir.worker.runner;

/** The sequences that compute something in one step. Allocated once and refilled. */
public final class Step {
    private final SequenceWork[] works;
    private int size;

    public Step(int sequencesMax) {
        works = new SequenceWork[sequencesMax];
        for (int i = 0; i < sequencesMax; i++) {
            works[i] = new SequenceWork();
        }
    }

    public void clear() {
        for (int i = 0; i < size; i++) {
            works[i].clear();
        }
        size = 0;
    }

    public SequenceWork add() {
        return works[size++];
    }

    public int size() {
        return size;
    }

    public SequenceWork get(int index) {
        if (index >= size) {
            throw new IndexOutOfBoundsException("sequence " + index + " of " + size);
        }
        return works[index];
    }
}
