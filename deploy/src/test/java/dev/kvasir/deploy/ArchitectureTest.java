package dev.kvasir.deploy;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.util.List;
import org.junit.jupiter.api.Test;

/** model <- {kvstore, proto} <- {worker, router} <- {bench, chaos, deploy}; router and worker meet only in what is below them. */
final class ArchitectureTest {
    private static final JavaClasses CLASSES = new ClassFileImporter()
            .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
            .importPackages("dev.kvasir");

    private static final String MODEL = "dev.kvasir.model..";
    private static final String KVSTORE = "dev.kvasir.kvstore..";
    private static final String PROTOCOL = "dev.kvasir.protocol..";
    private static final String STUBS = "dev.kvasir.v1..";
    private static final String WORKER = "dev.kvasir.worker..";
    private static final String ROUTER = "dev.kvasir.router..";
    private static final String BENCH = "dev.kvasir.bench..";
    private static final String CLIENT = "dev.kvasir.client..";
    private static final String CHAOS = "dev.kvasir.chaos..";
    private static final String DEPLOY = "dev.kvasir.deploy..";

    private static void assertIndependent(String packages, List<String> others) {
        noClasses()
                .that()
                .resideInAPackage(packages)
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(others.toArray(String[]::new))
                .check(CLASSES);
    }

    @Test
    void dependenciesPointDownwards() {
        assertIndependent(MODEL, List.of(KVSTORE, PROTOCOL, STUBS, WORKER, ROUTER, BENCH, CHAOS, DEPLOY));
        assertIndependent(KVSTORE, List.of(WORKER, ROUTER, BENCH, CHAOS, DEPLOY));
        assertIndependent(PROTOCOL, List.of(KVSTORE, WORKER, ROUTER, BENCH, CHAOS, DEPLOY));
        assertIndependent(WORKER, List.of(ROUTER, BENCH, CHAOS, DEPLOY));
        assertIndependent(ROUTER, List.of(WORKER, BENCH, CHAOS, DEPLOY));
        assertIndependent(BENCH, List.of(WORKER, CHAOS, DEPLOY));
        assertIndependent(CLIENT, List.of(MODEL, KVSTORE, PROTOCOL, WORKER, ROUTER, BENCH, CHAOS, DEPLOY));
        assertIndependent(CHAOS, List.of(BENCH, DEPLOY));
    }

    @Test
    void benchKnowsOfTheRouterItsPlacementAloneAndNoMessages() {
        assertIndependent(
                BENCH,
                List.of(
                        "dev.kvasir.router",
                        "dev.kvasir.router.grpc..",
                        "dev.kvasir.router.http..",
                        "dev.kvasir.protocol"));
    }

    @Test
    void modelsKnowNeitherActorsNorNetworks() {
        assertIndependent(MODEL, List.of("org.apache.pekko..", "io.grpc..", "io.helidon.."));
        assertIndependent(KVSTORE, List.of("io.helidon.."));
        for (var pure : List.of("hash", "block", "index", "shard")) {
            assertIndependent("dev.kvasir.kvstore." + pure + "..", List.of("org.apache.pekko..", "io.grpc.."));
        }
    }

    @Test
    void decisionsKnowNeitherActorsNorClocks() {
        assertIndependent(
                "dev.kvasir.worker.schedule..", List.of("org.apache.pekko..", "java.time..", "java.util.concurrent"));
        assertIndependent("dev.kvasir.router.placement..", List.of("org.apache.pekko..", "io.grpc.."));
    }

    @Test
    void onlyTheDeviceLayerTalksToCuda() {
        noClasses()
                .that()
                .resideOutsideOfPackage("dev.kvasir.worker.device")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("jcuda..")
                .check(CLASSES);
    }
}
