package dev.kvasir.chaos.process;

import dev.kvasir.chaos.process.Load.Done;
import dev.kvasir.chaos.process.Timeline.Span;
import java.util.List;
import java.util.Locale;

/** A run as a picture: what members went through above, how long requests took below. */
final class TimelineDrawing {
    private static final int WIDTH = 1400;
    private static final int LEFT = 90;
    private static final int RIGHT = 20;
    private static final int LANE = 22;
    private static final int TOP = 30;
    private static final int PLOT = 260;
    private static final double MILLIS_MIN = 1;
    private static final double MILLIS_MAX = 120_000;
    private static final String STYLE = """
            <style>
              text { font: 11px system-ui, sans-serif; fill: #1f2328; }
              .lane { fill: #dafbe1; } .DOWN { fill: #cf222e; } .STOPPED { fill: #fb8f44; }
              .CUT_OFF { fill: #a475f9; } .LEAVING { fill: #eac54f; }
              .STREAM { fill: #2563eb; fill-opacity: 0.5; } .PROBE { fill: #0d9488; } .HTTP { fill: #d97706; fill-opacity: 0.6; } .EVENTS { fill: #7c2d12; }
              .grid { stroke: #d8dee4; } .strike { stroke: #656d76; stroke-dasharray: 2 3; }
            </style>
            """;

    private final StringBuilder body = new StringBuilder();
    private final long beganNanos;
    private final double seconds;

    private TimelineDrawing(long beganNanos, double seconds) {
        this.beganNanos = beganNanos;
        this.seconds = Math.max(1, seconds);
    }

    static String draw(List<String> members, Timeline timeline, List<Done> done, double seconds) {
        var drawing = new TimelineDrawing(timeline.beganNanos(), seconds);
        drawing.lanes(members, timeline.spans());
        drawing.requests(members.size(), timeline, done);
        return drawing.svg(members.size());
    }

    private double x(long nanos) {
        double at = Math.clamp((nanos - beganNanos) / 1e9, 0, seconds);
        return LEFT + at / seconds * (WIDTH - LEFT - RIGHT);
    }

    private void lanes(List<String> members, List<Span> spans) {
        for (int i = 0; i < members.size(); i++) {
            int y = TOP + i * LANE;
            add("<text x='8' y='%d'>%s</text>", y + 14, members.get(i));
            add("<rect class='lane' x='%d' y='%d' width='%d' height='%d'/>", LEFT, y, WIDTH - LEFT - RIGHT, LANE - 4);
        }
        for (var span : spans) {
            int lane = members.indexOf(span.member());
            if (lane >= 0) {
                double from = x(span.beganNanos());
                double to = span.endNanos() == Long.MAX_VALUE ? WIDTH - RIGHT : x(span.endNanos());
                add(
                        "<rect class='%s' x='%.1f' y='%d' width='%.1f' height='%d'/>",
                        span.state(), from, TOP + lane * LANE, Math.max(1.5, to - from), LANE - 4);
            }
        }
    }

    private void requests(int lanes, Timeline timeline, List<Done> done) {
        int top = TOP + lanes * LANE + 20;
        for (double millis = MILLIS_MIN; millis <= MILLIS_MAX; millis *= 10) {
            double y = y(top, millis);
            add("<line class='grid' x1='%d' x2='%d' y1='%.1f' y2='%.1f'/>", LEFT, WIDTH - RIGHT, y, y);
            add("<text x='8' y='%.1f'>%.0f ms</text>", y + 4, millis);
        }
        for (var event : timeline.events()) {
            double x = x(event.atNanos());
            add("<line class='strike' x1='%.1f' x2='%.1f' y1='%d' y2='%d'/>", x, x, TOP, top + PLOT);
            add(
                    "<text transform='translate(%.1f %d) rotate(60)'>%s</text>",
                    x - 3, top + PLOT + 12, event.what().replace("&", "&amp;").replace("<", "&lt;"));
        }
        for (var one : done) {
            add(
                    "<circle class='%s' r='2' cx='%.1f' cy='%.1f'/>",
                    one.kind(), x(one.endedNanos()), y(top, Math.max(MILLIS_MIN, (double) one.millis())));
        }
    }

    private static double y(int top, double millis) {
        double share = Math.log(millis / MILLIS_MIN) / Math.log(MILLIS_MAX / MILLIS_MIN);
        return top + PLOT * (1 - Math.min(1, share));
    }

    @SuppressWarnings("AnnotateFormatMethod") // Called with literals above.
    private void add(String format, Object... values) {
        body.append(String.format(Locale.ROOT, format, values)).append('\n');
    }

    private String svg(int lanes) {
        int height = TOP + lanes * LANE + 20 + PLOT + 260;
        return String.format(
                Locale.ROOT,
                "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %d %d'>%n%s"
                        + "<rect width='100%%' height='100%%' fill='#fff'/>%n"
                        + "<text x='%d' y='18'>%.0f s; dead red, stopped orange, cut off violet, leaving yellow; time of streams"
                        + " (blue), new small requests (green), plain HTTP (brown), its events (dark)</text>%n%s</svg>%n",
                WIDTH,
                height,
                STYLE,
                LEFT,
                seconds,
                body);
    }
}
