package dev.kvasir.worker;

import dev.kvasir.kvstore.tier.BlockFormat;
import dev.kvasir.kvstore.transfer.NearBlocks;
import dev.kvasir.kvstore.transfer.NearCalls;
import dev.kvasir.kvstore.transfer.TransferClient;
import dev.kvasir.worker.engine.Engine;
import dev.kvasir.worker.kernel.NearKv;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;

/**
 * A worker's exchange of KV blocks with workers of the same host, from the memory of one device to that of another, wired by
 * hand: what it lends, what it pulls, and the thread that both use the device by.
 */
final class NearPlane implements AutoCloseable {
    private static final Path BOOT_ID = Path.of("/proc/sys/kernel/random/boot_id");

    private final NearThread thread = new NearThread();
    private final LendingBlocks lending;
    private final Neighbours neighbours;
    private final NearPulls pulls;

    /**
     * Of one device.
     *
     * @param host that the device is in, as all who run there name it
     * @param timeout of others' answers
     */
    NearPlane(String host, NearKv kv, Engine ofBlocks, TransferClient client, BlockFormat format, Duration timeout) {
        var engine = new EngineBlocks(ofBlocks);
        lending = new LendingBlocks(host, kv, thread, engine);
        var calls = new NearCalls(client, format, host);
        neighbours = new Neighbours(
                calls,
                kv,
                thread,
                timeout,
                task -> Thread.ofVirtual().name("kvasir-neighbour").start(task),
                System::nanoTime);
        pulls = new NearPulls(calls, neighbours, thread, engine, System::nanoTime);
    }

    /** Name of this host's life, the same in all its containers. */
    static String host() throws IOException {
        return Files.readString(BOOT_ID).strip();
    }

    NearBlocks lending() {
        return lending;
    }

    NearPulls pulls() {
        return pulls;
    }

    @Override
    public void close() {
        neighbours.close();
        thread.close();
    }
}
