package dev.kvasir.bench;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

final class BenchCommandTest {
    @TempDir
    private Path folder;

    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    private int run(String... arguments) {
        return new CommandLine(new BenchCommand())
                .setOut(new PrintWriter(out, true))
                .setErr(new PrintWriter(err, true))
                .execute(arguments);
    }

    private String serve(Path file) throws Exception {
        try (var server = new FakeServer((request, answer) -> answer.stream(
                request.path("prompt").size(), 16, request.path("max_tokens").asInt()))) {
            assertThat(run(
                            "--url",
                            server.url().toString(),
                            "--num-prompts",
                            "12",
                            "--concurrency",
                            "2",
                            "--input-len",
                            "32",
                            "--output-len",
                            "4",
                            "--prefix-groups",
                            "2",
                            "--prefix-len",
                            "32",
                            "--goodput",
                            "e2e:60000",
                            "--output",
                            file.toString()))
                    .as(err.toString())
                    .isZero();
            assertThat(server.requests).hasSize(14);
        }
        return out.toString();
    }

    @Test
    void aRunPrintsFiguresAndWritesThemWithAPlot() throws Exception {
        var file = folder.resolve("results/run.json");
        assertThat(serve(file))
                .contains("Benchmark of fake", "12 of 12 succeeded", "TTFT", "ITL", "TPOT", "E2E", "p99")
                .contains("Goodput", "100.0 % of all requests within e2e:60000")
                .contains("Prefix hit rate  25.0 % of prompt tokens")
                .contains("TTFT by prefix");
        var json = new ObjectMapper().readTree(file.toFile());
        assertThat(json.path("requests")).hasSize(12);
        assertThat(json.path("summary").path("output_tokens").asInt()).isEqualTo(48);
        assertThat(json.path("config").path("workload").path("prefix_groups").asInt())
                .isEqualTo(2);
        var svg = folder.resolve("results/run.svg");
        assertThat(DocumentBuilderFactory.newInstance()
                        .newDocumentBuilder()
                        .parse(svg.toFile())
                        .getDocumentElement()
                        .getTagName())
                .isEqualTo("svg");
        assertThat(Files.readString(svg)).contains("Time to first token", "milliseconds", "Output tokens/s", "p99");
    }

    @Test
    void resultsReadBackAsTheyWereWritten() throws Exception {
        var file = folder.resolve("run.json");
        serve(file);
        var read = ResultFile.read(file);
        assertThat(read.results()).hasSize(12).allMatch(RequestResult::succeeded);
        assertThat(read.results().getFirst().eventNanos()).hasSize(4);
        assertThat(read.serviceLevel()).isEqualTo(ServiceLevel.parse("e2e:60000"));
    }

    @Test
    void twoRunsOfOneWorkloadAreComparedInPairs() throws Exception {
        var first = folder.resolve("first.json");
        var second = folder.resolve("second.json");
        serve(first);
        serve(second);
        assertThat(run("compare", first.toString(), second.toString())).isZero();
        assertThat(out.toString()).contains("compared in pairs", "TTFT p50 (ms)", "95 % interval", "output tokens/s");
    }

    @Test
    void overloadIsMeasuredAgainstThePeakAndTheServerIsToldTheDeadline() throws Exception {
        try (var server = new FakeServer((_, answer) -> {
            var deadline = answer.exchange().getRequestHeaders().getFirst("x-kvasir-timeout-ms");
            if ("5000".equals(deadline)) {
                answer.stream(8, 0, 2);
            } else {
                answer.json(429, "{}");
            }
        })) {
            assertThat(run(
                            "--url",
                            server.url().toString(),
                            "--num-prompts",
                            "20",
                            "--concurrency",
                            "4",
                            "--output-len",
                            "2",
                            "--overload",
                            "2",
                            "--goodput",
                            "e2e:5000"))
                    .as(err.toString())
                    .isZero();
            assertThat(server.requests).hasSize(2 + 20 + 12 + 16 + 20 + 40);
            assertThat(out.toString()).contains("good/s", "closed loop", "2 x capacity", "of its peak");
        }
        assertThat(run("--overload", "2")).isEqualTo(2);
        assertThat(err.toString()).contains("--overload needs --goodput e2e:MS");
    }

    @Test
    void wrongUsageIsNamed() {
        assertThat(run("--input-len", "many")).isEqualTo(2);
        assertThat(err.toString()).contains("--input-len", "'many'");
        assertThat(run("--concurrency", "0")).isEqualTo(2);
        assertThat(err.toString()).contains("concurrency must be in 1..65536, is 0");
        assertThat(run("--request-rate", "5", "--concurrency", "2")).isEqualTo(2);
        assertThat(err.toString()).contains("exclude each other");
        assertThat(run("--url", "ftp://x")).isEqualTo(2);
        assertThat(err.toString()).contains("ftp://x");
    }
}
