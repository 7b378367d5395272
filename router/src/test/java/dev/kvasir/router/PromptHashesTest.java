package dev.kvasir.router;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.protocol.WorkerProtocol.Description;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class PromptHashesTest {
    private final ClusterStatus status = new ClusterStatus();

    private BlockHash first(String tenant, boolean isolated) {
        var draft = RequestDraft.of(TestModel.NAME, 0)
                .prompt(new Prompt.Text(
                        "a prompt that fills some blocks of sixteen tokens each, for all are named", true))
                .tenant(tenant.isEmpty() ? null : tenant);
        var request = RequestRules.validate(draft, TestModel.served(), isolated, new SplittableRandom(1));
        return PromptHashes.of(request, status, null).get(0);
    }

    @Test
    void anIsolatedTenantsBlocksHaveNamesOfTheirOwn() {
        status.publish(List.of(new ClusterStatus.WorkerStatus(StandInWorker.description(1, "f00d"), null, "")));
        var shared = first("", true);
        assertThat(first("a", true))
                .isEqualTo(first("a", true))
                .isNotEqualTo(first("b", true))
                .isNotEqualTo(shared);
        assertThat(first("a", false)).isEqualTo(shared);
    }

    private BlockHash namedAt(String numerics) {
        var worker = StandInWorker.description(1, "f00d");
        var other = new Description(
                worker.protocolVersion(),
                worker.address(),
                worker.incarnation(),
                worker.model(),
                worker.family(),
                worker.fingerprint(),
                worker.blockSize(),
                worker.totalBlocks(),
                worker.maxModelLength(),
                worker.vocabularySize(),
                worker.parameterCount(),
                worker.kvCacheDtype(),
                worker.device(),
                numerics);
        status.publish(List.of(new ClusterStatus.WorkerStatus(other, null, "")));
        return first("", true);
    }

    @Test
    void blocksThatAreComputedInAnotherWayHaveOtherNames() {
        assertThat(namedAt("cpu-exact-0"))
                .isEqualTo(namedAt("cpu-exact-0"))
                .isNotEqualTo(namedAt("cpu-onednn-0"))
                .isNotEqualTo(namedAt("cuda-bf16"));
    }
}
