package dev.kvasir.worker.kernel.cuda;

import dev.kvasir.model.weights.DType;
import dev.kvasir.worker.device.DeviceArena;
import dev.kvasir.worker.device.Gpu;
import dev.kvasir.worker.kernel.AttentionShape;
import dev.kvasir.worker.kernel.Batch;
import dev.kvasir.worker.kernel.KvFormat;
import dev.kvasir.worker.kernel.KvLayout;

/** Chooses how a batch attends: the kernels made for one token or for several of a sequence, or the one that takes all. */
final class Attend {
    private final boolean deterministic;
    private final AttendSimple simple;
    private final AttendDecode decode;
    private final AttendPrefill prefill;

    /** @param deterministic a token attends in one order, whether it is computed alone, with its prompt or in a batch */
    Attend(Gpu gpu, KernelLibrary library, DeviceArena arena, boolean deterministic) {
        this.deterministic = deterministic;
        simple = new AttendSimple(library, gpu.stream());
        long partials = arena.allocate(AttendDecode.PARTIAL_BYTES);
        decode = new AttendDecode(gpu, library, arena, partials);
        prefill = new AttendPrefill(gpu, library, arena, partials);
    }

    void run(
            CudaMatrix out,
            CudaMatrix query,
            CudaKvStorage storage,
            int layer,
            Batch batch,
            BatchMirror onDevice,
            AttentionShape shape) {
        if (deterministic
                || !fitsTensorCores(query, storage.layout(), shape)
                || !decode.takes(storage, shape, onDevice.sequencesMax())
                || !prefill.takes(storage, shape)) {
            simple.run(out, query, storage, layer, onDevice, shape);
            return;
        }
        if (!onDevice.isDecoding()) {
            prefill.run(out, query, storage, layer, batch, onDevice, shape);
        }
        if (onDevice.decodes()) {
            decode.run(out, query, storage, layer, onDevice, shape, splitTokens(onDevice.sequences()));
        }
    }

    /** Whether types, sizes and addresses are such as the kernels for one token and for several need. */
    static boolean fitsTensorCores(CudaMatrix query, KvLayout layout, AttentionShape shape) {
        return query.type() != DType.F32
                && (layout.format().scaled() || layout.format() == KvFormat.of(query.type()))
                && layout.keySize() == shape.headSize()
                && layout.valueSize() == shape.headSize()
                && query.stride() % 8 == 0
                && query.address() % 16 == 0;
    }

    /** Few sequences fill the device only when each is split finely. */
    private static int splitTokens(int sequences) {
        return sequences <= 4 ? 128 : sequences <= 12 ? 512 : 1024;
    }
}
