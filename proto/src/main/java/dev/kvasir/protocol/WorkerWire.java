package dev.kvasir.protocol;

import dev.kvasir.v1.cluster.AgainCommand;
import dev.kvasir.v1.cluster.CancelCommand;
import dev.kvasir.v1.cluster.ClaimCommand;
import dev.kvasir.v1.cluster.DrainCommand;
import dev.kvasir.v1.cluster.FindCommand;
import dev.kvasir.v1.cluster.RenewCommand;
import dev.kvasir.v1.cluster.RunningAttempt;
import dev.kvasir.v1.cluster.WorkerDescription;
import java.util.OptionalInt;
import org.apache.pekko.actor.typed.ActorRefResolver;

/** What workers tell of themselves, and cancellation, as Protobuf. */
final class WorkerWire {
    private WorkerWire() {}

    static CancelCommand write(WorkerProtocol.Cancel cancel) {
        var wire = CancelCommand.newBuilder()
                .setRequestId(cancel.requestId().value())
                .setAttempt(cancel.attempt());
        cancel.outputIndex().ifPresent(wire::setOutputIndex);
        return wire.build();
    }

    static WorkerProtocol.Cancel read(CancelCommand wire) {
        return new WorkerProtocol.Cancel(
                WireCheck.requestId(wire.getRequestId()),
                WireCheck.count("attempt", wire.getAttempt()),
                wire.hasOutputIndex()
                        ? OptionalInt.of(WireCheck.count("output_index", wire.getOutputIndex()))
                        : OptionalInt.empty());
    }

    static WorkerProtocol.Drain read(DrainCommand wire) {
        return new WorkerProtocol.Drain(WireCheck.count("move_after_millis", wire.getMoveAfterMillis()));
    }

    static AgainCommand write(WorkerProtocol.Again again, ActorRefResolver references) {
        return AgainCommand.newBuilder()
                .setRequestId(again.requestId().value())
                .setAttempt(again.attempt())
                .addAllNext(again.next())
                .setPromptScored(again.promptScored())
                .setReplyTo(references.toSerializationFormat(again.replyTo()))
                .build();
    }

    static WorkerProtocol.Again read(AgainCommand wire, ActorRefResolver references) {
        Limits.require(
                wire.getNextCount() <= SamplingParameters.N_MAX,
                "next",
                wire.getNextCount() + " entries",
                "at most 16");
        return new WorkerProtocol.Again(
                WireCheck.requestId(wire.getRequestId()),
                WireCheck.count("attempt", wire.getAttempt()),
                WireCheck.list(wire.getNextList(), next -> WireCheck.count("next", next)),
                wire.getPromptScored(),
                WireCheck.reference(wire.getReplyTo(), references));
    }

    static ClaimCommand write(WorkerProtocol.Claim claim, ActorRefResolver references) {
        return ClaimCommand.newBuilder()
                .setRequestId(claim.requestId().value())
                .setAttempt(claim.attempt())
                .setRouter(claim.router())
                .setDeadlineMillis(claim.deadlineMillis())
                .setReplyTo(references.toSerializationFormat(claim.replyTo()))
                .build();
    }

    static WorkerProtocol.Claim read(ClaimCommand wire, ActorRefResolver references) {
        return new WorkerProtocol.Claim(
                WireCheck.requestId(wire.getRequestId()),
                WireCheck.count("attempt", wire.getAttempt()),
                WireCheck.text("router", wire.getRouter()),
                WireCheck.count("deadline_millis", wire.getDeadlineMillis()),
                WireCheck.reference(wire.getReplyTo(), references));
    }

    static FindCommand write(WorkerProtocol.Find find, ActorRefResolver references) {
        return FindCommand.newBuilder()
                .setRequestId(find.requestId().value())
                .setReplyTo(references.toSerializationFormat(find.replyTo()))
                .build();
    }

    static WorkerProtocol.Find read(FindCommand wire, ActorRefResolver references) {
        return new WorkerProtocol.Find(
                WireCheck.requestId(wire.getRequestId()), WireCheck.reference(wire.getReplyTo(), references));
    }

    static RenewCommand write(WorkerProtocol.Renew renew, ActorRefResolver references) {
        return RenewCommand.newBuilder()
                .setRouter(renew.router())
                .setSequence(renew.sequence())
                .setAudit(renew.audit())
                .setReplyTo(references.toSerializationFormat(renew.replyTo()))
                .build();
    }

    static WorkerProtocol.Renew read(RenewCommand wire, ActorRefResolver references) {
        return new WorkerProtocol.Renew(
                WireCheck.text("router", wire.getRouter()),
                WireCheck.count("sequence", wire.getSequence()),
                wire.getAudit(),
                WireCheck.reference(wire.getReplyTo(), references));
    }

    static dev.kvasir.v1.cluster.Alive write(WorkerProtocol.Alive alive) {
        return dev.kvasir.v1.cluster.Alive.newBuilder()
                .setIncarnation(alive.incarnation())
                .setSequence(alive.sequence())
                .setInStepMillis(alive.inStepMillis())
                .setStuck(alive.stuck())
                .setAudit(alive.audit())
                .addAllRunning(WireCheck.list(
                        alive.running(),
                        running -> RunningAttempt.newBuilder()
                                .setRequestId(running.requestId().value())
                                .setAttempt(running.attempt())
                                .build()))
                .build();
    }

    static WorkerProtocol.Alive read(dev.kvasir.v1.cluster.Alive wire) {
        return new WorkerProtocol.Alive(
                wire.getIncarnation(),
                WireCheck.count("sequence", wire.getSequence()),
                WireCheck.count("in_step_millis", wire.getInStepMillis()),
                wire.getStuck(),
                wire.getAudit(),
                WireCheck.list(
                        wire.getRunningList(),
                        running -> new WorkerProtocol.Running(
                                WireCheck.requestId(running.getRequestId()),
                                WireCheck.count("attempt", running.getAttempt()))));
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
                .setNumerics(description.numerics())
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
                WireCheck.text("device", wire.getDevice()),
                WireCheck.text("numerics", wire.getNumerics()));
    }

    static dev.kvasir.v1.cluster.LoadReport write(WorkerProtocol.LoadReport report) {
        var message = dev.kvasir.v1.cluster.LoadReport.newBuilder()
                .setIncarnation(report.incarnation())
                .setEpoch(report.epoch())
                .setRunningSequences(report.runningSequences())
                .setWaitingSequences(report.waitingSequences())
                .setTokensInFlight(report.tokensInFlight())
                .setFreeBlocks(report.freeBlocks())
                .setTotalBlocks(report.totalBlocks())
                .setDraining(report.draining());
        if (Double.isFinite(report.pullTokenCost())) {
            message.setPull(dev.kvasir.v1.cluster.PullPrice.newBuilder()
                    .setSetupTokens(report.pullSetupTokens())
                    .setPerToken(report.pullTokenCost()));
        }
        return message.build();
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
                wire.getDraining(),
                wire.getPull().getSetupTokens(),
                wire.hasPull() ? wire.getPull().getPerToken() : Double.POSITIVE_INFINITY);
    }
}
