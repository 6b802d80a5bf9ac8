//! Places: sorted sets whose scores are 52-bit geohashes.

use crate::redis::codec::Reply;
use crate::redis::engine::{Answer, Call, Fault, SYNTAX, float};
use crate::redis::store::{Value, Zset};

pub(super) const HANDLERS: super::Group = &[
    ("geoadd", geoadd),
    ("geodist", geodist),
    ("geohash", geohash),
    ("geopos", geopos),
    ("georadius", |call| georadius(call, false, false)),
    ("georadius_ro", |call| georadius(call, false, true)),
    ("georadiusbymember", |call| georadius(call, true, false)),
    ("georadiusbymember_ro", |call| georadius(call, true, true)),
    ("geosearch", |call| geosearch(call, false)),
    ("geosearchstore", |call| geosearch(call, true)),
];

const LATITUDE: f64 = 85.051_128_78;
const LONGITUDE: f64 = 180.0;
const EARTH_METRES: f64 = 6_372_797.560_856;

fn interleave(x: u32, y: u32) -> u64 {
    (0..32).fold(0, |bits, i| bits | u64::from(x >> i & 1) << (2 * i) | u64::from(y >> i & 1) << (2 * i + 1))
}

fn gather(bits: u64) -> u32 {
    (0..32).fold(0, |value, i| value | ((bits >> (2 * i) & 1) as u32) << i)
}

fn encode(longitude: f64, latitude: f64, bound: f64) -> u64 {
    let step = f64::from(1u32 << 26);
    let x = ((latitude + bound) / (2.0 * bound) * step) as u32;
    let y = ((longitude + LONGITUDE) / (2.0 * LONGITUDE) * step) as u32;
    interleave(x, y)
}

fn decode(score: f64) -> (f64, f64) {
    let bits = score as u64;
    let step = f64::from(1u32 << 26);
    let (x, y) = (f64::from(gather(bits)), f64::from(gather(bits >> 1)));
    let low = |at: f64, bound: f64| -bound + at / step * (2.0 * bound);
    let latitude = (low(x, LATITUDE) + low(x + 1.0, LATITUDE)) / 2.0;
    let longitude = (low(y, LONGITUDE) + low(y + 1.0, LONGITUDE)) / 2.0;
    (longitude.clamp(-LONGITUDE, LONGITUDE), latitude.clamp(-LATITUDE, LATITUDE))
}

/// Metres between two places.
fn distance(a: (f64, f64), b: (f64, f64)) -> f64 {
    let u = ((b.1.to_radians() - a.1.to_radians()) / 2.0).sin();
    let v = ((b.0.to_radians() - a.0.to_radians()) / 2.0).sin();
    let h = u * u + a.1.to_radians().cos() * b.1.to_radians().cos() * v * v;
    2.0 * EARTH_METRES * h.sqrt().asin()
}

fn place(call: &Call<'_>, at: usize) -> Result<(f64, f64), Fault> {
    let (longitude, latitude) = (call.float(at)?, call.float(at + 1)?);
    if !(-LONGITUDE..=LONGITUDE).contains(&longitude) || !(-LATITUDE..=LATITUDE).contains(&latitude) {
        return Err(format!("ERR invalid longitude,latitude pair {longitude:.6},{latitude:.6}").into());
    }
    Ok((longitude, latitude))
}

fn unit(text: &str) -> Result<f64, Fault> {
    match text {
        "m" => Ok(1.0),
        "km" => Ok(1000.0),
        "ft" => Ok(0.3048),
        "mi" => Ok(1609.34),
        _ => Err("ERR unsupported unit provided. please use M, KM, FT, MI".into()),
    }
}

fn geoadd(call: &mut Call<'_>) -> Answer {
    let (mut nx, mut xx, mut ch) = (false, false, false);
    let mut at = 2;
    while at < call.len() {
        match call.word(at).as_str() {
            "nx" => nx = true,
            "xx" => xx = true,
            "ch" => ch = true,
            _ => break,
        }
        at += 1;
    }
    if (call.len() - at) == 0 || !(call.len() - at).is_multiple_of(3) || (nx && xx) {
        return Err(SYNTAX.into());
    }
    let mut places = Vec::new();
    for i in (at..call.len()).step_by(3) {
        let (longitude, latitude) = place(call, i)?;
        places.push((encode(longitude, latitude, LATITUDE) as f64, call.arg(i + 2).to_vec()));
    }
    let key = call.arg(1).to_vec();
    if call.zset(&key)?.is_none() && xx {
        return Ok(Reply::Integer(0));
    }
    let zset = call.zset_mut(&key)?;
    let (mut added, mut updated) = (0, 0);
    for (score, member) in places {
        match zset.score(&member) {
            None if !xx => {
                zset.set(&member, score);
                added += 1;
            }
            Some(old) if !nx && old != score => {
                zset.set(&member, score);
                updated += 1;
            }
            _ => {}
        }
    }
    call.changed(&key, "zadd", 'z');
    Ok(Reply::Integer(if ch { added + updated } else { added }))
}

fn geodist(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    let unit = match call.len() {
        4 => 1.0,
        5 => unit(&call.word(4))?,
        _ => return Err(SYNTAX.into()),
    };
    let (a, b) = (call.arg(2).to_vec(), call.arg(3).to_vec());
    let Some(zset) = call.zset(&key)? else { return Ok(Reply::Null) };
    Ok(match (zset.score(&a), zset.score(&b)) {
        (Some(a), Some(b)) => Reply::text(format!("{:.4}", distance(decode(a), decode(b)) / unit)),
        _ => Reply::Null,
    })
}

fn geohash(call: &mut Call<'_>) -> Answer {
    const ALPHABET: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
    let key = call.arg(1).to_vec();
    let members = call.args[2..].to_vec();
    let zset = call.zset(&key)?;
    let replies = members
        .iter()
        .map(|member| {
            let Some(score) = zset.and_then(|zset| zset.score(member)) else { return Reply::Null };
            let (longitude, latitude) = decode(score);
            // The standard form counts latitudes to 90 degrees.
            let bits = encode(longitude, latitude, 90.0);
            let text = (0..11)
                .map(|i| if i == 10 { 0 } else { (bits >> (52 - (i + 1) * 5) & 31) as usize })
                .map(|index| ALPHABET[index])
                .collect();
            Reply::Bulk(text)
        })
        .collect();
    Ok(Reply::Array(replies))
}

/// A coordinate as the product prints it: 17 decimals, without trailing zeros.
fn coordinate(value: f64) -> Reply {
    let text = format!("{value:.17}");
    Reply::Decimal(text.trim_end_matches('0').trim_end_matches('.').to_owned())
}

fn coordinates((longitude, latitude): (f64, f64)) -> Reply {
    Reply::Array(vec![coordinate(longitude), coordinate(latitude)])
}

fn geopos(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    let members = call.args[2..].to_vec();
    let zset = call.zset(&key)?;
    let replies = members
        .iter()
        .map(|member| match zset.and_then(|zset| zset.score(member)) {
            Some(score) => coordinates(decode(score)),
            None => Reply::NullArray,
        })
        .collect();
    Ok(Reply::Array(replies))
}

enum Area {
    Circle(f64),
    Box(f64, f64),
}

#[derive(Default)]
struct Options {
    with_place: bool,
    with_distance: bool,
    with_hash: bool,
    order: Option<bool>,
    count: usize,
    store: Option<(Vec<u8>, bool)>,
}

fn search(
    call: &mut Call<'_>,
    key: &[u8],
    center: (f64, f64),
    area: &Area,
    unit: f64,
    options: Options,
) -> Answer {
    let mut found: Vec<(Vec<u8>, f64, f64)> = Vec::new();
    if let Some(zset) = call.zset(key)? {
        for (member, score) in zset.iter() {
            let at = decode(score);
            let metres = distance(center, at);
            let inside = match area {
                Area::Circle(radius) => metres <= *radius,
                Area::Box(width, height) => {
                    distance((center.0, at.1), at) <= width / 2.0
                        && distance((center.0, center.1), (center.0, at.1)) <= height / 2.0
                }
            };
            if inside {
                found.push((member.to_vec(), metres, score));
            }
        }
    }
    // COUNT without an order means the nearest.
    if let Some(ascending) = options.order.or((options.count > 0).then_some(true)) {
        found.sort_by(|a, b| if ascending { a.1.total_cmp(&b.1) } else { b.1.total_cmp(&a.1) });
    }
    if options.count > 0 {
        found.truncate(options.count);
    }
    if let Some((target, by_distance)) = options.store {
        let mut zset = Zset::default();
        for (member, metres, score) in &found {
            zset.set(member, if by_distance { metres / unit } else { *score });
        }
        return Ok(Reply::Integer(call.store(&target, Value::Zset(zset), "georadiusstore", 'z')));
    }
    let plain = !(options.with_place || options.with_distance || options.with_hash);
    let rows = found
        .into_iter()
        .map(|(member, metres, score)| {
            if plain {
                return Reply::Bulk(member);
            }
            let mut row = vec![Reply::Bulk(member)];
            if options.with_distance {
                row.push(Reply::text(format!("{:.4}", metres / unit)));
            }
            if options.with_hash {
                row.push(Reply::Integer(score as i64));
            }
            if options.with_place {
                row.push(coordinates(decode(score)));
            }
            Reply::Array(row)
        })
        .collect();
    Ok(Reply::Array(rows))
}

fn member_place(call: &mut Call<'_>, key: &[u8], member: &[u8]) -> Result<Option<(f64, f64)>, Fault> {
    let Some(zset) = call.zset(key)? else { return Ok(None) };
    let score = zset.score(member).ok_or("ERR could not decode requested zset member")?;
    Ok(Some(decode(score)))
}

/// One of the options that GEORADIUS and GEOSEARCH share; gives how many arguments it took.
fn shared_option(call: &Call<'_>, at: usize, options: &mut Options) -> Result<Option<usize>, Fault> {
    match call.word(at).as_str() {
        "withcoord" => options.with_place = true,
        "withdist" => options.with_distance = true,
        "withhash" => options.with_hash = true,
        "asc" => options.order = Some(true),
        "desc" => options.order = Some(false),
        "any" if options.count > 0 => {}
        "count" if at + 1 < call.len() => {
            let count = call.integer(at + 1)?;
            options.count =
                usize::try_from(count).ok().filter(|count| *count > 0).ok_or("ERR COUNT must be > 0")?;
            return Ok(Some(2));
        }
        _ => return Ok(None),
    }
    Ok(Some(1))
}

fn georadius(call: &mut Call<'_>, by_member: bool, read_only: bool) -> Answer {
    let key = call.arg(1).to_vec();
    let at = if by_member { 3 } else { 4 };
    let center = if by_member {
        let member = call.arg(2).to_vec();
        member_place(call, &key, &member)?
    } else {
        Some(place(call, 2)?)
    };
    let radius = float(call.arg(at)).ok_or("ERR need numeric radius")?;
    if radius < 0.0 {
        return Err("ERR radius cannot be negative".into());
    }
    let unit = unit(&call.word(at + 1))?;
    let mut options = Options::default();
    let mut i = at + 2;
    while i < call.len() {
        if let Some(taken) = shared_option(call, i, &mut options)? {
            i += taken;
            continue;
        }
        match call.word(i).as_str() {
            word @ ("store" | "storedist") if !read_only && i + 1 < call.len() => {
                options.store = Some((call.arg(i + 1).to_vec(), word == "storedist"));
                i += 2;
            }
            _ => return Err(SYNTAX.into()),
        }
    }
    if options.store.is_some() && (options.with_place || options.with_distance || options.with_hash) {
        return Err(
            "ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
                .into(),
        );
    }
    match center {
        Some(center) => search(call, &key, center, &Area::Circle(radius * unit), unit, options),
        None => Ok(Reply::Array(Vec::new())),
    }
}

fn geosearch(call: &mut Call<'_>, store: bool) -> Answer {
    let base = if store { 2 } else { 1 };
    let key = call.arg(base).to_vec();
    let mut options = Options::default();
    let mut by_distance = false;
    let mut center: Option<Option<(f64, f64)>> = None;
    let mut area: Option<(Area, f64)> = None;
    let mut i = base + 1;
    while i < call.len() {
        let left = call.len() - i - 1;
        match call.word(i).as_str() {
            "frommember" if left >= 1 && center.is_none() => {
                let member = call.arg(i + 1).to_vec();
                center = Some(member_place(call, &key, &member)?);
                i += 2;
                continue;
            }
            "fromlonlat" if left >= 2 && center.is_none() => {
                center = Some(Some(place(call, i + 1)?));
                i += 3;
                continue;
            }
            "byradius" if left >= 2 && area.is_none() => {
                let radius = float(call.arg(i + 1)).ok_or("ERR need numeric radius")?;
                let unit = unit(&call.word(i + 2))?;
                if radius < 0.0 {
                    return Err("ERR radius cannot be negative".into());
                }
                area = Some((Area::Circle(radius * unit), unit));
                i += 3;
                continue;
            }
            "bybox" if left >= 3 && area.is_none() => {
                let width = float(call.arg(i + 1)).ok_or("ERR need numeric width")?;
                let height = float(call.arg(i + 2)).ok_or("ERR need numeric height")?;
                let unit = unit(&call.word(i + 3))?;
                if width < 0.0 || height < 0.0 {
                    return Err("ERR height or width cannot be negative".into());
                }
                area = Some((Area::Box(width * unit, height * unit), unit));
                i += 4;
                continue;
            }
            "storedist" if store => {
                by_distance = true;
                i += 1;
                continue;
            }
            _ => {}
        }
        match shared_option(call, i, &mut options)? {
            Some(taken) => i += taken,
            None => return Err(SYNTAX.into()),
        }
    }
    let name = call.word(0);
    let center = center
        .ok_or_else(|| format!("ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for {name}"))?;
    let (area, unit) =
        area.ok_or_else(|| format!("ERR exactly one of BYRADIUS and BYBOX can be specified for {name}"))?;
    if store {
        options.store = Some((call.arg(1).to_vec(), by_distance));
    }
    match center {
        Some(center) => search(call, &key, center, &area, unit, options),
        None if store => Ok(Reply::Integer(0)),
        None => Ok(Reply::Array(Vec::new())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis::codec::general;

    #[test]
    fn sicily() {
        // The values that redis-server 7.0.15 gives.
        let palermo = encode(13.361389, 38.115556, LATITUDE) as f64;
        let catania = encode(15.087269, 37.502669, LATITUDE) as f64;
        assert_eq!(general(palermo, 17), "3479099956230698");
        let km = distance(decode(palermo), decode(catania)) / 1000.0;
        assert_eq!(format!("{km:.4}"), "166.2742");
        assert_eq!(coordinate(decode(palermo).0), Reply::Decimal("13.36138933897018433".to_owned()));
    }
}
