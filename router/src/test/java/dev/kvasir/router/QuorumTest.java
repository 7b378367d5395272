package dev.kvasir.router;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.router.Members.MemberStatus;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class QuorumTest {
    private static final long GRACE = 3_000;

    private final Quorum quorum = new Quorum(GRACE);

    /** One letter per member, in the order of addresses: u up, x unreachable, j joining, d down, l leaving. */
    private static List<MemberStatus> members(String states) {
        var members = new ArrayList<MemberStatus>();
        for (int i = 0; i < states.length(); i++) {
            var status = switch (states.charAt(i)) {
                case 'u' -> "Up";
                case 'x' -> "Unreachable";
                case 'j' -> "Joining";
                case 'd' -> "Down";
                default -> "Leaving";
            };
            members.add(new MemberStatus("host-%02d:7355".formatted(i), i, Set.of(), status));
        }
        return members;
    }

    @ParameterizedTest
    @CsvSource({
        "'', true",
        "u, true",
        "uu, true",
        "ux, true",
        "xu, false",
        "uux, true",
        "uxx, false",
        "xxu, false",
        "uuxx, true",
        "xxuu, false",
        "xuuu, true",
        "uxxj, false",
        "uxj, true",
        "uxd, true",
        "lxx, false",
        "lux, true"
    })
    void aMajorityServesAndOfTwoHalvesTheOneWithTheLowestAddress(String states, boolean serves) {
        quorum.refusal(members(states), 0);
        assertThat(quorum.refusal(members(states), GRACE).isEmpty()).isEqualTo(serves);
    }

    @Test
    void aShortMinorityIsForgiven() {
        assertThat(quorum.refusal(members("uxx"), 0)).isEmpty();
        assertThat(quorum.refusal(members("uxx"), GRACE - 1)).isEmpty();
        assertThat(quorum.refusal(members("uux"), GRACE)).isEmpty();
        assertThat(quorum.refusal(members("uxx"), GRACE + 1))
                .as("time begins anew")
                .isEmpty();
        assertThat(quorum.refusal(members("uxx"), 2 * GRACE + 1))
                .isEqualTo("this router reaches 1 of 3 members of the cluster, which is no majority");
        assertThat(quorum.refusal(members("u"), 2 * GRACE + 2))
                .as("the others were taken out")
                .isEmpty();
    }
}
