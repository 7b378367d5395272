package dev.kvasir.worker;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import org.junit.jupiter.api.Test;

class ArchitectureTest {
    private final JavaClasses classes = new ClassFileImporter()
            .withImportOption(new ImportOption.DoNotIncludeTests())
            .importPackages("dev.kvasir.worker");

    @Test
    void dependenciesPointFromTheWorkerDownToKernels() {
        layeredArchitecture()
                .consideringOnlyDependenciesInLayers()
                .layer("worker")
                .definedBy("dev.kvasir.worker")
                .layer("engine")
                .definedBy("dev.kvasir.worker.engine")
                .layer("runner")
                .definedBy("dev.kvasir.worker.runner")
                .layer("forward")
                .definedBy("dev.kvasir.worker.forward")
                .layer("schedule")
                .definedBy("dev.kvasir.worker.schedule")
                .layer("kernel")
                .definedBy("dev.kvasir.worker.kernel..")
                .layer("device")
                .definedBy("dev.kvasir.worker.device")
                .whereLayer("worker")
                .mayNotBeAccessedByAnyLayer()
                .whereLayer("engine")
                .mayOnlyBeAccessedByLayers("worker")
                .whereLayer("runner")
                .mayOnlyBeAccessedByLayers("worker", "engine")
                .whereLayer("forward")
                .mayOnlyBeAccessedByLayers("worker", "runner")
                .whereLayer("schedule")
                .mayOnlyBeAccessedByLayers("worker", "engine", "runner")
                .whereLayer("kernel")
                .mayOnlyBeAccessedByLayers("worker", "runner", "forward")
                .whereLayer("device")
                .mayOnlyBeAccessedByLayers("worker", "kernel")
                .check(classes);
    }

    @Test
    void onlyTheDeviceLayerTalksToCuda() {
        noClasses()
                .that()
                .resideOutsideOfPackage("dev.kvasir.worker.device")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("jcuda..")
                .check(classes);
    }

    @Test
    void schedulingKnowsNeitherClockThreadActorNorDevice() {
        classes()
                .that()
                .resideInAPackage("dev.kvasir.worker.schedule")
                .should()
                .onlyDependOnClassesThat()
                .resideInAnyPackage(
                        "dev.kvasir.worker.schedule",
                        "dev.kvasir.kvstore.block",
                        "dev.kvasir.kvstore.hash",
                        "java.lang",
                        "java.lang.invoke",
                        "java.lang.runtime",
                        "java.util",
                        "java.util.function",
                        "org.jspecify.annotations")
                .andShould()
                .onlyDependOnClassesThat()
                .doNotBelongToAnyOf(Thread.class)
                .check(classes);
    }

    @Test
    void onlyTheWorkerKnowsActors() {
        noClasses()
                .that()
                .resideOutsideOfPackage("dev.kvasir.worker")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("org.apache.pekko..")
                .check(classes);
    }

    @Test
    void onlyTheEngineShellReadsAClockOrStartsAThread() {
        noClasses()
                .that()
                .resideInAPackage("dev.kvasir.worker.engine")
                .and()
                .doNotHaveSimpleName("Engine")
                .should()
                .dependOnClassesThat()
                .areAssignableTo(Thread.class)
                .orShould()
                .callMethod(System.class, "nanoTime")
                .orShould()
                .callMethod(System.class, "currentTimeMillis")
                .check(classes);
    }
}
