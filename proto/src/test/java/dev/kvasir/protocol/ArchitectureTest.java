package dev.kvasir.protocol;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import org.junit.jupiter.api.Test;

class ArchitectureTest {
    private static final JavaClasses CLASSES = new ClassFileImporter()
            .withImportOption(new ImportOption.DoNotIncludeTests())
            .importPackages("dev.kvasir.protocol", "dev.kvasir.v1");

    @Test
    void protocolKnowsNeitherRouterNorWorkerNorKvStore() {
        noClasses()
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(
                        "dev.kvasir.router..", "dev.kvasir.worker..", "dev.kvasir.kvstore..", "dev.kvasir.deploy..")
                .check(CLASSES);
    }

    @Test
    void protocolRecordsDoNotKnowThePublicApi() {
        noClasses()
                .that()
                .resideInAPackage("dev.kvasir.protocol..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("dev.kvasir.v1", "io.grpc..")
                .check(CLASSES);
    }
}
