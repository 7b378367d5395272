package dev.kvasir.router;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import org.junit.jupiter.api.Test;

class ArchitectureTest {
    private static final JavaClasses CLASSES = new ClassFileImporter()
            .withImportOption(new ImportOption.DoNotIncludeTests())
            .importPackages("dev.kvasir.router");

    @Test
    void routerKnowsNoWorker() {
        noClasses()
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("dev.kvasir.worker..", "dev.kvasir.bench..", "dev.kvasir.deploy..")
                .check(CLASSES);
    }

    @Test
    void placementKnowsNeitherActorsNorGrpcNorClock() {
        noClasses()
                .that()
                .resideInAPackage("dev.kvasir.router.placement..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("org.apache.pekko..", "io.grpc..", "java.time..", "java.util.concurrent..")
                .orShould()
                .callMethod(System.class, "nanoTime")
                .orShould()
                .callMethod(System.class, "currentTimeMillis")
                .check(CLASSES);
    }

    @Test
    void placementKnowsNothingOfTheRestOfTheRouter() {
        noClasses()
                .that()
                .resideInAPackage("dev.kvasir.router.placement..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("dev.kvasir.router", "dev.kvasir.router.grpc..", "dev.kvasir.router.http..")
                .check(CLASSES);
    }

    @Test
    void coreKnowsNoDoor() {
        noClasses()
                .that()
                .resideInAPackage("dev.kvasir.router")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(
                        "dev.kvasir.router.grpc..", "dev.kvasir.router.http..", "dev.kvasir.v1..", "io.helidon..")
                .check(CLASSES);
    }

    @Test
    void doorsDoNotKnowEachOther() {
        noClasses()
                .that()
                .resideInAPackage("dev.kvasir.router.grpc..")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("dev.kvasir.router.http..")
                .check(CLASSES);
    }

    @Test
    void decisionsOfAStreamKnowNeitherActorsNorClock() {
        noClasses()
                .that()
                .haveSimpleName("Session")
                .or()
                .haveSimpleName("Findings")
                .or()
                .haveSimpleName("StreamState")
                .or()
                .haveSimpleName("OutputState")
                .or()
                .haveSimpleName("StopMatcher")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("org.apache.pekko..", "io.grpc..", "java.time..", "java.util.concurrent..")
                .orShould()
                .callMethod(System.class, "nanoTime")
                .check(CLASSES);
    }
}
