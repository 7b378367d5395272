package dev.kvasir.router.grpc;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import org.junit.jupiter.api.Test;

class OperatorsOnlyTest {
    private static InetSocketAddress from(int... bytes) throws UnknownHostException {
        var address = new byte[bytes.length];
        for (int i = 0; i < bytes.length; i++) {
            address[i] = (byte) bytes[i];
        }
        return new InetSocketAddress(InetAddress.getByAddress(address), 4711);
    }

    @Test
    void onlyThisMachineIsLetInUnlessOthersAre() throws UnknownHostException {
        var here = from(127, 0, 0, 1);
        var alsoHere = from(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
        var elsewhere = from(10, 1, 2, 3);
        var closed = new OperatorsOnly(false);
        assertThat(closed.allowed(here)).isTrue();
        assertThat(closed.allowed(alsoHere)).isTrue();
        assertThat(closed.allowed(elsewhere)).isFalse();
        assertThat(closed.allowed(InetSocketAddress.createUnresolved("localhost", 1)))
                .isFalse();
        assertThat(closed.allowed(null)).isFalse();
        assertThat(new OperatorsOnly(true).allowed(elsewhere)).isTrue();
    }
}
