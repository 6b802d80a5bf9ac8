//! Values that move: counters that grow with the uptime, gauges that swing, clocks.
//!
//! Everything is a pure function of the moment, so that a decky needs no timer and two answers a second
//! apart agree with each other and with a third one after a restart of the worker.

use std::f64::consts::TAU;

use super::super::stats::Stats;
use super::super::value::Value;

/// The moment of a request.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    /// Microseconds since 1970-01-01 UTC by the decky's clock.
    pub(crate) now: i64,
    /// Microseconds since the system was booted.
    pub(crate) uptime: i64,
    /// Microseconds since the agent was started.
    pub(crate) agent_uptime: i64,
    /// The local time's offset from UTC, in minutes.
    pub(crate) utc_offset: i32,
    /// snmpEngineBoots.
    pub(crate) boots: i32,
    /// The agent's counters.
    pub(crate) stats: Stats,
}

impl Moment {
    /// Hundredths of a second since boot, as TimeTicks wrap.
    fn ticks(micros: i64) -> u32 {
        (micros.max(0) / 10_000) as u32
    }

    /// snmpEngineTime.
    pub(crate) fn engine_time(&self) -> i32 {
        i32::try_from(self.agent_uptime.max(0) / 1_000_000).unwrap_or(i32::MAX)
    }
}

/// A stream of events: so many a second on average, more by day than by night.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Flow {
    /// Events per second.
    pub(crate) rate: f64,
    /// Where in its daily course it stands at boot, 0 to 1.
    pub(crate) phase: f64,
    /// What stood on the counter right after boot.
    pub(crate) base: u64,
}

impl Flow {
    /// The same course at another rate.
    pub(crate) fn times(self, factor: f64) -> Flow {
        Flow { rate: self.rate * factor, ..self }
    }

    /// How many events until then. Never less than before: the swings added are smaller than the steady
    /// part that carries them.
    pub(crate) fn count(self, uptime: i64) -> u64 {
        const DAY: f64 = 86_400.0;
        const HOUR: f64 = 2_213.0;
        let seconds = uptime.max(0) as f64 / 1e6;
        let swing = |period: f64, depth: f64, phase: f64| {
            // The integral of depth * sin(2 pi (t / period + phase)) from 0 to t.
            depth * period / TAU * ((TAU * phase).cos() - (TAU * (seconds / period + phase)).cos())
        };
        let events =
            self.rate * (seconds + swing(DAY, 0.55, self.phase) + swing(HOUR, 0.25, self.phase * 7.0));
        self.base.saturating_add(events.max(0.0) as u64)
    }
}

/// A quantity that swings between two bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Swing {
    /// Least.
    pub(crate) low: f64,
    /// Most.
    pub(crate) high: f64,
    /// Seconds from one peak to the next.
    pub(crate) period: f64,
    /// Where it stands at boot, 0 to 1.
    pub(crate) phase: f64,
}

impl Swing {
    /// What is left of `whole`: both always add up to it.
    pub(crate) fn complement(self, whole: f64) -> Swing {
        Swing { low: whole - self.high, high: whole - self.low, phase: self.phase + 0.5, ..self }
    }

    /// Its value then.
    pub(crate) fn at(self, uptime: i64) -> f64 {
        let seconds = uptime.max(0) as f64 / 1e6;
        let turn = |period: f64| (TAU * (seconds / period + self.phase)).sin();
        // Three waves whose periods have no common multiple; the sum stays within one.
        let wave =
            0.55 * turn(self.period) + 0.3 * turn(self.period / 3.37) + 0.15 * turn(self.period / 11.3);
        self.low + (self.high - self.low) * (0.5 + 0.5 * wave)
    }
}

/// What a load average is shown as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LoadForm {
    /// Text with two decimals.
    Text,
    /// A whole number of hundredths.
    Hundredths,
    /// A floating point number in an Opaque.
    Float,
}

/// A value that is computed when it is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Live {
    /// TimeTicks since the agent was started.
    AgentUptime,
    /// TimeTicks since the system was booted.
    SystemUptime,
    /// DateAndTime, the decky's local time.
    Date {
        /// Whether the zone is part of it (11 bytes rather than 8).
        zone: bool,
    },
    /// `Sun Nov 22 12:23:29 2026`, local time.
    DateText,
    /// Counter32.
    Count32(Flow),
    /// Counter64.
    Count64(Flow),
    /// An INTEGER that grows, such as processor time.
    Grows(Flow),
    /// INTEGER.
    Integer(Swing),
    /// Gauge32.
    Gauge(Swing),
    /// Counter64 as a gauge, as net-snmp sends large sizes.
    Wide(Swing),
    /// A load average.
    Load(Swing, LoadForm),
    /// One of the agent's own counters.
    Stat(usize),
    /// snmpEngineTime.
    EngineTime,
    /// snmpEngineBoots.
    EngineBoots,
}

impl Live {
    /// The value at that moment.
    pub(crate) fn value(self, moment: &Moment) -> Value {
        match self {
            Live::AgentUptime => Value::TimeTicks(Moment::ticks(moment.agent_uptime)),
            Live::SystemUptime => Value::TimeTicks(Moment::ticks(moment.uptime)),
            Live::Date { zone } => Value::Octets(date_and_time(moment.now, moment.utc_offset, zone)),
            Live::DateText => Value::text(date_text(moment.now, moment.utc_offset)),
            Live::Count32(flow) => Value::Counter32(flow.count(moment.uptime) as u32),
            Live::Count64(flow) => Value::Counter64(flow.count(moment.uptime)),
            Live::Grows(flow) => Value::Integer((flow.count(moment.uptime) & 0x7fff_ffff) as i32),
            Live::Integer(swing) => Value::Integer(swing.at(moment.uptime) as i32),
            Live::Gauge(swing) => Value::Gauge32(swing.at(moment.uptime) as u32),
            Live::Wide(swing) => Value::Counter64(swing.at(moment.uptime) as u64),
            Live::Load(swing, form) => {
                let load = swing.at(moment.uptime).max(0.0);
                match form {
                    LoadForm::Text => Value::text(format!("{load:.2}")),
                    LoadForm::Hundredths => Value::Integer((load * 100.0) as i32),
                    LoadForm::Float => Value::float(load as f32),
                }
            }
            Live::Stat(index) => Value::Counter32(moment.stats.get(index)),
            Live::EngineTime => Value::Integer(moment.engine_time()),
            Live::EngineBoots => Value::Integer(moment.boots),
        }
    }
}

/// A broken-down local time.
fn local(micros: i64, utc_offset: i32) -> time::OffsetDateTime {
    let seconds = micros.div_euclid(1_000_000) + i64::from(utc_offset) * 60;
    time::OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(time::OffsetDateTime::UNIX_EPOCH)
}

/// DateAndTime (RFC 2579 section 2).
pub(crate) fn date_and_time(micros: i64, utc_offset: i32, zone: bool) -> Vec<u8> {
    let at = local(micros, utc_offset);
    let year = at.year().clamp(0, 65_535) as u16;
    let mut bytes = year.to_be_bytes().to_vec();
    bytes.extend([u8::from(at.month()), at.day(), at.hour(), at.minute(), at.second()]);
    bytes.push((micros.rem_euclid(1_000_000) / 100_000) as u8);
    if zone {
        let minutes = utc_offset.unsigned_abs();
        bytes.push(if utc_offset < 0 { b'-' } else { b'+' });
        bytes.extend([(minutes / 60) as u8, (minutes % 60) as u8]);
    }
    bytes
}

fn date_text(micros: i64, utc_offset: i32) -> String {
    let at = local(micros, utc_offset);
    let weekday = at.weekday().to_string();
    let month = at.month().to_string();
    format!(
        "{} {} {:2} {:02}:{:02}:{:02} {}",
        &weekday[..3],
        &month[..3],
        at.day(),
        at.hour(),
        at.minute(),
        at.second(),
        at.year()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn dates_of_a_real_agent() {
        // 2026-11-22 12:23:28.0 UTC, as snmpd 5.9.3 gave it.
        let micros = 1_795_350_208_000_000;
        assert_eq!(date_and_time(micros, 0, true), b"\x07\xea\x0b\x16\x0c\x17\x1c\x00+\x00\x00");
        assert_eq!(date_and_time(micros, -210, true)[8..], [b'-', 3, 30]);
        assert_eq!(date_text(micros, 0), "Sun Nov 22 12:23:28 2026");
    }

    proptest! {
        #[test]
        fn counters_never_go_back(rate in 0.0f64..1e8, phase in 0.0f64..1.0, step in 1_000i64..4_000_000_000) {
            let flow = Flow { rate, phase, base: 7 };
            let mut last = 0;
            for turn in 0..60 {
                let count = flow.count(turn * step);
                prop_assert!(count >= last && count >= 7);
                last = count;
            }
        }

        #[test]
        fn two_parts_make_the_whole(at in 0i64..1_000_000_000_000_000, phase in 0.0f64..1.0) {
            let part = Swing { low: 100.0, high: 400.0, period: 3600.0, phase };
            let sum = part.at(at) + part.complement(1000.0).at(at);
            prop_assert!((sum - 1000.0).abs() < 1e-3, "{}", sum);
        }

        #[test]
        fn swings_keep_their_bounds(low in -1e6f64..0.0, high in 0.0f64..1e6, at in any::<i64>(), phase in 0.0f64..1.0) {
            let value = Swing { low, high, period: 3600.0, phase }.at(at);
            prop_assert!(value >= low - 1e-6 && value <= high + 1e-6);
        }
    }
}
