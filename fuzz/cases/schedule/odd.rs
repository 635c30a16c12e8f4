//! Values that nobody would write on purpose.

use arbitrary::{Result, Unstructured};
use serde_json::{Value, json};

/// Puts something odd in the place of a part of a value, or takes it out.
pub fn mutate(u: &mut Unstructured<'_>, value: &mut Value) -> Result<()> {
    let goes_deeper = u.ratio(5, 6)?;
    match value {
        Value::Object(map) if !map.is_empty() && goes_deeper => {
            let index = u.choose_index(map.len())?;
            let Some(name) = map.keys().nth(index).cloned() else { return Ok(()) };
            match u.int_in_range(0..=9)? {
                0 => drop(map.remove(&name)),
                1 => drop(map.insert(name, self::value(u)?)),
                _ => mutate(u, &mut map[&name])?,
            }
        }
        Value::Array(list) if !list.is_empty() && goes_deeper => {
            let index = u.choose_index(list.len())?;
            match u.int_in_range(0..=9)? {
                0 => drop(list.remove(index)),
                1 => list.push(list[index].clone()),
                _ => mutate(u, &mut list[index])?,
            }
        }
        _ => *value = self::value(u)?,
    }
    Ok(())
}

fn value(u: &mut Unstructured<'_>) -> Result<Value> {
    Ok(match u.int_in_range(0..=12)? {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(i64::from(u.arbitrary::<i16>()?)),
        3 => json!(u.arbitrary::<i64>()?),
        4 => json!(1.5),
        5 => json!(""),
        6 => json!("\u{1b}[31m\n\"\u{0}ä"),
        7 => json!("x".repeat(u.int_in_range(60..=2000)?)),
        8 => json!(u.arbitrary::<String>()?),
        9 => json!([]),
        10 => json!({}),
        11 => time(u)?,
        _ => duration(u)?,
    })
}

/// A time, most often near the time of the first round.
pub fn time(u: &mut Unstructured<'_>) -> Result<Value> {
    let far = [
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00Z",
        "1970-01-01T00:00:00Z",
        "9999-12-30T22:00:00Z",
        "9999-12-31T23:59:59Z",
        "2026-06-01T10:00:00.999999999Z",
        "2026-06-01T10:00:00+23:59",
        "2026-02-30T00:00:00Z",
    ];
    if u.ratio(1, 8)? {
        return Ok(json!(u.choose(&far)?));
    }
    near(u)
}

/// A time within some hours of the first round.
pub fn near(u: &mut Unstructured<'_>) -> Result<Value> {
    let seconds = i64::from(u.arbitrary::<i16>()?);
    let seconds = if u.ratio(2, 3)? { seconds / 60 * 60 } else { seconds };
    Ok(json!(super::stored::later(seconds).to_string()))
}

/// A length of time, short, usual or too long to be counted.
pub fn duration(u: &mut Unstructured<'_>) -> Result<Value> {
    let texts = ["0s", "1s", "30s", "90s", "10m", "1h", "7d", "9999w99999d999999h99999999m999999999s", "-1s"];
    Ok(json!(u.choose(&texts)?))
}
