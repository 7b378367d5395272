package dev.kvasir.kvstore.transfer;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.tier.BlockFormat;
import dev.kvasir.v1.transfer.AttachRequest;
import dev.kvasir.v1.transfer.Attached;
import dev.kvasir.v1.transfer.Format;
import dev.kvasir.v1.transfer.LendRequest;
import dev.kvasir.v1.transfer.Lent;
import dev.kvasir.v1.transfer.OfferRequest;
import dev.kvasir.v1.transfer.OfferResult;
import dev.kvasir.v1.transfer.PullRequest;
import io.grpc.MethodDescriptor;
import io.grpc.protobuf.ProtoUtils;
import java.util.ArrayList;
import java.util.List;

/** The calls of the data plane, and their messages to and from what they mean. */
final class TransferMethods {
    static final String SERVICE = "kvasir.transfer.v1.KvTransfer";

    /** Most blocks of a pull. */
    static final int BLOCKS_MAX = 1 << 16;

    private TransferMethods() {}

    static MethodDescriptor<PullRequest, Frame> pull(FrameMarshaller.Landing landing) {
        return MethodDescriptor.<PullRequest, Frame>newBuilder()
                .setType(MethodDescriptor.MethodType.SERVER_STREAMING)
                .setFullMethodName(MethodDescriptor.generateFullMethodName(SERVICE, "Pull"))
                .setRequestMarshaller(ProtoUtils.marshaller(PullRequest.getDefaultInstance()))
                .setResponseMarshaller(new FrameMarshaller(landing))
                .build();
    }

    static MethodDescriptor<OfferRequest, OfferResult> offer() {
        return MethodDescriptor.<OfferRequest, OfferResult>newBuilder()
                .setType(MethodDescriptor.MethodType.UNARY)
                .setFullMethodName(MethodDescriptor.generateFullMethodName(SERVICE, "Offer"))
                .setRequestMarshaller(ProtoUtils.marshaller(OfferRequest.getDefaultInstance()))
                .setResponseMarshaller(ProtoUtils.marshaller(OfferResult.getDefaultInstance()))
                .build();
    }

    static MethodDescriptor<AttachRequest, Attached> attach() {
        return MethodDescriptor.<AttachRequest, Attached>newBuilder()
                .setType(MethodDescriptor.MethodType.SERVER_STREAMING)
                .setFullMethodName(MethodDescriptor.generateFullMethodName(SERVICE, "Attach"))
                .setRequestMarshaller(ProtoUtils.marshaller(AttachRequest.getDefaultInstance()))
                .setResponseMarshaller(ProtoUtils.marshaller(Attached.getDefaultInstance()))
                .build();
    }

    static MethodDescriptor<LendRequest, Lent> lend() {
        return MethodDescriptor.<LendRequest, Lent>newBuilder()
                .setType(MethodDescriptor.MethodType.SERVER_STREAMING)
                .setFullMethodName(MethodDescriptor.generateFullMethodName(SERVICE, "Lend"))
                .setRequestMarshaller(ProtoUtils.marshaller(LendRequest.getDefaultInstance()))
                .setResponseMarshaller(ProtoUtils.marshaller(Lent.getDefaultInstance()))
                .build();
    }

    static Format write(BlockFormat format) {
        return Format.newBuilder()
                .setFingerprint(format.fingerprint())
                .setKvDtype(format.kvDtype())
                .setBlockSize(format.blockSize())
                .setLayoutVersion(format.layoutVersion())
                .setBlockBytes(format.blockBytes())
                .build();
    }

    /** Throws IllegalArgumentException where it is none. */
    static BlockFormat read(Format wire) {
        return new BlockFormat(
                wire.getFingerprint(),
                wire.getKvDtype(),
                wire.getBlockSize(),
                wire.getLayoutVersion(),
                wire.getBlockBytes());
    }

    static PullRequest request(BlockFormat format, long incarnation, List<BlockHash> hashes, boolean sparse) {
        var request = PullRequest.newBuilder()
                .setFormat(write(format))
                .setIncarnation(incarnation)
                .setSparse(sparse);
        hashes.forEach(hash -> request.addHashes(hash.high()).addHashes(hash.low()));
        return request.build();
    }

    /** Throws IllegalArgumentException where these are not whole hashes, or too many. */
    static List<BlockHash> hashes(List<Long> halves) {
        int count = halves.size();
        if (count % 2 != 0 || count / 2 > BLOCKS_MAX) {
            throw new IllegalArgumentException(
                    "%d halves of hashes are not at most %d whole ones".formatted(count, BLOCKS_MAX));
        }
        var hashes = new ArrayList<BlockHash>(count / 2);
        for (int i = 0; i < count; i += 2) {
            hashes.add(new BlockHash(halves.get(i), halves.get(i + 1)));
        }
        return hashes;
    }
}
