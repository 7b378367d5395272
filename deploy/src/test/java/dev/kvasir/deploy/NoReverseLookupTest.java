package dev.kvasir.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import org.junit.jupiter.api.Test;

final class NoReverseLookupTest {
    @Test
    void addressesHaveNoNameButNamesHaveAddresses() throws UnknownHostException {
        var client = InetAddress.getByAddress(new byte[] {127, 0, 0, 1});
        assertThat(new InetSocketAddress(client, 1).getHostName()).isEqualTo("127.0.0.1");
        assertThat(InetAddress.getByName("localhost").isLoopbackAddress()).isTrue();
    }
}
