package dev.kvasir.deploy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;

final class ProcessImageTest {
    /** Says who it is, begins anew with a port still open, and says it again, twice. */
    static final class Phoenix {
        static final String LIVES = "dev.kvasir.lives";

        private Phoenix() {}

        public static void main(String[] arguments) throws IOException {
            int lives = Integer.parseInt(System.getProperty(LIVES, "0"));
            var port = new ServerSocket(Integer.parseInt(arguments[0]), 1, InetAddress.getLoopbackAddress());
            System.out.printf(
                    "%d %d %s%n",
                    lives, ProcessHandle.current().pid(), List.of(arguments).subList(1, arguments.length));
            if (lives < 2) {
                ProcessImage.replace(LIVES, Integer.toString(lives + 1));
            }
            port.close();
        }
    }

    @Test
    void aProcessBeginsAnewWithItsIdItsArgumentsAndNothingOpen() throws Exception {
        assumeThat(Files.exists(Path.of("/proc/self/exe"))).as("Linux").isTrue();
        int port;
        try (var free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = free.getLocalPort();
        }
        var process = new ProcessBuilder(List.of(
                        ProcessHandle.current().info().command().orElseThrow(),
                        "--enable-native-access=ALL-UNNAMED",
                        "-cp",
                        Objects.requireNonNull(System.getProperty("java.class.path")),
                        Phoenix.class.getName(),
                        Integer.toString(port),
                        "two words",
                        "",
                        "Ægir"))
                .redirectErrorStream(true)
                .start();
        var expected = new ArrayList<String>();
        for (int life = 0; life <= 2; life++) {
            expected.add("%d %d [two words, , Ægir]".formatted(life, process.pid()));
        }
        assertThat(process.inputReader().lines()).containsExactlyElementsOf(expected);
        assertThat(process.waitFor()).isZero();
    }

    @Test
    void aPropertyTakesThePlaceOfItsFormerSelf() {
        var command = List.of("java", "-Xmx1g", "-cp", "x", "Main", "");
        var once = ProcessImage.with("a.b", "1", command);
        assertThat(once).containsExactly("java", "-Da.b=1", "-Xmx1g", "-cp", "x", "Main", "");
        assertThat(ProcessImage.with("a.b", "2", once))
                .containsExactly("java", "-Da.b=2", "-Xmx1g", "-cp", "x", "Main", "");
    }
}
