package dev.kvasir.worker.kernel;

/** Choices made on the host when they are asked for, by looking at all logits of a row. */
final class HostChoices implements Choices, Choices.Reading {
    private static final int NONE = -1;

    private Matrix from = new Nothing();
    private float[] logits = {};
    private int known = NONE;
    private int token;
    private float largest;

    private record Nothing() implements Matrix {
        @Override
        public int rowsMax() {
            return 0;
        }

        @Override
        public int columns() {
            return 0;
        }

        @Override
        public void read(int row, float[] destination) {}
    }

    void choose(Matrix matrix) {
        from = matrix;
        known = NONE;
        if (logits.length != matrix.columns()) {
            logits = new float[matrix.columns()];
        }
    }

    private void know(int row) {
        if (known != row) {
            from.read(row, logits);
            largest = max(logits);
            token = first(logits, largest);
            known = row;
        }
    }

    private static float max(float[] values) {
        float max = Float.NEGATIVE_INFINITY;
        for (float value : values) {
            max = Math.max(max, value);
        }
        return max;
    }

    private static int first(float[] values, float value) {
        for (int id = 0; id < values.length; id++) {
            if (values[id] == value) {
                return id;
            }
        }
        return values.length;
    }

    @Override
    public Reading read(int rows) {
        return this;
    }

    @Override
    public void await() {}

    @Override
    public int token(int row) {
        know(row);
        return token;
    }

    @Override
    public float logit(int row) {
        know(row);
        return largest;
    }
}
