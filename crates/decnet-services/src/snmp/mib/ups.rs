//! Power supplies: UPS-MIB (RFC 1628) and the part of APC's PowerNet-MIB that monitoring reads.

use super::Builder;
use super::facts::Machine;
use super::live::{Live, Swing};
use super::short::{gauge, int, no_oid, text, ticks};

const UPS: &[u32] = &[1, 3, 6, 1, 2, 1, 33, 1];
const APC: &[u32] = &[1, 3, 6, 1, 4, 1, 318, 1, 1, 1];

/// Everything of a power supply.
pub(super) fn ups(builder: &mut Builder, machine: &Machine<'_>) {
    let identity = machine.identity;
    let mut draw = identity.draw(&["snmp", "ups"]);
    let european = !identity.times.timezone.starts_with("America/");
    let (volts, hertz) = if european { (230.0, 50.0) } else { (120.0, 60.0) };
    let load = draw.between(12, 58) as f64;
    let minutes = draw.between(18, 95) as u32;
    let phase = machine.traffic().0.phase;
    let swing = |middle: f64, by: f64| Swing { low: middle - by, high: middle + by, period: 1_900.0, phase };
    let model = *draw
        .pick(&["Smart-UPS 1500 RM", "Smart-UPS 2200 RM", "Smart-UPS 3000 XL"])
        .unwrap_or(&"Smart-UPS 1500 RM");
    let under = |rest: &[u32]| [UPS, rest].concat();
    builder.scalar(&under(&[1, 1]), text("American Power Conversion"));
    builder.scalar(&under(&[1, 2]), text(model));
    builder.scalar(&under(&[1, 3]), text("UPS 09.3 (ID18)"));
    builder.scalar(&under(&[1, 4]), text("sumx v6.5.0"));
    builder.scalar(&under(&[1, 5]), text(&machine.persona.name));
    builder.scalar(&under(&[1, 6]), text(""));
    builder.scalar(&under(&[2, 1]), int(2));
    builder.scalar(&under(&[2, 2]), int(0));
    builder.scalar(&under(&[2, 3]), int(minutes));
    builder.scalar(&under(&[2, 4]), int(100));
    builder.scalar(&under(&[2, 5]), int(541));
    builder.scalar(&under(&[2, 7]), Live::Integer(swing(27.0, 3.0)));
    builder.scalar(&under(&[3, 1]), super::short::counter(draw.between(0, 6) as u32));
    builder.scalar(&under(&[3, 2]), int(1));
    let mut input = builder.table(&under(&[3, 3, 1]), (1, 5));
    input.row(
        &[1],
        [(2, Live::Integer(swing(hertz * 10.0, 0.6)).into()), (3, Live::Integer(swing(volts, 3.0)).into())],
    );
    builder.scalar(&under(&[4, 1]), int(3));
    builder.scalar(&under(&[4, 2]), int((hertz * 10.0) as u32));
    builder.scalar(&under(&[4, 3]), int(1));
    let mut output = builder.table(&under(&[4, 4, 1]), (1, 5));
    output.row(
        &[1],
        [
            (2, Live::Integer(swing(volts, 1.5)).into()),
            (3, Live::Integer(swing(load * 0.9, 3.0)).into()),
            (4, Live::Integer(swing(load * 13.0, 30.0)).into()),
            (5, Live::Integer(swing(load, 3.0)).into()),
        ],
    );
    builder.scalar(&under(&[6, 1]), gauge(0u32));
    builder.scalar(&under(&[7, 1]), no_oid());

    let own = |rest: &[u32]| [APC, rest].concat();
    builder.scalar(&own(&[1, 1, 1]), text(model));
    builder.scalar(&own(&[1, 1, 2]), text(&machine.persona.name));
    builder.scalar(&own(&[1, 2, 1]), text("UPS 09.3 (ID18)"));
    let made = time::OffsetDateTime::from_unix_timestamp(identity.times.installed - 40 * 86_400)
        .unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    let date = format!("{:02}/{:02}/{:02}", u8::from(made.month()), made.day(), made.year().rem_euclid(100));
    builder.scalar(&own(&[1, 2, 2]), text(&date));
    builder.scalar(&own(&[1, 2, 3]), text(&identity.hardware.serial));
    builder.scalar(&own(&[2, 1, 1]), int(2));
    builder.scalar(&own(&[2, 1, 2]), ticks(0));
    builder.scalar(&own(&[2, 1, 3]), text(&date));
    builder.scalar(&own(&[2, 2, 1]), gauge(100u32));
    builder.scalar(&own(&[2, 2, 2]), Live::Gauge(swing(27.0, 3.0)));
    builder.scalar(&own(&[2, 2, 3]), ticks(minutes * 6_000));
    builder.scalar(&own(&[2, 2, 4]), int(1));
    builder.scalar(&own(&[3, 2, 1]), Live::Gauge(swing(volts, 3.0)));
    builder.scalar(&own(&[3, 2, 4]), Live::Gauge(swing(hertz, 0.1)));
    builder.scalar(&own(&[3, 2, 5]), int(9));
    builder.scalar(&own(&[4, 1, 1]), int(2));
    builder.scalar(&own(&[4, 2, 1]), Live::Gauge(swing(volts, 1.5)));
    builder.scalar(&own(&[4, 2, 3]), Live::Gauge(swing(load, 3.0)));
    builder.scalar(&own(&[7, 2, 3]), int(1));
    builder.scalar(&own(&[7, 2, 4]), text(&date));
}
