package dev.kvasir.kvstore.transfer;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.tier.BlockFormat;
import dev.kvasir.v1.transfer.AttachRequest;
import dev.kvasir.v1.transfer.Attached;
import dev.kvasir.v1.transfer.LendRequest;
import dev.kvasir.v1.transfer.Lent;
import io.grpc.CallOptions;
import io.grpc.StatusRuntimeException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** Asks members of the same host for blocks in the memory of their device. Its calls block. Thread-safe. */
public final class NearCalls {
    private final TransferClient client;
    private final BlockFormat format;
    private final String host;

    /**
     * For blocks of one format.
     *
     * @param client of whose connections use is made
     * @param host that this member is on
     */
    public NearCalls(TransferClient client, BlockFormat format, String host) {
        this.client = client;
        this.format = format;
        this.host = host;
    }

    /** That a member lets its memory be read, which it tells by keeping a call open. */
    public static final class Attachment implements AutoCloseable {
        private final OpenCall<Attached> call;
        private final NearMemory memory;

        private Attachment(OpenCall<Attached> call, NearMemory memory) {
            this.call = call;
            this.memory = memory;
        }

        public NearMemory memory() {
            return memory;
        }

        /** Has {@code action} run when the member has gone, or this was closed; at once where that is so already. */
        public void whenEnded(Runnable action) {
            call.whenEnded(action);
        }

        @Override
        public void close() {
            call.close();
        }
    }

    /**
     * Asks where the pool of a member lies.
     *
     * @throws StatusRuntimeException where it does not say, with the reason
     */
    public Attachment attach(String address, long incarnation, Duration timeout) throws InterruptedException {
        var request = AttachRequest.newBuilder()
                .setFormat(TransferMethods.write(format))
                .setIncarnation(incarnation)
                .setHost(host)
                .build();
        var call =
                OpenCall.begin(client.channel(address).newCall(TransferMethods.attach(), CallOptions.DEFAULT), request);
        try {
            var answer = call.answer(timeout);
            var memory = new NearMemory(
                    answer.getHandle().toByteArray(),
                    answer.getOffset(),
                    answer.getLayerBytes(),
                    answer.getPieceBytes(),
                    answer.getLayers(),
                    answer.getBlocks());
            if (memory.pieceBytes() * memory.layers() != format.blockBytes()) {
                throw new IllegalArgumentException("its blocks have %d layers of %d bytes but must have %d bytes"
                        .formatted(memory.layers(), memory.pieceBytes(), format.blockBytes()));
            }
            return new Attachment(call, memory);
        } catch (InterruptedException | RuntimeException e) {
            call.close();
            throw e;
        }
    }

    /** Blocks that a member has lent: they keep their content until this is closed, or the member says otherwise. */
    public static final class Borrowed implements AutoCloseable {
        private final OpenCall<Lent> call;
        private final List<LentBlock> blocks;

        private Borrowed(OpenCall<Lent> call, List<LentBlock> blocks) {
            this.call = call;
            this.blocks = blocks;
        }

        public List<LentBlock> blocks() {
            return blocks;
        }

        /** Whether they are lent still. */
        public boolean isHeld() {
            return call.isOpen();
        }

        @Override
        public void close() {
            call.close();
        }
    }

    /**
     * Borrows the leading ones of some blocks, as far as the member has them; possibly none.
     *
     * @throws StatusRuntimeException where it refuses or has gone
     */
    public Borrowed borrow(String address, long incarnation, List<BlockHash> hashes, Duration timeout)
            throws InterruptedException {
        var request = LendRequest.newBuilder()
                .setFormat(TransferMethods.write(format))
                .setIncarnation(incarnation);
        hashes.forEach(hash -> request.addHashes(hash.high()).addHashes(hash.low()));
        var call = OpenCall.begin(
                client.channel(address).newCall(TransferMethods.lend(), CallOptions.DEFAULT), request.build());
        try {
            return new Borrowed(call, blocks(call.answer(timeout), hashes));
        } catch (InterruptedException | RuntimeException e) {
            call.close();
            throw e;
        }
    }

    private static List<LentBlock> blocks(Lent answer, List<BlockHash> asked) {
        var hashes = TransferMethods.hashes(answer.getHashesList());
        int count = hashes.size();
        if (count != answer.getBlocksCount()
                || count != answer.getChecksumsCount()
                || count > asked.size()
                || !hashes.equals(asked.subList(0, count))) {
            throw new IllegalArgumentException("%d names, %d blocks and %d checksums are not what was asked for"
                    .formatted(count, answer.getBlocksCount(), answer.getChecksumsCount()));
        }
        var blocks = new ArrayList<LentBlock>(count);
        for (int i = 0; i < count; i++) {
            blocks.add(new LentBlock(hashes.get(i), answer.getBlocks(i), answer.getChecksums(i)));
        }
        return blocks;
    }
}
