package dev.kvasir.chaos.simulation;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.tier.MemoryTier;
import dev.kvasir.v1.transfer.OfferRequest;
import io.grpc.Status;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A member whose blocks others pull, and to whom they may offer theirs. */
interface TransferHost {
    /** Copies in host memory; null where it has none. */
    @Nullable
    MemoryTier tier();

    /** Brings blocks into that memory, as far as they are there, and runs {@code then}. */
    void bring(List<BlockHash> hashes, Runnable then);

    /** Takes what it wants of blocks that it is offered, and tells how many of them it holds then. */
    void offered(OfferRequest offer, OfferAnswer answer);

    /** Of a call. */
    interface OfferAnswer {
        void held(int count);

        void refused(Status why);
    }
}
