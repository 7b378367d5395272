package dev.kvasir.worker.kernel.cuda;

import dev.kvasir.worker.device.DeviceArena;
import dev.kvasir.worker.device.Event;
import dev.kvasir.worker.device.Gpu;
import dev.kvasir.worker.device.PinnedMemory;
import dev.kvasir.worker.device.Stream;
import dev.kvasir.worker.kernel.Batch;
import dev.kvasir.worker.kernel.StepLimits;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The device's copy of a step's batch, at addresses that never change, so that recorded steps find each new batch there. It
 * is filled in pinned memory and copied in two pieces: lists, of which only as much as is used travels, and block tables.
 * Copies take effect after what was issued before; pinned memory is there twice, so that a batch can be filled while the one
 * before has not travelled yet.
 *
 * <pre>
 * lists    [7][pitch]          token ids, positions, sequence of each row, logit rows, row starts, context lengths, others
 * tables   [sequences][stride] block numbers
 * </pre>
 */
final class BatchMirror {
    private static final int TOKEN_IDS = 0;
    private static final int POSITIONS = 1;
    private static final int ROW_SEQUENCE = 2;
    private static final int LOGIT_ROWS = 3;
    private static final int ROW_START = 4;
    private static final int CONTEXT_LENGTH = 5;
    private static final int LISTS = 6;
    /** For lists of other callers than a step. */
    private static final int OTHER = 6;

    private final Stream stream;
    private final StepLimits limits;
    private final long pitch;
    private final long lists;
    private final long tables;
    private final Staging[] stagings = new Staging[2];
    private final PinnedMemory hostOther;
    private Staging staging;
    private int turn;
    private int rows;
    private int sequences;
    private boolean decoding;

    BatchMirror(Gpu gpu, DeviceArena arena, StepLimits limits) {
        this.stream = gpu.stream();
        this.limits = limits;
        this.pitch = DeviceArena.aligned(4L * Math.max(limits.rowsMax(), limits.sequencesMax() + 1));
        this.lists = arena.allocate(pitch * (LISTS + 1));
        this.tables = arena.allocate(tableBytes(limits));
        for (int i = 0; i < stagings.length; i++) {
            stagings[i] = new Staging(gpu.pinned(pitch * LISTS), gpu.pinned(tableBytes(limits)), gpu.event());
        }
        this.hostOther = gpu.pinned(pitch);
        this.staging = stagings[0];
    }

    private record Staging(PinnedMemory lists, PinnedMemory tables, Event travelled) {}

    private static long tableBytes(StepLimits limits) {
        return 4L * limits.sequencesMax() * limits.blocksPerSequenceMax();
    }

    static long byteSize(StepLimits limits) {
        return (LISTS + 1) * DeviceArena.aligned(4L * Math.max(limits.rowsMax(), limits.sequencesMax() + 1))
                + DeviceArena.aligned(tableBytes(limits));
    }

    /**
     * Copies a batch whose blocks hold {@code blockSize} tokens, made up to {@code rowsWanted} rows by sequences of one token
     * that write to the spare block.
     */
    void upload(Batch batch, int rowsWanted, int blockSize, int spareBlock) {
        requireRoom(batch, blockSize);
        staging = stagings[turn];
        turn = (turn + 1) % stagings.length;
        staging.travelled().synchronize();
        int padding = rowsWanted - batch.rowCount;
        rows = rowsWanted;
        sequences = batch.sequenceCount + padding;
        copy(batch.tokenIds, batch.rowCount, TOKEN_IDS);
        copy(batch.positions, batch.rowCount, POSITIONS);
        copy(batch.logitRows, batch.logitRowCount, LOGIT_ROWS);
        copy(batch.rowStart, batch.sequenceCount + 1, ROW_START);
        copy(batch.contextLength, batch.sequenceCount, CONTEXT_LENGTH);
        int blocksMax = 1;
        decoding = padding > 0;
        for (int s = 0; s < batch.sequenceCount; s++) {
            int blocks = Math.ceilDiv(batch.contextLength[s], blockSize);
            blocksMax = Math.max(blocksMax, blocks);
            MemorySegment.copy(
                    batch.blockTables[s], 0, staging.tables().data(), ValueLayout.JAVA_INT, tableOffset(s), blocks);
            decoding |= batch.rowStart[s + 1] - batch.rowStart[s] == 1;
            for (int row = batch.rowStart[s]; row < batch.rowStart[s + 1]; row++) {
                set(ROW_SEQUENCE, row, s);
            }
        }
        for (int i = 0; i < padding; i++) {
            int row = batch.rowCount + i;
            int sequence = batch.sequenceCount + i;
            set(TOKEN_IDS, row, 0);
            set(POSITIONS, row, 0);
            set(ROW_SEQUENCE, row, sequence);
            set(LOGIT_ROWS, batch.logitRowCount + i, row);
            set(ROW_START, sequence + 1, row + 1);
            set(CONTEXT_LENGTH, sequence, 1);
            staging.tables().data().set(ValueLayout.JAVA_INT, tableOffset(sequence), spareBlock);
        }
        long bytes = 4L * Math.max(rows, sequences + 1);
        stream.copyRowsToDevice(lists, pitch, staging.lists().address(), pitch, bytes, LISTS);
        long tablePitch = 4L * limits.blocksPerSequenceMax();
        stream.copyRowsToDevice(tables, tablePitch, staging.tables().address(), tablePitch, 4L * blocksMax, sequences);
        staging.travelled().record(stream);
    }

    private void requireRoom(Batch batch, int blockSize) {
        if (batch.rowCount > limits.rowsMax() || batch.sequenceCount > limits.sequencesMax()) {
            throw new IllegalArgumentException("a step of %d rows and %d sequences exceeds %s"
                    .formatted(batch.rowCount, batch.sequenceCount, limits));
        }
        for (int s = 0; s < batch.sequenceCount; s++) {
            int blocks = Math.ceilDiv(batch.contextLength[s], blockSize);
            if (blocks > limits.blocksPerSequenceMax() || blocks > batch.blockTables[s].length) {
                throw new IllegalArgumentException("sequence %d has context %d and %d blocks of %d tokens, at most %d"
                        .formatted(
                                s,
                                batch.contextLength[s],
                                batch.blockTables[s].length,
                                blockSize,
                                limits.blocksPerSequenceMax()));
            }
        }
    }

    private long tableOffset(int sequence) {
        return 4L * sequence * limits.blocksPerSequenceMax();
    }

    private void copy(int[] values, int count, int list) {
        MemorySegment.copy(values, 0, staging.lists().data(), ValueLayout.JAVA_INT, list * pitch, count);
    }

    private void set(int list, int index, int value) {
        staging.lists().data().set(ValueLayout.JAVA_INT, list * pitch + 4L * index, value);
    }

    /** Copies a list that is no part of a batch; waits until the device is done with the last one. */
    long uploadOther(int[] values, int from, int count) {
        if (count > pitch / 4) {
            throw new IllegalArgumentException("%d numbers, at most %d".formatted(count, pitch / 4));
        }
        stream.synchronize();
        MemorySegment.copy(values, from, hostOther.data(), ValueLayout.JAVA_INT, 0, count);
        stream.copyToDevice(lists + OTHER * pitch, hostOther.address(), 4L * count);
        return lists + OTHER * pitch;
    }

    int rows() {
        return rows;
    }

    int sequences() {
        return sequences;
    }

    int sequencesMax() {
        return limits.sequencesMax();
    }

    /** Whether some sequence computes one token. */
    boolean decodes() {
        return decoding;
    }

    /** Whether every sequence computes one token. */
    boolean isDecoding() {
        return rows == sequences;
    }

    long tokenIds() {
        return lists + TOKEN_IDS * pitch;
    }

    long positions() {
        return lists + POSITIONS * pitch;
    }

    long rowSequence() {
        return lists + ROW_SEQUENCE * pitch;
    }

    long logitRows() {
        return lists + LOGIT_ROWS * pitch;
    }

    long rowStart() {
        return lists + ROW_START * pitch;
    }

    long contextLength() {
        return lists + CONTEXT_LENGTH * pitch;
    }

    long blockTables() {
        return tables;
    }

    /** Blocks from one sequence's table to the next. */
    int tableStride() {
        return limits.blocksPerSequenceMax();
    }
}
