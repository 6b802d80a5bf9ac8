//! LOLWUT.

use crate::redis::codec::Reply;
use crate::redis::engine::{Answer, Call, Fault};

pub(super) const HANDLERS: super::Group = &[("lolwut", lolwut)];

/// LOLWUT of release 5 and later: its last line names the release. The drawing of release 5, "Schotter",
/// is a pure matter of squares on a canvas of Braille dots, drawn on request.
fn lolwut(call: &mut Call<'_>) -> Answer {
    let version = call.state.persona.version.clone();
    let mut at = 1;
    let mut wanted = None;
    if call.is(1, "version") && call.len() > 2 {
        wanted = Some(call.integer(2)?);
        at = 3;
    }
    let release = call.release();
    let five = wanted == Some(5) || (wanted.is_none() && !release.since(6, 0));
    if !five {
        return Ok(Reply::Verbatim("txt", format!("Redis ver. {version}\n").into_bytes()));
    }
    let size = |at: usize, default: i64, high: i64| -> Result<usize, Fault> {
        let value = if call.len() > at { call.integer(at)? } else { default };
        Ok(value.clamp(1, high) as usize)
    };
    let (columns, per_row, per_column) = (size(at, 66, 1000)?, size(at + 1, 8, 200)?, size(at + 2, 12, 200)?);
    let canvas = schotter(call, columns, per_row, per_column);
    let text = format!("{canvas}\nGeorg Nees - schotter, plotter on paper, 1968. Redis ver. {version}\n");
    Ok(Reply::Verbatim("txt", text.into_bytes()))
}

/// Cells of the canvas.
const CANVAS_BOUND: usize = 4_000_000;

fn schotter(call: &Call<'_>, columns: usize, per_row: usize, per_column: usize) -> String {
    let width = columns * 2;
    let padding = if width > 4 { 2 } else { 0 };
    let side = (width - padding * 2) as f64 / per_row as f64;
    let height = (side * per_column as f64) as usize + padding * 2;
    if width.saturating_mul(height) > CANVAS_BOUND {
        return String::new();
    }
    let mut dots = vec![false; width * height];
    let random = || call.state.host.entropy.between(0, 1_000_000) as f64 / 1_000_000.0;
    for y in 0..per_column {
        for x in 0..per_row {
            let mut center = (
                x as f64 * side + side / 2.0 + padding as f64,
                y as f64 * side + side / 2.0 + padding as f64,
            );
            let mut angle = 0.0;
            if y > 1 {
                let strength = y as f64 / per_column as f64;
                let sign = |value: f64| if random() < 0.5 { -value } else { value };
                angle = sign(random() * strength);
                center.0 += sign(random() * strength * side / 3.0);
                center.1 += sign(random() * strength * side / 3.0);
            }
            square(&mut dots, width, height, center, side, angle);
        }
    }
    let mut text = String::new();
    for row in (0..height).step_by(4) {
        for column in (0..width).step_by(2) {
            let dot = |x: usize, y: usize| {
                column + x < width
                    && row + y < height
                    && dots.get((row + y) * width + column + x) == Some(&true)
            };
            let order = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3)];
            let bits =
                order.iter().enumerate().fold(0u32, |bits, (i, (x, y))| bits | u32::from(dot(*x, *y)) << i);
            text.push(char::from_u32(0x2800 + bits).unwrap_or(' '));
        }
        text.push('\n');
    }
    text
}

fn square(dots: &mut [bool], width: usize, height: usize, center: (f64, f64), side: f64, angle: f64) {
    let radius = side / std::f64::consts::SQRT_2;
    let corner = |i: usize| {
        let turn = std::f64::consts::FRAC_PI_4 + angle + std::f64::consts::FRAC_PI_2 * i as f64;
        ((turn.sin() * radius + center.0).round(), (turn.cos() * radius + center.1).round())
    };
    for i in 0..4 {
        let (from, to) = (corner(i), corner(i + 1));
        let steps = (to.0 - from.0).abs().max((to.1 - from.1).abs()).max(1.0) as usize;
        for step in 0..=steps {
            let part = step as f64 / steps as f64;
            let x = (from.0 + (to.0 - from.0) * part).round();
            let y = (from.1 + (to.1 - from.1) * part).round();
            if x >= 0.0
                && y >= 0.0
                && (x as usize) < width
                && (y as usize) < height
                && let Some(dot) = dots.get_mut(y as usize * width + x as usize)
            {
                *dot = true;
            }
        }
    }
}
