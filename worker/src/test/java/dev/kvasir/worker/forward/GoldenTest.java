package dev.kvasir.worker.forward;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kvasir.worker.kernel.Kernels;
import dev.kvasir.worker.kernel.ReferenceKernels;
import dev.kvasir.worker.kernel.cpu.CpuKernels;
import dev.kvasir.worker.kernel.cpu.CpuOptions;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicContainer;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/**
 * Every family computes what transformers computes in float32: log probabilities of prompts, and 16 greedy tokens with
 * theirs, over KV blocks of f32. Greedy tokens must be equal: the models were chosen so that the best token leads by at
 * least 0.02. Log probabilities may differ by 2e-4, five times less than is promised to users: another order of float32
 * sums costs about 1e-5 here, while the nearest wrong choice, another approximation of GELU, costs 9e-4 (see
 * {@link GoldenSensitivityTest}).
 */
class GoldenTest {
    static final double TOLERANCE = 2e-4;
    private static final int WHOLE = 1024;

    private record Backend(String name, Supplier<Kernels> kernels) {}

    private static final List<Backend> BACKENDS = List.of(
            new Backend("reference", ReferenceKernels::new),
            new Backend("cpu", () -> new CpuKernels(CpuOptions.defaults())));

    @TestFactory
    Stream<DynamicNode> everyFamilyEqualsTheReference() {
        return GoldenCase.all().stream()
                .map(golden -> DynamicContainer.dynamicContainer(
                        golden.name(), BACKENDS.stream().flatMap(backend -> tests(golden, backend))));
    }

    private static Stream<DynamicTest> tests(GoldenCase golden, Backend backend) {
        var tests = new ArrayList<DynamicTest>();
        for (var run : golden.runs()) {
            var what = "%s: prompt of %d".formatted(backend.name(), run.prompt().size());
            tests.add(test(what + " at once", backend, golden, List.of(run), new PagedRun(WHOLE, 16)));
            tests.add(test(what + " in chunks of 7", backend, golden, List.of(run), new PagedRun(7, 8)));
        }
        tests.add(test(
                backend.name() + ": all prompts together", backend, golden, golden.runs(), new PagedRun(WHOLE, 16)));
        tests.add(test(
                backend.name() + ": all prompts together in chunks of 9",
                backend,
                golden,
                golden.runs(),
                new PagedRun(9, 8)));
        return tests.stream();
    }

    private static DynamicTest test(
            String name, Backend backend, GoldenCase golden, List<GoldenCase.Expected> runs, PagedRun how) {
        return DynamicTest.dynamicTest(name, () -> {
            var sequences = how.compute(backend.kernels().get(), golden, runs);
            for (int i = 0; i < runs.size(); i++) {
                var expected = runs.get(i);
                var actual = sequences.get(i);
                requireClose(actual.promptLogprobs, expected.promptLogprobs(), "log probability of prompt token");
                assertThat(actual.greedy).as("greedy tokens").isEqualTo(expected.greedy());
                requireClose(actual.greedyLogprobs, expected.greedyLogprobs(), "log probability of greedy token");
            }
        });
    }

    private static void requireClose(List<Double> actual, List<Double> expected, String what) {
        assertThat(actual).as(what).hasSameSizeAs(expected);
        for (int i = 0; i < expected.size(); i++) {
            assertThat(actual.get(i)).as("%s %d", what, i).isCloseTo(expected.get(i), within(TOLERANCE));
        }
    }
}
