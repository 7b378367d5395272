package dev.kvasir.protocol;

import dev.kvasir.v1.cluster.CancelCommand;
import dev.kvasir.v1.cluster.DrainCommand;
import dev.kvasir.v1.cluster.WorkerDescription;
import java.util.OptionalInt;

/** What workers tell of themselves, and cancellation, as Protobuf. */
final class WorkerWire {
    private WorkerWire() {}

    static CancelCommand write(WorkerProtocol.Cancel cancel) {
        var wire = CancelCommand.newBuilder().setRequestId(cancel.requestId().value());
        cancel.outputIndex().ifPresent(wire::setOutputIndex);
        return wire.build();
    }

    static WorkerProtocol.Cancel read(CancelCommand wire) {
        return new WorkerProtocol.Cancel(
                WireCheck.requestId(wire.getRequestId()),
                wire.hasOutputIndex()
                        ? OptionalInt.of(WireCheck.count("output_index", wire.getOutputIndex()))
                        : OptionalInt.empty());
    }

    /** The message has no fields; that it could be parsed is all there is to know. */
    static WorkerProtocol.Drain read(DrainCommand wire) {
        return new WorkerProtocol.Drain();
    }

    static WorkerDescription write(WorkerProtocol.Description description) {
        return WorkerDescription.newBuilder()
                .setProtocolVersion(description.protocolVersion())
                .setAddress(description.address())
                .setIncarnation(description.incarnation())
                .setModel(description.model())
                .setFamily(description.family())
                .setFingerprint(description.fingerprint())
                .setBlockSize(description.blockSize())
                .setTotalBlocks(description.totalBlocks())
                .setMaxModelLen(description.maxModelLength())
                .setVocabularySize(description.vocabularySize())
                .setParameterCount(description.parameterCount())
                .setKvCacheDtype(description.kvCacheDtype())
                .setDevice(description.device())
                .build();
    }

    static WorkerProtocol.Description read(WorkerDescription wire) {
        return new WorkerProtocol.Description(
                WireCheck.count("protocol_version", wire.getProtocolVersion()),
                WireCheck.text("address", wire.getAddress()),
                wire.getIncarnation(),
                WireCheck.text("model", wire.getModel()),
                WireCheck.text("family", wire.getFamily()),
                WireCheck.text("fingerprint", wire.getFingerprint()),
                WireCheck.count("block_size", wire.getBlockSize()),
                WireCheck.count("total_blocks", wire.getTotalBlocks()),
                WireCheck.count("max_model_len", wire.getMaxModelLen()),
                WireCheck.count("vocabulary_size", wire.getVocabularySize()),
                WireCheck.count("parameter_count", wire.getParameterCount()),
                WireCheck.text("kv_cache_dtype", wire.getKvCacheDtype()),
                WireCheck.text("device", wire.getDevice()));
    }

    static dev.kvasir.v1.cluster.LoadReport write(WorkerProtocol.LoadReport report) {
        return dev.kvasir.v1.cluster.LoadReport.newBuilder()
                .setIncarnation(report.incarnation())
                .setEpoch(report.epoch())
                .setRunningSequences(report.runningSequences())
                .setWaitingSequences(report.waitingSequences())
                .setTokensInFlight(report.tokensInFlight())
                .setFreeBlocks(report.freeBlocks())
                .setTotalBlocks(report.totalBlocks())
                .setDraining(report.draining())
                .build();
    }

    static WorkerProtocol.LoadReport read(dev.kvasir.v1.cluster.LoadReport wire) {
        return new WorkerProtocol.LoadReport(
                wire.getIncarnation(),
                WireCheck.count("epoch", wire.getEpoch()),
                WireCheck.count("running_sequences", wire.getRunningSequences()),
                WireCheck.count("waiting_sequences", wire.getWaitingSequences()),
                WireCheck.count("tokens_in_flight", wire.getTokensInFlight()),
                WireCheck.count("free_blocks", wire.getFreeBlocks()),
                WireCheck.count("total_blocks", wire.getTotalBlocks()),
                wire.getDraining());
    }
}
