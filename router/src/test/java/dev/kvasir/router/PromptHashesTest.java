package dev.kvasir.router;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.kvstore.hash.BlockHash;
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
        return PromptHashes.of(request, status).get(0);
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
}
