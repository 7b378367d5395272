package dev.kvasir.model;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import org.junit.jupiter.api.Test;

class ArchitectureTest {
    private static final JavaClasses CLASSES = new ClassFileImporter()
            .withImportOption(new ImportOption.DoNotIncludeTests())
            .importPackages("dev.kvasir.model");

    @Test
    void modelKnowsNeitherActorsNorWireNorDevice() {
        noClasses()
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(
                        "org.apache.pekko..",
                        "io.grpc..",
                        "com.google.protobuf..",
                        "jcuda..",
                        "dev.kvasir.protocol..",
                        "dev.kvasir.kvstore..",
                        "dev.kvasir.worker..",
                        "dev.kvasir.router..")
                .check(CLASSES);
    }

    @Test
    void templatesStandAlone() {
        classes()
                .that()
                .resideInAPackage("dev.kvasir.model.jinja..")
                .should()
                .onlyDependOnClassesThat()
                .resideInAnyPackage("dev.kvasir.model.jinja..", "java..", "org.jspecify..")
                .check(CLASSES);
    }

    @Test
    void templatesReachNoJavaByReflection() {
        noClasses()
                .that()
                .resideInAPackage("dev.kvasir.model.jinja..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("java.lang.reflect..", "java.io..", "java.nio.file..")
                .check(CLASSES);
    }

    @Test
    void theNativeTokenizerIsReachedInOnePlace() {
        noClasses()
                .that()
                .haveSimpleNameNotStartingWith("NativeTokenizer")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("ai.djl..")
                .check(CLASSES);
    }
}
