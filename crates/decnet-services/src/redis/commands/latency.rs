//! SLOWLOG and LATENCY.

use crate::redis::codec::{Reply, number};
use crate::redis::engine::{Answer, Call, Fault};

pub(super) const HANDLERS: super::Group = &[
    ("latency|doctor", latency_doctor),
    ("latency|graph", |call| Err(Fault::quoting("ERR No samples available for event '", call.arg(2), "'"))),
    ("latency|histogram", histogram),
    ("latency|history", |_| Ok(Reply::Array(Vec::new()))),
    ("latency|latest", |_| Ok(Reply::Array(Vec::new()))),
    ("latency|reset", |_| Ok(Reply::Integer(0))),
    ("slowlog|get", slowlog_get),
    ("slowlog|len", |call| Ok(Reply::Integer(call.state.slowlog.len() as i64))),
    ("slowlog|reset", |call| {
        call.state.slowlog.clear();
        Ok(Reply::OK)
    }),
];

fn slowlog_get(call: &mut Call<'_>) -> Answer {
    let mut count = 10;
    if call.len() > 2 {
        let wanted = number(call.arg(2));
        count = if call.since(7, 0) {
            match wanted {
                Some(-1) => usize::MAX,
                Some(wanted) if wanted >= 0 => wanted as usize,
                _ => return Err("ERR count should be greater than or equal to -1".into()),
            }
        } else {
            usize::try_from(wanted.ok_or("ERR value is not an integer or out of range")?)
                .unwrap_or(usize::MAX)
        };
    }
    let peers = call.since(4, 0);
    let rows = call
        .state
        .slowlog
        .iter()
        .take(count)
        .map(|slow| {
            let mut row = vec![
                Reply::Integer(slow.id as i64),
                Reply::Integer(slow.at),
                Reply::Integer(slow.took as i64),
                Reply::bulks(slow.arguments.clone()),
            ];
            if peers {
                row.push(Reply::text(slow.peer.clone()));
                row.push(Reply::bulk(&slow.name));
            }
            Reply::Array(row)
        })
        .collect();
    Ok(Reply::Array(rows))
}

fn latency_doctor(call: &mut Call<'_>) -> Answer {
    let text = if call.state.setting_number("latency-monitor-threshold") == 0 {
        "I'm sorry, Dave, I can't do that. Latency monitoring is disabled in this Redis instance. You may use \"CONFIG \
         SET latency-monitor-threshold <milliseconds>.\" in order to enable it. If we weren't in a deep space mission \
         I'd suggest to take a look at https://redis.io/topics/latency-monitor.\n"
    } else {
        "Dave, no latency spike was observed during the lifetime of this Redis instance, not in the slightest bit. I \
         honestly think you ought to sit down calmly, take a stress pill, and think things over.\n"
    };
    Ok(Reply::Verbatim("txt", text.as_bytes().to_vec()))
}

fn histogram(call: &mut Call<'_>) -> Answer {
    let now = call.state.host.clock.micros();
    let wanted: Vec<String> = (2..call.len()).map(|at| call.word(at)).collect();
    let rows = call
        .state
        .stats
        .commands_now(now)
        .into_iter()
        .filter(|(name, stats)| {
            stats.calls > 0
                && (wanted.is_empty()
                    || wanted.iter().any(|word| word == name || name.split('|').next() == Some(word)))
        })
        .map(|(name, stats)| {
            // Cumulated counts at powers of two; around the mean lie most of the calls.
            let mean = (stats.usec / stats.calls.max(1)).max(1).next_power_of_two();
            let buckets = [(mean, stats.calls - stats.calls / 9), (mean * 2, stats.calls)];
            let buckets = buckets
                .into_iter()
                .filter(|(_, calls)| *calls > 0)
                .map(|(usec, calls)| (Reply::Integer(usec as i64), Reply::Integer(calls as i64)))
                .collect();
            let row = Reply::Map(vec![
                (Reply::text("calls"), Reply::Integer(stats.calls as i64)),
                (Reply::text("histogram_usec"), Reply::Map(buckets)),
            ]);
            (Reply::text(name), row)
        })
        .collect();
    Ok(Reply::Map(rows))
}
