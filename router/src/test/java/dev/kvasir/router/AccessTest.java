package dev.kvasir.router;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.protocol.FailureKind;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AccessTest {
    @TempDir
    private Path folder;

    private static AccessConfig config(String changes) {
        return RouterConfig.from(RouterConfigTest.section(changes)).access();
    }

    private static Access access(String changes) {
        return Access.of(config(changes));
    }

    @Test
    void withoutKeysEverybodyIsLetInAndTheHeaderOfTheTenantIsBelieved() {
        var access = access("");
        assertThat(access.needsKey()).isFalse();
        assertThat(access.admit(null, null).tenant()).isEmpty();
        assertThat(access.admit("Bearer whatever", "acme").tenant()).isEqualTo("acme");
        assertThat(access.admit(null, "acme").ownTenant()).isEmpty();
    }

    @Test
    void aKeySaysForWhomARequestIsWhateverTheHeaderSays() {
        var access = access("api-keys = [\"sk-one\", \"sk-two acme\"]");
        assertThat(access.admit("Bearer sk-one", "acme").tenant()).isEmpty();
        assertThat(access.admit("Bearer sk-one", "acme").isOperator()).isTrue();
        assertThat(access.admit("bearer  sk-two ", "other").tenant()).isEqualTo("acme");
        assertThat(access.admit("Bearer sk-two", null).ownTenant()).hasValue("acme");
        assertThat(access.admit("Bearer sk-two", null).isOperator()).isFalse();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "Bearer ",
                "Bearer",
                "Basic sk-one",
                "Bearer SK-ONE",
                "Bearer sk-on",
                "Bearer sk-one2",
                "sk-one"
            })
    void anyOtherKeyIsRefusedWithoutRepeatingIt(String authorization) {
        var access = access("api-keys = sk-one");
        assertThatThrownBy(() -> access.admit(authorization, null))
                .isInstanceOfSatisfying(RequestFailedException.class, e -> {
                    assertThat(e.failure().kind()).isEqualTo(FailureKind.UNAUTHENTICATED);
                    assertThat(e.failure().message()).doesNotContainIgnoringCase("sk-on");
                });
        assertThatThrownBy(() -> access.admit(null, null)).isInstanceOf(RequestFailedException.class);
    }

    @Test
    void textWithCommasIsAListOfKeys() {
        assertThat(config("api-keys = \"a, b acme,,c\"").keys()).hasSize(3);
        assertThat(config("api-keys = \"[]\"").needsKey()).isFalse();
    }

    @ParameterizedTest
    @ValueSource(strings = {"", " ", ",", " , "})
    void blankTextIsNoKeyAndOpensNoDoor(String text) {
        assertThatThrownBy(() -> config("api-keys = \"%s\"".formatted(text)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("kvasir.router.api-keys is blank but must name a key; [] lets everybody in");
    }

    @Test
    void originsAreTakenFromAListOrTextAndOthersRefused() {
        assertThat(config("allowed-origins = [\"https://a.example:8443\", \"http://localhost\"]")
                        .allowedOrigins())
                .containsExactlyInAnyOrder("https://a.example:8443", "http://localhost");
        assertThat(config("allowed-origins = \"http://a , *\"").allowedOrigins())
                .containsExactlyInAnyOrder("http://a", "*");
        for (var wrong : new String[] {"a.example", "https://a.example/", "https://", "[\\\"*\\\"]"}) {
            assertThatThrownBy(() -> config("allowed-origins = \"%s\"".formatted(wrong)))
                    .hasMessageContaining("kvasir.router.allowed-origins has");
        }
    }

    @Test
    void keysThatCannotBeAreRefusedByPlaceAndNeverRepeated() {
        assertThatThrownBy(() -> config("api-keys = [ok, \"s3cret tenant more\"]"))
                .hasMessageContaining("kvasir.router.api-keys[1] has 3 words")
                .hasMessageNotContaining("s3cret");
        assertThatThrownBy(() -> config("api-keys = [\"s3cr\u00e9t\"]"))
                .hasMessageContaining("kvasir.router.api-keys[0] is a key of 6 characters")
                .hasMessageNotContaining("s3cr");
        assertThatThrownBy(() -> config("api-keys = [\"s3cret " + "t".repeat(129) + "\"]"))
                .hasMessageContaining("at most 128")
                .hasMessageNotContaining("s3cret");
        assertThat(config("api-keys = [s3cret]").toString()).doesNotContain("s3cret");
    }

    @Test
    void aFileIsReadAgainWhenItChangesAndKeptWhenItIsBroken() throws IOException {
        var file = Files.writeString(folder.resolve("keys"), "# ours\nfirst\n\nsecond acme\n");
        var keys = KeyFile.open(file, Duration.ZERO);
        assertThat(keys.keys()).hasSize(2);
        assertThat(keys.keys().get(1).tenant()).isEqualTo("acme");
        write(file, "first\n", 1);
        assertThat(keys.keys()).hasSize(1);
        write(file, "one two three\n", 2);
        assertThat(keys.keys()).hasSize(1);
        Files.delete(file);
        assertThat(keys.keys()).hasSize(1);
        write(file, "a\nb\nc\n", 3);
        assertThat(keys.keys()).hasSize(3);
    }

    @Test
    void aFileThatCouldNotBeReadIsReadAgainThoughItLooksTheSame() throws IOException {
        var file = Files.writeString(folder.resolve("keys"), "first\n");
        var keys = KeyFile.open(file, Duration.ZERO);
        write(file, "one two three\n", 1);
        var time = Files.getLastModifiedTime(file);
        assertThat(keys.keys()).hasSize(1);
        Files.setLastModifiedTime(Files.writeString(file, "one\ntwo\nthree\n"), time);
        assertThat(keys.keys()).hasSize(3);
    }

    private static void write(Path file, String text, int seconds) throws IOException {
        Files.writeString(file, text);
        Files.setLastModifiedTime(file, FileTime.fromMillis(System.currentTimeMillis() + seconds * 1000L));
    }

    @Test
    void aFileWithoutKeysIsRefusedAtTheStart() throws IOException {
        var empty = Files.writeString(folder.resolve("empty"), "# none\n");
        assertThatThrownBy(() -> access("api-key-file = \"%s\"".formatted(empty)))
                .hasMessageContaining("has no key in it");
        assertThatThrownBy(() -> access("api-key-file = \"%s\"".formatted(folder.resolve("nowhere"))))
                .hasMessageContaining("cannot be read");
        var bad = Files.writeString(folder.resolve("bad"), "fine\none two three\n");
        assertThatThrownBy(() -> access("api-key-file = \"%s\"".formatted(bad))).hasMessageContaining("line 2 of");
    }

    @Test
    void keysOfTheSettingsAndOfTheFileAreBothKnown() throws IOException {
        var file = Files.writeString(folder.resolve("keys"), "filed\n");
        var access = access("api-keys = [given], api-key-file = \"%s\"".formatted(file));
        assertThat(access.admit("Bearer given", null).shownKey()).isTrue();
        assertThat(access.admit("Bearer filed", null).shownKey()).isTrue();
    }

    @Test
    void certificateAndKeyOfTheDoorsBelongTogether() {
        assertThatThrownBy(() -> config("ssl-certfile = a")).hasMessageContaining("both must be named, or none");
        assertThatThrownBy(() -> config("ssl-certfile = a, ssl-keyfile = b")).hasMessageContaining("cannot be read");
    }
}
