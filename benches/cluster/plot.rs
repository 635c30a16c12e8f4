//! Lines in a plane, as SVG.

use super::numbers::short;

/// A plot.
pub struct Plot {
    /// What it shows.
    pub title: String,
    /// What goes to the right.
    pub x: String,
    /// What goes up.
    pub y: String,
    /// Whether each direction is logarithmic.
    pub logarithmic: (bool, bool),
    /// What is drawn.
    pub lines: Vec<Line>,
}

/// One line.
pub struct Line {
    /// What it is.
    pub name: String,
    /// Where it goes along.
    pub points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 360.0;
/// Room for the axes: left, top, right, bottom.
const MARGIN: (f64, f64, f64, f64) = (64.0, 40.0, 136.0, 52.0);
/// Told apart also by those who do not see all colours.
const COLOURS: &[&str] = &["#000000", "#0072b2", "#d55e00", "#009e73", "#cc79a7"];
/// More points than pixels show nothing more.
const POINTS: usize = 400;

/// One direction: from where to where, and how.
struct Axis {
    low: f64,
    high: f64,
    logarithmic: bool,
}

impl Axis {
    fn of(values: impl Iterator<Item = f64>, logarithmic: bool) -> Self {
        let (mut low, mut high) =
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), it| (low.min(it), high.max(it)));
        if !low.is_finite() {
            (low, high) = (1.0, 10.0);
        }
        if logarithmic {
            (low, high) = (10f64.powf(low.max(1e-3).log10().floor()), 10f64.powf(high.max(2e-3).log10().ceil()));
        } else {
            low = 0.0;
            high = high.max(1e-9);
        }
        Self { low, high, logarithmic }
    }

    /// Where a value is, from 0 to 1.
    fn share(&self, value: f64) -> f64 {
        if self.logarithmic {
            (value.max(self.low) / self.low).log10() / (self.high / self.low).log10().max(1e-9)
        } else {
            (value - self.low) / (self.high - self.low)
        }
    }

    fn ticks(&self) -> Vec<f64> {
        if self.logarithmic {
            let mut ticks = vec![self.low];
            while let Some(next) = ticks.last().map(|it| it * 10.0).filter(|it| *it <= self.high * 1.01) {
                ticks.push(next);
            }
            return ticks;
        }
        let step = 10f64.powf((self.high / 4.0).log10().floor());
        let step =
            [1.0, 2.0, 5.0, 10.0].map(|it| it * step).into_iter().find(|it| self.high / it <= 5.0).unwrap_or(step);
        std::iter::successors(Some(0.0), |it| Some(it + step)).take_while(|it| *it <= self.high * 1.001).collect()
    }
}

impl Plot {
    /// As SVG.
    pub fn svg(&self) -> String {
        let points = || self.lines.iter().flat_map(|it| it.points.iter().copied());
        let (x, y) = (
            Axis::of(points().map(|it| it.0), self.logarithmic.0),
            Axis::of(points().map(|it| it.1), self.logarithmic.1),
        );
        let (left, top, right, bottom) = (MARGIN.0, MARGIN.1, WIDTH - MARGIN.2, HEIGHT - MARGIN.3);
        let across = |value: f64| left + (right - left) * x.share(value);
        let up = |value: f64| bottom - (bottom - top) * y.share(value);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
             <text x=\"{left}\" y=\"24\" font-size=\"15\">{}</text>\n",
            self.title
        );
        for tick in x.ticks() {
            let at = across(tick);
            put(
                &mut svg,
                &format!(
                    "<path d=\"M{at:.1} {top}V{bottom}\" stroke=\"#ddd\"/><text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                    bottom + 16.0,
                    plain(tick)
                ),
            );
        }
        for tick in y.ticks() {
            let at = up(tick);
            put(
                &mut svg,
                &format!(
                    "<path d=\"M{left} {at:.1}H{right}\" stroke=\"#ddd\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                    left - 6.0,
                    at + 4.0,
                    plain(tick)
                ),
            );
        }
        put(
            &mut svg,
            &format!(
                "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                (left + right) / 2.0,
                HEIGHT - 12.0,
                self.x
            ),
        );
        put(
            &mut svg,
            &format!(
                "<text transform=\"translate(16 {}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
                (top + bottom) / 2.0,
                self.y
            ),
        );
        for (index, line) in self.lines.iter().enumerate() {
            let colour = COLOURS[index % COLOURS.len()];
            let path: Vec<String> =
                thinned(&line.points).map(|it| format!("{:.1},{:.1}", across(it.0), up(it.1))).collect();
            put(
                &mut svg,
                &format!(
                    "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
                    path.join(" ")
                ),
            );
            let at = top + 16.0 * super::numbers::float(index) + 8.0;
            put(
                &mut svg,
                &format!(
                    "<path d=\"M{} {at}h18\" stroke=\"{colour}\" stroke-width=\"3\"/><text x=\"{}\" y=\"{}\">{}</text>",
                    right + 10.0,
                    right + 34.0,
                    at + 4.0,
                    line.name
                ),
            );
        }
        svg + "</svg>\n"
    }
}

fn put(svg: &mut String, line: &str) {
    svg.push_str(line);
    svg.push('\n');
}

/// A few hundred of the points, the first and the last among them.
fn thinned(points: &[(f64, f64)]) -> impl Iterator<Item = (f64, f64)> + '_ {
    let step = points.len().div_ceil(POINTS).max(1);
    points.iter().copied().step_by(step).chain(points.last().copied())
}

fn plain(value: f64) -> String {
    let text = short(value);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}
