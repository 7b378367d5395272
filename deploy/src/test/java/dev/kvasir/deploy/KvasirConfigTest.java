package dev.kvasir.deploy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.deploy.Settings.Flag;
import dev.kvasir.worker.WorkerConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class KvasirConfigTest {
    private static final Flag PORT = new Flag("--port", "kvasir.router.http-port");

    @TempDir
    private Path folder;

    private Path file(String text) throws IOException {
        return Files.writeString(folder.resolve("own.conf"), text);
    }

    private static KvasirConfig load(Path file, Map<String, String> environment, Map<Flag, String> flags) {
        return KvasirConfig.load(file, environment, flags);
    }

    @Test
    void defaultsServeTheDemoModelInOneProcess() {
        var config = KvasirConfig.load(null, Map.of("KVASIR_HOME", "/opt/kvasir"), Map.of());
        assertThat(config.model()).isEqualTo(Path.of("/opt/kvasir/model/demo"));
        assertThat(config.servedModelName()).isEqualTo("demo");
        assertThat(config.dataDir()).isEqualTo(Path.of("/opt/kvasir/.kvasir/data"));
        assertThat(config.roles()).containsExactlyInAnyOrder(Role.ROUTER, Role.WORKER, Role.KVSTORE);
        assertThat(config.cluster().port()).isZero();
        assertThat(config.cluster().listenHost()).isEqualTo(config.cluster().host());
        assertThat(config.cluster().join()).isEmpty();
        assertThat(config.router().host()).isEqualTo("127.0.0.1");
        assertThat(config.router().httpPort()).isEqualTo(8000);
        assertThat(config.router().grpcPort()).isEqualTo(50051);
    }

    @Test
    void theReferenceSaysWhatAWorkerDefaultsTo() {
        assertThat(KvasirConfig.load(null, Map.of(), Map.of()).worker()).isEqualTo(WorkerConfig.defaults());
    }

    @Test
    void doorsWarmUpNoLongerThanAnythingMay() {
        var usual = KvasirConfig.load(null, Map.of(), Map.of()).doorsWarmUp();
        assertThat(usual).isEqualTo(new DoorsWarmUpConfig(Duration.ofSeconds(2), 2000));
        assertThat(usual.isWanted()).isTrue();
        var none = KvasirConfig.load(null, Map.of("KVASIR_WARM_UP_TIMEOUT", "0 s"), Map.of());
        assertThat(none.doorsWarmUp().isWanted()).isFalse();
        var less = KvasirConfig.load(null, Map.of("KVASIR_DOORS_WARM_UP_TIMEOUT", "1 s"), Map.of());
        assertThat(less.doorsWarmUp().timeout()).isEqualTo(Duration.ofSeconds(1));
    }

    @Test
    void certificatesAreAllThereOrNone() throws IOException {
        var pem = Files.writeString(folder.resolve("some.pem"), "");
        var config = load(
                file("kvasir.tls { certificate = \"%s\", key = \"%s\", ca = \"%s\" }".formatted(pem, pem, pem)),
                Map.of(),
                Map.of());
        assertThat(config.tls()).isPresent();
        assertThat(KvasirConfig.load(null, Map.of(), Map.of()).tls()).isEmpty();
        assertThatThrownBy(() -> load(file("kvasir.tls.certificate = \"%s\"".formatted(pem)), Map.of(), Map.of()))
                .hasMessageContaining("kvasir.tls")
                .hasMessageContaining("all of them, or none");
        assertThatThrownBy(() -> load(file("kvasir.tls { certificate = a, key = b, ca = c }"), Map.of(), Map.of()))
                .hasMessageContaining("cannot be read");
    }

    @Test
    void keysOfClientsAreTakenFromFlagsAndEnvironmentAndShownNowhere() throws IOException {
        var flag = new Flag("--api-key", "kvasir.router.api-keys");
        var given = Map.of(flag, "s3cret-a,s3cret-b acme");
        assertThat(KvasirConfig.load(null, Map.of(), given).router().access().keys())
                .hasSize(2);
        assertThat(KvasirConfig.load(null, Map.of("KVASIR_API_KEY", "s3cret"), Map.of())
                        .router()
                        .access()
                        .keys())
                .hasSize(1);
        assertThat(KvasirConfig.load(null, Map.of("KVASIR_API_KEYS", "s3cret, s3cret-b"), Map.of())
                        .router()
                        .access()
                        .keys())
                .hasSize(2);
        assertThat(load(file("kvasir.router.api-keys = [a, b, c]"), Map.of(), Map.of())
                        .router()
                        .access()
                        .keys())
                .hasSize(3);
        var settings = Settings.load(null, Map.of("KVASIR_API_KEY", "s3cret"), Map.of());
        assertThat(settings.changed())
                .anyMatch(line -> line.contains("api-keys"))
                .noneMatch(line -> line.contains("s3cret"));
        assertThat(Settings.load(file("kvasir.router.api-keys = [s3cret]"), Map.of(), given)
                        .changed())
                .noneMatch(line -> line.contains("s3cret"));
        assertThat(KvasirConfig.load(null, Map.of(), given).toString()).doesNotContain("s3cret");
    }

    @Test
    void blankKeysAreRefusedWhereverTheyComeFrom() {
        for (var variable : List.of("KVASIR_API_KEY", "KVASIR_API_KEYS", "KVASIR_API_KEY_FILE")) {
            assertThatThrownBy(() -> KvasirConfig.load(null, Map.of(variable, ""), Map.of()))
                    .isInstanceOf(ConfigurationException.class)
                    .hasMessageStartingWith(variable + " is blank");
        }
        for (var key : List.of("api-key", "api-key-file")) {
            var flag = new Flag("--" + key, "kvasir.router." + (key.equals("api-key") ? "api-keys" : key));
            assertThatThrownBy(() -> KvasirConfig.load(null, Map.of(), Map.of(flag, " ")))
                    .isInstanceOf(ConfigurationException.class)
                    .hasMessageStartingWith("--" + key + " is blank");
        }
        assertThatThrownBy(() -> load(file("kvasir.router.api-keys = \"\""), Map.of(), Map.of()))
                .hasMessageContaining("kvasir.router.api-keys is blank");
    }

    @Test
    void everySettingOfAFileIsTaken() throws IOException {
        var config = load(file("""
                        kvasir {
                          home = /srv/kvasir, model = /models/m, served-model-name = tiny, roles = [worker], data-dir = /data
                          warm-up-timeout = 3 s
                          cluster { host = 10.0.0.7, port = 7355, bind-host = 0.0.0.0, bind-port = 17355, join = ["a:7355", "b:7356"], join-timeout = 9 s }
                          worker { block-size = 32, max-num-seqs = 3, kv-cache-dtype = f32, seed = 5, deterministic = false }
                          router { host = 0.0.0.0, http-port = 1, grpc-port = 2, drain-timeout = 4 s, message-bytes-max = 1 MiB }
                        }
                        """), Map.of(), Map.of());
        assertThat(config.home()).isEqualTo(Path.of("/srv/kvasir"));
        assertThat(config.model()).isEqualTo(Path.of("/models/m"));
        assertThat(config.servedModelName()).isEqualTo("tiny");
        assertThat(config.roles()).containsExactly(Role.WORKER);
        assertThat(config.dataDir()).isEqualTo(Path.of("/data"));
        assertThat(config.warmUpTimeout()).isEqualTo(Duration.ofSeconds(3));
        assertThat(config.cluster().host()).isEqualTo("10.0.0.7");
        assertThat(config.cluster().port()).isEqualTo(7355);
        assertThat(config.cluster().bindHost()).isEqualTo("0.0.0.0");
        assertThat(config.cluster().bindPort()).isEqualTo(17355);
        assertThat(config.cluster().listenHost()).isEqualTo("0.0.0.0");
        assertThat(config.cluster().join()).containsExactly("a:7355", "b:7356");
        assertThat(config.cluster().joinTimeout()).isEqualTo(Duration.ofSeconds(9));
        assertThat(config.worker().blockSize()).isEqualTo(32);
        assertThat(config.worker().sequencesMax()).isEqualTo(3);
        assertThat(config.worker().kvType()).isEqualTo(WorkerConfig.KvType.F32);
        assertThat(config.worker().seed()).isEqualTo(5);
        assertThat(config.worker().deterministic()).isEqualTo(WorkerConfig.Deterministic.FALSE);
        assertThat(config.router().host()).isEqualTo("0.0.0.0");
        assertThat(config.router().httpPort()).isEqualTo(1);
        assertThat(config.router().grpcPort()).isEqualTo(2);
        assertThat(config.router().drainTimeout()).isEqualTo(Duration.ofSeconds(4));
        assertThat(config.router().messageBytesMax()).isEqualTo(1 << 20);
    }

    @Test
    void flagsWinOverEnvironmentOverFileOverReference() throws IOException {
        var own = file("kvasir.router.http-port = 1111");
        var environment = Map.of("KVASIR_PORT", "2222", "KVASIR_ROLES", "router, worker", "PATH", "/bin");
        assertThat(load(own, Map.of(), Map.of()).router().httpPort()).isEqualTo(1111);
        assertThat(load(own, environment, Map.of()).router().httpPort()).isEqualTo(2222);
        assertThat(load(own, environment, Map.of(PORT, "3333")).router().httpPort())
                .isEqualTo(3333);
        assertThat(load(own, environment, Map.of()).roles()).hasSize(2);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            value = {
                "kvasir.router.http-prot = 1 | unknown key kvasir.router.http-prot; did you mean kvasir.router.http-port?",
                "kvasir.worker.max_num_seqs = 1 | did you mean kvasir.worker.max-num-seqs?",
                "kvasri.port = 1 | unknown key kvasri; did you mean kvasir?",
                "kvasir.entirely.else = 1 | unknown key kvasir.entirely; known here: kvasir.cluster, kvasir.data-dir",
                "kvasir.router.http-port = 70000 | kvasir.router.http-port is 70000 but must be 0..65535",
                "kvasir.router.http-port = many | http-port",
                "kvasir.worker.block-size = 0 | kvasir.worker.block-size is 0 but must be in [1, 1024]",
                "kvasir.worker.kv-memory-fraction = 1.5 | kvasir.worker.kv-memory-fraction is 1.5 but must be in (0, 0.9]",
                "kvasir.worker.kv-cache-dtype = int3 | kvasir.worker.kv-cache-dtype is int3 but must be one of",
                "kvasir.worker.device = tpu | kvasir.worker.device is tpu",
                "kvasir.cluster.port = -1 | kvasir.cluster.port is -1 but must be 0..65535",
                "kvasir.cluster.bind-port = 7355 | kvasir.cluster.bind-port is 7355 but must be 0 where kvasir.cluster.port is 0",
                "kvasir.cluster.bind-port = 65536 | kvasir.cluster.bind-port is 65536 but must be 0..65535",
                "kvasir.cluster.join = [nowhere] | kvasir.cluster.join is 'nowhere' but must be host:port",
                "kvasir.cluster.join = [\"a:0\"] | kvasir.cluster.join is 'a:0'",
                "kvasir.roles = [] | kvasir.roles is empty",
                "kvasir.kvstore.index-shards = 0 | kvasir.kvstore.index-shards is 0 but must be in [1, 64]",
                "kvasir.roles = [boss] | kvasir.roles names 'boss' but roles are router, worker and kvstore",
                "kvasir.served-model-name = \"a b\" | kvasir.served-model-name is 'a b'",
                "kvasir.warm-up-timeout = -1 s | kvasir.warm-up-timeout",
                "kvasir.doors-warm-up-timeout = -1 s | kvasir.doors-warm-up-timeout",
                "kvasir.doors-warm-up-requests = -1 | kvasir.doors-warm-up-requests",
                "kvasir { | own.conf",
            })
    void whatCannotBeIsRefusedByName(String text, String message) throws IOException {
        var own = file(text);
        assertThatThrownBy(() -> load(own, Map.of(), Map.of()))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining(message);
    }

    @Test
    void aRefusalNamesTheFlag() {
        assertThatThrownBy(() -> KvasirConfig.load(null, Map.of(), Map.of(PORT, "70000")))
                .hasMessage("--port: kvasir.router.http-port is 70000 but must be 0..65535");
        assertThatThrownBy(() -> KvasirConfig.load(null, Map.of(), Map.of(PORT, "many")))
                .hasMessageContaining("--port");
    }

    @Test
    void aRefusalNamesTheVariable() {
        assertThatThrownBy(() -> KvasirConfig.load(null, Map.of("KVASIR_PORT", "many"), Map.of()))
                .hasMessage("KVASIR_PORT: http-port is not a number");
        assertThat(Settings.load(null, Map.of("KVASIR_PORT", "1"), Map.of()).changed())
                .containsExactly("kvasir.router.http-port = 1 (KVASIR_PORT)");
    }

    @Test
    void whatKubernetesSaysOfServicesIsToldFromSettings() {
        var links = Map.of("KVASIR_PORT_8000_TCP", "tcp://10.1.2.3:8000", "KVASIR_SERVICE_PORT", "8000");
        assertThat(Settings.load(null, links, Map.of()).changed()).isEmpty();
        assertThatThrownBy(() -> Settings.load(null, Map.of("KVASIR_PORT", "tcp://10.1.2.3:8000"), Map.of()))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageStartingWith("KVASIR_PORT is tcp://10.1.2.3:8000, as Kubernetes sets it for a service")
                .hasMessageContaining("enableServiceLinks: false");
    }

    @Test
    void memoryForNamesIsSetForRoutersAndWorkers() {
        var config = KvasirConfig.load(
                null, Map.of("KVASIR_ROUTER_NAME_CACHE", "1 MiB", "KVASIR_WORKER_NAME_CACHE", "0 MiB"), Map.of());
        assertThat(config.router().nameCacheBytes()).isEqualTo(1 << 20);
        assertThat(config.worker().nameCacheBytes()).isZero();
    }

    @Test
    void aFileThatIsNotThereIsNamed() {
        var missing = folder.resolve("missing.conf");
        assertThatThrownBy(() -> load(missing, Map.of(), Map.of())).hasMessageContaining(missing.toString());
    }

    @Test
    void pekkoCanBeTuned() throws IOException {
        var config = load(file("pekko.loglevel = DEBUG"), Map.of(), Map.of());
        assertThat(config.pekko().getString("pekko.loglevel")).isEqualTo("DEBUG");
    }
}
