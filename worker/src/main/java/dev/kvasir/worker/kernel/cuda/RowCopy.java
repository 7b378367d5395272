package dev.kvasir.worker.kernel.cuda;

import dev.kvasir.worker.device.Arguments;
import dev.kvasir.worker.device.DeviceKernel;
import dev.kvasir.worker.device.Grid;
import dev.kvasir.worker.device.Stream;

/** Rows picked out of a table or matrix: one thread block per output row. */
final class RowCopy {
    private static final int THREADS = 256;

    private final Stream stream;
    private final PerType<DeviceKernel> embed;
    private final PerType<DeviceKernel> addPositions;
    private final PerType<DeviceKernel> gather;

    RowCopy(KernelLibrary library, Stream stream) {
        this.stream = stream;
        embed = library.perType("RowCopy", "embed");
        addPositions = library.perType("RowCopy", "add_positions");
        gather = library.perType("RowCopy", "gather");
    }

    /** @param choices of the step before, which negative ids refer to; 0 where there are none */
    void embed(CudaMatrix out, int rows, CudaWeight table, long ids, long choices, float scale) {
        embed.of(out.type())
                .launchEarly(
                        stream,
                        Grid.of(rows, THREADS),
                        new Arguments()
                                .pointer(out.address())
                                .int32(out.stride())
                                .pointer(table.address())
                                .pointer(ids)
                                .pointer(choices)
                                .int32(table.rows())
                                .int32(out.columns())
                                .float32(scale));
    }

    void addPositions(CudaMatrix out, int rows, CudaWeight table, long positions, int offset) {
        addPositions
                .of(out.type())
                .launchEarly(
                        stream,
                        Grid.of(rows, THREADS),
                        new Arguments()
                                .pointer(out.address())
                                .int32(out.stride())
                                .pointer(table.address())
                                .pointer(positions)
                                .int32(offset)
                                .int32(out.columns()));
    }

    void gather(CudaMatrix out, CudaMatrix in, long indices, int rows) {
        gather.of(out.type())
                .launchEarly(
                        stream,
                        Grid.of(rows, THREADS),
                        new Arguments()
                                .pointer(out.address())
                                .int32(out.stride())
                                .pointer(in.address())
                                .int32(in.stride())
                                .pointer(indices)
                                .int32(out.columns()));
    }
}
