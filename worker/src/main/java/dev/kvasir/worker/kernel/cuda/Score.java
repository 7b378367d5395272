package dev.kvasir.worker.kernel.cuda;

import dev.kvasir.worker.device.Arguments;
import dev.kvasir.worker.device.DeviceArena;
import dev.kvasir.worker.device.DeviceKernel;
import dev.kvasir.worker.device.Event;
import dev.kvasir.worker.device.Gpu;
import dev.kvasir.worker.device.Grid;
import dev.kvasir.worker.device.PinnedMemory;
import dev.kvasir.worker.kernel.Scores;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Log-probabilities where the logits are: one thread block per row. Two places where the host reads them in turn. */
final class Score {
    private static final int THREADS = 1024;
    /** Bytes of what is found of a row: four words, ids and log-probabilities of the likeliest tokens. */
    private static final long ROW_BYTES = 4L * (4 + 2 * Scores.TOP_MAX);

    private final Gpu gpu;
    private final DeviceKernel score;
    private final int rowsMax;
    private final long requests;
    private final long found;
    private final Turn[] turns = new Turn[2];
    private int next;

    Score(Gpu gpu, KernelLibrary library, DeviceArena arena, int rowsMax) {
        this.gpu = gpu;
        this.rowsMax = rowsMax;
        score = library.kernel("Score", "score");
        requests = arena.allocate(requestBytes(rowsMax));
        found = arena.allocate(ROW_BYTES * rowsMax);
        for (int i = 0; i < turns.length; i++) {
            turns[i] = new Turn(gpu.pinned(requestBytes(rowsMax)), gpu.pinned(ROW_BYTES * rowsMax), gpu.event());
        }
    }

    private static long requestBytes(int count) {
        return 4L * Scores.WORDS * count;
    }

    /** What travels of one list, there and back. The list may be filled again once all has come back. */
    private record Turn(PinnedMemory asked, PinnedMemory landed, Event copied) implements Scores.Reading {
        @Override
        public void await() {
            copied.synchronize();
        }

        @Override
        public float largest(int row) {
            return number(row, 0);
        }

        @Override
        public int token(int row) {
            return word(row, 1);
        }

        @Override
        public float logprob(int row) {
            return number(row, 2);
        }

        @Override
        public int rank(int row) {
            return word(row, 3);
        }

        @Override
        public int topId(int row, int index) {
            return word(row, 4 + index);
        }

        @Override
        public float topLogprob(int row, int index) {
            return number(row, 4 + Scores.TOP_MAX + index);
        }

        private int word(int row, int word) {
            return landed.data().get(ValueLayout.JAVA_INT, ROW_BYTES * row + 4L * word);
        }

        private float number(int row, int word) {
            return landed.data().get(ValueLayout.JAVA_FLOAT, ROW_BYTES * row + 4L * word);
        }
    }

    Scores.Reading run(Largest.CudaChoices choices, CudaMatrix logits, Scores scores) {
        int count = scores.count();
        if (count == 0 || scores.row(count - 1) >= rowsMax) {
            throw new IllegalArgumentException(
                    "%d rows to score, in the first %d of the logits".formatted(count, rowsMax));
        }
        var stream = gpu.stream();
        var turn = turns[next];
        next = (next + 1) % turns.length;
        turn.await();
        MemorySegment.copy(scores.requests(), 0, turn.asked().data(), ValueLayout.JAVA_INT, 0, count * Scores.WORDS);
        stream.copyToDevice(requests, turn.asked().address(), requestBytes(count));
        score.launch(
                stream,
                Grid.of(count, THREADS),
                new Arguments()
                        .pointer(logits.address())
                        .int32(logits.stride())
                        .int32(logits.columns())
                        .pointer(requests)
                        .pointer(choices.device())
                        .pointer(found));
        // Rows ascend, so that one copy brings them all.
        long first = ROW_BYTES * scores.row(0);
        long bytes = ROW_BYTES * (scores.row(count - 1) + 1) - first;
        stream.copyToHost(turn.landed().address() + first, found + first, bytes);
        turn.copied().record(stream);
        return turn;
    }
}
