package dev.kvasir.worker.kernel.cuda;

/**
 * How the keys of few row tiles are shared out, so that the device is busy although there are few rows.
 *
 * @param parts at most, of a row tile's keys; 1 where they are not split
 * @param tiles of keys in one part
 */
record KeySplit(int parts, int tiles) {
    /** A row tile that sees fewer than so many of the shortest parts is computed as fast by one block. */
    private static final int WORTHWHILE = 4;

    /**
     * Parts for all blocks that there may be, none shorter than is worth it.
     *
     * @param units row tiles, once for each KV head
     * @param keyTiles that the row tile with the longest context sees
     * @param tilesMin of a part
     * @param blocksMax that can wait for each other
     */
    static KeySplit of(int units, int keyTiles, int tilesMin, int blocksMax) {
        int parts = Math.min(blocksMax / units, keyTiles / tilesMin);
        if (parts <= 1 || keyTiles < WORTHWHILE * tilesMin) {
            return new KeySplit(1, keyTiles);
        }
        int tiles = Math.ceilDiv(keyTiles, parts);
        return new KeySplit(Math.ceilDiv(keyTiles, tiles), tiles);
    }
}
