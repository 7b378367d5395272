package dev.kvasir.router.grpc;

import dev.kvasir.protocol.WorkerProtocol.Description;
import dev.kvasir.router.ClusterStatus.WorkerStatus;
import dev.kvasir.router.Frontend;
import dev.kvasir.router.Members.MemberStatus;
import dev.kvasir.router.ServedModel;
import dev.kvasir.v1.DescribeClusterResponse;
import dev.kvasir.v1.ListModelsResponse;
import dev.kvasir.v1.Member;
import dev.kvasir.v1.Model;
import dev.kvasir.v1.WorkerState;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/** Models, members and workers as the gRPC API tells of them. */
final class ClusterReport {
    private final Frontend frontend;

    ClusterReport(Frontend frontend) {
        this.frontend = frontend;
    }

    ListModelsResponse models() {
        var response = ListModelsResponse.newBuilder();
        for (var model : frontend.models()) {
            var description = frontend.status().describing(model).map(WorkerStatus::description);
            Stream.concat(Stream.of(model.name()), model.aliases().stream())
                    .forEach(name -> response.addModels(model(name, model, description)));
        }
        return response.build();
    }

    private static Model.Builder model(String name, ServedModel model, Optional<Description> description) {
        var message = Model.newBuilder()
                .setName(name)
                .setMaxModelLen(model.maxModelLength())
                .setVocabularySize(model.vocabularySize())
                .setHasChatTemplate(model.text().chat().isPresent());
        description.ifPresent(worker -> message.setFamily(worker.family())
                .setParameterCount(worker.parameterCount())
                .setFingerprint(worker.fingerprint()));
        return message;
    }

    DescribeClusterResponse members() {
        var response = DescribeClusterResponse.newBuilder();
        var workers = frontend.status().workers();
        var told = new HashSet<Long>();
        for (var member : frontend.members()) {
            told.add(member.incarnation());
            response.addMembers(member(member, workers));
        }
        // Without a cluster, workers are all that is known.
        for (var worker : workers) {
            if (told.add(worker.description().incarnation())) {
                var alone = new MemberStatus(
                        worker.description().address(), worker.description().incarnation(), Set.of(), "");
                response.addMembers(member(alone, workers));
            }
        }
        return response.build();
    }

    private static Member member(MemberStatus member, List<WorkerStatus> workers) {
        var message = Member.newBuilder()
                .setAddress(member.address())
                .setIncarnation(member.incarnation())
                .addAllRoles(member.roles().stream().sorted().toList())
                .setStatus(member.status());
        workers.stream()
                .filter(w -> w.description().incarnation() == member.incarnation())
                .findFirst()
                .ifPresent(worker -> message.setWorker(state(worker)));
        return message.build();
    }

    private static WorkerState state(WorkerStatus worker) {
        var description = worker.description();
        var state = WorkerState.newBuilder()
                .setModel(description.model())
                .setDevice(description.device())
                .setBlockSize(description.blockSize())
                .setTotalBlocks(description.totalBlocks())
                .setRefusal(worker.refusal());
        var load = worker.load();
        if (load != null) {
            state.setRunningSequences(load.runningSequences())
                    .setWaitingSequences(load.waitingSequences())
                    .setTokensInFlight(load.tokensInFlight())
                    .setFreeBlocks(load.freeBlocks())
                    .setDraining(load.draining());
        }
        return state.build();
    }
}
