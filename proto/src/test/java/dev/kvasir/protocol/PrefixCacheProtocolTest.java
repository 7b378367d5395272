package dev.kvasir.protocol;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.protocol.PrefixCacheProtocol.Holder;
import org.junit.jupiter.api.Test;

class PrefixCacheProtocolTest {
    @Test
    void everyHolderThatCanBePulledFromCanBeNamedAsASource() {
        var longest = "h".repeat(KvSource.ADDRESS_MAX);
        var holder = new Holder("member", 1, 1, longest);
        assertThat(new KvSource(holder.transferAddress(), holder.incarnation(), 1).transferAddress())
                .isEqualTo(longest);
        assertThatThrownBy(() -> new Holder("member", 1, 1, longest + "x"))
                .isInstanceOf(BadRequestException.class)
                .hasMessageContaining("transfer_address is 513 characters but must be at most 512");
        assertThatThrownBy(() -> new Holder(longest + "x", 1, 1, "")).hasMessageContaining("address is 513");
    }
}
