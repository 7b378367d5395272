package dev.kvasir.deploy;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.kvasir.model.ModelFolder;
import dev.kvasir.model.config.ModelConfig;
import dev.kvasir.model.weights.DType;
import dev.kvasir.worker.doctor.StepTimes;
import dev.kvasir.worker.kernel.KvFormat;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code kvasir steps}: times single steps on the GPU, without a server around them. */
@Command(
        name = "steps",
        sortOptions = false,
        description =
                "Times single steps of a model's geometry on one GPU, or on several together, with random bf16 weights.",
        footerHeading = "%nExample:%n",
        footer = "  kvasir steps --model llama-3.1-8b --batches 1,16,64,256 --context 1024 --prompts 4096")
final class StepsCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Mixin
    private ModelFlags modelFlags;

    @Option(
            names = "--batches",
            split = ",",
            defaultValue = "1,16,64,256",
            description = "Sequences that decode together.")
    private List<Integer> batches = List.of();

    @Option(names = "--context", defaultValue = "1024", description = "Tokens of each of them.")
    private int context;

    @Option(names = "--prompts", split = ",", defaultValue = "4096", description = "Lengths of prompts.")
    private List<Integer> prompts = List.of();

    @Option(
            names = "--known",
            defaultValue = "0",
            description = "Tokens before each prompt that are known already: the steps of new questions about them.")
    private int known;

    @Option(
            names = "--kv-cache-dtypes",
            split = ",",
            paramLabel = "TYPE",
            description = "How keys and values are stored, one after the other: f32, f16, bf16, fp8"
                    + " (default: --kv-cache-dtype, which is bf16 where it is auto).")
    private List<String> kvTypes = List.of();

    @Option(names = "--repeats", defaultValue = "50", description = "Steps of each kind; the median counts.")
    private int repeats;

    @Option(names = "--issued", description = "Issue every operation of a step instead of using recorded steps.")
    private boolean issued;

    @Option(names = "--json", paramLabel = "FILE", description = "Write the results here too.")
    private @Nullable Path json;

    @Override
    public Integer call() throws IOException {
        var given = new LinkedHashMap<>(modelFlags.given());
        var config = KvasirConfig.load(modelFlags.configFile(), System.getenv(), given);
        var model = ModelFolder.open(config.model()).config();
        var plan = new StepTimes.Plan(batches, context, prompts, known, repeats, !issued, formats(config));
        var times = measure(model, plan, config);
        var out = spec.commandLine().getOut();
        out.println("step     KV    sequences    rows  context  step ms  device ms    tokens/s");
        for (var time : times) {
            out.println(String.format(
                    Locale.ROOT,
                    "%-8s %-4s %10d %7d %8d %8.3f %10.3f %11.0f",
                    time.name(),
                    time.kv(),
                    time.sequences(),
                    time.rows(),
                    time.context(),
                    time.millis(),
                    time.deviceMillis(),
                    time.tokensPerSecond()));
        }
        out.flush();
        if (json != null) {
            new ObjectMapper().writerWithDefaultPrettyPrinter().writeValue(json.toFile(), times);
        }
        return Kvasir.SUCCESS;
    }

    private static List<StepTimes.StepTime> measure(ModelConfig model, StepTimes.Plan plan, KvasirConfig config) {
        try {
            return StepTimes.measure(
                    model, plan, config.worker().tensorParallelSize(), WorkerMember.cudaOptions(config));
        } catch (IllegalArgumentException e) {
            throw new CommandException(String.valueOf(e.getMessage()), e);
        }
    }

    private List<KvFormat> formats(KvasirConfig config) {
        if (kvTypes.isEmpty()) {
            return List.of(config.worker().kvType().format(DType.BF16));
        }
        return kvTypes.stream().map(this::format).toList();
    }

    private KvFormat format(String name) {
        return Arrays.stream(KvFormat.values())
                .filter(format -> format.name().equalsIgnoreCase(name))
                .findFirst()
                .orElseThrow(() -> new ParameterException(
                        spec.commandLine(),
                        "--kv-cache-dtypes has %s but must have some of %s"
                                .formatted(
                                        name, Arrays.toString(KvFormat.values()).toLowerCase(Locale.ROOT))));
    }
}
