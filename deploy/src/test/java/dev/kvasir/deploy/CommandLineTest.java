package dev.kvasir.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class CommandLineTest {
    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    private int run(String... arguments) {
        return Kvasir.commandLine()
                .setOut(new PrintWriter(out, true))
                .setErr(new PrintWriter(err, true))
                .execute(arguments);
    }

    @Test
    void aDataDirThatCannotBeIsRefusedBeforeAnythingStarts(@TempDir Path folder) throws IOException {
        var file = Files.writeString(folder.resolve("file"), "");
        assertThat(run("serve", "--port", "0", "--grpc-port", "0", "--data-dir", file.toString()))
                .isEqualTo(1);
        assertThat(err.toString())
                .contains("kvasir.data-dir " + file + " cannot be made: ")
                .doesNotContain("joined");
    }

    @ParameterizedTest
    @CsvSource({"drain, 127.0.0.1:1", "why, 127.0.0.1:1", "why, http://127.0.0.1:1"})
    void aRouterThatIsNotThereIsSaidInOneLine(String command, String router) {
        assertThat(run(command, "127.0.0.1:7355", "--grpc", router)).isEqualTo(1);
        assertThat(err.toString().strip())
                .startsWith("kvasir: no router answers at " + router + " (--grpc): ")
                .hasLineCount(1);
    }

    @ParameterizedTest
    @ValueSource(strings = {"http://127.0.0.1:1", "http://127.0.0.1:1/", "http://127.0.0.1:1/v1", "127.0.0.1:1"})
    void aServerIsNamedAsOtherClientsNameIt(String url) {
        assertThat(run("models", "--url", url)).isZero();
        assertThat(out.toString()).contains("no server answers at http://127.0.0.1:1\n");
    }

    @ParameterizedTest
    @ValueSource(strings = {"http://", "ftp://127.0.0.1:1", "a b", ""})
    void whatNamesNoServerIsRefused(String url) {
        assertThat(run("models", "--url", url)).isEqualTo(Kvasir.USAGE);
        assertThat(err.toString())
                .contains("Invalid value for option '--url': '" + url + "' is not like http://HOST:PORT");
    }

    @Test
    void serveTakesTheModelAsVllmDoes(@TempDir Path data) {
        assertThat(run("serve", "/nowhere/at-all", "--port", "0", "--grpc-port", "0", "--data-dir", data.toString()))
                .isEqualTo(1);
        assertThat(err.toString()).contains("/nowhere/at-all: no such folder; nothing is downloaded");
        assertThat(run("serve", "a", "--model", "b")).isEqualTo(2);
        assertThat(err.toString()).contains("The model is named twice: 'a' and by --model");
        assertThat(run("serve", "--port", "abc")).isEqualTo(2);
        assertThat(err.toString()).contains("--port: http-port is not a number");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "serve",
                "chat",
                "generate",
                "tokenize",
                "bench",
                "simulate",
                "chaos",
                "why",
                "models",
                "test",
                "version"
            })
    void everyCommandExplainsItself(String command) {
        assertThat(run(command, "--help")).isZero();
        assertThat(out.toString()).contains("Usage: kvasir " + command, "--help");
        assertThat(err.toString()).isEmpty();
        out.getBuffer().setLength(0);
        assertThat(run("--help")).isZero();
        assertThat(out.toString()).contains("\n  " + command);
    }

    @Test
    void everySettingOfTheIssueHasItsFlag() {
        run("serve", "--help");
        assertThat(out.toString())
                .contains("--model", "--served-model-name", "--host", "--port", "--grpc-port", "--max-model-len")
                .contains(
                        "--block-size",
                        "--max-num-seqs",
                        "--max-num-batched-tokens",
                        "--kv-cache-dtype",
                        "--device",
                        "--dtype")
                .contains(
                        "--seed", "--load-format", "--deterministic", "--cluster-host", "--cluster-port", "--data-dir")
                .contains(
                        "--packed-weights-max",
                        "--roles",
                        "--join",
                        "--ready-file",
                        "--num-kv-blocks",
                        "--config",
                        "--verbose");
    }

    @Test
    void wrongUsageIsStatusTwoWithoutATrace() {
        assertThat(run("serve", "--prot", "1")).isEqualTo(Kvasir.USAGE);
        assertThat(run("sevre")).isEqualTo(Kvasir.USAGE);
        assertThat(run()).isEqualTo(Kvasir.USAGE);
        assertThat(run("serve", "--port", "70000")).isEqualTo(Kvasir.USAGE);
        assertThat(run("serve", "--roles", "boss")).isEqualTo(Kvasir.USAGE);
        assertThat(err.toString())
                .contains(
                        "Unknown option: '--prot'",
                        "There is no command 'sevre'",
                        "Did you mean --port?",
                        "Did you mean serve?")
                .contains("--port: kvasir.router.http-port is 70000 but must be 0..65535")
                .contains("roles are router, worker and kvstore")
                .doesNotContain("\tat ", "Exception");
    }

    @Test
    void aModelThatIsNotThereIsStatusOneAndNamed() {
        assertThat(run("tokenize", "--model", "/nowhere/to/be/found", "x")).isEqualTo(Kvasir.FAILURE);
        assertThat(run("serve", "--model", "/nowhere/to/be/found")).isEqualTo(Kvasir.FAILURE);
        assertThat(err.toString()).contains("/nowhere/to/be/found").doesNotContain("\tat ");
    }

    @Test
    void stepsThatCannotBeTimedHereSayWhy() {
        assertThat(run("steps", "--tensor-parallel-size", "8")).isEqualTo(Kvasir.FAILURE);
        assertThat(err.toString().strip()).startsWith("kvasir: ").doesNotContain("internal error");
    }

    @Test
    void aServerThatIsNotThereIsNamed() {
        assertThat(run("generate", "--url", "http://127.0.0.1:1", "x")).isEqualTo(Kvasir.FAILURE);
        assertThat(err.toString())
                .contains("no server answers at http://127.0.0.1:1")
                .doesNotContain("\tat ");
    }

    @Test
    void versionSaysWhatThisIs() {
        assertThat(run("version")).isZero();
        assertThat(out.toString()).matches("(?s)kvasir [0-9]+\\.[0-9]+\\.[0-9]+.* \\(Java 25.*");
    }

    @Test
    void testsAreTheLaunchers() {
        assertThat(run("test")).isEqualTo(Kvasir.FAILURE);
        assertThat(err.toString()).contains("./kvasir test");
    }

    @Test
    void textBecomesTokensAndTextAgain() {
        assertThat(run("tokenize", "--ids", "What is 17 + 25?"))
                .as(err.toString())
                .isZero();
        var ids = out.toString().strip();
        assertThat(ids).matches("[0-9]+( [0-9]+)+");
        out.getBuffer().setLength(0);
        assertThat(run("tokenize", "--detokenize", ids)).isZero();
        assertThat(out.toString()).contains("What is 17 + 25?");
        assertThat(run("tokenize", "--detokenize", "99999999")).isEqualTo(Kvasir.FAILURE);
        assertThat(err.toString()).contains("99999999");
    }

    @Test
    void bundledModelsAreListed() {
        assertThat(run("models", "--url", "http://127.0.0.1:1"))
                .as(err.toString())
                .isZero();
        assertThat(out.toString()).contains("demo", "no server answers at http://127.0.0.1:1");
    }
}
