package dev.kvasir.router;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import dev.kvasir.router.placement.Policy;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

public class RouterConfigTest {
    private static final String COMPLETE = """
            host = "127.0.0.1"
            http-port = 0
            grpc-port = 0
            placement = cost
            concurrent-requests-max = 64
            request-timeout-max = 30 s
            accept-timeout = 5 s
            slow-reader-timeout = 20 s
            buffered-tokens-max = 4096
            message-bytes-max = 4 MiB
            metadata-bytes-max = 16 KiB
            calls-per-connection-max = 100
            connection-age-max = 0 s
            keep-alive-time-min = 30 s
            handshake-timeout = 10 s
            drain-timeout = 5 s
            text-cache = 1 MiB
            name-cache = 2 MiB
            drain-settle = 0 s
            tenant-isolation = true
            remote-admin = false
            api-keys = []
            api-key-file = ""
            ssl-certfile = ""
            ssl-keyfile = ""
            allowed-origins = []
            minority-timeout = 3 s
            """;

    /** Complete, with some keys changed. */
    public static Config section(String changes) {
        return ConfigFactory.parseString(changes).withFallback(ConfigFactory.parseString(COMPLETE));
    }

    @Test
    void everyKeyIsRead() {
        assertThat(RouterConfig.from(section("")))
                .isEqualTo(new RouterConfig(
                        "127.0.0.1",
                        0,
                        0,
                        Policy.COST,
                        64,
                        Duration.ofSeconds(30),
                        Duration.ofSeconds(5),
                        Duration.ofSeconds(20),
                        4096,
                        4 << 20,
                        1 << 20,
                        2 << 20,
                        16 << 10,
                        100,
                        Duration.ZERO,
                        Duration.ofSeconds(30),
                        Duration.ofSeconds(10),
                        Duration.ofSeconds(5),
                        Duration.ZERO,
                        true,
                        false,
                        AccessConfig.OPEN,
                        Duration.ofSeconds(3)));
    }

    @Test
    void doorsOnLoopbackNeedNeitherKeyNorCertificateNorACertainPort() {
        var alone = RouterConfig.from(section("host = \"0.0.0.0\", http-port = 8000, api-keys = [secret]"))
                .onLoopback();
        assertThat(alone).isEqualTo(RouterConfig.from(section("")));
    }

    @ParameterizedTest
    @CsvSource({
        "http-port, 70000, 0..65535",
        "placement, best, 'cost, round-robin'",
        "grpc-port, -1, 0..65535",
        "concurrent-requests-max, 0, 1..1000000",
        "request-timeout-max, 0 s, at least 1 ms",
        "buffered-tokens-max, 1, 16..10000000",
        "connection-age-max, -1 s, not negative",
        "text-cache, 65 GiB, 0..68719476736",
        "name-cache, 65 GiB, 0..68719476736",
        "message-bytes-max, 1, 1024..1073741824"
    })
    void badValueIsRefusedWithKeyAndRange(String key, String value, String allowed) {
        assertThatThrownBy(() -> RouterConfig.from(section("%s = %s".formatted(key, value))))
                .hasMessageContainingAll("kvasir.router." + key, allowed);
    }
}
