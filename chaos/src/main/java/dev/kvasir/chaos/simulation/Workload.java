package dev.kvasir.chaos.simulation;

import dev.kvasir.protocol.GenerationRequest;
import dev.kvasir.protocol.RequestId;
import dev.kvasir.protocol.SamplingParameters;
import dev.kvasir.protocol.Tenant;
import dev.kvasir.router.ServedModel;
import dev.kvasir.router.TextOptions;
import dev.kvasir.router.ValidRequest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.random.RandomGenerator;

/**
 * What clients ask for: requests of two tenants over a few shared documents, greedy and sampled, with penalties, several
 * outputs, stop tokens, stop texts and scores; some clients give up, some are in a hurry.
 *
 * @param requests how many
 * @param spreadNanos time over which they arrive
 * @param promptMax longest prompt, in tokens
 * @param outputMax most tokens asked for
 * @param impatient whether some clients cancel or set deadlines
 */
record Workload(int requests, long spreadNanos, int promptMax, int outputMax, boolean impatient) {
    static final List<String> TENANTS = List.of("tenant-a", "tenant-b");
    private static final int DOCUMENTS = 3;
    private static final String[] STOPS = {"A", "9", "zz", "(", "Q7"};

    List<Job> jobs(ServedModel model, RandomGenerator random) {
        var documents = new ArrayList<int[]>();
        for (int i = 0; i < DOCUMENTS; i++) {
            documents.add(random.ints(promptMax, 4, StandInModel.VOCABULARY).toArray());
        }
        var jobs = new ArrayList<Job>();
        for (int i = 0; i < requests; i++) {
            jobs.add(job(i, model, documents, random));
        }
        return jobs;
    }

    private Job job(int number, ServedModel model, List<int[]> documents, RandomGenerator random) {
        var sampling = sampling(random);
        var generation = new GenerationRequest(
                new RequestId("r%02d".formatted(number)),
                StandInModel.NAME,
                prompt(documents, random),
                sampling,
                "",
                random.nextInt(4) == 0 ? random.nextInt(-2, 3) : 0,
                Tenant.of(TENANTS.get(random.nextInt(TENANTS.size())), true));
        var stop = random.nextInt(4) == 0 ? List.of(STOPS[random.nextInt(STOPS.length)]) : List.<String>of();
        var text = new TextOptions(stop, random.nextBoolean(), true, false, false);
        boolean hurried = impatient && random.nextInt(12) == 0;
        boolean fickle = impatient && random.nextInt(10) == 0;
        return new Job(
                new ValidRequest(generation, model, text, "", "", 0, Map.of()),
                random.nextLong(spreadNanos),
                hurried ? random.nextLong(Timeline.SECOND / 10, 3 * Timeline.SECOND) : Job.NEVER,
                fickle ? random.nextInt(0, outputMax) : Job.NEVER,
                true);
    }

    private int[] prompt(List<int[]> documents, RandomGenerator random) {
        var document = documents.get(random.nextInt(documents.size()));
        int length = random.nextInt(1, promptMax + 1);
        var prompt = Arrays.copyOf(document, length);
        if (random.nextInt(3) == 0) {
            prompt[random.nextInt(length)] = random.nextInt(4, StandInModel.VOCABULARY);
        }
        return prompt;
    }

    private SamplingParameters sampling(RandomGenerator random) {
        int maxTokens = random.nextInt(1, outputMax + 1);
        boolean greedy = random.nextInt(2) == 0;
        boolean penalised = random.nextInt(4) == 0;
        return new SamplingParameters(
                maxTokens,
                random.nextInt(6) == 0 ? random.nextInt(maxTokens) : 0,
                greedy ? 0 : 0.5f + random.nextFloat(),
                greedy || random.nextBoolean() ? 1 : 0.9f,
                greedy || random.nextBoolean() ? 0 : random.nextInt(2, 40),
                0,
                penalised ? 1.3f : 1,
                penalised ? 0.5f : 0,
                penalised ? 0.7f : 0,
                Map.of(),
                random.nextInt(5) == 0 ? Set.of(random.nextInt(4, StandInModel.VOCABULARY)) : Set.of(),
                random.nextInt(3) == 0,
                random.nextLong(),
                random.nextInt(5) == 0 ? random.nextInt(2, 4) : 1,
                random.nextInt(4) == 0 ? random.nextInt(3) : SamplingParameters.NO_LOGPROBS,
                random.nextInt(8) == 0 ? 1 : SamplingParameters.NO_LOGPROBS);
    }
}
