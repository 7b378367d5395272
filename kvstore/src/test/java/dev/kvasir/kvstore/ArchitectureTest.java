package dev.kvasir.kvstore;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import org.junit.jupiter.api.Test;

class ArchitectureTest {
    @Test
    void blocksHashesAndIndexKnowNeitherClockThreadActorNorDevice() {
        var classes = new ClassFileImporter()
                .withImportOption(new ImportOption.DoNotIncludeTests())
                .importPackages("dev.kvasir.kvstore");
        classes()
                .that()
                .resideInAnyPackage("dev.kvasir.kvstore.hash", "dev.kvasir.kvstore.block")
                .should()
                .onlyDependOnClassesThat()
                .resideInAnyPackage(
                        "dev.kvasir.kvstore.hash",
                        "dev.kvasir.kvstore.block",
                        "java.lang",
                        "java.lang.invoke",
                        "java.lang.runtime",
                        "java.nio..",
                        "java.security",
                        "java.util",
                        "org.jspecify.annotations")
                .andShould()
                .onlyDependOnClassesThat()
                .doNotBelongToAnyOf(Thread.class)
                .check(classes);
        classes()
                .that()
                .resideInAPackage("dev.kvasir.kvstore.index")
                .should()
                .onlyDependOnClassesThat()
                .resideInAnyPackage(
                        "dev.kvasir.kvstore.index",
                        "dev.kvasir.kvstore.hash",
                        "java.lang",
                        "java.lang.runtime",
                        "java.util",
                        "java.util.function",
                        "java.util.stream",
                        "org.jspecify.annotations")
                .check(classes);
        classes()
                .that()
                .resideInAPackage("dev.kvasir.kvstore.hash")
                .should()
                .onlyDependOnClassesThat()
                .resideOutsideOfPackages("dev.kvasir.kvstore.block", "dev.kvasir.kvstore.index")
                .check(classes);
    }

    @Test
    void stateMachinesOfTheIndexKnowNeitherClockThreadNorActor() {
        noClasses()
                .that()
                .resideInAPackage("dev.kvasir.kvstore.shard")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(
                        "dev.kvasir.kvstore.actor", "org.apache.pekko..", "io.grpc..", "java.util.concurrent..")
                .orShould()
                .callMethod(System.class, "nanoTime")
                .orShould()
                .callMethod(System.class, "currentTimeMillis")
                .check(new ClassFileImporter()
                        .withImportOption(new ImportOption.DoNotIncludeTests())
                        .importPackages("dev.kvasir.kvstore"));
    }
}
