package dev.kvasir.worker;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.transfer.TransferClient;
import dev.kvasir.protocol.KvSource;
import dev.kvasir.worker.PullRoute.Leg;
import dev.kvasir.worker.engine.PullNeed;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class PullRouteTest {
    private static final List<BlockHash> CHAIN = chain();

    private static List<BlockHash> chain() {
        return chain(20);
    }

    private static List<BlockHash> chain(int length) {
        var chain = new ArrayList<BlockHash>();
        for (int i = 0; i < length; i++) {
            chain.add(new BlockHash(1, i));
        }
        return chain;
    }

    private static PullRoute route(int have, int membersMax, KvSource... sources) {
        return PullRoute.of(new PullNeed(CHAIN, have, 16, 0, 0), List.of(sources), membersMax);
    }

    @Test
    void whoeverHasMostIsAskedAndOthersGoOn() {
        var route = route(2, 8, new KvSource("a", 1, 0, 5), new KvSource("b", 1, 0, 9), new KvSource("c", 1, 8, 30));
        assertThat(route.hashes()).isEqualTo(CHAIN.subList(2, 20));
        assertThat(route.legs())
                .containsExactly(
                        new Leg("b", 1, CHAIN.subList(2, 9), false), new Leg("c", 1, CHAIN.subList(9, 20), false));
    }

    @Test
    void eachMemberIsAskedOnceForAllThatItHas() {
        var route = route(0, 8, new KvSource("a", 1, 0, 4), new KvSource("b", 1, 4, 8), new KvSource("a", 1, 8, 12));
        var ofA = new ArrayList<>(CHAIN.subList(0, 4));
        ofA.addAll(CHAIN.subList(8, 12));
        assertThat(route.legs())
                .containsExactly(new Leg("a", 1, ofA, true), new Leg("b", 1, CHAIN.subList(4, 8), false));
        assertThat(route.hashes()).isEqualTo(CHAIN.subList(0, 12));
    }

    @Test
    void aHoleEndsItAndSoDoesTheNumberOfMembers() {
        var first = new KvSource("a", 1, 0, 4);
        assertThat(route(0, 8, first, new KvSource("b", 1, 5, 9)).hashes()).isEqualTo(CHAIN.subList(0, 4));
        assertThat(route(0, 1, first, new KvSource("b", 1, 4, 9)).hashes()).isEqualTo(CHAIN.subList(0, 4));
        assertThat(route(0, 0, first).hashes()).isEmpty();
        assertThat(route(4, 8, first).hashes()).isEmpty();
    }

    @Test
    void moreThanATransferMayBringIsAskedInPieces() {
        int most = TransferClient.BLOCKS_MAX;
        var chain = chain(2 * most + 10);
        var need = new PullNeed(chain, 3, 1, 0, 0);
        var source = List.of(new KvSource("a", 1, 0, chain.size()));
        var route = PullRoute.of(need, source, 8);
        assertThat(route.hashes()).isEqualTo(chain.subList(3, chain.size()));
        assertThat(route.legs())
                .containsExactly(
                        new Leg("a", 1, chain.subList(3, most + 3), false),
                        new Leg("a", 1, chain.subList(most + 3, 2 * most + 3), false),
                        new Leg("a", 1, chain.subList(2 * most + 3, chain.size()), false));
        assertThat(PullRoute.of(need, source, 2).hashes()).isEqualTo(chain.subList(3, 2 * most + 3));
    }
}
